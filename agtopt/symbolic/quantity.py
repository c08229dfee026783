"""What a quantity is while a model is written: affine expressions with their own interval alongside
(a reduced product)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from agtopt.domains.interval import Ends
from agtopt.formulation import AffineArray
from agtopt.intervals.arithmetic import Range
from agtopt.program.subscripts import Subscripts, parse
from agtopt.tolerances import DOUBLE


@dataclass(frozen=True, eq=False)
class Quantity:
    """An array of affine expressions and the interval that encloses it.

    The interval of a sample's quantity may have a leading axis: index 0 the sample as it stands,
    then under every variant of being touched, the last of which contains all others.
    """

    affine: AffineArray
    range: Range
    binary: bool = False

    @property
    def variants(self) -> int:
        """Length of the leading axis of the interval; 0 where there is none."""
        low = self.range.lower
        return int(low.shape[0]) if low.dim() > len(self.affine.shape) else 0

    def ends(self, which: int = -1) -> Ends:
        """Bounds in the shape of the expressions; 0 as the sample stands, −1 the whole range."""
        shape = self.affine.shape
        low, high = (end[which] if self.variants else end for end in self.range)
        return np.broadcast_to(low.numpy(), shape), np.broadcast_to(high.numpy(), shape)


def spread(value: AffineArray, axes: Subscripts, letters: str) -> AffineArray:
    """An array with the axes of a contraction's union."""
    return value.map(lambda array, extra: axes.spread(array, letters, extra))


def spread_ends(value: Quantity, axes: Subscripts, letters: str, shape: tuple[int, ...]) -> Ends:
    """Its bounds likewise, with the room of its expressions: a probability of 1e-30 that is written
    1 − σ is known to 1e-15 only."""
    room = value.affine.room
    low, high = (
        np.broadcast_to(axes.spread(end + sense * room, letters), shape)
        for end, sense in zip(value.ends(), (-1.0, 1.0), strict=True)
    )
    return low, high


def linear_part(a: AffineArray, b: AffineArray) -> AffineArray:
    """The product of the entries of which at most one varies."""
    if not a.varies.any():
        product = b * a.constant
    elif not b.varies.any():
        product = a * b.constant
    else:
        product = b * a.constant + a * b.constant - a.constant * b.constant
    # Both factors may be off; two roundings more for a number that was rounded before it was given,
    # and for the product.
    return replace(
        product,
        magnitude=a.magnitude * b.magnitude + DOUBLE.normal,
        roundings=a.roundings + b.roundings + 2,
    )


def contracted(subscripts: str, a: AffineArray, b: AffineArray) -> AffineArray:
    """The contraction of two arrays of numbers."""
    axes = parse(subscripts)
    terms = prod(
        max(a.shape[axes.left.index(letter)], b.shape[axes.right.index(letter)])
        for letter in axes.contracted
    )
    constant, magnitude = (
        np.einsum(subscripts, *pair)
        for pair in ((a.constant, b.constant), (a.magnitude, b.magnitude))
    )
    return replace(
        AffineArray.known(constant),
        magnitude=magnitude + terms * DOUBLE.normal,
        roundings=a.roundings + b.roundings + 1 + terms,
    )


def joined(parts: Sequence[AffineArray], axis: int = 0) -> AffineArray:
    """Arrays of expressions, one behind the other along one of their axes."""
    width = max(part.coefficients.shape[-1] for part in parts)

    def padded(array: NDArray[np.generic], fill: object) -> NDArray[np.generic]:
        missing = [(0, 0)] * (array.ndim - 1) + [(0, width - array.shape[-1])]
        return np.pad(array, missing, constant_values=fill)  # type: ignore[call-overload, no-any-return]

    return AffineArray(
        np.concatenate([part.constant for part in parts], axis=axis),
        np.concatenate([padded(part.coefficients, 0.0) for part in parts], axis=axis),
        np.concatenate([padded(part.variables, None) for part in parts], axis=axis),
        np.concatenate([padded(part.sizes, 0.0) for part in parts], axis=axis),
        np.concatenate([part.magnitude for part in parts], axis=axis),
        max(part.roundings for part in parts),
    )


def taken(value: AffineArray, index: NDArray[np.int64]) -> AffineArray:
    """Entries of (n, size) by number, (n, *index.shape); −1 gives zero."""
    picked = value.map(lambda array, extra: array[:, np.maximum(index, 0)])
    return picked * (index >= 0).astype(np.float64)
