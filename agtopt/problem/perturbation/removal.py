"""Samples left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from agtopt.problem.dataset import Dataset, Datasets
from agtopt.problem.perturbation.base import Removing, drawn, samples
from agtopt.problem.perturbation.perturbed import Perturbed
from agtopt.tolerances import ADMITTED


@dataclass(frozen=True)
class Removal(Removing):
    """At most n samples left out of every batch they occur in (Theorem 6 of Sosnin et al. 2025).

    All other samples keep their batches, and the mean is over those that remain. A loader that
    refills its batches after a removal trains on other batches: such a run is *not* covered.

    Parameters
    ----------
    n : int
        How many samples may be left out.
    vulnerable : sequence of int or None
        Indices of the samples that may be left out; None for all.
    """

    def admits(self, problem: Perturbed, other: Dataset, tolerance: float = ADMITTED) -> bool:
        if not self.same_places(problem, other):
            return False
        nominal = problem.dataset
        return np.array_equal(other.features, nominal.features) and np.array_equal(
            other.labels, nominal.labels
        )

    def sample(self, problem: Perturbed, size: int, generator: np.random.Generator) -> Datasets:
        return self._without(problem, drawn(self.touchable(problem), self.n, size, generator))

    def count(self, problem: Perturbed) -> float:
        many = len(self.touchable(problem))
        return sum(comb(many, k) for k in range(min(self.n, many) + 1))

    def enumerate(self, problem: Perturbed) -> Datasets:
        touchable = self.touchable(problem).tolist()
        return self._without(
            problem,
            [
                chosen
                for k in range(min(self.n, len(touchable)) + 1)
                for chosen in combinations(touchable, k)
            ],
        )

    @staticmethod
    def _without(
        problem: Perturbed, removed: Sequence[Sequence[int] | NDArray[np.int64]]
    ) -> Datasets:
        present = np.ones((len(removed), len(problem.dataset)), dtype=bool)
        for row, chosen in zip(present, removed, strict=True):
            row[list(chosen)] = False
        return Datasets(problem.dataset, len(removed), present=present)

    def describe(self) -> str:
        return f"at most {samples(self.n)} left out{self._among()} (batches are not refilled)"
