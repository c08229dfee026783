"""What is known of the parameters where one sample is touched."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class BranchBounds:
    """The state when only sample i is touched, for every vulnerable sample i, and when none is;
    without samples unless the budget is one.

    Parameters
    ----------
    samples : array of int, shape (R,)
    lower, upper : array, shape (T, 1 + R, s)
        Row 0 without any change, row 1 + r with sample ``samples[r]`` touched; index 0 is step
        `start` + 1.
    """

    samples: NDArray[np.int64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    @classmethod
    def nothing(cls) -> "BranchBounds":
        """Bounds of no branch, where nothing is known."""
        return cls(np.empty(0, dtype=np.int64), np.empty((0, 0, 0)), np.empty((0, 0, 0)))
