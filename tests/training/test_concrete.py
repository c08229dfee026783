"""Training with numbers is torch's own SGD."""

import numpy as np
import pytest

from agtopt.training import concrete
from agtopt.training.concrete import trajectories, trajectory
from tests.instances import COMBINATIONS, corrupted, random_problem, torch_sgd


@pytest.mark.parametrize(("depth", "loss", "reach"), COMBINATIONS)
def test_trajectory_is_torch_sgd(depth, loss, reach):
    for seed in range(10):
        problem = random_problem(seed, depth, loss, reach)
        for dataset in (problem.dataset, *corrupted(problem, 2)):
            np.testing.assert_allclose(
                trajectory(problem, dataset), torch_sgd(problem, dataset), rtol=1e-9, atol=1e-9
            )


def test_trajectory_of_half_moons_is_torch_sgd(half_moons):
    np.testing.assert_allclose(trajectory(half_moons), torch_sgd(half_moons), rtol=1e-9, atol=1e-9)


def test_chunks_change_nothing(monkeypatch):
    problem = random_problem(3, 2, "squared", "both")
    variants = problem.perturbation.sample(problem, 7, np.random.default_rng(0))
    whole = np.concatenate([states for _, states in trajectories(problem, variants)])
    monkeypatch.setattr(concrete, "CHUNK", 1)
    parts = list(trajectories(problem, variants))
    assert [first for first, _ in parts] == list(range(7))
    np.testing.assert_allclose(
        np.concatenate([states for _, states in parts]), whole, rtol=1e-12, atol=1e-14
    )
    for k in range(7):
        np.testing.assert_allclose(whole[k], torch_sgd(problem, variants[k]), rtol=1e-9, atol=1e-9)
