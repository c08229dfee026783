"""What can be asked of domains: intersect, hull, contains, sample, width."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.domains.interval import Interval
from agtopt.errors import InvalidInputError, SoundnessError
from agtopt.tolerances import AGREEMENT


def intersect(first: Interval, second: Interval) -> Interval:
    """The box of the points in both boxes (S6).

    Ends that cross by no more than rounding and solver tolerance collapse to the two ends in order, which keeps both.

    Raises
    ------
    SoundnessError
        If the boxes are disjoint beyond tolerance: two sound bounds of one quantity always meet.
    """
    lower, upper = np.maximum(first.lower, second.lower), np.minimum(first.upper, second.upper)
    crossing = lower - upper
    if np.any(crossing > AGREEMENT * (1.0 + np.abs(lower))):
        k = int(np.argmax(crossing))
        raise SoundnessError(
            f"S6: parameter {k} is bounded by [{first.lower[k]}, {first.upper[k]}] and by "
            f"[{second.lower[k]}, {second.upper[k]}], which do not meet"
        )
    return Interval(np.minimum(lower, upper), np.maximum(lower, upper))


def hull(*boxes: Interval) -> Interval:
    """The smallest box that holds all of `boxes`."""
    if not boxes:
        raise InvalidInputError("hull: no box was given; at least one is needed")
    return Interval(np.min([b.lower for b in boxes], axis=0), np.max([b.upper for b in boxes], axis=0))


def contains(outer: Interval, inner: "Interval | ArrayLike", tolerance: float = 0.0) -> bool:
    """Whether `outer` holds the box or the points `inner`, to within `tolerance`."""
    if isinstance(inner, Interval):
        return outer.contains(np.stack([inner.lower, inner.upper]), tolerance)
    return outer.contains(inner, tolerance)


def sample(box: Interval, size: int, seed: int | None = None) -> NDArray[np.float64]:
    """Draw `size` points uniformly from a bounded box; shape (size, p)."""
    if not np.all(np.isfinite(box.upper - box.lower)):
        raise InvalidInputError("sample: the box is unbounded; only bounded boxes can be sampled")
    return np.random.default_rng(seed).uniform(box.lower, box.upper, size=(size, len(box)))


def width(box: Interval) -> float:
    """Total width of the box."""
    return box.width()
