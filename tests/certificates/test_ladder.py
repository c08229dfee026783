"""Ladders of growing budgets: the largest that certifies, and no more bounds than are needed."""

import numpy as np
import pytest

import agtopt
from agtopt import Bounded, InvalidInputError, Removal, Substitution
from agtopt.certificates.ladder import ladder
from tests.certificates.instances import UNIVERSE, grid, moons, small


@pytest.mark.parametrize(
    "model", [Removal(1), Bounded(1, nu=1, q=0), Bounded(1, eps=0.1), Substitution(1)]
)
def test_ladders_find_the_largest_certified_budget(model):
    """Bisection against a loop over all rungs; stable under a budget is stable under every smaller
    one."""
    instance, X = moons(model, epochs=4, learning_rate=3.0, decay=0.6, clip=0.5), grid(8)
    rungs = (1, 2, 5, 9, 20, 60)
    found = ladder(instance, rungs)
    stable = np.array([agtopt.certify(agtopt.bound(found.at(n), "IBP"), X).stable for n in rungs])
    assert np.all(np.diff(stable.astype(int), axis=0) <= 0)
    expected = np.array([0, *rungs])[stable.sum(axis=0)]
    assert np.array_equal(found.distances(X), expected)
    assert len(np.unique(expected)) > 2
    assert found.reach(5) is found.reach(5)
    assert found.reach(5).problem.perturbation.n == 5


def test_rungs_are_bounded_when_they_are_needed():
    asked = []

    def bounder(problem):
        asked.append(problem.perturbation.n)
        return agtopt.bound(problem, "CROWN")

    found = ladder(
        moons(Removal(1), epochs=2, learning_rate=1.0, clip=0.5), range(1, 1025), bounder
    )
    assert not asked
    found.distances(grid(8)[:1])
    assert 1 <= len(asked) <= 11


@pytest.mark.parametrize("budgets", [(), (0, 1), (2, 1), (1, 1), (6,), (1.5,)])
def test_ladders_must_climb(budgets):
    with pytest.raises(InvalidInputError):
        ladder(small([UNIVERSE[0]] * 5), budgets)
