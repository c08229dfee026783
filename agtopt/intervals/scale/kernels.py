"""Loops over (entries × samples) that are compiled for a processor: one pass over memory where
torch takes one per operation.

Their ends are those of products δ a of two intervals, δ in [l, u] and a in [p, q]: max{l p, l q, u
p, u q} and, for the negatives, which stand second on a leading axis, −min{l p, l q, u p, u q}; each
is rounded once.
"""

from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from agtopt.intervals.scale.jit import first_calls_uninterrupted, jitted

Array = NDArray[Any]
Arrays = tuple[Array, Array, Array, Array]

Factors = tuple[Tensor, Tensor, Tensor, Tensor]
"""l and u, (o, n) each, then p and q, (i, n) each; all products of them are finite."""

LANES = 32
"""Numbers that vector instructions take at once, several times over."""

FEW = 4
"""With fewer samples for each that is wanted, a limit of a row's own leaves out too little."""


def suits(finite: bool, numbers: Tensor) -> bool:
    """Whether these loops can take a block of gradients: all ends finite, and on a processor."""
    return finite and numbers.is_cpu


def values_below(
    limit: Tensor,
    wanted: int,
    stands: Factors,
    touched: Factors | None = None,
    bound: float = inf,
    samples: Tensor | None = None,
) -> Tensor:
    """What is smallest, of the ends of samples as they stand or of those less their ends when
    touched.

    Parameters
    ----------
    limit : Tensor, shape (2, o, i)
        Values from here on are not told apart.
    wanted : int
        So many of the smallest count, or all if it is 0.
    stands, touched : tuple of Tensor
        Factors, on a processor.
    bound : float
        Ends are clipped to ± this.
    samples : Tensor of int, optional
        Those that count; all by default.

    Returns
    -------
    Tensor, shape (2, o, i, w)
        The smallest values, in any order: those that count, cut off at the limit, are the same as
        of all values.
    """
    smallest = limit.new_empty(
        (*limit.shape, stands[0].shape[-1] if samples is None else len(samples))
    )
    values, arrays = (
        smallest.numpy(),
        [
            factors and tuple(_array(factor, samples) for factor in factors)
            for factors in (stands, touched)
        ],
    )
    return smallest[..., : _below(limit.numpy(), wanted, *arrays, values.dtype.type(bound), values)]


def sums(factors: Factors, bound: float = inf) -> Tensor:
    """Sums over the samples of ends that are clipped to ± `bound`, (2, o, i)."""
    totals = factors[0].new_empty((2, len(factors[0]), len(factors[2])))
    values = totals.numpy()
    _sums(tuple(map(_array, factors)), values.dtype.type(bound), values)
    return totals


def _array(factor: Tensor, samples: Tensor | None = None) -> Array:
    return (factor.contiguous() if samples is None else factor.index_select(-1, samples)).numpy()


@first_calls_uninterrupted
@jitted
def _below(
    limit: Array, wanted: int, stands: Arrays, touched: Arrays | None, bound: float, found: Array
) -> Any:
    low, high, least, most = stands
    ends = np.empty((2, found.shape[-1]), found.dtype)
    others, lowest = np.empty_like(ends), np.empty(max(wanted, LANES), found.dtype)
    limits, sizes = limit.copy(), np.empty(limit.shape, np.intp)
    for r in range(len(low)):
        for c in range(len(least)):
            _multiply(low[r], high[r], least[c], most[c], bound, ends[0], ends[1])
            if touched is not None:
                _multiply(
                    touched[0][r],
                    touched[1][r],
                    touched[2][c],
                    touched[3][c],
                    bound,
                    others[0],
                    others[1],
                )
                ends -= others
            for k in range(2):
                row = k, r, c
                if wanted > 0 and len(ends[k]) >= FEW * len(lowest):
                    limits[row] = min(limit[row], _reached(ends[k], lowest))
                sizes[row] = _pick(ends[k], limits[row], found[row])
    # Values that tie with a limit of a row's own are wanted as well.
    width = max(sizes.max(), min(wanted, found.shape[-1]))
    for row in np.ndindex(limit.shape):
        found[row][sizes[row] : width] = limits[row]
    return width


@jitted
def _multiply(
    low: Array, high: Array, least: Array, most: Array, bound: float, upper: Array, negated: Array
) -> None:
    for j in range(len(upper)):
        a, b, c, d = low[j] * least[j], low[j] * most[j], high[j] * least[j], high[j] * most[j]
        upper[j] = max(min(max(max(a, b), max(c, d)), bound), -bound)
        negated[j] = max(min(-min(min(a, b), min(c, d)), bound), -bound)


@jitted
def _reached(values: Array, lowest: Array) -> Any:
    # So many groups of values have a smallest one each: the largest of these is not below as many
    # of all values.
    groups = len(lowest)
    lowest[:] = values[:groups]
    for first in range(groups, len(values) - groups + 1, groups):
        for j in range(groups):
            lowest[j] = min(lowest[j], values[first + j])
    return lowest.max()


@jitted
def _pick(values: Array, limit: float, found: Array) -> np.intp:
    # Without a branch, which would be guessed wrong, and with an index that has no sign to be asked
    # for.
    size = np.uintp(0)
    for j in range(len(values)):
        found[size] = values[j]
        size += np.uintp(values[j] < limit)
    return np.intp(size)


@first_calls_uninterrupted
@jitted
def _sums(factors: Arrays, bound: float, found: Array) -> None:
    low, high, least, most = factors
    ends = np.empty((2, low.shape[-1]), found.dtype)
    for r in range(len(low)):
        for c in range(len(least)):
            _multiply(low[r], high[r], least[c], most[c], bound, ends[0], ends[1])
            for k in range(2):
                found[k, r, c] = _sum(ends[k])


@jitted
def _sum(values: Array) -> Any:
    lanes = np.zeros(LANES, values.dtype)
    whole = len(values) - len(values) % LANES
    for first in range(0, whole, LANES):
        for j in range(LANES):
            lanes[j] += values[first + j]
    return lanes.sum() + values[whole:].sum()
