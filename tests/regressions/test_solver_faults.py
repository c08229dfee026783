"""Instances on which a solver was once wrong (S9)."""

from pathlib import Path

import numpy as np
import pyomo.environ as pyo
import pytest
from pyomo.core.expr.numeric_expr import LinearExpression

import agtopt
from agtopt.attacks import states_at_kinks
from agtopt.formulation import Site
from agtopt.solvers import choose, open_session

HERE = Path(__file__).parent


@pytest.mark.slow
def test_scip_keeps_a_run_on_the_edge_of_conditional_cuts():
    """Cuts without any room where a selector is 0 made SCIP 10 call −0.39752 optimal, where
    training attains −0.39148."""
    problem = agtopt.load(HERE / "separate-bce-six-samples")
    reach = agtopt.bound(problem, "MIQCP", time_limit=1.0)
    inner = agtopt.attack(problem)
    for t, box in enumerate(reach.steps):
        assert box.contains(np.stack([inner.lower[t], inner.upper[t]]), 1e-7)


@pytest.mark.parametrize(
    ("name", "parameter", "sense"), [("miqcp-presolve-3707", 17, 1), ("miqcp-presolve-3752", 1, -1)]
)
def test_scip_without_presolve_keeps_what_training_attains(name, parameter, sense):
    """With presolve and without a start SCIP 10 called bounds optimal that were up to 0.34 too
    tight."""
    problem = agtopt.load(HERE / name)
    inner = agtopt.attack(problem)
    model = agtopt.compile(problem, "MIQCP", conditional=False)
    assert model.replay_error(inner.attaining(parameter, -sense)) < 1e-9
    attained = sense * model.theta[parameter]
    model.minimise(sense * np.eye(problem.network.size)[parameter])
    result = open_session(choose("scip", True), model.pyomo).solve(5.0)
    assert result.bound is None or result.bound <= attained + 1e-6
    assert result.status != "infeasible"


def test_a_model_that_highs_refuses_has_no_bound():
    """Of a model with a coefficient above 1e15, which it does not take, HiGHS 1.15 gives the dual
    bound 0."""
    model = pyo.ConcreteModel()
    model.x, model.s = pyo.Var(bounds=(-5.0, 5.0)), pyo.Var(domain=pyo.Binary)
    model.row = pyo.Constraint(expr=model.x + 1e16 * model.s <= 1e16)
    model.objective = pyo.Objective(
        expr=LinearExpression(linear_coefs=[1.0], linear_vars=[model.x])
    )
    assert open_session(choose("highs", False), model).solve().bound is None


def test_rows_forgive_the_digits_that_a_big_m_absorbs():
    """1 + 1e10 + 1e-7 in one constant: the row holds at the point that it was made for (S3)."""
    model = pyo.ConcreteModel()
    model.block = pyo.Block()
    site, every = Site(model.block, "v"), np.ones(1, dtype=bool)
    value = site.variables("", -1.0, 1.0, every)
    value.variables[0, 0].set_value(1e-7 / 3)
    site.rows("_row", value + (1e10 + 1e-7), every, upper=1e10 + 4e-7 / 3)
    row = model.block.v_row[0]
    assert pyo.value(row.body) <= pyo.value(row.upper)


def test_an_interval_too_wide_for_a_big_m_has_no_model(tiny_mlp):
    wide = agtopt.Interval(np.full(tiny_mlp.state_size, -1e8), np.full(tiny_mlp.state_size, 1e8))
    with pytest.raises(agtopt.UnsupportedError, match="too wide for a big-M"):
        agtopt.compile(tiny_mlp, "LP", 1, 2, wide)


def test_highs_without_presolve_keeps_what_substitution_attains():
    """With presolve HiGHS 1.15 called its start optimal: c1_bias[0] ≤ −0.0751, where −0.0702 is
    attained."""
    problem = agtopt.load(HERE / "highs-presolve-3157")
    found = [
        agtopt.bound(problem, "MILP", conditional=False, solver=solver).domain
        for solver in ("highs", "scip")
    ]
    for end in ("lower", "upper"):
        np.testing.assert_allclose(*(getattr(box, end) for box in found), rtol=0, atol=1e-4)


@pytest.mark.slow
def test_highs_without_presolve_keeps_both_sides_of_a_kink():
    """A margin of exactly 0: with presolve out_weight[0,0] ≤ 0.933, where 1.063 is attained."""
    problem = agtopt.load(HERE / "highs-presolve-32")
    reach = agtopt.bound(problem, "MILP", conditional=False, solver="highs")
    for box, states in zip(reach.steps[1:], states_at_kinks(problem), strict=True):
        assert box.contains(states[:, : problem.network.size], 1e-6)
