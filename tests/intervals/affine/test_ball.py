"""The ball of uniform stability: around every attained run, for any number of steps."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from agtopt import Bounded, Dataset, Dense, Network, Problem, Removal, Training
from agtopt.attacks import attack
from agtopt.intervals.affine import ball
from agtopt.intervals.affine.affine_steps import affine_steps
from agtopt.intervals.affine.ball import Ball, largest_eigenvalue
from agtopt.intervals.scale.numerics import Numerics
from agtopt.tolerances import DOUBLE
from agtopt.training.concrete import state_trajectory, trajectories
from tests.reference import torch_states


def problem_of(loss, outputs=1, steps=6, n=2, rate=0.1, **training):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(20, 3))
    labels = {
        "squared": rng.normal(size=(20, outputs)),
        "binary-cross-entropy": (x[:, 0] > 0).astype(float),
        "cross-entropy": rng.integers(0, outputs, 20).astype(float),
    }[loss]
    model = Bounded(n, nu=0.5) if loss == "squared" else Bounded(n, nu=1, q=0)
    return Problem(
        Network.dense([3, outputs], seed=0),
        Dataset(x, labels),
        model,
        Training(loss, epochs=steps, batch_size=10, learning_rate=rate, **training),
    )


PROBLEMS = {
    "squared": problem_of("squared", 2),
    "binary": problem_of("binary-cross-entropy", rate=0.5),
    "classes": problem_of("cross-entropy", 3, rate=0.5),
    "weight decay": problem_of("binary-cross-entropy", rate=0.5, weight_decay=0.2),
    "frozen bias": problem_of("binary-cross-entropy", frozen=("dense1_bias",)),
    "a step that is too long": problem_of("squared", rate=3.0, steps=2),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_attained_run_is_in_the_ball(name):
    problem = PROBLEMS[name]
    assert Ball.suits(problem)
    nominal = state_trajectory(problem)
    domains = list(affine_steps(problem))
    assert all(np.isfinite(domain.ball) for domain in domains)
    for _, states in trajectories(problem, attack(problem).datasets):
        far = np.linalg.norm(states - nominal, axis=2).max(axis=0)
        assert all(
            distance <= domain.ball for distance, domain in zip(far[1:], domains, strict=True)
        )


def test_the_ball_is_near_what_is_attained_and_no_box_is_beyond_it():
    problem = problem_of("binary-cross-entropy", steps=40, n=1)
    nominal, domains = state_trajectory(problem), list(affine_steps(problem))
    (_, states), *_ = trajectories(problem, attack(problem).datasets)
    far = np.linalg.norm(states[:, -1] - nominal[-1], axis=1).max()
    assert far <= domains[-1].ball < 3.0 * far
    for domain in domains:
        reach = np.maximum(domain.box.upper - domain.nominal, domain.nominal - domain.box.lower)
        assert np.all(reach <= domain.ball * (1.0 + 1e-12))


def test_it_grows_at_most_linearly_and_stays_bounded_with_weight_decay():
    free = [domain.ball for domain in affine_steps(problem_of("cross-entropy", 3, steps=60))]
    grown = np.diff([0.0, *free])
    assert grown.max() < 1.01 * grown[:2].max()
    shrunk = [
        domain.ball
        for domain in affine_steps(problem_of("cross-entropy", 3, steps=60, weight_decay=0.5))
    ]
    assert shrunk[-1] < 0.5 * free[-1]


def test_training_in_float32_is_in_the_ball_of_its_own():
    problem = problem_of("binary-cross-entropy", n=0)
    single = Numerics.named("float32", "cpu")
    run = torch_states(problem, None, torch.float32).astype(np.float64)
    exact = state_trajectory(problem)
    for t, domain in enumerate(affine_steps(problem, numerics=single), start=1):
        assert np.linalg.norm(run[t] - exact[t]) <= domain.ball < 1e-2


def test_what_is_not_convex_has_none():
    problem = PROBLEMS["binary"]
    others = [
        replace(problem, perturbation=Removal(1)),
        replace(problem, perturbation=Bounded(1, eps=0.1)),
        replace(problem, network=Network.dense([3, 2, 1], seed=0)),
        replace(problem, training=Training("binary-cross-entropy", clip=0.1)),
        replace(problem, training=Training("binary-cross-entropy", momentum=0.5)),
    ]
    for other in others:
        assert not Ball.suits(other)
    assert not np.isfinite(next(affine_steps(others[0])).ball)


def test_the_largest_eigenvalue_is_rounded_up():
    rng = np.random.default_rng(0)
    for shape in ((5, 3), (3, 5), (40, 7), (1, 1), (2, 4000)):
        rows = rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4, shape)
        top = float(np.linalg.svd(rows, compute_uv=False)[0]) ** 2 / shape[0]
        found = largest_eigenvalue(rows)
        assert top * (1.0 - 64 * DOUBLE.unit) <= found <= top * (1.0 + 1e-9)


def test_where_a_matrix_is_too_large_its_trace_is_above_every_eigenvalue(monkeypatch):
    monkeypatch.setattr(ball, "GRAM", 2)
    rows = np.random.default_rng(0).normal(size=(5, 7))
    top = float(np.linalg.svd(rows, compute_uv=False)[0]) ** 2 / 5
    assert top < largest_eigenvalue(rows) <= 5.0 * top


@pytest.mark.parametrize("nu", [1.3, 2.1, 2.7, 3.1, 3.3, 3.7])
@pytest.mark.parametrize("rate", [0.1, 0.3, 0.7])
def test_labels_that_are_touched_are_rounded_to_float32(nu, rate):
    """Nominal labels and parameters are 0: all that is rounded belongs to the touched sample."""
    problem = Problem(
        Network.chain([Dense(1, 1, False)], (1,), [np.zeros((1, 1))]),
        Dataset([[1.0]], [0.0]),
        Bounded(n=1, nu=nu),
        Training("squared", learning_rate=rate),
    )
    (domain,) = affine_steps(problem, numerics=Numerics(torch.float32))
    for label in (-nu, nu):
        reached = torch_states(problem, Dataset([[1.0]], [label]), torch.float32)[-1]
        assert np.all(np.abs(reached) <= domain.ball)
        assert domain.box.contains(reached.astype(np.float64), 0.0)
