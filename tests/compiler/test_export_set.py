"""Whole sets of model files: what they are called, what is written beside them, and that other
programs find the same optimum."""

import csv
import re
import shutil
import subprocess
from math import exp

import gurobipy
import highspy
import numpy as np
import pyomo.environ as pyo
import pyscipopt
import pytest

import agtopt
from agtopt.compiler import export_file
from agtopt.compiler.export import holds_functions, write_model
from agtopt.compiler.readme import commands
from tests.conftest import MODELS
from tests.matrix import Cell, cell_problem

TOLERANCE = 2e-5


@pytest.fixture(scope="module")
def ball():
    return agtopt.load(MODELS / "l1-squared")


@pytest.fixture(scope="module")
def targets(ball):
    weights = np.array([1.0, -2.0, 0.5])
    return [
        agtopt.parameter_target(ball, "dense1_weight[0,1]", "max"),
        agtopt.direction_target(ball, weights, "min", "mixed"),
        agtopt.output_target(ball, ball.dataset.features[0], sense="max", name="first"),
    ]


@pytest.fixture(scope="module")
def files(ball, targets, tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    return agtopt.export(
        ball, folder, ("LP", "MILP", "QCP", "MIQCP"), targets, (".lp", ".mps", ".nl")
    )


@pytest.fixture(scope="module")
def optima(ball, targets):
    """By kind, objective and sense, in the file's own sense, from a model that was never
    written."""
    found = {}
    for kind in ("LP", "MILP", "QCP", "MIQCP"):
        for target in targets:
            model = agtopt.compile(ball, kind)
            target.minimise(model)
            found[kind, target.name] = model.bound().incumbent
    return found


def by_scip(path):
    scip = pyscipopt.Model()
    scip.hideOutput()
    scip.readProblem(str(path))
    scip.optimize()
    return scip.getObjVal()


def by_highs(path):
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("mip_rel_gap", 0.0)
    assert highs.readModel(str(path)) != highspy.HighsStatus.kError
    highs.run()
    return highs.getObjectiveValue()


def by_gurobi(path):
    with (
        gurobipy.Env(params={"OutputFlag": 0, "MIPGap": 0.0}) as environment,
        gurobipy.read(str(path), environment) as model,
    ):
        model.optimize()
        return model.ObjVal


def test_every_program_finds_the_same_optimum(files, optima):
    assert len(files) == 4 * 3 * 3
    for each in files:
        readers = [by_scip]
        if each.path.suffix != ".nl":
            readers += [by_gurobi] if each.size.quadratic else [by_gurobi, by_highs]
        for read in readers:
            expected = optima[str(each.kind), each.target.name]
            assert read(each.path) == pytest.approx(expected, abs=TOLERANCE), (
                each.path.name,
                read.__name__,
            )


@pytest.mark.parametrize("program", ["cbc", "glpsol"])
@pytest.mark.parametrize("ending", [".lp", ".mps"])
@pytest.mark.parametrize("kind", ["LP", "MILP"])
def test_programs_of_the_command_line_find_it_too(files, optima, kind, ending, program):
    if shutil.which(program) is None:
        pytest.skip(f"the program {program} is not installed (Debian: coinor-cbc, glpk-utils)")
    chosen = [each for each in files if str(each.kind) == kind and each.path.suffix == ending]
    assert len(chosen) == 3
    for each in chosen:
        command = commands(each)[{"glpsol": "glpk"}.get(program, program)]
        done = subprocess.run(
            command,
            shell=True,
            cwd=each.path.parent,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        stem, expected = each.path.with_suffix(""), optima[kind, each.target.name]
        if program == "glpsol":
            stated = re.search(
                r"Objective:\s+\w+ = (\S+)", stem.with_name(stem.name + ".txt").read_text()
            )
        else:
            stated = re.search(
                r"objective value\s+(\S+)", stem.with_name(stem.name + ".sol").read_text()
            )
        assert stated, done.stdout
        assert float(stated[1]) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("program", ["highs", "scip"])
def test_readme_commands_of_programs_that_pip_does_not_bring(files, optima, program):
    if shutil.which(program) is None:
        pytest.skip(f"the program {program} is not on PATH; its Python package is tested above")
    each = files[0]
    subprocess.run(
        commands(each)[program], shell=True, cwd=each.path.parent, check=True, capture_output=True
    )
    found = agtopt.import_solution(
        agtopt.load(MODELS / "l1-squared"), each.path.with_suffix(".sol"), each.target, each.kind
    )
    assert found.solution.objective == pytest.approx(
        optima[str(each.kind), each.target.name], abs=TOLERANCE
    )


@pytest.mark.parametrize("ending", [".lp", ".mps"])
def test_an_objective_with_a_constant(ending, tmp_path):
    """Fixed parameters are numbers: the constant of the objective travels as a variable that is
    1."""
    problem = agtopt.load(MODELS / "conv-frozen")
    target = agtopt.direction_target(problem, np.linspace(1.0, 2.0, problem.network.size))
    written = export_file(problem, tmp_path / f"m{ending}", target, "LP")
    model = agtopt.compile(problem, "LP")
    target.minimise(model)
    assert abs(model.objective_terms[2]) > 0.1
    expected = model.bound().incumbent
    assert by_highs(written.path) == pytest.approx(expected, abs=TOLERANCE)
    assert by_scip(written.path) == pytest.approx(expected, abs=TOLERANCE)
    assert by_gurobi(written.path) == pytest.approx(expected, abs=TOLERANCE)
    low, high = written.optimum
    assert low <= expected <= high + TOLERANCE
    # GLPK 5 ends 3.6e-4 too low on the LP file, after warnings of numerical instability, and calls
    # its own check of bounds low quality.
    if shutil.which("cbc") is not None:
        command = commands(written)["cbc"]
        subprocess.run(
            command,
            shell=True,
            cwd=tmp_path,
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
        assert agtopt.import_solution(
            problem, tmp_path / "m.sol", target, "LP"
        ).stated == pytest.approx(expected, abs=TOLERANCE)
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(written.path))
    highs.run()
    highs.writeSolution(str(tmp_path / "m.sol"), 0)
    found = agtopt.import_solution(problem, tmp_path / "m.sol", target, "LP")
    assert found.stated == pytest.approx(found.replay.modelled, abs=1e-6)


def test_the_optimum_lies_where_the_readme_says(files, optima):
    for each in files:
        low, high = each.optimum
        assert low - TOLERANCE <= optima[str(each.kind), each.target.name] <= high + TOLERANCE


def test_readme_and_names_are_beside_the_files(ball, files):
    folder = files[0].path.parent
    text = (folder / "README.md").read_text()
    for each in files:
        assert f"`{each.path.name}`" in text
        with each.path.with_name(each.path.name + ".names.csv").open(newline="") as rows:
            names = {row[0]: row[1] for row in list(csv.reader(rows))[1:]}
        model = agtopt.compile(ball, each.kind)
        each.target.minimise(model)
        known = {
            component.name
            for kind in (pyo.Var, pyo.Constraint)
            for component in model.pyomo.component_data_objects(kind)
        }
        assert set(names.values()) <= known | {"objective"}
        text_of_file = each.path.read_text()
        if each.path.suffix != ".nl":
            assert all(name in text_of_file for name in names)
    assert "glpsol --freemps LP" in text
    assert "gurobi_cl" in text
    assert not any("glpsol" in line and "QCP" in line for line in text.splitlines())


def test_every_parameter_that_varies_by_default(tmp_path):
    frozen = agtopt.load(MODELS / "conv-frozen")
    names = np.array(frozen.network.parameter_names)[agtopt.compile(frozen, "LP").moving]
    assert 0 < len(names) < frozen.network.size
    files = agtopt.export(frozen, tmp_path / "all", ("LP",))
    assert [(each.target.name, each.target.sense) for each in files] == [
        (name, sense) for name in names for sense in ("min", "max")
    ]
    assert len({each.path for each in files}) == 2 * len(names)


@pytest.mark.parametrize("kind", ["MIQCP", "MINLP"])
def test_gams_files_say_what_the_model_says(kind, tmp_path):
    """No reader of GAMS is free: its equations are evaluated here, at a training run, beside
    Pyomo's rows."""
    problem = agtopt.load(MODELS / "separate-bce")
    model = agtopt.compile(problem, kind)
    agtopt.parameter_target(problem, "dense1_weight[0,0]").minimise(model)
    names = write_model(model.pyomo, tmp_path / "m.gms").names
    text = (tmp_path / "m.gms").read_text()
    model.assign(problem.dataset)
    components = {
        component.name: component
        for kind in (pyo.Var, pyo.Constraint)
        for component in model.pyomo.component_data_objects(kind)
    }
    values = {
        symbol: components[name].value
        for symbol, name in names.items()
        if name in components and components[name].ctype is pyo.Var
    }
    rows = {
        symbol: components[name]
        for symbol, name in names.items()
        if name in components and components[name].ctype is pyo.Constraint
    }
    found = re.findall(r"^(\w+)\.\. (.*?) =([lge])= (.*?) ;$", text, re.MULTILINE | re.DOTALL)
    seen = set()
    for name, left, sense, right in found:
        if name == "objective":
            continue
        symbol = name if name in rows else name.removesuffix("_hi").removesuffix("_lo")
        gap = eval(" ".join(left.split()), {"exp": exp}, values) - eval(
            " ".join(right.split()), {"exp": exp}, values
        )
        row = rows[symbol]
        expected = [
            pyo.value(row.body) - end
            for end in (pyo.value(row.lower), pyo.value(row.upper))
            if end is not None
        ]
        assert min(abs(abs(gap) - abs(each)) for each in expected) <= 1e-12 * (1 + abs(gap))
        assert (abs(gap) if sense == "e" else gap) <= 1e-9
        seen.add(symbol)
    assert seen == set(rows)
    solve = re.search(r"SOLVE GAMS_MODEL USING (\w+) minimizing GAMS_OBJECTIVE", text)
    assert solve[1].lower() in ("miqcp", "minlp")
    assert (" exp(" in text) == (kind == "MINLP")


def test_a_single_file_has_its_own_readme(ball, tmp_path):
    target = agtopt.parameter_target(ball, "dense1_bias[0]", "max")
    written = export_file(ball, tmp_path / "one.mps", target, "MILP")
    assert {path.name for path in tmp_path.iterdir()} == {
        "one.mps",
        "one.mps.names.csv",
        "one.mps.md",
    }
    assert "--sense max --parameter 'dense1_bias[0]'" in (tmp_path / "one.mps.md").read_text()
    assert "OBJSENSE" not in written.path.read_text()


BAD = [
    ({"kinds": ()}, "no kind"),
    ({"kinds": ("IBP",)}, "IBP has no model"),
    ({"kinds": ("FOO",)}, "FOO"),
    ({"endings": (".txt",)}, r"\.txt.*\.lp, \.mps, \.nl, \.gms"),
    ({"targets": ()}, "no kind, target"),
    ({"targets": ("w",)}, "'w' does not exist"),
    ({"targets": ("dense1_bias[0]", "dense1_bias[0]")}, "name of its own"),
    ({"folder": "no/where"}, "does not exist"),
]


@pytest.mark.parametrize(("changes", "words"), BAD, ids=[words for _, words in BAD])
def test_bad_input_is_refused_before_anything_is_written(ball, changes, words, tmp_path):
    options = {"kinds": ("LP",), **changes}
    folder = tmp_path / options.pop("folder", "set")
    with pytest.raises(agtopt.InvalidInputError, match=words):
        agtopt.export(ball, folder, **options)
    assert not folder.exists()


def test_exponentials_need_a_format_that_holds_them(tmp_path):
    with pytest.raises(agtopt.UnsupportedError, match=r"MINLP takes \.nl or \.gms"):
        agtopt.export(agtopt.load(MODELS / "separate-bce"), tmp_path / "set", ("MINLP",))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: agtopt.parameter_target(p, "dense1_bias[0]", "up"), "'up'"),
        (lambda p: agtopt.direction_target(p, np.ones(2)), r"\(2,\).*\(3,\)"),
        (lambda p: agtopt.direction_target(p, np.zeros(3)), "not all zero"),
        (lambda p: agtopt.direction_target(p, {"dense1_bias[0]": np.nan}), "finite"),
        (lambda p: agtopt.output_target(p, np.zeros(3)), r"\(3,\).*\(2,\)"),
        (lambda p: agtopt.output_target(p, np.zeros(2), np.ones(2)), r"\(2,\).*\(1,\)"),
    ],
)
def test_bad_targets_are_refused(ball, make, words):
    with pytest.raises(agtopt.InvalidInputError, match=words):
        make(ball)


def test_a_parameter_that_no_one_moves_is_no_target():
    problem = agtopt.load(MODELS / "conv-frozen")
    model = agtopt.compile(problem, "LP")
    still = problem.network.parameter_names[int(np.flatnonzero(~model.moving)[0])]
    with pytest.raises(agtopt.InvalidInputError, match="does not vary"):
        agtopt.parameter_target(problem, still).minimise(model)


def test_exponentials_are_solved_from_an_nl_file(tmp_path):
    problem = cell_problem(Cell("labels", "binary-cross-entropy", "plain", "rectified", 1, True))
    (written, *_) = agtopt.export(
        problem, tmp_path / "set", ("MINLP",), problem.network.parameter_names[:1], (".nl", ".gms")
    )
    assert holds_functions(agtopt.compile(problem, "MINLP").pyomo)
    model = agtopt.compile(problem, "MINLP")
    written.target.minimise(model)
    expected = model.bound(time_limit=20)
    assert expected.status == "optimal"
    assert by_scip(written.path) == pytest.approx(expected.incumbent, abs=TOLERANCE)
    assert by_scip(written.path) >= expected.bound


def test_no_variable_is_presolved_away_from_an_nl_file(tmp_path):
    """A solution must name them all; the LP file does."""
    model = agtopt.compile(agtopt.load(MODELS / "removal-hinge"), "MILP")
    model.minimise(np.ones(model.problem.network.size))
    model.write(tmp_path / "m.nl")
    names = write_model(model.pyomo, tmp_path / "m.lp").names.values()
    variables = {variable.name for variable in model.pyomo.component_data_objects(pyo.Var)}
    assert set((tmp_path / "m.col").read_text().split()) == variables & set(names)
