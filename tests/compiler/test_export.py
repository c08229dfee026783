"""LP and MPS read back by other programs: the same optimum, deterministic and readable names."""

import re

import highspy
import numpy as np
import pyomo.environ as pyo
import pyscipopt
import pytest

import agtopt
from agtopt.compiler import compile
from agtopt.solvers import choose, open_session
from tests.instances import KINDS, random_problem
from tests.matrix import Cell, cell_problem


def read_by_highs(path):
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("mip_rel_gap", 0.0)
    highs.readModel(str(path))
    highs.run()
    return highs.getObjectiveValue()


def read_by_scip(path):
    scip = pyscipopt.Model()
    scip.hideOutput()
    scip.readProblem(str(path))
    scip.optimize()
    return scip.getObjVal()


@pytest.fixture(scope="module")
def problem():
    return random_problem(3, 2, "hinge", "features", samples=4, steps=2, n=1)


@pytest.mark.parametrize("ending", ["lp", "mps"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_read_back_has_the_same_optimum(problem, kind, ending, tmp_path):
    model = compile(problem, kind)
    readers = [read_by_scip] if model.quadratic else [read_by_highs, read_by_scip]
    for k in range(0, problem.network.size, 2):
        direction = np.eye(problem.network.size)[k] * (-1) ** k
        path = model.write(tmp_path / f"{k}.{ending}", direction)
        expected = (
            open_session(choose(None, model.quadratic, kind.binaries), model.pyomo).solve().bound
        )
        for read in readers:
            assert read(path) == pytest.approx(expected, abs=2e-5), (k, read.__name__)


@pytest.mark.parametrize("kind", ["LP", "MILP"])
def test_no_coefficient_is_too_small_for_a_solver(problem, kind, tmp_path):
    """HiGHS drops coefficients below 1e-9 with a warning: what it drops is not in the model that it
    solves."""
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    assert (
        highs.readModel(str(compile(problem, kind).write(tmp_path / "m.mps")))
        == highspy.HighsStatus.kOk
    )


@pytest.mark.parametrize("ending", ["lp", "mps"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_two_compiles_write_the_same_file(problem, kind, ending, tmp_path):
    texts = [compile(problem, kind).write(tmp_path / f"{k}.{ending}").read_text() for k in range(2)]
    assert texts[0] == texts[1]


def test_names_say_what_they_are(tiny_mlp, tmp_path):
    """Block, step, quantity, sample and unit, in the file too."""
    model = compile(tiny_mlp, "MILP")
    names = [variable.name for variable in model.pyomo.component_data_objects(pyo.Var)]
    block = r"(data|parameter\[\d+\]|step\[\d+\]\.(forward|loss|backward|gradient|update))"
    pattern = block + r"\.[a-z]\w*\[\d+(,\d+)*\]"
    assert all(re.fullmatch(pattern, name) for name in names), next(
        n for n in names if not re.fullmatch(pattern, n)
    )
    assert {
        "data.selector[0]",
        "data.x[7,1]",
        "parameter[1].dense1_weight[3,0]",
        "parameter[2].dense2_bias[0]",
    } <= set(names)
    text = model.write(tmp_path / "m.lp").read_text()
    assert "data_selector(0)" in text
    assert "parameter(2)_dense1_weight(3_0)" in text


def test_exponentials_go_into_nl_only(tmp_path):
    model = compile(
        cell_problem(Cell("labels", "binary-cross-entropy", "plain", "rectified", 1, True)), "MINLP"
    )
    for ending in ("lp", "mps"):
        with pytest.raises(agtopt.UnsupportedError, match="exponentials"):
            model.write(tmp_path / f"m.{ending}")
    assert model.write(tmp_path / "m.nl").read_text().startswith("g3")


@pytest.mark.parametrize(
    ("path", "words"),
    [("m.txt", "'.txt'.*.lp, .mps, .nl"), ("nowhere/m.lp", "nowhere"), ("m", "ending")],
)
def test_a_path_that_cannot_be_written_is_named(problem, path, words, tmp_path):
    with pytest.raises(agtopt.InvalidInputError, match=words):
        compile(problem, "LP").write(tmp_path / path)
