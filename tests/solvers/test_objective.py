"""Every solver minimises in the unit of the objective, and what it finds is undone."""

import numpy as np
import pyomo.environ as pyo
import pytest

from agtopt.formulation import Site
from agtopt.solvers import SOLVERS, Solver, open_session
from agtopt.solvers.objective import objective_unit

EVERY = [
    SOLVERS["highs"],
    SOLVERS["scip"],
    SOLVERS["proof"],
    Solver("other", "highs", "highspy", quadratic=False),
]


@pytest.mark.parametrize("solver", EVERY, ids=[solver.name for solver in EVERY])
@pytest.mark.parametrize("unit", [2.0**-40, 1.0, 2.0**28])
def test_the_least_of_minus_x_minus_y_over_a_triangle_of_any_size(solver, unit):
    model = pyo.ConcreteModel()
    model.block = pyo.Block()
    site = Site(model.block, "f")
    x = site.variables("_x", 0.0, unit, np.ones(2, dtype=bool))
    site.rows("_sum", x.total(1)[np.newaxis], np.ones(1, dtype=bool), upper=1.5 * unit)
    (expression,) = (x.total(1) * -1.0)[np.newaxis].expressions()
    model.objective = pyo.Objective(expr=expression)
    assert objective_unit(expression) == (1.0 if unit == 1.0 else 2.0 * unit)
    session = open_session(solver, model)
    result = session.solve()
    assert result.bound == pytest.approx(-1.5 * unit, rel=1e-6)
    assert result.incumbent is None or result.incumbent == pytest.approx(-1.5 * unit, rel=1e-6)
    assert session.load()
    assert x.values().sum() == pytest.approx(1.5 * unit, rel=1e-6)
    assert model.objective.expr is expression


def test_an_objective_without_bounds_has_no_unit():
    model = pyo.ConcreteModel()
    model.x = pyo.Var()
    assert objective_unit(1e-9 * model.x) == 1.0
