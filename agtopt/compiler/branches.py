"""Interval bounds conditional on which samples the adversary touches: one run of intervals for
every choice, where these are few."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, combinations, islice
from math import comb, prod

import numpy as np
from numpy.typing import NDArray

from agtopt.domains import Interval, KnownBounds
from agtopt.intervals.propagation import branch_steps
from agtopt.problem import Problem
from agtopt.symbolic.branches import BranchBounds
from agtopt.tolerances import outward, size_of, unit_of

CHUNK = 2**21
"""Per-sample gradient entries held at once; it bounds memory and changes no result."""

MOST_WORK = 2**32
"""Per-sample gradient entries, over all branches and steps, up to which every set of samples has a
run of its own: a minute or two."""

RECTIFIED = 4
"""How much longer an entry takes where linear bounds are substituted through rectifiers."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Branches:
    """What the branches of the adversary's choices say.

    Attributes
    ----------
    bounds : BranchBounds
        Per sample for a budget of one; without samples for a larger budget, or where there are too
        many branches.
    extreme : tuple of tuple of int
        The sets of samples whose branch is the lowest or highest for some parameter after some
        step: what an attack should try.
    """

    bounds: BranchBounds
    extreme: tuple[tuple[int, ...], ...]


NOTHING = Branches(BranchBounds.nothing(), ())


def learn_branches(
    problem: Problem, known: KnownBounds, start: int, domain: Interval, stop: int
) -> Branches:
    """Bound the states after steps start … stop−1 in every branch, and add the hull of the branches
    to what is known.

    A branch is a set of at most n vulnerable samples, exactly which are touched; every admissible
    run is in one of them. For flips of two classes and for removals of linear models a branch is a
    single run.
    """
    samples, budget = problem.perturbation.touchable(problem), problem.perturbation.budget
    widest = max(problem.network.size, *map(prod, problem.network.shapes.values()))
    entries = max(len(batch) for batch in problem.schedule) * widest
    count = sum(comb(len(samples), k) for k in range(min(budget, len(samples)) + 1))
    # The whole run counts: every window has branches of its own.
    if (
        not len(samples)
        or count * entries * problem.steps * (RECTIFIED if problem.network.kinked else 1)
        > MOST_WORK
    ):
        return NOTHING
    first, hull = 0, _Extremes(stop - start, problem.state_size)
    ends: list[tuple[Array, Array]] = []
    for touched in _branches(samples, budget, len(problem.dataset), max(1, CHUNK // entries)):
        lower, upper = (
            np.stack(column)
            for column in zip(*branch_steps(problem, touched, start, domain, stop), strict=True)
        )
        if not (np.isfinite(lower).all() and np.isfinite(upper).all()):
            return NOTHING
        hull.include(lower, upper, first)
        first += len(touched)
        if budget == 1:
            ends.append((lower, upper))
    for t in range(start, stop):
        least, most = hull.lower[t - start], hull.upper[t - start]
        unit = unit_of(size_of(least, most))
        low, high = (
            problem.unflatten(outward(least, -1, unit)),
            problem.unflatten(outward(most, 1, unit)),
        )
        for tensor in problem.state:
            known.shrink((t + 1, tensor), low[tensor], high[tensor])
    numbers = np.unique(np.stack([hull.lowest, hull.highest])[..., : problem.network.size])
    wanted = set(numbers.tolist())
    extreme = tuple(
        chosen for number, chosen in enumerate(_sets(samples, budget)) if number in wanted
    )
    if budget > 1:
        return Branches(NOTHING.bounds, extreme)
    return Branches(
        BranchBounds(
            samples, *(np.concatenate(column, axis=1) for column in zip(*ends, strict=True))
        ),
        extreme,
    )


class _Extremes:
    """The hull of branches that stream by, and which of them attains each end; shapes (T, s)."""

    def __init__(self, steps: int, size: int) -> None:
        self.lower = np.full((steps, size), np.inf)
        self.upper = np.full((steps, size), -np.inf)
        self.lowest = np.zeros((steps, size), dtype=np.int64)
        self.highest = np.zeros((steps, size), dtype=np.int64)

    def include(self, lower: Array, upper: Array, first: int) -> None:
        """Branches first, first + 1, …: ends of shape (T, R, s)."""
        low, high = lower.min(axis=1), upper.max(axis=1)
        self.lowest = np.where(low < self.lower, lower.argmin(axis=1) + first, self.lowest)
        self.highest = np.where(high > self.upper, upper.argmax(axis=1) + first, self.highest)
        self.lower = np.minimum(self.lower, low)
        self.upper = np.maximum(self.upper, high)


def _sets(samples: NDArray[np.int64], budget: int) -> Iterator[tuple[int, ...]]:
    """All sets of at most `budget` samples, the empty one first."""
    return chain.from_iterable(
        combinations(samples.tolist(), k) for k in range(min(budget, len(samples)) + 1)
    )


def _branches(
    samples: NDArray[np.int64], budget: int, size: int, step: int
) -> Iterator[NDArray[np.bool_]]:
    """These sets as masks (rows, size), at most `step` rows at once."""
    sets = _sets(samples, budget)
    while part := list(islice(sets, step)):
        touched = np.zeros((len(part), size), dtype=bool)
        for row, chosen in zip(touched, part, strict=True):
            row[list(chosen)] = True
        yield touched
