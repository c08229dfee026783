"""The training data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import InvalidInputError
from agtopt.problem.checks import finite_array


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features and labels.

    Parameters
    ----------
    features : array_like, shape (N, …)
    labels : array_like, shape (N,) or (N, outputs)
        Class labels as whole numbers (±1 for hinge), targets as floats for regression; the loss decides which.

    Raises
    ------
    InvalidInputError
        If an entry is NaN or infinite, the data is empty, or the lengths differ.
    """

    features: NDArray[np.float64]
    labels: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", finite_array("dataset.features", self.features))
        object.__setattr__(self, "labels", finite_array("dataset.labels", self.labels))
        if self.features.ndim < 2 or len(self.features) == 0:
            raise InvalidInputError(f"dataset.features: shape {self.features.shape} is not allowed; it must be (N, …), N >= 1")
        if self.labels.ndim not in (1, 2) or len(self.labels) != len(self.features):
            raise InvalidInputError(
                f"dataset.labels: shape {self.labels.shape} does not fit {len(self.features)} samples; it must be (N,) or (N, outputs)"
            )

    def __len__(self) -> int:
        return len(self.features)
