"""The model files in models/: what is written today is what was written then, and other programs
still find the optimum.

Numbers are compared to 1e-9, as the last digits of interval bounds depend on the machine's linear
algebra; everything else exactly.
"""

import re

import highspy
import pyscipopt
import pytest

import agtopt
from tests.conftest import MODELS

GOLDEN = {
    "labels-squared/MILP.lp": 0.2050655020,
    "labels-squared/MILP.mps": 0.2050655020,
    "l1-squared/MIQCP.lp": 0.2110405499,
    "l1-squared/MIQCP.mps": 0.2110405499,
    "removal-hinge/LP.lp": -0.8652933725,
}
"""With the minimum of the first parameter, as SCIP 10 finds it."""
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?")


def test_all_goldens_are_compared():
    assert {
        str(path.relative_to(MODELS))
        for ending in ("lp", "mps")
        for path in MODELS.glob(f"*/*.{ending}")
    } == set(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_same_text(name, tmp_path):
    path = MODELS / name
    model = agtopt.compile(agtopt.load(path.parent), path.stem)
    written = model.write(tmp_path / path.name).read_text().split()
    golden = path.read_text().split()
    assert len(written) == len(golden)
    for new, old in zip(written, golden, strict=True):
        if NUMBER.fullmatch(old) and NUMBER.fullmatch(new):
            assert float(new) == pytest.approx(float(old), rel=1e-9, abs=1e-12)
        else:
            assert new == old


@pytest.mark.parametrize("name", GOLDEN)
def test_the_same_optimum(name):
    scip = pyscipopt.Model()
    scip.hideOutput()
    scip.readProblem(str(MODELS / name))
    scip.optimize()
    assert scip.getObjVal() == pytest.approx(GOLDEN[name], abs=1e-6)
    if "QCP" not in name:
        highs = highspy.Highs()
        highs.setOptionValue("output_flag", False)
        assert highs.readModel(str(MODELS / name)) == highspy.HighsStatus.kOk
        highs.run()
        assert highs.getObjectiveValue() == pytest.approx(GOLDEN[name], abs=1e-6)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_optimum_is_no_more_than_training_attains(name):
    problem = agtopt.load((MODELS / name).parent)
    assert GOLDEN[name] <= agtopt.attack(problem).domain.lower[0] + 1e-6
