"""What an adversary attains is attained by torch itself."""

from itertools import combinations, pairwise

import numpy as np
import pytest

import agtopt
from agtopt import Dataset, UnsupportedError
from agtopt.attacks import enumerate_hull, sampled_attack
from tests.instances import COMBINATIONS, random_problem, torch_sgd, with_reach


def every_flip(problem):
    """A loop written apart from the package."""
    labels, model = problem.dataset.labels, problem.perturbation
    touchable = range(len(labels)) if model.vulnerable is None else model.vulnerable
    for size in range(model.n + 1):
        for chosen in combinations(touchable, size):
            flipped = labels.copy()
            flipped[list(chosen)] *= -1
            yield Dataset(problem.dataset.features, flipped)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_enumeration_is_a_loop_over_torch(depth, n):
    problem = random_problem(6, depth, "hinge", "flips", n=n)
    hull = enumerate_hull(problem)
    runs = np.stack([torch_sgd(problem, dataset) for dataset in every_flip(problem)])
    assert hull.exact
    assert hull.runs == len(runs) == problem.perturbation.count(problem)
    np.testing.assert_allclose(hull.lower, runs.min(axis=0), atol=1e-9)
    np.testing.assert_allclose(hull.upper, runs.max(axis=0), atol=1e-9)
    np.testing.assert_allclose(hull.domain.lower, runs[:, -1].min(axis=0), atol=1e-9)


@pytest.mark.parametrize(("depth", "loss", "reach"), COMBINATIONS)
def test_the_dataset_that_attains_a_bound_attains_it(depth, loss, reach):
    problem = random_problem(8, depth, loss, reach)
    found = sampled_attack(problem, runs=30)
    for k in range(problem.network.size):
        for sense, ends in ((-1, found.lower), (1, found.upper)):
            for t in (None, 0, 1):
                dataset = found.attaining(k, sense, t)
                assert problem.perturbation.admits(problem, dataset)
                step = problem.steps if t is None else t
                assert torch_sgd(problem, dataset)[step, k] == pytest.approx(
                    ends[step, k], abs=1e-9
                )
    assert found.domain.contains(torch_sgd(problem)[-1], 1e-9)


def test_enumeration_stops_at_its_limit_and_attack_samples_instead(flips):
    with pytest.raises(UnsupportedError, match="limit of 3"):
        enumerate_hull(flips, limit=3)
    assert not agtopt.attack(flips, limit=3).exact
    with pytest.raises(UnsupportedError, match="inf"):
        enumerate_hull(random_problem(0, 1, "squared", "labels"))


def test_more_budget_attains_more():
    problem = random_problem(3, 1, "hinge", "flips", samples=6)
    hulls = [enumerate_hull(with_reach(problem, n=n, vulnerable=None)).domain for n in range(4)]
    for small, large in pairwise(hulls):
        assert agtopt.domains.contains(large, small)


def test_a_diverging_run_is_an_error_not_a_hull():
    problem = random_problem(0, 2, "squared", "features")
    training = agtopt.Training("squared", epochs=9, learning_rate=1e200)
    diverging = agtopt.Problem(problem.network, problem.dataset, problem.perturbation, training)
    with pytest.raises(agtopt.InvalidInputError, match="diverge"):
        sampled_attack(diverging)
