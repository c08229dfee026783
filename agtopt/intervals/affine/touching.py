"""What all adversaries of the affine domain have: symbols of samples, and sums of the largest
gains."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.domains import Touched
from agtopt.intervals.adversary import touchable_mask
from agtopt.intervals.affine.deviation import Deviation
from agtopt.intervals.affine.operations import DeviationOperations
from agtopt.intervals.affine.tangent import Linearised
from agtopt.intervals.arithmetic import Range
from agtopt.intervals.scale.numerics import Numerics
from agtopt.problem import Problem

Array = NDArray[np.float64]
Batch = NDArray[np.int64]

COLUMNS = 2**27
"""Bytes that the directions D_i of all samples may take: beyond, what a sample may become is left
to the remainder."""


@dataclass
class Gains:
    """Largest gains, of `budget` samples, of every entry upwards and downwards, (budget, q)."""

    budget: int
    kept: Tensor | None = None

    def add(self, gains: Tensor) -> None:
        """Nonnegative gains (2, n, q) of more samples."""
        together = gains if self.kept is None else torch.cat([self.kept, gains], 1)
        if together.shape[1] > self.budget:
            together = together.topk(self.budget, dim=1, sorted=False).values
        self.kept = together

    def total(self, q: int) -> Tensor:
        """Their sums, (2, q)."""
        if self.kept is None or not self.budget:
            return torch.zeros((2, q), dtype=torch.float64)
        return self.kept.sum(1)


@dataclass(frozen=True)
class Direction:
    """A move of samples in one step, as directions of the gradient.

    Attributes
    ----------
    group, move : int
        Its place in `Touched`.
    rows : array of int
        Which of the samples of the group.
    columns : array, shape (n, k, q)
        Of b Δ, for each of these samples.
    """

    group: int
    move: int
    rows: Batch
    columns: Array


class AffineAdversary(ABC):
    """What a perturbation model does to a batch.

    Parameters
    ----------
    problem : Problem
    numerics : Numerics
        In whose format training runs.
    keeps : bool
        Whether directions of samples are kept from step to step.

    Attributes
    ----------
    own : int
        Features of a sample that are symbols of its own.
    """

    own = 0

    def __init__(self, problem: Problem, numerics: Numerics, keeps: bool) -> None:
        self.problem = problem
        self.numerics = numerics
        self.keeps = keeps
        self.vulnerable = touchable_mask(problem)
        self.touchable = np.flatnonzero(self.vulnerable)
        self.place = np.full(len(problem.dataset), -1)
        self.place[self.touchable] = np.arange(len(self.touchable))
        self.q = sum(problem.network.initial[name].size for name in problem.trained)

    def fits(self, columns: int) -> bool:
        """Whether so many directions for each sample are to be kept, and are few enough."""
        return self.keeps and 8 * columns * len(self.touchable) * self.problem.state_size <= COLUMNS

    @abstractmethod
    def start(self) -> tuple[Touched, ...]:
        """The symbols, with directions of zero."""

    def batch(self, ops: DeviationOperations, samples: Batch) -> tuple[Deviation, Deviation]:
        """Features and encoded labels: as they stand first, and under every variant."""
        x, y = self.standing(samples)
        return Deviation.known(x, ops.unheld(x)), Deviation.known(y, ops.unheld(y))

    def standing(self, samples: Batch) -> tuple[Tensor, Tensor]:
        """Features and encoded labels as they stand."""
        data = self.problem.dataset
        return (
            torch.tensor(np.array(data.features[samples])),
            torch.tensor(self.problem.encode(data.labels[samples])),
        )

    def open(self, batch: Batch) -> None:
        """Begin a step."""
        self.size = len(batch)
        self.many = int(self.vulnerable[batch].sum())

    def bounded(self, parameters: dict[str, Range]) -> None:
        """Take note of the box that the parameters are in before a step."""
        return

    @abstractmethod
    def add(self, samples: Batch, linear: Linearised, found: Deviation) -> None:
        """The gradients of a fragment, (…, n, q)."""

    @abstractmethod
    def extra(self, mean: Tensor, found: Tensor) -> Range:
        """What touching samples adds to b Δ beyond `directions`, from the mean gradient, (q,), and
        bounds of its deviation (2, q); once all fragments were added."""

    def replacing(self) -> Tensor:
        """The largest sum of magnitudes, (q,), of gradients that come in the place of a batch's:
        training adds them up, and rounds."""
        return torch.zeros(self.q, dtype=torch.float64)

    @abstractmethod
    def directions(self, mean: Tensor) -> list[Direction]:
        """The linear part of what touching does to b Δ."""
