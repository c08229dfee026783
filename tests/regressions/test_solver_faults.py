"""Instances on which a solver was once wrong (S9)."""

from pathlib import Path

import networkx as nx
import numpy as np
import pyomo.environ as pyo
import pytest
from pyomo.core.expr.numeric_expr import LinearExpression

import agtopt
from agtopt.attacks import states_at_kinks
from agtopt.formulation import Site
from agtopt.solvers import Status, choose, open_session
from agtopt.solvers.scip import ScipSession
from agtopt.training.concrete import outputs, trajectory
from tests.instances import random_problem

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


def test_highs_by_name_certifies_nothing_that_scip_refutes():
    """HiGHS 1.15 called margins of 1.5 optimal, also without presolve and without a start: at
    −35.3, which is in the query's box, the nominal model predicts another class."""
    initial = [[[-1.0]], [-1.0], [[-0.5], [0.5], [0.5]], [1.0, -0.5, -0.5]]
    network = agtopt.Network.chain(
        [agtopt.Dense(1, 1), agtopt.ReLU(), agtopt.Dense(1, 3)], (1,), initial
    )
    training = agtopt.Training(
        "multi-hinge", learning_rate=1e-8, weight_decay=1.0, decay=1.0, floor=1e-8 / 3, batch_size=1
    )
    data = agtopt.Dataset([[-1000.0]], [0.0])
    problem = agtopt.Problem(network, data, agtopt.Bounded(1, eps=1.0, p=1), training)
    scores = outputs(problem, trajectory(problem)[-1:], np.array([[-35.3]]))
    assert scores.argmax() != 0
    reach = agtopt.bound(problem, "CROWN")
    with pytest.warns(UserWarning, match="'highs' gave the bound 1.49.*'scip' found -97.4"):
        found = agtopt.certify_end_to_end(reach, [[0.0]], [0.0], eps=100.0, solver="highs")
    assert found.nominal.tolist() == [0]
    assert found.verdicts == ["refuted"]


def test_small_probabilities_of_a_minlp_are_in_units():
    """With p in [5e-8, 3e-7] beside a tolerance of 1e-7 SCIP 10 called −2 optimal, where the
    derivative of a rectifier at its kink decides and training attains −1.11."""
    chain = {"d1": agtopt.Dense(1, 1), "d2": agtopt.Dense(1, 1), "out": agtopt.Dense(1, 1)}
    network = agtopt.Network(
        residual(chain),
        (1,),
        {
            "d1_weight": [[-0.5]],
            "d1_bias": [-2.0],
            "d2_weight": [[-0.5]],
            "d2_bias": [0.0],
            "out_weight": [[1.0]],
            "out_bias": [2.0],
        },
    )
    training = agtopt.Training(
        "binary-cross-entropy",
        batch_size=1,
        learning_rate=1.0,
        decay=1.0,
        momentum=0.99,
        weight_decay=3.0,
    )
    data = agtopt.Dataset([[-2.0], [-1.0]], [0.0, 1.0])
    problem = agtopt.Problem(network, data, agtopt.Bounded(1, vulnerable=(), eps=2.0), training)
    reach = agtopt.bound(problem, "MINLP", conditional=False)
    for box, states in zip(reach.steps[1:], states_at_kinks(problem), strict=True):
        assert box.contains(states[:, : network.size], 1e-6)
    assert reach.domain.upper[3] == pytest.approx(-1.110394408, abs=1e-4)


def residual(layers):
    """Dense, rectifier, a block whose input is added to its output, rectifier, dense."""
    graph = nx.DiGraph()
    graph.add_node("input")
    for name, layer, *sources in (
        ("d1", layers["d1"], "input"),
        ("a1", agtopt.ReLU(), "d1"),
        ("d2", layers["d2"], "a1"),
        ("a2", agtopt.ReLU(), "d2"),
        ("plus", agtopt.Add(), "a2", "a1"),
        ("a3", agtopt.ReLU(), "plus"),
        ("out", layers["out"], "a3"),
    ):
        graph.add_node(name, layer=layer)
        graph.add_edges_from((source, name) for source in sources)
    return graph


def test_an_error_of_scip_costs_one_bound(monkeypatch):
    """It raises a bare Exception ("SCIP: error in LP solver!"), which ended the whole run."""
    problem = random_problem(3, 1, "squared", "features", samples=4, steps=2, n=1)
    honest, asked = ScipSession._optimised, []

    class Broken:
        def __init__(self, scip):
            self.scip = scip

        def __getattr__(self, name):
            return getattr(self.scip, name)

        def optimizeNogil(self):  # noqa: N802  (SCIP's name)
            raise Exception("SCIP: error in LP solver!")

    def once_broken(session):
        asked.append(session.scip)
        if len(asked) == 2:
            session.scip = Broken(session.scip)
        return honest(session)

    monkeypatch.setattr(ScipSession, "_optimised", once_broken)
    with pytest.warns(UserWarning, match="'scip' broke off: SCIP: error in LP solver!"):
        reach = agtopt.bound(problem, "MILP", conditional=False)
    lost = [row for row in reach.rows if row.status == Status.LOST]
    assert len(lost) == 1
    assert lost[0].source in ("interval", "LP")
    assert {row.status for row in reach.rows} <= {Status.LOST, Status.OPTIMAL, Status.ATTAINED}
    assert asked[2] is not asked[1], "what broke is not used again"
    assert reach.domain.contains(agtopt.attack(problem).theta, 1e-6)
