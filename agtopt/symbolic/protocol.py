"""What every adversary of a model is asked, and what its choices are written with."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agtopt.formulation import AffineArray, Site
from agtopt.intervals.adversary import Rows
from agtopt.intervals.arithmetic import Range
from agtopt.problem import Dataset, Problem
from agtopt.symbolic.quantity import Quantity

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Batch = NDArray[np.int64]
Values = Iterator[tuple[list[float], list[Any]]]


class Writer(Protocol):
    """What choices ask of the operations that write a step.

    Attributes
    ----------
    t : int
        The step.
    samples : array of int
        Its batch.
    """

    t: int
    samples: Batch

    def site(self, at: str, batch: bool = True) -> Site:
        """Where the quantity at an address is written."""
        ...

    def contract(
        self,
        subscripts: str,
        first: Quantity,
        second: Quantity,
        at: str,
        shift: Quantity | None = None,
    ) -> Quantity:
        """A sum of products, written where both factors vary."""
        ...


class Choices(Protocol):
    """What an adversary decides, written once into the block ``data``.

    Attributes
    ----------
    touched : AffineArray, shape (N,)
        1 where a sample is touched.
    deciding : list of AffineArray
        The variables that decide everything else: a solver branches on them first.
    """

    touched: AffineArray
    deciding: list[AffineArray]

    @property
    def intervals(self) -> Rows:
        """The interval meaning of the same rows."""
        ...

    def batch(self, samples: Batch) -> tuple[AffineArray, AffineArray, Batch]:
        """Features, encoded labels and keys of the rows of a batch."""
        ...

    def aggregate(
        self, ops: Writer, gradient: Quantity, tensor: str, enclosure: Range
    ) -> AffineArray:
        """The descent direction from the gradients of those rows."""
        ...

    def tie(self, site: Site, quantity: Quantity, samples: Batch, where: Mask) -> None:
        """Tie a per-sample quantity to the selectors, by what is known of it with and without a
        touch."""
        ...

    def assignments(self, dataset: Dataset) -> Values:
        """The values that an admissible dataset gives the variables."""
        ...

    def dataset(self) -> Dataset:
        """The dataset that the variables' values stand for, with binaries rounded; up to a solver's
        tolerances it is admissible."""
        ...


def touchable(problem: Problem, occurring: Mask) -> Mask:
    """Which samples of the window the adversary may touch."""
    mask = np.zeros(len(problem.dataset), dtype=bool)
    mask[problem.perturbation.touchable(problem)] = True
    return mask & occurring


def mean_rows(gradient: AffineArray) -> AffineArray:
    """The mean over the first axis."""
    return batch_last(gradient).total(1) * (1.0 / gradient.shape[0])


def batch_last(value: AffineArray) -> AffineArray:
    """The first axis of the expressions moved behind all others."""
    rank = len(value.shape) - 1
    return value.map(lambda array, extra: np.moveaxis(array, 0, rank))


def chosen_values(target: AffineArray, values: Array) -> Values:
    """The variables of an array of single variables with the values that they take, in their
    units."""
    if target.varies.any():
        variables, shares = target.shares(values)
        yield shares, variables
