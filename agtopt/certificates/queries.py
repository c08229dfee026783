"""The inputs that a certificate speaks of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.errors import InvalidInputError
from agtopt.problem import Problem
from agtopt.problem.checks import finite_array, number

Array = NDArray[np.float64]
Eps = float | tuple[ArrayLike, ArrayLike]


@dataclass(frozen=True, eq=False)
class Queries:
    """Points, the boxes that they move in, and what they are.

    Attributes
    ----------
    points : array, shape (m, *input_shape)
    lowest, highest : array, shape (m, *input_shape)
        The box of every point; the point itself where it does not move.
    labels : array, shape (m,) or (m, outputs), or None
        True labels, where they are known.
    """

    points: Array
    lowest: Array
    highest: Array
    labels: Array | None

    @classmethod
    def of(cls, problem: Problem, X: ArrayLike, y: ArrayLike | None, eps: Eps) -> "Queries":
        """Checked queries.

        Parameters
        ----------
        problem : Problem
        X : array_like, shape (m, *input_shape)
        y : array_like, shape (m,) or (m, outputs), or None
        eps : float or (array_like, array_like)
            Radius of the ℓ∞ ball around each point, or the lowest and highest inputs themselves.

        Raises
        ------
        InvalidInputError
            If a shape does not fit, an entry is not finite, a label is not one of the loss's
            classes, the radius is negative, or a point lies outside its bounds.
        """
        points = finite_array("X", X)
        if points.shape[1:] != problem.network.input_shape or not len(points):
            wanted = ", ".join(map(str, problem.network.input_shape))
            raise InvalidInputError(
                f"X: shape {points.shape} does not fit; it must be (m, {wanted})"
            )
        labels = None
        if y is not None:
            labels = finite_array("y", y)
            if labels.ndim == 0 or len(labels) != len(points):
                raise InvalidInputError(
                    f"y: shape {labels.shape} does not fit {len(points)} points"
                )
            problem.training.loss.check("y", labels, problem.network.outputs)
        return cls(points, *_boxes(points, eps), labels)

    def __len__(self) -> int:
        return len(self.points)

    @property
    def moving(self) -> bool:
        """Whether any input moves."""
        return not np.array_equal(self.lowest, self.highest)

    def part(self, chosen: NDArray[np.int64]) -> "Queries":
        """The queries at the indices `chosen`, in that order."""
        return Queries(
            self.points[chosen],
            self.lowest[chosen],
            self.highest[chosen],
            None if self.labels is None else self.labels[chosen],
        )


def _boxes(points: Array, eps: Eps) -> tuple[Array, Array]:
    if isinstance(eps, tuple):
        if len(eps) != 2:
            raise InvalidInputError("eps: bounds of the inputs must be a pair (lowest, highest)")
        low, high = (finite_array("eps", end) for end in eps)
        try:
            low, high = np.broadcast_to(low, points.shape), np.broadcast_to(high, points.shape)
        except ValueError:
            raise InvalidInputError(
                f"eps: bounds of shapes {low.shape} and {high.shape} do not fit inputs of shape "
                f"{points.shape}"
            ) from None
        if np.any(points < low) or np.any(points > high):
            raise InvalidInputError(
                "eps: a point lies outside its own bounds; every input must be within (lowest, "
                "highest)"
            )
        return low, high
    radius = number("eps", eps, least=0.0)
    if radius == 0.0:
        return points, points
    # One unit outward: the ball as the user means it is inside (S3).
    return np.nextafter(points - radius, -np.inf), np.nextafter(points + radius, np.inf)
