"""The extremes over many training runs, kept while the runs stream by."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.domains import Interval
from agtopt.errors import InvalidInputError
from agtopt.problem import Dataset, Datasets, Problem
from agtopt.training.concrete import trajectories

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Extremes:
    """Smallest and largest values of m directions · θ_t over training runs, after each step t.

    Attributes
    ----------
    lower, upper : array, shape (T+1, m)
    lowest, highest : array of int, shape (T+1, m)
        The runs that attain them.
    """

    lower: Array
    upper: Array
    lowest: NDArray[np.int64]
    highest: NDArray[np.int64]

    @classmethod
    def nothing(cls, steps: int, directions: int) -> "Extremes":
        """Lowest and highest values before any run: +∞ and −∞ at every step and direction."""
        shape = (steps + 1, directions)
        counters = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        return cls(np.full(shape, np.inf), np.full(shape, -np.inf), *counters)

    def including(self, values: Array, first: int) -> "Extremes":
        """With further runs, numbered from `first`; values of shape (runs, T+1, m)."""
        low, high = values.min(axis=0), values.max(axis=0)
        return Extremes(
            np.minimum(self.lower, low),
            np.maximum(self.upper, high),
            np.where(low < self.lower, values.argmin(axis=0) + first, self.lowest),
            np.where(high > self.upper, values.argmax(axis=0) + first, self.highest),
        )

    def joined(self, other: "Extremes") -> "Extremes":
        """These directions and those of `other`, of the same runs."""
        pairs = zip(
            (self.lower, self.upper, self.lowest, self.highest),
            (other.lower, other.upper, other.lowest, other.highest),
            strict=True,
        )
        return Extremes(*(np.concatenate(pair, axis=1) for pair in pairs))

    def value(self, k: int, sense: int, t: int) -> float:
        """The smallest (`sense` −1) or largest (+1) value of direction k after step t."""
        return float((self.lower if sense < 0 else self.upper)[t, k])

    def run(self, k: int, sense: int, t: int) -> int:
        """The run that attains it."""
        return int((self.lowest if sense < 0 else self.highest)[t, k])


@dataclass(frozen=True, eq=False)
class Attack:
    """Parameters that training attains on admissible datasets.

    Attributes
    ----------
    problem : Problem
    exact : bool
        Whether every admissible dataset was trained on, so that `domain` is the exact hull.
    extremes : Extremes
        Of every parameter.
    theta : array, shape (runs, p)
        Final parameters of every run.
    datasets : Datasets
        What every run was trained on.
    """

    problem: Problem
    exact: bool
    extremes: Extremes
    theta: Array
    datasets: Datasets

    @property
    def lower(self) -> Array:
        """Smallest parameters attained at each step, shape (T+1, p)."""
        return self.extremes.lower

    @property
    def upper(self) -> Array:
        """Largest parameters attained at each step, shape (T+1, p)."""
        return self.extremes.upper

    @property
    def runs(self) -> int:
        """Number of training runs."""
        return len(self.theta)

    @cached_property
    def domain(self) -> Interval:
        """Hull of the final parameters."""
        return Interval(self.lower[-1], self.upper[-1])

    def dataset(self, run: int) -> Dataset:
        """The dataset of one run."""
        return self.datasets[run]

    def leading(self, most: int) -> NDArray[np.int64]:
        """Numbers of at most so many runs: the first one, those that attain an extreme, then the
        others in order."""
        first = np.arange(min(most, self.runs))
        order = np.concatenate(
            [first[:1], self.extremes.lowest.ravel(), self.extremes.highest.ravel(), first]
        )
        return np.asarray(order[np.sort(np.unique(order, return_index=True)[1])][:most])

    def attaining(self, parameter: int, sense: int, t: int | None = None) -> Dataset:
        """The dataset that attains the smallest (`sense` −1) or largest (+1) value of a parameter,
        after step t (T by default)."""
        return self.dataset(
            self.extremes.run(parameter, sense, self.problem.steps if t is None else t)
        )

    def along(self, directions: ArrayLike) -> Extremes:
        """Train again, and keep the extremes of directions · θ_t.

        Parameters
        ----------
        directions : array_like, shape (m, p)
        """
        rows = np.asarray(directions, dtype=np.float64)
        size = self.problem.network.size
        if rows.ndim != 2 or rows.shape[1] != size:
            raise InvalidInputError(
                f"directions: shape {rows.shape} does not fit; it must be (m, {size})"
            )
        extremes = Extremes.nothing(self.problem.steps, len(rows))
        for first, states in trajectories(self.problem, self.datasets):
            extremes = extremes.including(states[..., :size] @ rows.T, first)
        return extremes


def summarised(problem: Problem, variants: Datasets, exact: bool) -> Attack:
    """Train on every given dataset and keep the extremes.

    Parameters
    ----------
    problem : Problem
    variants : Datasets
    exact : bool
        Whether these are all admissible datasets.

    Raises
    ------
    InvalidInputError
        If a run diverges to infinity.
    """
    size = problem.network.size
    extremes, final = Extremes.nothing(problem.steps, size), []
    for first, states in trajectories(problem, variants):
        theta = states[..., :size]
        if not np.isfinite(theta).all():
            raise InvalidInputError(
                "training: a run on an admissible dataset diverges to infinity; lower "
                "learning_rate or epochs"
            )
        extremes = extremes.including(theta, first)
        final.append(theta[:, -1])
    return Attack(problem, exact, extremes, np.concatenate(final), variants)
