"""One layer, label flips or removals: no continuous product is left, so MILP = MIQCP =
enumeration."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

import agtopt
from agtopt import Bounded, Removal
from agtopt.compiler import compile
from agtopt.solvers import choose, open_session
from tests.instances import random_problem, torch_sgd

ADVERSARIES = [("hinge", "flips"), ("hinge", "removal"), ("squared", "removal")]


def finite_problem(seed, loss, adversary, n, samples=None, vulnerable=None):
    """Hinge or squared error, n flips or removals; removals leave at least one sample in every
    batch."""
    base = random_problem(
        seed,
        1,
        loss,
        "flips" if loss == "hinge" else "labels",
        n=n,
        samples=samples,
        vulnerable=vulnerable,
    )
    if adversary == "flips":
        return base
    training = base.training
    if min(map(len, base.schedule)) <= n:
        training = replace(
            training, batches=None, batch_size=n + 1, drop_last=True, epochs=2, seed=seed
        )
    return replace(base, training=training, perturbation=Removal(n, base.perturbation.vulnerable))


def assert_is_the_hull(problem, kind, conditional):
    hull = agtopt.attack(problem)
    assert hull.exact
    assert hull.domain.width() > 0.01
    box = agtopt.bound(problem, kind, conditional=conditional).domain
    np.testing.assert_allclose(box.lower, hull.domain.lower, rtol=0, atol=5e-5)
    np.testing.assert_allclose(box.upper, hull.domain.upper, rtol=0, atol=5e-5)
    assert np.all(box.lower <= hull.domain.lower)
    assert np.all(hull.domain.upper <= box.upper)


@pytest.mark.parametrize("conditional", [True, False], ids=["cuts", "plain"])
@pytest.mark.parametrize("kind", ["MILP", "MIQCP"])
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize(("loss", "adversary"), ADVERSARIES)
def test_exact_kinds_are_the_enumerated_hull(loss, adversary, n, kind, conditional):
    for seed in range(3):
        assert_is_the_hull(finite_problem(seed, loss, adversary, n), kind, conditional)


@pytest.mark.parametrize("conditional", [True, False], ids=["cuts", "plain"])
@pytest.mark.parametrize(("loss", "adversary"), ADVERSARIES)
def test_three_flips_or_removals_are_the_enumerated_hull(loss, adversary, conditional):
    problem = finite_problem(4, loss, adversary, 3, samples=6, vulnerable=range(6))
    assert agtopt.attack(problem).runs == 42
    assert_is_the_hull(problem, "MILP", conditional)


@pytest.mark.parametrize(("loss", "adversary"), ADVERSARIES)
def test_without_cuts_the_optimisation_itself_is_exact(loss, adversary):
    """No domain is intersected with intervals or branches here: the model alone, its least and
    greatest value of every parameter."""
    problem = finite_problem(5, loss, adversary, 2, samples=5, vulnerable=range(5))
    hull, model = agtopt.attack(problem), compile(problem, "MILP", conditional=False)
    assert hull.exact
    assert model.size.binaries >= 4
    session = None
    for k, direction in enumerate(np.eye(problem.network.size)):
        for sense, end in ((1.0, hull.domain.lower), (-1.0, hull.domain.upper)):
            model.minimise(sense * direction)
            session = session or open_session(choose("highs", False, True), model.pyomo)
            assert sense * session.solve().bound == pytest.approx(end[k], abs=5e-5)


def test_allowed_flips_are_the_only_ones():
    """Only −1 → 1: fewer datasets, a smaller hull, and still the enumerated one."""
    base = random_problem(1, 1, "hinge", "flips", samples=6, n=2, vulnerable=range(6))
    problem = replace(base, perturbation=Bounded(2, nu=1, q=0, flips=[(-1, 1)]))
    some = int((problem.dataset.labels == -1).sum())
    hull, wide = agtopt.attack(problem), agtopt.attack(base)
    assert hull.runs == 1 + some + some * (some - 1) // 2 < wide.runs
    assert hull.domain.width() < wide.domain.width()
    assert_is_the_hull(problem, "MILP", True)


def test_every_removal_is_torch_without_those_samples():
    """What is enumerated is the mean over the samples that remain."""
    problem = finite_problem(5, "squared", "removal", 2, samples=5, vulnerable=range(5))
    touchable = problem.perturbation.touchable(problem).tolist()
    runs = []
    for k in range(3):
        for gone in combinations(touchable, k):
            present = np.ones(5, dtype=bool)
            present[list(gone)] = False
            runs.append(
                torch_sgd(
                    problem,
                    agtopt.Dataset(problem.dataset.features, problem.dataset.labels, present),
                )[-1]
            )
    hull = agtopt.attack(problem)
    assert hull.runs == len(runs) == 16
    np.testing.assert_allclose(hull.domain.lower, np.min(runs, axis=0), atol=1e-9)
    np.testing.assert_allclose(hull.domain.upper, np.max(runs, axis=0), atol=1e-9)
