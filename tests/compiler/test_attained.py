"""`CompiledModel.bound` beside training runs: whatever a solver says, no run that satisfies the
user's rows is excluded."""

from dataclasses import replace

import numpy as np
import pyomo.environ as pyo
import pytest

import agtopt
from agtopt import InfeasibleError, InvalidInputError, SoundnessError
from agtopt.compiler import attained, custom
from agtopt.solvers import PROVED, TOLERANCE, Status, open_session
from agtopt.training.concrete import trajectory
from tests.conftest import MODELS
from tests.instances import random_problem


@pytest.fixture(scope="module")
def problem():
    return random_problem(4, 1, "hinge", "flips", samples=5, steps=2, n=1, vulnerable=range(5))


@pytest.fixture
def model(problem):
    return agtopt.compile(problem, "MILP")


def last(model):
    return next(iter(model.pyomo.parameter[model.stop].component_data_objects(pyo.Var)))


def lie(monkeypatch, change):
    class Liar:
        def __init__(self, *arguments):
            self.honest = open_session(*arguments)

        def solve(self, *arguments):
            return change(self.honest.solve(*arguments))

        def load(self):
            return self.honest.load()

    monkeypatch.setattr(custom, "open_session", Liar)


def only_the_nominal_run(monkeypatch):
    """No random one, which may be the optimum."""
    monkeypatch.setattr(
        attained, "probes", lambda problem: agtopt.problem.Datasets(problem.dataset, 1)
    )


@pytest.mark.parametrize("sense", [pyo.minimize, pyo.maximize])
@pytest.mark.parametrize("free", [False, True])
def test_a_bound_that_excludes_the_nominal_run(monkeypatch, model, sense, free):
    """Of the model's variables, and of the user's own beside them, whatever values they still have
    from a solve."""
    only_the_nominal_run(monkeypatch)
    objective = last(model) * 1.0
    if free:
        model.pyomo.mine_too = pyo.Var(bounds=(-100.0, 100.0))
        model.pyomo.tie = pyo.Constraint(expr=model.pyomo.mine_too == 2.0 * last(model))
        objective = model.pyomo.mine_too * 0.5
    model.pyomo.mine = pyo.Objective(expr=objective, sense=sense)
    honest = model.bound("highs")
    values = [variable.value for variable in model.pyomo.component_data_objects(pyo.Var)]
    assert honest.status == Status.OPTIMAL
    model.bound("highs")
    assert [variable.value for variable in model.pyomo.component_data_objects(pyo.Var)] == values
    lie(monkeypatch, lambda r: replace(r, bound=100.0, rigour=TOLERANCE))
    with pytest.raises(SoundnessError, match="S9: the bound"):
        model.bound("highs")


def test_a_bound_that_excludes_an_attack_only(monkeypatch, problem, model):
    """The nominal run and the random ones lie within it."""
    runs = agtopt.attack(problem)
    position = problem.network.parameter_names.index(last(model).name.split(".", 1)[1])
    only_the_nominal_run(monkeypatch)
    nominal, least = float(trajectory(problem)[-1, position]), float(runs.lower[-1, position])
    assert least < nominal - 1e-3
    model.pyomo.mine = pyo.Objective(expr=last(model))
    lie(monkeypatch, lambda r: replace(r, bound=0.5 * (least + nominal)))
    model.bound("highs")
    with pytest.raises(SoundnessError, match="S9: the bound"):
        model.bound("highs", attack=runs)
    with pytest.raises(InvalidInputError, match="attack"):
        model.bound("highs", attack=runs.theta)
    with pytest.raises(InvalidInputError, match="another problem"):
        model.bound("highs", attack=agtopt.attack(random_problem(5, 1, "hinge", "flips")))


def test_a_run_that_the_users_rows_leave_out_is_no_contradiction(monkeypatch, problem, model):
    position = problem.network.parameter_names.index(last(model).name.split(".", 1)[1])
    nominal = float(trajectory(problem)[-1, position])
    model.pyomo.above = pyo.Constraint(
        expr=last(model) >= max(agtopt.attack(problem).upper[-1, position], nominal) + 0.1
    )
    model.pyomo.mine = pyo.Objective(expr=last(model))
    assert model.bound("highs").status in (Status.INFEASIBLE, Status.OPTIMAL)


def test_infeasible_where_the_nominal_run_satisfies_every_row(monkeypatch, model):
    model.pyomo.mine = pyo.Objective(expr=last(model))
    lie(monkeypatch, lambda r: replace(r, status=Status.INFEASIBLE, bound=None, rigour=TOLERANCE))
    found = model.bound("highs")
    assert (found.status, found.bound) == (Status.CALLED_INFEASIBLE, None)
    lie(monkeypatch, lambda r: replace(r, status=Status.INFEASIBLE, bound=None, rigour=PROVED))
    with pytest.raises(InfeasibleError, match="S4"):
        model.bound("highs")


def test_a_model_that_does_not_hold_the_nominal_run(model):
    """Of the rows that `compile` wrote."""
    variable = last(model)
    model.pyomo.mine = pyo.Objective(expr=variable)
    variable.setlb(variable.ub - 1e-4)
    with pytest.raises(InfeasibleError, match="does not hold"):
        model.bound("highs")


def test_a_model_of_another_training_is_found_out(monkeypatch):
    """It agrees with its own replay, which is no training: here removed samples stay."""
    removal = agtopt.load(MODELS / "removal-hinge")
    runs = agtopt.attack(removal)
    flips = replace(removal, perturbation=agtopt.Bounded(0, eps=0.1))
    wrong = agtopt.compile(flips, "MILP")
    wrong.problem = removal
    monkeypatch.setattr(type(wrong._operations.choices), "assignments", lambda self, data: iter(()))
    k = int(np.argmin(runs.theta.min(axis=0) - trajectory(removal)[-1]))
    wrong.minimise(np.eye(removal.network.size)[k])
    with pytest.raises(SoundnessError, match="which a training run attains"):
        wrong.bound("highs", attack=runs)
