"""What of a training step stays affine: operations that need no variable, and where those that do
write theirs."""

from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from agtopt.errors import UnsupportedError
from agtopt.formulation import AffineArray, Site
from agtopt.formulation.site import Assignment
from agtopt.intervals.propagation import CrownIntervals
from agtopt.problem.layers import Patches, Shape
from agtopt.symbolic.quantity import Quantity, taken
from agtopt.tolerances import LARGEST_BIG_M


class LinearOperations:
    """Operations on affine expressions, each with its own interval alongside.

    Parameters
    ----------
    intervals : CrownIntervals
        The same operations on intervals.
    replay : list of Assignment
        Takes how the value of every new variable follows from earlier ones.
    """

    t: int
    block: Any
    rows: NDArray[np.int64]

    def __init__(self, intervals: CrownIntervals, replay: list[Assignment]) -> None:
        self.intervals = intervals
        self.replay = replay

    def enter(self, t: int, block: Any, rows: NDArray[np.int64]) -> None:
        """Write what follows into a block, for step t; `rows` are the keys of the batch."""
        self.t = t
        self.block = block
        self.rows = rows

    def site(self, at: str, batch: bool = True) -> Site:
        """Where the quantity at an address is written; keyed by the rows of the batch or from 0."""
        phase, _, name = at.partition(".")
        if self.block.component(phase) is None:
            self.block.add_component(phase, pyo.Block())
        return Site(self.block.component(phase), name, self.rows if batch else None, self.replay)

    def _checked(self, quantity: Quantity, at: str) -> Quantity:
        if not all(bool((end.abs() < LARGEST_BIG_M).all()) for end in quantity.range):
            size = max(float(end.abs().max()) for end in quantity.range)
            raise UnsupportedError(
                f"the interval of {at} at step {self.t} reaches ±{size:.3g}, too wide for a big-M "
                f"(beyond ±{LARGEST_BIG_M:g}); shorten the "
                "window, start from a tighter domain, or give the features smaller units"
            )
        return quantity

    def constant(self, value: NDArray[np.float64] | float) -> Quantity:
        return Quantity(AffineArray.known(value), self.intervals.constant(value))

    def add(self, first: Quantity, second: Quantity) -> Quantity:
        return Quantity(first.affine + second.affine, self.intervals.add(first.range, second.range))

    def scale(self, factor: float, value: Quantity) -> Quantity:
        return Quantity(value.affine * factor, self.intervals.scale(factor, value.range))

    def reshape(self, value: Quantity, old: Shape, new: Shape) -> Quantity:
        lead = value.affine.shape[: len(value.affine.shape) - len(old)]
        return Quantity(
            value.affine.reshape(*lead, *new),
            self.intervals.reshape(value.range, old, new),
            value.binary,
        )

    def unfold(self, value: Quantity, patches: Patches) -> Quantity:
        windows = taken(value.affine.reshape(value.affine.shape[0], -1), patches.index)
        return Quantity(windows, self.intervals.unfold(value.range, patches))

    def fold(self, value: Quantity, patches: Patches) -> Quantity:
        many = value.affine.shape[0]
        summed = taken(value.affine.reshape(many, -1), patches.transposed_index).total(1)
        return Quantity(
            summed.reshape(many, *patches.shape), self.intervals.fold(value.range, patches)
        )

    def column(self, value: Quantity, index: int) -> Quantity:
        picked = value.affine[:, index : index + 1]
        return Quantity(picked, self.intervals.column(value.range, index), value.binary)

    def per_sample(self, value: Quantity, rank: int = 1) -> Quantity:
        return Quantity(
            value.affine.map(lambda array, extra: array[np.newaxis]),
            self.intervals.per_sample(value.range, rank),
        )
