"""The store of known bounds: one per address, and it only ever shrinks."""

from collections.abc import Hashable, Iterator

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import SoundnessError
from agtopt.tolerances import crossed

Array = NDArray[np.float64]
Address = tuple[Hashable, ...]


class KnownBounds:
    """Bounds on quantities of a training run by address, e.g. ``(3, "parameter")`` or ``(2,
    "forward.dense1")``.

    Whatever tightens a bound (interval propagation, a solver's dual bound, the user) shrinks the
    entry; the compiler reads it.
    """

    def __init__(self) -> None:
        self._bounds: dict[Address, tuple[Array, Array]] = {}

    def get(self, address: Address) -> tuple[Array, Array] | None:
        """Lower and upper bound at an address, or None."""
        return self._bounds.get(address)

    def shrink(self, address: Address, lower: Array, upper: Array) -> None:
        """Intersect the entry at an address with [lower, upper].

        Raises
        ------
        SoundnessError
            If a bound is NaN, or the two do not meet beyond tolerance (S6).
        """
        if np.isnan(lower).any() or np.isnan(upper).any():
            raise SoundnessError(f"known bounds: a bound at {address} is NaN")
        known = self._bounds.get(address)
        if known is not None:
            lower, upper = np.maximum(lower, known[0]), np.minimum(upper, known[1])
        if np.any(crossed(lower, upper)):
            raise SoundnessError(f"S6: two bounds at {address} do not meet")
        self._bounds[address] = (np.minimum(lower, upper), np.maximum(lower, upper))

    def copy(self) -> "KnownBounds":
        """An independent copy."""
        twin = KnownBounds()
        twin._bounds = dict(self._bounds)
        return twin

    def items(self) -> Iterator[tuple[Address, tuple[Array, Array]]]:
        """Every address with its bounds."""
        return iter(self._bounds.items())

    def __iter__(self) -> Iterator[Address]:
        return iter(self._bounds)
