"""Where the numbers of a propagation are held, and in which floating-point format."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.errors import InvalidInputError, UnsupportedError
from agtopt.intervals.arithmetic import ROUNDING, Range, outward_range
from agtopt.tolerances import Rounding

Array = NDArray[np.float64]

DEVICES = ("cpu", "cuda")
"""Devices whose arithmetic is that of IEEE 754: rounding outward (S3) relies on it."""

CPU = torch.device("cpu")

DTYPES = {str(dtype).removeprefix("torch."): dtype for dtype in ROUNDING}


@dataclass(frozen=True)
class Numerics:
    """A device and a format; what runs on CUDA is written for it, and was tested on the CPU only.

    In float32 the bounds cover training in float32 as well, with its own rounding, whatever the
    order of its sums. Numbers of the problem that are no float32 numbers are intervals between two
    of them.

    Parameters
    ----------
    dtype : torch.dtype
    device : torch.device
    """

    dtype: torch.dtype = torch.float64
    device: torch.device = CPU

    @classmethod
    def named(cls, dtype: str, device: str) -> "Numerics":
        """By the names that torch has for them.

        Raises
        ------
        InvalidInputError
            If there is no such format, or no such device here.
        """
        if dtype not in DTYPES:
            raise InvalidInputError(
                f"dtype: {dtype!r} is not allowed; it must be one of {', '.join(map(repr, DTYPES))}"
            )
        try:
            where = torch.device(device)
        except (RuntimeError, TypeError):
            where = None
        if where is None or where.type not in DEVICES:
            raise InvalidInputError(
                f"device: {device!r} is not allowed; it must be 'cpu', 'cuda' or one of its GPUs, "
                f"as 'cuda:0'"
            )
        if where.type == "cuda" and (where.index or 0) >= torch.cuda.device_count():
            raise InvalidInputError(
                f"device: {device!r} is not here; torch finds {torch.cuda.device_count()} CUDA "
                f"devices; use 'cpu'"
            )
        return cls(DTYPES[dtype], where)

    @property
    def rounding(self) -> Rounding:
        """What rounding takes in the format."""
        return ROUNDING[self.dtype]

    @property
    def cached(self) -> bool:
        """Whether it is faster to work in pieces that fit a processor's cache; what a GPU does
        wants to be large instead."""
        return self.device.type == "cpu"

    def check(self) -> None:
        """Refuse products of matrices that round their factors to a shorter format.

        Raises
        ------
        UnsupportedError
            If torch is set to TensorFloat-32 or bfloat16 for float32 factors.
        """
        value = 1.0 + 2.0**-20
        side = torch.full((64, 64), value, dtype=self.dtype, device=self.device)
        one = torch.eye(64, dtype=self.dtype, device=self.device)
        if bool((torch.matmul(side, one) != value).any()):
            raise UnsupportedError(
                "dtype: torch rounds the factors of float32 products to a shorter format here; "
                'set torch.set_float32_matmul_precision("highest")'
            )

    def enclose(self, low: Array | float, high: Array | float | None = None) -> Range:
        """The smallest interval in this format that holds [low, high], by default the point `low`;
        a point if it can be one."""
        near = self._nearest(low)
        lower = self._towards(near, low, -torch.inf)
        if high is not None and not np.array_equal(low, high):
            return Range(lower, self._towards(self._nearest(high), high, torch.inf))
        upper = self._towards(near, low, torch.inf)
        return Range(near, near) if lower is upper else Range(lower, upper)

    def box(self, low: Array, high: Array) -> Range:
        """[low, high], whose ends were rounded when they were found, and may be in a framework."""
        ends = self.enclose(low, high)
        return outward_range(ends.lower.clone(), ends.upper.clone())

    def empty(self, shape: tuple[int, ...]) -> Tensor:
        """A tensor of this shape whose entries are still to be written."""
        return torch.empty(shape, dtype=self.dtype, device=self.device)

    def indices(self, values: NDArray[np.int64]) -> Tensor:
        """Whole numbers as a tensor of this device, which selects entries."""
        return torch.tensor(values, dtype=torch.int64, device=self.device)

    def mask(self, values: NDArray[np.bool_]) -> Tensor:
        """A mask as a tensor of this device, of the same shape."""
        return torch.tensor(values, dtype=torch.bool, device=self.device)

    def _nearest(self, values: Array | float) -> Tensor:
        # A view of an array may begin anywhere, and kernels of matrix products round by the
        # alignment: a copy has the same bits anywhere.
        return torch.tensor(values, dtype=self.dtype, device=self.device)

    def _towards(self, near: Tensor, values: Array | float, limit: float) -> Tensor:
        """`near`, or where it lies on the wrong side of the values its neighbour in the direction
        of the limit."""
        if self.dtype == torch.float64:
            return near
        exact, rounded = (
            torch.tensor(values, dtype=torch.float64, device=self.device),
            near.double(),
        )
        wrong = rounded > exact if limit < 0 else rounded < exact
        return (
            torch.where(wrong, torch.nextafter(near, near.new_tensor(limit)), near)
            if bool(wrong.any())
            else near
        )


FLOAT64 = Numerics()
SINGLE = Numerics(torch.float32)


def array_of(value: Tensor) -> Array:
    """A tensor as an array, from wherever it is."""
    array: Array = value.numpy(force=True).astype(np.float64, copy=False)
    return array
