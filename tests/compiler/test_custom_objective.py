"""Objectives and constraints of a user's own on `model.pyomo`, and the dual bound of them."""

import numpy as np
import pyomo.environ as pyo
import pyscipopt
import pytest

import agtopt
from agtopt.training.concrete import trajectory
from tests.instances import corrupted
from tests.properties.test_units import measured

KINDS = ("LP", "QCP", "MILP", "MIQCP")


@pytest.fixture
def model(flips):
    return agtopt.compile(flips, "MILP")


def weight(model, k=0):
    return next(iter(model.pyomo.parameter[model.stop].component_data_objects(pyo.Var)))


def runs(problem):
    return np.array(
        [trajectory(problem, data)[-1] for data in problem.perturbation.enumerate(problem)]
    )


@pytest.mark.parametrize("sense", [pyo.minimize, pyo.maximize])
@pytest.mark.parametrize("solver", [None, "highs", "scip", "proof"])
def test_an_objective_under_any_name(model, flips, sense, solver):
    """3 θ_0 + 2 of all admissible runs: enumeration is the truth, and MILP is exact here."""
    variable = weight(model)
    position = flips.network.parameter_names.index(variable.name.split(".", 1)[1])
    model.pyomo.mine = pyo.Objective(expr=2.0 + 3.0 * variable, sense=sense)
    reached = 2.0 + 3.0 * runs(flips)[:, position]
    result = model.bound(solver)
    if sense == pyo.minimize:
        assert result.bound <= reached.min()
        assert result.bound == pytest.approx(reached.min(), abs=1e-3)
    else:
        assert result.bound >= reached.max()
        assert result.bound == pytest.approx(reached.max(), abs=1e-3)
    assert result.incumbent == pytest.approx(pyo.value(model.pyomo.mine), abs=1e-5)
    assert flips.perturbation.admits(flips, model.dataset)


@pytest.mark.parametrize("kind", KINDS)
def test_a_constraint_of_ones_own_is_part_of_the_bound(flips, kind):
    """The bound over the runs that leave sample 0 alone is no looser than that over all, and holds
    for each of those runs."""
    kept = [
        data for data in flips.perturbation.enumerate(flips) if not data.changed(flips.dataset)[0]
    ]
    bounds = []
    for constrained in (False, True):
        model = agtopt.compile(flips, kind)
        if constrained:
            model.pyomo.leave = pyo.Constraint(expr=model.pyomo.data.selector[0] == 0)
        variable = weight(model)
        position = flips.network.parameter_names.index(variable.name.split(".", 1)[1])
        model.pyomo.mine = pyo.Objective(expr=variable)
        bounds.append(model.bound().bound)
    assert bounds[1] >= bounds[0] - 1e-5
    assert all(bounds[1] <= trajectory(flips, data)[-1][position] for data in kept)
    if kind == "MIQCP":
        assert bounds[1] == pytest.approx(
            min(trajectory(flips, data)[-1][position] for data in kept), abs=1e-3
        )


def test_a_nonlinear_measure_goes_into_a_constraint(tiny_mlp):
    """t ≤ w² is a product: SCIP bounds it, and training never exceeds it."""
    model = agtopt.compile(tiny_mlp, "MIQCP")
    variable = weight(model)
    position = tiny_mlp.network.parameter_names.index(variable.name.split(".", 1)[1])
    model.pyomo.t = pyo.Var(bounds=(0, 100))
    model.pyomo.square = pyo.Constraint(expr=model.pyomo.t <= variable**2)
    model.pyomo.mine = pyo.Objective(expr=model.pyomo.t, sense=pyo.maximize)
    result = model.bound(time_limit=3)
    assert all(
        result.bound >= trajectory(tiny_mlp, data)[-1][position] ** 2
        for data in corrupted(tiny_mlp, 10)
    )
    with pytest.raises(agtopt.SolverUnavailableError, match="highs"):
        model.bound("highs")


def test_the_model_is_left_as_it_was(model):
    variable = weight(model)
    model.minimise(np.eye(model.problem.network.size)[0])
    model.pyomo.objective.deactivate()
    before = str(model.pyomo.objective.expr)
    model.pyomo.mine = pyo.Objective(expr=-variable, sense=pyo.maximize)
    assert model.bound() == model.bound() or model.bound().bound == model.bound().bound
    assert str(model.pyomo.objective.expr) == before
    assert not model.pyomo.objective.active
    assert model.pyomo.mine.active
    assert model.pyomo.mine.sense == pyo.maximize


def test_the_objective_of_minimise_and_a_plain_expression_in_its_place(model):
    variable = weight(model)
    model.pyomo.objective = pyo.Objective(expr=variable + variable - variable, sense=pyo.maximize)
    largest = model.bound().bound
    assert model.pyomo.objective.sense == pyo.maximize
    model.pyomo.objective.sense = pyo.minimize
    assert model.bound().bound < largest


def test_rows_that_no_run_satisfies_are_infeasible_and_no_bound(model):
    model.pyomo.never = pyo.Constraint(expr=weight(model) >= 1e6)
    model.pyomo.mine = pyo.Objective(expr=weight(model))
    result = model.bound("highs")
    assert result.status == "infeasible"
    assert result.bound is None


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda pyomo, w: None, "not 0"),
        (
            lambda pyomo, w: [pyomo.add_component(name, pyo.Objective(expr=w)) for name in "ab"],
            r"not 2 \(a, b\)",
        ),
        (
            lambda pyomo, w: pyomo.add_component("a", pyo.Objective(expr=w**2)),
            "not linear.*add a variable t",
        ),
        (lambda pyomo, w: pyomo.add_component("a", pyo.Objective(expr=pyo.exp(w))), "not linear"),
    ],
)
def test_objectives_that_have_no_bound_are_refused(model, prepare, words):
    prepare(model.pyomo, weight(model))
    with pytest.raises(agtopt.InvalidInputError, match=words):
        model.bound()


@pytest.mark.parametrize("ending", ["lp", "mps"])
def test_ones_own_objective_is_written(model, ending, tmp_path):
    """Whatever its sense; a model without one is given the first parameter."""
    first = model.write(tmp_path / f"first.{ending}").read_text()
    model.pyomo.objective.deactivate()
    assert model.write(tmp_path / f"again.{ending}").read_text() == first
    model.pyomo.objective.deactivate()
    model.pyomo.mine = pyo.Objective(expr=3.0 * weight(model) + 1.0, sense=pyo.maximize)
    model.pyomo.leave = pyo.Constraint(expr=model.pyomo.data.selector[0] == 0)
    scip = pyscipopt.Model()
    scip.hideOutput()
    scip.readProblem(str(model.write(tmp_path / f"mine.{ending}")))
    scip.optimize()
    assert scip.getObjVal() == pytest.approx(model.bound().bound, abs=1e-4)


def test_a_component_in_the_way_is_named(model):
    model.pyomo.objective = pyo.Var()
    model.pyomo.mine = pyo.Objective(expr=weight(model))
    with pytest.raises(agtopt.InvalidInputError, match="rename your"):
        model.bound()


def test_rows_and_objectives_of_a_users_own_mean_what_they_say_in_any_unit():
    """What is named by its name is in its natural scale, whatever unit solvers see it in."""
    for k in (0, 20):
        problem = measured(k)
        model = agtopt.compile(problem, "MILP")
        weight = model.pyomo.parameter[model.stop].dense1_weight[0, 0]
        model.pyomo.mine = pyo.Objective(expr=weight, sense=pyo.maximize)
        hull = agtopt.attack(problem).domain
        assert model.bound().bound * 2.0**k == pytest.approx(hull.upper[0] * 2.0**k, abs=1e-5)
        assert pyo.value(weight) == pytest.approx(hull.upper[0], rel=1e-5)
        model.pyomo.half = pyo.Constraint(expr=weight <= 0.5 * (hull.lower[0] + hull.upper[0]))
        assert model.bound().bound < hull.upper[0]
