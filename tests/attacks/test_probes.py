"""The few runs that every bound is compared with."""

from importlib import import_module

import numpy as np
import pytest

import agtopt
from agtopt.attacks import attained_states, probes, states_at_kinks
from agtopt.attacks.probes import MOST_RUNS
from agtopt.drivers.attained import compared
from agtopt.training.concrete import trajectory
from tests.conftest import MODELS
from tests.instances import random_problem, torch_states


@pytest.mark.parametrize(
    "name", ["removal-hinge", "residual-momentum", "substitution-clip", "flips-cross-entropy"]
)
def test_states_are_those_of_plain_training(name):
    problem = agtopt.load(MODELS / name)
    runs = probes(problem)
    assert len(runs) == MOST_RUNS
    assert not runs[0].changed(problem.dataset).any()
    found = np.stack(list(attained_states(problem, runs)), axis=1)
    for k, data in enumerate(runs):
        assert problem.perturbation.admits(problem, data)
        np.testing.assert_allclose(found[k], torch_states(problem, data)[1:], rtol=1e-9, atol=1e-12)


def test_only_the_nominal_run_where_memory_or_choices_are_short(monkeypatch):
    problem = random_problem(0, 1, "hinge", "flips")
    monkeypatch.setattr(import_module("agtopt.attacks.probes"), "MOST_TRAINING", 1)
    assert len(probes(problem)) == 1
    monkeypatch.undo()
    assert len(probes(random_problem(0, 1, "hinge", "flips", vulnerable=[]))) == 1


def test_the_other_side_of_every_kink():
    """S2: a rectifier at 0 and a margin of 0; both derivatives are admitted, and the domains hold
    both runs."""
    weights = [np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2), np.array([[1.0, 1.0]]), np.zeros(1)]
    layers = [agtopt.Dense(2, 2), agtopt.ReLU(), agtopt.Dense(2, 1)]
    problem = agtopt.Problem(
        agtopt.Network.chain(layers, (2,), weights),
        agtopt.Dataset([[0.0, 1.0], [1.0, 0.0]], [1.0, 1.0]),
        agtopt.Bounded(1, nu=1, q=0, vulnerable=[1]),
        agtopt.Training("hinge", epochs=2, learning_rate=0.25),
    )
    plain, other = trajectory(problem), np.concatenate(list(states_at_kinks(problem)))
    assert np.abs(other - plain[1:]).max() > 0.1
    for kind in ("IBP", "CROWN", "LP", "MILP"):
        for t, box in enumerate(agtopt.bound(problem, kind).steps[1:]):
            assert box.contains(np.stack([plain[t + 1], other[t]]), 1e-6)


def test_a_box_at_one_side_of_a_kink_is_found_out():
    problem = agtopt.Problem(
        agtopt.Network.chain([agtopt.Dense(1, 1, False)], (1,), [np.ones((1, 1))]),
        agtopt.Dataset([[1.0]], [1.0]),
        agtopt.Bounded(0),
        agtopt.Training("hinge", learning_rate=0.5),
    )
    (reached,) = trajectory(problem)[1:]
    with pytest.raises(agtopt.SoundnessError, match="S9: the box after step 1"):
        list(compared(problem, [agtopt.Interval.point(reached)]))
