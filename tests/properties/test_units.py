"""Problems in other units are the same problems: models are written in powers of two, margins are
relative to them (S1, S7, S9)."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agtopt
from agtopt import Bounded, Dataset, Network, Problem, Removal, Training
from agtopt.drivers import stage
from agtopt.solvers import TOLERANCE, SolveResult, open_session
from agtopt.tolerances import BOUND_MARGIN
from tests.instances import corrupted


def measured(k, loss="hinge", hidden=False, perturbation=None, seed=5):
    """One problem with its features times 2^k, its first layer and learning rate to match; other
    layers stand still."""
    unit = 2.0**k
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(8, 2))
    y = np.where(x[:, 0] + 0.5 * x[:, 1] > 0, 1.0, -1.0) if loss == "hinge" else rng.normal(size=8)
    network = Network.dense([2, 2, 1] if hidden else [2, 1], seed=1, bias=False)
    first, *others = network.initial
    start = {
        name: value / unit if name == first else value for name, value in network.initial.items()
    }
    training = Training(
        loss, epochs=2, batch_size=4, seed=0, learning_rate=0.3 / unit**2, frozen=tuple(others)
    )
    flips = Bounded(1, nu=1, q=0) if loss == "hinge" else Bounded(1, nu=0.5, q=np.inf)
    return Problem(
        Network(network.graph, (2,), start), Dataset(x * unit, y), perturbation or flips, training
    )


def moved(problem, box):
    """The ends of the box of the first layer, in the units of the problem at k = 0, all in one
    array."""
    size = problem.network.initial["dense1_weight"].size
    return np.concatenate([box.lower[:size], box.upper[:size]])


def bounded(problem, kind, **options):
    return agtopt.bound(problem, kind, conditional=False, **options).domain


@pytest.mark.parametrize(
    ("loss", "hidden"), [("hinge", False), ("squared", False), ("hinge", True)]
)
@pytest.mark.parametrize("kind", ["LP", "MILP"])
def test_domains_scale_with_the_problem(kind, loss, hidden):
    at_home = moved(plain := measured(0, loss, hidden), bounded(plain, kind))
    assert np.ptp(at_home) > 0.1
    for k in (-20, -13, 9, 20):
        there = measured(k, loss, hidden)
        # Between the margins of both: that of a bound is relative to its unit, which is at most 8
        # times as large as it is here.
        np.testing.assert_allclose(
            moved(there, bounded(there, kind)) * 2.0**k, at_home, rtol=0.0, atol=20.0 * BOUND_MARGIN
        )


@pytest.mark.parametrize("unit", [1.0, 1e3, 1e4, 1e6])
def test_margins_leave_the_exact_hull_of_any_size(unit):
    """Repeated from a report: 1.0000, 1.006, 1.06 and 2.97 times as wide as the truth."""
    base = np.random.default_rng(5).normal(size=(10, 2))
    y = np.where(base[:, 0] + 0.5 * base[:, 1] > 0, 1.0, -1.0)
    net = Network.dense([2, 1], seed=1, bias=False)
    net = Network(net.graph, (2,), {name: value / unit for name, value in net.initial.items()})
    training = Training("hinge", epochs=2, batch_size=5, learning_rate=0.3 / unit**2, seed=0)
    problem = Problem(net, Dataset(base * unit, y), Bounded(1, nu=1, q=0), training)
    exact = agtopt.attack(problem).domain.width()
    assert bounded(problem, "MILP").width() == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize("k", [-20, -11, 12, 20])
@pytest.mark.parametrize("loss", ["hinge", "squared"])
def test_nesting_and_the_fixed_input_oracle_hold_in_any_unit(k, loss):
    problem = measured(k, loss)
    theta = agtopt.attack(problem).theta
    boxes = [bounded(problem, kind) for kind in ("MILP", "LP", "CROWN", "IBP")]
    room = 4.0 * BOUND_MARGIN * 2.0**-k
    assert all(box.contains(theta) for box in boxes)
    for inner, outer in pairwise(boxes):
        assert np.all(inner.lower >= outer.lower - room)
        assert np.all(inner.upper <= outer.upper + room)
    for kind in ("LP", "MILP", "MIQCP"):
        model = agtopt.compile(problem, kind)
        for data in (problem.dataset, *corrupted(problem, 3)):
            assert model.replay_error(data) < 1e-9


@pytest.mark.parametrize("solver", ["highs", "scip"])
@pytest.mark.parametrize("nu", [1e4, 1.49e3])
def test_equations_with_tiny_coefficients_lose_no_run(solver, nu):
    """Repeated from a report: gradients of 1e8 at a rate of 1e-9, whose terms solvers dropped from
    the update."""
    rng = np.random.default_rng(0)
    x = np.abs(rng.normal(size=(40, 2))) * 3e3
    start = np.array([[1.0, -1.0]])
    y = x @ start[0] + rng.normal(size=40) * nu
    net = Network.chain([agtopt.Dense(2, 1, False)], (2,), [start])
    training = Training("squared", batches=[list(range(40))], epochs=2, learning_rate=1e-9)
    problem = Problem(net, Dataset(x, y), Bounded(3, nu=nu, q=np.inf), training)
    domain = bounded(problem, "MILP", solver=solver, time_limit=4)
    weights = start[0]
    changed = agtopt.attack(problem)
    for run in (int(np.argmin(changed.theta[:, 0])), int(np.argmax(changed.theta[:, 1]))):
        labels, theta = changed.dataset(run).labels, weights
        for _ in range(2):
            theta = theta - 1e-9 * (2.0 * (x @ theta - labels)[:, np.newaxis] * x).mean(axis=0)
        assert domain.contains(theta)


def test_every_entry_is_in_its_own_unit():
    scales = np.array([1e4, 1e-3])
    plain = measured(0)
    network = Network(
        plain.network.graph,
        (2,),
        {name: value / scales for name, value in plain.network.initial.items()},
    )
    training = Training("hinge", epochs=2, batch_size=4, learning_rate=1e-8, seed=0)
    model = agtopt.compile(
        Problem(
            network,
            Dataset(plain.dataset.features * scales, plain.dataset.labels),
            plain.perturbation,
            training,
        ),
        "LP",
    )
    weight = model.pyomo.parameter[2].dense1_weight_in_units
    assert [model.units[weight[0, k].name] < 1.0 for k in (0, 1)] == [True, False]
    assert "units of 2^" in weight.doc


@pytest.mark.parametrize("kind", ["LP", "MILP"])
@pytest.mark.parametrize("shift", [1e-5, 1e-3])
def test_a_lie_is_seen_in_any_unit(monkeypatch, kind, shift):
    """S9: what a run attains is compared in the unit of the parameter, here 2^-20."""
    problem = measured(20)

    class Liar:
        def __init__(self, solver, model):
            self.honest, self.model = open_session(solver, model), model

        def solve(self, *args, **kwargs):
            found = self.honest.solve(*args, **kwargs)
            best = found.incumbent if kind == "MILP" else 1.0
            return SolveResult(found.status, best + shift * 2.0**-20, best, TOLERANCE, 0.0)

    monkeypatch.setattr(stage, "open_session", Liar)
    with pytest.raises(agtopt.SoundnessError, match="S9"):
        bounded(problem, kind)


@settings(max_examples=20, deadline=None)
@given(st.integers(-18, 18), st.sampled_from(["LP", "MILP"]), st.integers(0, 10**6), st.booleans())
def test_no_run_lies_outside_in_any_unit(k, kind, seed, removal):
    problem = measured(k, "hinge", perturbation=Removal(1) if removal else None, seed=seed)
    reach = agtopt.bound(problem, kind, conditional=False, window=1)
    assert reach.domain.contains(agtopt.attack(problem).theta)
