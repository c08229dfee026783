"""The extremes over many training runs, kept while the runs stream by."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agtopt.domains import Interval
from agtopt.errors import InvalidInputError
from agtopt.problem import Dataset, Datasets, Problem
from agtopt.semantics.concrete import trajectories

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Attack:
    """Parameters that training attains on admissible datasets.

    Attributes
    ----------
    problem : Problem
    exact : bool
        Whether every admissible dataset was trained on, so that `domain` is the exact hull.
    lower, upper : array, shape (T+1, p)
        Smallest and largest parameters attained at each step.
    theta : array, shape (runs, p)
        Final parameters of every run.
    datasets : Datasets
        What every run was trained on.
    """

    problem: Problem
    exact: bool
    lower: Array
    upper: Array
    theta: Array
    datasets: Datasets
    _lowest: NDArray[np.int64]
    _highest: NDArray[np.int64]

    @property
    def runs(self) -> int:
        """Number of training runs."""
        return len(self.theta)

    @property
    def domain(self) -> Interval:
        """Hull of the final parameters."""
        return Interval(self.lower[-1], self.upper[-1])

    def dataset(self, run: int) -> Dataset:
        """The dataset of one run."""
        return self.datasets[run]

    def attaining(self, parameter: int, sense: int, t: int | None = None) -> Dataset:
        """The dataset that attains the smallest (`sense` −1) or largest (+1) value of a parameter, after step t (T by default)."""
        table = self._lowest if sense < 0 else self._highest
        return self.dataset(int(table[self.problem.steps if t is None else t, parameter]))


def summarised(problem: Problem, variants: Datasets, exact: bool) -> Attack:
    """Train on every given dataset and keep the extremes.

    Parameters
    ----------
    problem : Problem
    variants : Datasets
    exact : bool
        Whether these are all admissible datasets.
    """
    size = problem.network.size
    shape = (problem.steps + 1, size)
    lower, upper = np.full(shape, np.inf), np.full(shape, -np.inf)
    lowest, highest = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    final = []
    for first, states in trajectories(problem, variants):
        theta = states[..., :size]
        if not np.isfinite(theta).all():
            raise InvalidInputError("training: a run on an admissible dataset diverges to infinity; lower learning_rate or epochs")
        for best, table, values, find in (
            (lower, lowest, theta.min(axis=0), theta.argmin(axis=0)),
            (upper, highest, theta.max(axis=0), theta.argmax(axis=0)),
        ):
            better = values < best if best is lower else values > best
            best[better], table[better] = values[better], find[better] + first
        final.append(theta[:, -1])
    return Attack(problem, exact, lower, upper, np.concatenate(final), variants, lowest, highest)
