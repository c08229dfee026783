"""What every solver must do, and what no solver may do."""

from dataclasses import replace
from functools import partialmethod

import numpy as np
import pytest

import agtopt
from agtopt import LP, MILP, MINLP, MIQCP, QCP, SolverUnavailableError
from agtopt.attacks import sampled_attack
from agtopt.compiler import compile
from agtopt.solvers import (
    PROVED,
    SOLVERS,
    TOLERANCE,
    Solver,
    choose,
    describe_solvers,
    highs,
    open_session,
)
from tests.conftest import MODELS
from tests.instances import corrupted, random_problem, torch_sgd
from tests.matrix import CURVED, Cell, cell_problem

TAKES = [
    (name, kind) for name in SOLVERS for kind in (LP, MILP, QCP, MIQCP) if SOLVERS[name].takes(kind)
]


@pytest.fixture(scope="module")
def small():
    """Two layers, two steps: products, indicators and rectifiers in a model that fits a
    size-limited licence."""
    return random_problem(3, 2, "hinge", "features", samples=4, steps=2, n=1)


@pytest.fixture(scope="module")
def curved():
    """Exponentials: a logistic model whose samples move or flip."""
    return cell_problem(
        Cell("both", "binary-cross-entropy", "plain", "linear", 1, False), samples=3
    )


def model_of(problem, kind):
    model = compile(problem, kind)
    model.minimise(np.eye(problem.network.size)[0])
    return model


def bounds(problem, kind, name, **options):
    model = model_of(problem, kind)
    session = open_session(choose(name, model.quadratic, kind.binaries), model.pyomo)
    found = []
    for direction in np.vstack([np.eye(problem.network.size), -np.eye(problem.network.size)]):
        model.minimise(direction)
        found.append(session.solve(**options))
    return found


def test_a_solver_is_its_class_and_one_entry_of_the_table(small, monkeypatch):
    """Nothing else asks for a name: drivers, settings and the overview take what the table says."""
    opened = []

    def counted(_, model):
        opened.append(model)
        return open_session(SOLVERS["proof"], model)

    mine = Solver("mine", "highs", "highspy", quadratic=False, open=counted, proves=True)
    monkeypatch.setitem(SOLVERS, "mine", mine)
    assert [row["kinds"] for row in describe_solvers() if row["solver"] == "mine"] == ["LP MILP"]
    reach = agtopt.bound(small, "LP", window=1, solver="mine", rigour=PROVED)
    assert opened
    assert reach.rigour == PROVED
    with pytest.raises(SolverUnavailableError, match="use scip or gurobi"):
        agtopt.bound(small, "QCP", solver="mine")
    with pytest.raises(agtopt.InvalidInputError, match="'scip' proves nothing by itself"):
        agtopt.Settings("LP", solver="scip", rigour=PROVED)


@pytest.mark.parametrize(("name", "kind"), TAKES)
@pytest.mark.parametrize("which", ["small", "flips"])
def test_all_objectives_of_one_session_agree_with_fresh_models_of_another_solver(
    name, kind, which, request
):
    problem = request.getfixturevalue(which)
    results = bounds(problem, kind, name)
    reference = bounds(
        problem, kind, "scip" if name != "scip" else ("gurobi" if kind.bilinear else "highs")
    )
    for result, other in zip(results, reference, strict=True):
        assert result.status == other.status == "optimal"
        assert result.bound == pytest.approx(other.bound, abs=3e-5, rel=0)
        assert result.bound <= result.incumbent + 1e-6
        assert result.incumbent == pytest.approx(result.bound, abs=3e-5, rel=0)
        assert result.seconds >= 0
        assert result.rigour == (
            PROVED if name == "proof" or (name, kind) == ("highs", LP) else TOLERANCE
        )


@pytest.mark.parametrize("kind", [LP, MILP, MIQCP, MINLP], ids=str)
def test_solvers_agree_on_corridors_and_on_exponentials(kind, curved):
    results, reference = (
        bounds(curved, kind, "scip"),
        bounds(curved, kind, "gurobi" if kind.bilinear else "highs"),
    )
    for result, other in zip(results, reference, strict=True):
        assert result.status == other.status == "optimal"
        assert result.bound == pytest.approx(other.bound, abs=3e-5, rel=0)
        assert result.incumbent == pytest.approx(result.bound, abs=3e-5, rel=0)


@pytest.mark.parametrize("loss", CURVED)
def test_a_fixed_variable_is_a_number_in_an_exponential_too(loss):
    """Its column is free in SCIP, so every row must have its value."""
    problem = cell_problem(Cell("box", loss, "plain", "linear", 1, True), samples=3, eps=0.5)
    model = compile(problem, MINLP)
    dataset = corrupted(problem, 2)[1]
    model.fix(dataset)
    for sign in (1.0, -1.0):
        model.minimise(sign * np.eye(problem.network.size)[0])
        bound = sign * open_session(SOLVERS["scip"], model.pyomo).solve().bound
        assert bound == pytest.approx(torch_sgd(problem, dataset)[-1, 0], abs=1e-5)


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kind in TAKES if kind.binaries])
def test_a_start_changes_no_bound(name, kind, flips):
    """S9: with a start and dual reductions SCIP once said a bound that was too tight."""
    plain = bounds(flips, kind, name)
    model = model_of(flips, kind)
    session = open_session(choose(name, model.quadratic, True), model.pyomo)
    for k, result in enumerate(plain[: flips.network.size]):
        model.minimise(np.eye(flips.network.size)[k])
        model.assign(flips.dataset)
        assert session.solve(start=True).bound == pytest.approx(result.bound, abs=3e-5, rel=0)


@pytest.mark.parametrize("name", ["highs", "scip"])
def test_a_time_limit_returns_a_valid_bound_or_none(name, half_moons):
    """S4: what is proved when the time is over, never the incumbent."""
    problem = replace(half_moons, training=replace(half_moons.training, epochs=2))
    model = compile(problem, MILP, conditional=False)
    model.minimise(np.eye(problem.network.size)[0])
    session = open_session(choose(name, False, True), model.pyomo)
    result = session.solve(time_limit=0.02)
    assert result.status == "time limit"
    assert result.bound is None or result.bound <= agtopt.attack(problem).domain.lower[0] + 1e-6
    # The time of earlier solves does not count: a start that nothing can beat is enough.
    model.minimise(np.zeros(problem.network.size))
    model.assign(problem.dataset)
    assert session.solve(time_limit=60.0, start=True).status == "optimal"


def test_highs_never_takes_a_product(small):
    with pytest.raises(SolverUnavailableError, match="highs"):
        choose("highs", quadratic=True)
    with pytest.raises(SolverUnavailableError, match="products"):
        open_session(SOLVERS["highs"], model_of(small, MIQCP).pyomo)
    with pytest.raises(SolverUnavailableError, match="highs"):
        agtopt.bound(small, QCP, solver="highs")


@pytest.mark.parametrize(
    ("name", "words"),
    [("nonsense", "'nonsense' is unknown"), ("ipopt", "proves no bounds"), ("", "unknown")],
)
@pytest.mark.parametrize("kind", [LP, MIQCP])
def test_unknown_and_local_solvers_are_refused(name, words, kind, flips):
    with pytest.raises(SolverUnavailableError, match=words) as caught:
        agtopt.bound(flips, kind, solver=name)
    assert isinstance(caught.value, RuntimeError)


def test_a_solver_that_is_not_installed_is_named_with_its_package(monkeypatch):
    monkeypatch.setattr(
        "agtopt.solvers.registry.find_spec",
        lambda package: None if package == "gurobipy" else object(),
    )
    with pytest.raises(SolverUnavailableError, match="pip install gurobipy"):
        choose("gurobi", quadratic=True)


def test_gurobi_says_when_the_model_is_too_large_for_its_licence(half_moons):
    model = compile(half_moons, MILP)
    model.minimise(np.eye(half_moons.network.size)[0])
    with pytest.raises(SolverUnavailableError, match="licence"):
        open_session(SOLVERS["gurobi"], model.pyomo).solve()


def test_the_default_is_highs_for_linear_programs_and_scip_for_the_rest():
    assert [
        choose(None, q, b).name
        for q, b in ((False, False), (False, True), (True, False), (True, True))
    ] == ["highs", *["scip"] * 3]


def test_describe_lists_every_solver_with_its_kinds():
    rows = {row["solver"]: row for row in describe_solvers()}
    assert set(rows) == set(SOLVERS)
    assert rows["highs"]["kinds"].split() == ["LP", "MILP"]
    assert set(rows["scip"]["kinds"].split()) == {"LP", "QCP", "MILP", "MIQCP", "MINLP"}
    assert all(row["installed"] == "yes" and row["version"] for row in rows.values())


def test_scip_regression_a_bound_that_an_attack_refutes():
    """S9: SCIP 10 with dual reductions and a start called −0.0090255 optimal; a run attains
    −0.008783837."""
    problem = agtopt.load(MODELS / "tiny-mlp")
    model = compile(problem, MIQCP, stop=1)
    k = problem.network.parameter_names.index("dense1_weight[3,0]")
    direction = -np.eye(problem.network.size)[k]
    model.minimise(direction)
    model.assign(sampled_attack(problem).attaining(k, 1, 1))
    session = open_session(SOLVERS["scip"], model.pyomo)
    assert -session.solve(30.0, start=True).bound >= -0.008783837
    assert not session.scip.getParam("misc/allowstrongdualreds")
    assert not session.scip.getParam("misc/allowweakdualreds")


@pytest.mark.parametrize("name", list(SOLVERS))
def test_a_model_with_binaries_but_without_selectors(name):
    """No budget, yet a rectifier at its kink (S2): nothing to branch on first."""
    network = agtopt.Network.chain(
        [agtopt.Dense(1, 1), agtopt.ReLU(), agtopt.Dense(1, 1)],
        (1,),
        [[[0.0]], [0.0], [[1.0]], [0.0]],
    )
    problem = agtopt.Problem(
        network,
        agtopt.Dataset([[1.0], [1.0]], [3.0, 3.0]),
        agtopt.Bounded(0),
        agtopt.Training("squared", learning_rate=0.5),
    )
    low, high = (sign * bounds(problem, MILP, name)[k].bound for k, sign in ((0, 1), (4, -1)))
    assert (low, high) == pytest.approx((0.0, 3.0), abs=1e-6)


def test_scip_regression_exponentials_where_a_cut_leaves_no_room():
    """S9: SCIP 10 called this feasible MINLP infeasible, or its optimum up to 0.0875 too small,
    while cuts were as tight as intervals."""
    problem = cell_problem(Cell("separate", "cross-entropy", "plain", "linear", 1, True), samples=4)
    k = problem.network.parameter_names.index("dense1_weight[2,1]")
    model = compile(problem, MINLP)
    model.minimise(-np.eye(problem.network.size)[k])
    result = open_session(SOLVERS["scip"], model.pyomo).solve(60.0)
    attained = max(torch_sgd(problem, dataset)[-1, k] for dataset in corrupted(problem, 200))
    assert result.status == "optimal"
    assert -result.bound >= max(attained, -0.009526)


def test_highs_leaves_simplex_methods_that_cycle(small, monkeypatch):
    """Seen on half-moons: the primal method in windows of three steps, the dual one where
    predictions are bounded together, never ended.

    Only a count of iterations, no clock, hands over to the next method, and in the end to interior
    points.
    """
    before = np.array([result.bound for result in bounds(small, LP, "highs")])
    monkeypatch.setattr(highs, "ITERATIONS", 0)
    after = bounds(small, LP, "highs")
    assert {result.status for result in after} == {"optimal"}
    assert {result.rigour for result in after} == {PROVED}
    np.testing.assert_allclose([result.bound for result in after], before, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "method", [highs.PRIMAL, highs.CHOOSE, highs.INTERIOR], ids=["primal", "chosen", "interior"]
)
def test_every_method_of_highs_gives_the_bound(small, monkeypatch, method):
    before = [result.bound for result in bounds(small, LP, "highs")]
    monkeypatch.setattr(
        highs.HighsSession,
        "_solve_by",
        partialmethod(solved_by, highs.HighsSession._solve_by, method),
    )
    np.testing.assert_allclose(
        [result.bound for result in bounds(small, LP, "highs")], before, rtol=1e-6, atol=1e-6
    )


def solved_by(session, plain, method, *_):
    plain(session, method)
