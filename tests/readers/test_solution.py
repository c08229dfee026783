"""Solution files of other programs: read, given back to the model, and replayed by real
training."""

import csv
import shutil
import subprocess

import gurobipy
import highspy
import numpy as np
import pyscipopt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import agtopt
from agtopt.compiler import export_file
from agtopt.compiler.readme import commands
from agtopt.readers.solution import read_solution
from tests.conftest import MODELS
from tests.properties.test_units import measured

HIGHS = """Model status
Optimal

# Primal solution values
Feasible
Objective -1.5
# Columns 2
data_selector(0) 1
x 2.5e-1
# Rows 1
row 3
"""
TEXTS = {
    "highs": HIGHS,
    "scip": (
        "solution status: optimal solution found\nobjective value:     -1.5\ndata_selector(0)   1 "
        "\t(obj:0)\nx   0.25 \t(obj:-1)\n"
    ),
    "gurobi": (
        "# Solution for model m\n# Objective value = -1.5000000000000000e+00\ndata_selector(0) "
        "1\nx 2.5e-01\n"
    ),
    "cbc": (
        "Optimal - objective value -1.50000000\n      0 data_selector(0)    1     0\n**    1 x     "
        "0.25     -0.1\n"
    ),
}


@pytest.mark.parametrize("program", TEXTS)
def test_texts_of_every_program(program, tmp_path):
    (tmp_path / "s.sol").write_text(TEXTS[program])
    found = read_solution(tmp_path / "s.sol")
    assert found.program == program
    assert found.objective == -1.5
    assert dict(found.values) == {"data_selector(0)": 1.0, "x": 0.25}
    assert found.status in (None, "Optimal", "optimal solution found")


BAD = [
    ("", "no solution file"),
    ("Columns\n    Index Status", "raw style"),
    (
        "Model status\nInfeasible\n\n# Primal solution values\nNone\n",
        "no primal point .status Infeasible",
    ),
    (HIGHS.replace("2.5e-1", "many"), "'many' is no number"),
    (HIGHS.replace("# Columns 2", "# Columns 3"), "'Rows' is no number"),
    (
        HIGHS.replace("# Columns 2", "# Columns 1e12"),
        "'1e12' columns are announced, 4 lines follow",
    ),
    (HIGHS.replace("# Columns 2", "# Columns 1.5"), "'1.5' columns are announced, 1 lines follow"),
    (HIGHS.replace("# Columns 2", "# Columns -1"), "'-1' columns are announced, 0 lines follow"),
    (HIGHS.replace("x 2.5e-1", "data_selector(0) 0"), "'data_selector.0.' has two values"),
    ("solution status: infeasible\nno solution available\n", "no point .status infeasible"),
    ("objective value:   1e400\n", "no finite number"),
    ("# Objective value = 1\n", "Gurobi wrote no point"),
    (
        "Infeasible - objective value 0.0000\n      0 x 1 0\n",
        "CBC wrote no point .status Infeasible",
    ),
    ("Optimal - objective value 1\nx\n", "names no variable"),
]


@pytest.mark.parametrize(("text", "words"), BAD, ids=[words for _, words in BAD])
def test_files_without_a_point_are_refused(text, words, tmp_path):
    (tmp_path / "s.sol").write_text(text)
    with pytest.raises(agtopt.InvalidInputError, match=words):
        read_solution(tmp_path / "s.sol")


def test_a_missing_or_binary_file_is_named(tmp_path):
    with pytest.raises(agtopt.MissingFileError, match=r"nowhere\.sol"):
        read_solution(tmp_path / "nowhere.sol")
    (tmp_path / "b.sol").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(agtopt.InvalidInputError, match="no text"):
        read_solution(tmp_path / "b.sol")


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_broken_files_are_refused_by_name(data, tmp_path):
    """Lines of files of solvers and words from them, anew put together, cut off and mistyped."""
    lines = [line for text in TEXTS.values() for line in text.splitlines()]
    words = sorted({word for line in lines for word in line.split()})
    line = (
        st.sampled_from(lines)
        | st.lists(st.sampled_from(words), max_size=4).map(" ".join)
        | st.text(max_size=8)
    )
    content = "\n".join(
        [
            data.draw(st.sampled_from([*lines[:1], *lines]), label="first"),
            *data.draw(st.lists(line, max_size=12)),
        ]
    )
    raw = bytearray(content.encode("utf-8", "surrogatepass"))
    for place in (
        data.draw(st.lists(st.integers(0, max(len(raw) - 1, 0)), max_size=2)) if raw else []
    ):
        raw[place] = data.draw(st.integers(0, 255))
    (tmp_path / "s.sol").write_bytes(raw)
    try:
        found = read_solution(tmp_path / "s.sol")
    except agtopt.AgtoptError:
        return
    assert np.isfinite([*found.values.values(), found.objective or 0.0]).all()


@pytest.mark.parametrize("path", [None, 3, b"s.sol", ["s.sol"]])
def test_what_is_no_path_is_named(path):
    with pytest.raises(
        agtopt.InvalidInputError, match="is not allowed; it must be the path of a file"
    ):
        read_solution(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    """A folder, a name that is too long for the system, and one that it does not take."""
    for name in ("", "s" * 5000, "s\0"):
        with pytest.raises(agtopt.InvalidInputError, match=r"solution: .* cannot be read"):
            read_solution(tmp_path / name)


def solved_by_highs(model, solution):
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("mip_rel_gap", 0.0)
    highs.readModel(str(model))
    highs.run()
    highs.writeSolution(str(solution), 0)


def solved_by_scip(model, solution):
    scip = pyscipopt.Model()
    scip.hideOutput()
    scip.readProblem(str(model))
    scip.optimize()
    scip.writeBestSol(str(solution))


def solved_by_gurobi(model, solution):
    with (
        gurobipy.Env(params={"OutputFlag": 0, "MIPGap": 0.0}) as environment,
        gurobipy.read(str(model), environment) as gurobi,
    ):
        gurobi.optimize()
        gurobi.write(str(solution))


def solved_by_cbc(model, solution):
    if shutil.which("cbc") is None:
        pytest.skip("the program cbc is not installed (Debian: coinor-cbc)")
    subprocess.run(
        ["cbc", str(model), "solve", "solution", str(solution)],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )


SOLVERS = {
    "highs": solved_by_highs,
    "scip": solved_by_scip,
    "gurobi": solved_by_gurobi,
    "cbc": solved_by_cbc,
}


INSTANCES = ("removal-hinge", "flips-limited-multi-hinge", "labels-squared", "l1-squared")
PAIRS = [
    (name, program)
    for i, name in enumerate(INSTANCES)
    for j, program in enumerate(SOLVERS)
    if (i + j) % 2 == 0
]
"""Two programs solve each instance, and each program solves two: files differ by program, replays
by instance."""


@pytest.mark.parametrize(("name", "program"), PAIRS)
def test_the_worst_dataset_of_another_program_attains_what_it_says(name, program, tmp_path):
    """On the first three the MILP is exact: training on the dataset that the file stands for gives
    the optimum."""
    problem = agtopt.load(MODELS / name)
    direction = np.linspace(1.0, -0.5, problem.network.size)
    target = agtopt.direction_target(problem, direction, "max")
    written = export_file(problem, tmp_path / "m.mps", target, "MILP")
    SOLVERS[program](written.path, tmp_path / "m.sol")
    found = agtopt.import_solution(problem, tmp_path / "m.sol", target, "MILP")
    assert found.solution.program == program
    assert found.replay.admissible
    assert found.replay.violation <= 1e-5
    assert found.replay.modelled == pytest.approx(found.stated, abs=1e-5)
    best = (agtopt.attack(problem).theta @ direction).max()
    assert found.replay.attained <= found.stated + 1e-5
    assert found.stated >= best - 1e-5
    if name != "l1-squared":
        assert found.replay.attained == pytest.approx(found.stated, abs=1e-4)
    assert "training on that data attains" in found.describe()


@pytest.mark.parametrize("k", [-20, 20])
@pytest.mark.parametrize(
    ("program", "ending"), [("highs", ".mps"), ("highs", ".lp"), ("scip", ".mps")]
)
def test_units_of_files_are_said_and_undone(k, program, ending, tmp_path):
    """Features of 2^k: weights are of 2^-k, and so is what a file is asked for."""
    problem = measured(k)
    target = agtopt.parameter_target(problem, "dense1_weight[0,0]", "max")
    written = export_file(problem, tmp_path / f"m{ending}", target, "MILP", conditional=False)
    best = agtopt.attack(problem).theta[:, 0].max()
    assert written.optimum[0] == pytest.approx(-written.upper / written.unit)
    assert 0.1 < -written.optimum[1] < 1.0
    with (tmp_path / f"m{ending}.names.csv").open(newline="") as file:
        units = {row["pyomo"]: float(row["unit"]) for row in csv.DictReader(file)}
    assert units["objective"] == written.unit
    assert units["parameter[4].dense1_weight_in_units[0,0]"] == written.unit
    assert units["data.selector[0]"] == 1.0
    assert repr(written.unit) in (tmp_path / f"m{ending}.md").read_text()
    SOLVERS[program](written.path, tmp_path / "m.sol")
    found = agtopt.import_solution(problem, tmp_path / "m.sol", target, "MILP", conditional=False)
    for value in (found.stated, found.replay.modelled, found.replay.attained):
        assert value == pytest.approx(best, rel=1e-4)


def test_a_point_of_an_nl_file_and_of_a_query(tmp_path):
    """SCIP reads AMPL's files with Pyomo's own names; the objective is an output of the trained
    network."""
    problem = agtopt.load(MODELS / "l1-squared")
    target = agtopt.output_target(problem, problem.dataset.features[1])
    written = export_file(problem, tmp_path / "m.nl", target, "MIQCP")
    solved_by_scip(written.path, tmp_path / "m.sol")
    found = agtopt.import_solution(problem, tmp_path / "m.sol", target, "MIQCP")
    assert found.replay.attained == pytest.approx(found.stated, abs=1e-5)
    assert len(found.replay.touched) <= 1


def test_a_relaxations_point_need_not_stand_for_a_dataset(tmp_path):
    """Two thirds of three samples are touched at once: rounding gives three, which the budget does
    not admit."""
    problem = agtopt.load(MODELS / "removal-hinge")
    target = agtopt.parameter_target(problem, "dense1_weight[0,0]")
    lines = "".join(f"data_selector({k}) 0.6666\n" for k in range(3))
    (tmp_path / "s.sol").write_text("# Objective value = 0\n" + lines)
    found = agtopt.import_solution(problem, tmp_path / "s.sol", target, "LP")
    assert not found.replay.admissible
    assert found.replay.attained is None
    assert found.replay.violation > 0.1
    assert "no admissible dataset" in found.describe()


@pytest.mark.parametrize(
    ("line", "words"),
    [("step(9)_nothing 1", "step\\(9\\)_nothing"), ("ONE_VAR_CONSTANT 1", "names no variable")],
)
def test_another_models_solution_is_refused(line, words, tmp_path):
    problem = agtopt.load(MODELS / "removal-hinge")
    (tmp_path / "s.sol").write_text(f"# Objective value = 0\n{line}\n")
    with pytest.raises(agtopt.InvalidInputError, match=words):
        agtopt.import_solution(
            problem, tmp_path / "s.sol", agtopt.parameter_target(problem, "dense1_weight[0,0]")
        )


def test_the_commands_name_the_files(tmp_path):
    problem = agtopt.load(MODELS / "removal-hinge")
    written = export_file(
        problem, tmp_path / "m.lp", agtopt.parameter_target(problem, "dense1_weight[0,0]"), "LP"
    )
    assert all("m.lp" in command for command in commands(written).values())
    assert set(commands(written)) == {"highs", "cbc", "glpk", "scip", "gurobi"}
