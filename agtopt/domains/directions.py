"""Directions of templates: axis pairs, principal axes of attained parameters, random ones."""

from collections.abc import Iterable
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.errors import InvalidInputError

Array = NDArray[np.float64]

MOST_ENTRIES = 10**9
MOST_DIRECTIONS = 10_000
"""Directions up to which a template is built: each asks for two solves, and all are held as one
dense array."""


def octagon(p: int, pairs: Iterable[tuple[int, int]] | None) -> Array:
    """The rows e_i + e_j and e_i − e_j of each pair, in turn; shape (2 · pairs, p)."""
    counted("p", p, 2)
    chosen = [] if pairs is None else list(dict.fromkeys(_pair(pair, p) for pair in pairs))
    count = p * (p - 1) if pairs is None else 2 * len(chosen)
    if count > MOST_DIRECTIONS:
        raise InvalidInputError(
            f"octagon: {count} directions are too many; at most {MOST_DIRECTIONS} are allowed, so "
            f"name fewer pairs"
        )
    if pairs is None:
        chosen = list(combinations(range(p), 2))
    rows = np.zeros((len(chosen), 2, p))
    for k, (i, j) in enumerate(chosen):
        rows[k, :, i], rows[k, :, j] = 1.0, (1.0, -1.0)
    return rows.reshape(-1, p)


def principal(theta: ArrayLike, count: int) -> Array:
    """The `count` principal axes of points, shape (runs, p), by decreasing spread; each with its
    largest entry positive."""
    points = np.asarray(theta, dtype=np.float64)
    if points.ndim != 2 or not points.size or not np.isfinite(points).all():
        raise InvalidInputError(
            f"principal: theta of shape {points.shape} is not allowed; it must be finite numbers "
            f"of shape (runs, p)"
        )
    counted("count", count, 1, min(points.shape))
    axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2][:count]
    # The sign of a singular vector is the library's choice: fixing it keeps templates the same
    # everywhere.
    largest = np.take_along_axis(axes, np.argmax(np.abs(axes), axis=1)[:, None], axis=1)
    return np.asarray(axes * np.where(largest < 0, -1.0, 1.0))


def random(p: int, count: int, seed: int | None) -> Array:
    """`count` unit vectors, uniform on the sphere; shape (count, p)."""
    counted("count", count, 1, MOST_DIRECTIONS)
    counted("p", p, 1, MOST_ENTRIES // count)
    if seed is not None:
        counted("seed", seed, 0)
    rows = np.random.default_rng(seed).normal(size=(count, p))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def counted(name: str, value: int, least: int, most: float = np.inf) -> None:
    """Refuse what is no whole number of at least `least` and at most `most`."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | np.integer)
        or not least <= value <= most
    ):
        allowed = f"from {least} to {most}" if np.isfinite(most) else f"of at least {least}"
        raise InvalidInputError(
            f"{name}: {value!r} is not allowed; it must be a whole number {allowed}"
        )


def _pair(pair: tuple[int, int], p: int) -> tuple[int, int]:
    numbers = tuple(pair)
    if len(numbers) != 2 or any(
        isinstance(k, bool) or not isinstance(k, int | np.integer) or not 0 <= k < p
        for k in numbers
    ):
        raise InvalidInputError(
            f"pairs: {pair!r} is not allowed; a pair is two parameters from 0 to {p - 1}"
        )
    if numbers[0] == numbers[1]:
        raise InvalidInputError(f"pairs: {pair!r} is not allowed; it names one parameter twice")
    return int(min(numbers)), int(max(numbers))
