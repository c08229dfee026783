"""What a step moves, as one vector: every entry in its place, points as points, and frozen tensors
as they were."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from agtopt import Bounded, Dataset, Interval, Network, Problem, Training
from agtopt.intervals.arithmetic import Range
from agtopt.intervals.propagation import interval_steps
from agtopt.intervals.scale import fragments
from agtopt.intervals.scale.numerics import FLOAT64, Numerics
from agtopt.intervals.states import Layout, StateVector, initial_domain
from agtopt.problem.problem import VELOCITY


def problem_of(momentum=0.0, frozen=()):
    rng = np.random.default_rng(0)
    training = Training(
        "squared", epochs=2, batch_size=8, learning_rate=0.1, momentum=momentum, frozen=frozen
    )
    return Problem(
        Network.dense([3, 5, 2], seed=0),
        Dataset(rng.normal(size=(16, 3)), rng.normal(size=(16, 2))),
        Bounded(2, eps=0.1),
        training,
    )


def wide(problem):
    """A domain of the state, of which the bias of the first layer is a point."""
    rng = np.random.default_rng(1)
    lower = {name: rng.normal(size=value.shape) for name, value in problem.state.items()}
    upper = {
        name: low + (name != "dense1_bias") * rng.uniform(0.1, 1.0, low.shape)
        for name, low in lower.items()
    }
    return Interval(problem.flatten(lower), problem.flatten(upper))


def same(one, other):
    """The same bits at both ends."""
    np.testing.assert_array_equal(one.lower, other.lower)
    np.testing.assert_array_equal(one.upper, other.upper)


PROBLEMS = [
    problem_of(*case) for case in ((), (0.5,), (0.0, ("dense2",)), (0.5, ("dense1_weight",)))
]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_domain_is_itself_as_a_vector(problem):
    domain = wide(problem)
    state = StateVector(problem, domain, FLOAT64)
    found, lower, upper = (
        state.domain(),
        problem.unflatten(domain.lower),
        problem.unflatten(domain.upper),
    )
    same(found, domain)
    assert set(state.parameters) == set(problem.network.initial)
    for name, value in state.parameters.items():
        same(value, Range(lower[name], upper[name]))
        assert value.is_point == (name == "dense1_bias")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_move_reaches_what_is_trained_and_nothing_else(problem):
    domain, size = (
        wide(problem),
        sum(problem.network.initial[name].size for name in problem.trained),
    )
    state = StateVector(problem, domain, FLOAT64)
    theta = Range(torch.arange(float(size)).double(), torch.arange(float(size)).double() + 0.5)
    velocity = Range(-theta.upper, -theta.lower) if problem.training.momentum > 0 else None
    state.move(theta, velocity)
    lower, upper = problem.unflatten(state.domain().lower), problem.unflatten(state.domain().upper)
    assert np.array_equal(
        np.concatenate([lower[name].ravel() for name in problem.trained]), np.arange(size)
    )
    assert np.array_equal(
        np.concatenate([upper[name].ravel() for name in problem.trained]), np.arange(size) + 0.5
    )
    if velocity is not None:
        assert np.array_equal(
            np.concatenate([upper[VELOCITY + name].ravel() for name in problem.trained]),
            -np.arange(size),
        )
    for name in set(problem.network.initial) - set(problem.trained):
        assert np.array_equal(lower[name], problem.unflatten(domain.lower)[name])
    for name, value in state.parameters.items():
        same(value, Range(lower[name], upper[name]))


def test_tensors_of_a_layout_are_views():
    problem = problem_of()
    layout, vector = Layout(problem), Range(*torch.zeros(2, Layout(problem).size))
    layout.tensors(vector)["dense2_bias"].upper[1] = 7.0
    assert vector.upper.tolist() == [0.0] * (layout.size - 1) + [7.0]
    assert not vector.lower.any()


def test_frozen_numbers_are_rounded_outward_in_float32():
    problem = problem_of(frozen=("dense2",))
    narrow = StateVector(problem, initial_domain(problem), Numerics(torch.float32)).domain()
    assert narrow.contains(problem.initial)
    assert 0.0 < narrow.width() < 1e-4


@pytest.mark.parametrize(
    "model",
    [Bounded(2, eps=0.1), Bounded(16, eps=0.1), Bounded(eps=0.1, nu=0.1, n_features=1, n_labels=2)],
)
@pytest.mark.parametrize("clip", [None, 0.3])
def test_tensors_together_have_the_domains_of_tensors_apart(monkeypatch, model, clip):
    problem = problem_of(0.5)
    problem = replace(problem, perturbation=model, training=replace(problem.training, clip=clip))
    together = list(interval_steps(problem))
    monkeypatch.setattr(fragments, "BLOCK", 8 * (problem.network.size - 1))
    for one, other in zip(together, interval_steps(problem), strict=True):
        same(one, other)
