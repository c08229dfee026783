"""Predictions with the number of training samples that an adversary has to touch before they may
change."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.errors import InvalidInputError
from agtopt.problem.checks import finite_array, whole

ABSTAINS = -1
"""No class: what is predicted where the method finds no class that it can stand by."""


@dataclass(frozen=True, eq=False)
class RobustPredictions:
    """What a baseline certifies (S8: the adversary is part of it).

    Attributes
    ----------
    prediction : array of int, shape (m,)
        Class labels; `ABSTAINS` (−1) where there is none.
    radius : array of int, shape (m,)
        The prediction is the same under every adversary who touches at most so many training
        samples.
    adversary : str
        What it is to touch a sample.
    """

    prediction: NDArray[np.int64]
    radius: NDArray[np.int64]
    adversary: str

    def certified_accuracy(self, y: ArrayLike, n: int) -> float:
        """Fraction of points that are predicted right whichever n samples are touched.

        Parameters
        ----------
        y : array_like, shape (m,)
            True labels.
        n : int
            Budget of the adversary; 0 for the accuracy.

        Raises
        ------
        InvalidInputError
            If the labels do not fit or n is negative.
        """
        labels = finite_array("y", y)
        if labels.shape != self.prediction.shape:
            raise InvalidInputError(
                f"y: shape {labels.shape} does not fit {len(self.prediction)} predictions"
            )
        return float(np.mean((self.prediction == labels) & (self.radius >= whole("n", n, 0))))
