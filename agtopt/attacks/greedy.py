"""Greedy attacks: one sample after the other, each change measured by training."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from agtopt.attacks.changes import Changes, admitted, single_changes, untouched
from agtopt.attacks.first_order import run_entries
from agtopt.problem import Datasets, Problem
from agtopt.training.concrete import trajectories

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

WORK = 2**29
"""Per-sample gradient entries that an attack costs by default: some seconds."""

DIFFERENTIATION = 4
"""A training run and its derivative take about as long as this many training runs."""

FEWEST = 8
"""Changes that a round should try in each direction; with fewer, fewer directions are better."""

MOST_DATA = 2**22
"""Entries of changed datasets held at once; it bounds memory and changes no result."""


def greedy_attack(problem: Problem, directions: Array, work: int = WORK) -> Datasets:
    """Datasets that push the final parameters far in given directions, made by changing one more
    sample at a time.

    Every round trains on what each admissible change of one more vulnerable sample makes of the
    present datasets (`single_changes`). Every direction takes the best dataset that was trained on
    for any of them, where that improves it, and goes on from there until nothing improves it or the
    budget is spent: greedy forward selection. With a budget of one sample, flips and removals are
    enumerated as far as `work` goes.

    Parameters
    ----------
    problem : Problem
    directions : array, shape (m, p)
        direction · θ_T is made large.
    work : int
        Per-sample gradient entries that training may cost. Where there are more changes, those that
        gain most to first order are tried, in each round at least one for each direction.

    Returns
    -------
    Datasets
        One dataset for each direction, none where nothing may be touched, less those that are not
        admissible: see `gradient_attack`.
    """
    many = len(directions)
    if not many or not len(problem.perturbation.touchable(problem)):
        return Datasets(problem.dataset, 0)
    present, origin, climbing = (
        untouched(problem, many),
        np.zeros(many, dtype=np.int64),
        np.arange(many),
    )
    ((_, (value,)),) = _values(problem, Datasets(problem.dataset, 1), directions)
    entries = run_entries(problem)
    for left in range(_rounds(problem), 0, -1):
        share = work // (left * len(climbing) * entries) - DIFFERENTIATION
        changes = single_changes(problem, present, directions, climbing, max(1, share)).distinct(
            origin
        )
        work -= (len(changes) + DIFFERENTIATION * len(climbing)) * entries
        reached, best = _furthest(problem, present, changes, directions)
        climbing = np.flatnonzero(reached > value)
        if not len(climbing):
            break
        value = np.maximum(value, reached)
        present = _replaced(present, climbing, changes.at(best[climbing]).applied(present))
        # Those that go on from the same dataset took the same change.
        origin = best
    return admitted(problem, present)


def worthwhile_runs(problem: Problem) -> int:
    """Training runs that an attack in one direction should be granted."""
    return max(1, _rounds(problem)) * (DIFFERENTIATION + FEWEST)


def _rounds(problem: Problem) -> int:
    model = problem.perturbation
    # Under separate budgets a sample may change twice, first its features, then its label.
    return min(model.budget, 2 * len(model.touchable(problem)))


def _furthest(
    problem: Problem, present: Datasets, changes: Changes, directions: Array
) -> tuple[Array, Indices]:
    """The largest direction · θ_T after any of the changes, and which change it is; shape (m,)
    each."""
    reached, best = np.full(len(directions), -np.inf), np.zeros(len(directions), dtype=np.int64)
    step = max(1, MOST_DATA // problem.dataset.features.size)
    for first in range(0, len(changes), step):
        part = changes.at(np.arange(first, min(first + step, len(changes))))
        for offset, values in _values(problem, part.applied(present), directions):
            better = values.max(axis=0) > reached
            best = np.where(better, values.argmax(axis=0) + first + offset, best)
            reached = np.where(better, values.max(axis=0), reached)
    return reached, best


def _values(problem: Problem, datasets: Datasets, directions: Array) -> Iterator[tuple[int, Array]]:
    """Chunks of direction · θ_T, shape (d, m), each with the number of its first dataset."""
    for first, states in trajectories(problem, datasets):
        with np.errstate(invalid="ignore"):
            values = states[:, -1, : problem.network.size] @ directions.T
        # A run that diverges is the furthest of all: whoever trains on what is found must learn of
        # it.
        yield first, np.nan_to_num(values, nan=np.inf, posinf=np.inf, neginf=-np.inf)


def _replaced(present: Datasets, places: Indices, better: Datasets) -> Datasets:
    for name in ("features", "labels", "present"):
        if (column := getattr(present, name)) is not None:
            column[places] = getattr(better, name)
    return present
