"""admits, sample, count and enumerate describe one and the same set of datasets."""

from dataclasses import replace

import numpy as np
import pytest

from agtopt import Bounded, Dataset
from tests.instances import COMBINATIONS, corrupted, random_problem, with_reach


@pytest.mark.parametrize(("depth", "loss", "reach"), COMBINATIONS[:6])
def test_samples_are_admitted_and_spend_the_budget(depth, loss, reach):
    for seed in range(10):
        problem = random_problem(seed, depth, loss, reach)
        model, nominal = problem.perturbation, problem.dataset
        touchable = model.touchable(problem)
        for dataset in corrupted(problem, 20, seed):
            assert model.admits(problem, dataset)
            moved = np.any(dataset.features != nominal.features, axis=1)
            moved |= np.any((dataset.labels != nominal.labels).reshape(len(nominal), -1), axis=1)
            assert set(np.flatnonzero(moved)) <= set(touchable)
            assert moved.sum() == min(model.n, len(touchable))


@pytest.mark.parametrize("n", range(4))
def test_count_is_the_number_enumerated_and_all_differ(n):
    problem = random_problem(1, 1, "hinge", "flips", samples=6, n=n)
    found = list(problem.perturbation.enumerate(problem))
    assert len({tuple(dataset.labels) for dataset in found}) == len(found) == problem.perturbation.count(problem)
    assert not found[0].changed(problem.dataset).any()
    assert all(problem.perturbation.admits(problem, dataset) for dataset in found)


@pytest.mark.parametrize(("depth", "loss", "reach"), COMBINATIONS[:6])
def test_what_goes_too_far_is_not_admitted(depth, loss, reach):
    problem = with_reach(random_problem(2, depth, loss, reach, samples=6), n=1, vulnerable=[1, 2])
    model, nominal = problem.perturbation, problem.dataset

    def other(sample, dx=0.0, dy=0.0):
        features, labels = nominal.features.copy(), nominal.labels.copy()
        features[sample, 0] += dx
        labels[sample] = -labels[sample] if loss == "hinge" and dy else labels[sample] + dy
        return Dataset(features, labels)

    assert model.admits(problem, nominal)
    assert model.admits(problem, other(1, model.eps, model.nu))
    assert not model.admits(problem, other(0, model.eps or 1.0, model.nu)), "not vulnerable"
    assert not model.admits(problem, other([1, 2], model.eps, model.nu)), "two samples"
    assert not model.admits(problem, other(1, model.eps * 1.01 + 1e-3)), "too far"
    if loss == "squared":
        assert not model.admits(problem, other(1, dy=model.nu * 1.01 + 1e-3)), "label too far"
    assert not model.admits(problem, Dataset(nominal.features[:-1], nominal.labels[:-1])), "a sample less"
    if not model.nu:
        assert not model.admits(problem, other(1, dy=1.0)), "labels stay"


@pytest.mark.parametrize(
    ("model", "count"), [(Bounded(0, nu=1, q=0), 1), (Bounded(2), 1), (Bounded(1, eps=0.1), np.inf), (Bounded(1, nu=0.5), np.inf)]
)
def test_count_of_trivial_and_continuous_models(model, count):
    problem = random_problem(0, 1, "hinge" if model.q == 0 else "squared", "flips" if model.q == 0 else "labels")
    assert model.count(replace(problem, perturbation=model)) == count


def test_only_narrows_the_model_to_the_named_samples():
    model = Bounded(3, eps=0.1).only(4)
    assert (model.n, tuple(model.vulnerable), model.eps) == (1, (4,), 0.1)
