"""The interval domain: one lower and one upper bound for each parameter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.arguments import typed
from agtopt.errors import InvalidInputError

Ends = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Lower and upper ends of the entries of one array, two arrays of its shape."""


@typed("interval")
@dataclass(frozen=True, eq=False)
class Interval:
    """A box over the flattened parameters.

    Parameters
    ----------
    lower, upper : array_like, shape (p,)
        Bounds in the order of `Network.parameter_names`; infinite bounds are allowed, NaN and
        reversed ones are not.

    Raises
    ------
    InvalidInputError
        If the shapes differ, an entry is NaN, or a lower bound exceeds its upper bound.
    """

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    def __post_init__(self) -> None:
        for end in ("lower", "upper"):
            values = np.array(getattr(self, end), dtype=np.float64)
            values.setflags(write=False)
            object.__setattr__(self, end, values)
        if self.lower.shape != self.upper.shape or self.lower.ndim != 1:
            raise InvalidInputError(
                f"interval: lower has shape {self.lower.shape} and upper {self.upper.shape}; both "
                f"must be (p,)"
            )
        bad = ~(self.lower <= self.upper)
        if bad.any():
            k = int(np.argmax(bad))
            raise InvalidInputError(
                f"interval: entry {k} is [{self.lower[k]}, {self.upper[k]}]; bounds must be "
                f"numbers with lower <= upper"
            )

    @classmethod
    @typed()
    def point(cls, theta: ArrayLike) -> "Interval":
        """The box that holds only `theta`, shape (p,)."""
        values = np.asarray(theta, dtype=np.float64)
        return cls(values, values)

    def __len__(self) -> int:
        return len(self.lower)

    def width(self) -> float:
        """Total width: the sum of upper - lower over the parameters."""
        return float(np.sum(self.upper - self.lower))

    def contains(self, theta: ArrayLike, tolerance: float = 0.0) -> bool:
        """Whether every row of `theta`, shape (p,) or (m, p), lies within the box (widened by
        `tolerance`)."""
        values = np.asarray(theta, dtype=np.float64)
        return bool(np.all((values >= self.lower - tolerance) & (values <= self.upper + tolerance)))
