"""Einstein's notation for one product of two arrays, read once for every semantics."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Subscripts:
    """``"ni,oi->no"``: the axes of the first factor, the second factor and the result.

    Attributes
    ----------
    contracted : str
        Axes that are summed over.
    union : str
        The axes of the result, then the contracted ones.
    """

    left: str
    right: str
    output: str
    contracted: str
    union: str

    def swapped(self) -> str:
        """The notation with the factors exchanged."""
        return f"{self.right},{self.left}->{self.output}"

    def arrangement(self, letters: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """How a factor's axes are permuted into the order of `union`, and where axes of length 1 go
        in (counted from the end)."""
        order = tuple(letters.index(letter) for letter in self.union if letter in letters)
        missing = tuple(
            place - len(self.union)
            for place, letter in enumerate(self.union)
            if letter not in letters
        )
        return order, missing

    def spread(self, array: NDArray[Any], letters: str, extra: int = 0) -> NDArray[Any]:
        """A factor with the axes of `union`, of length 1 where it has none; `extra` axes behind are
        kept."""
        order, missing = self.arrangement(letters)
        arranged = array.transpose(*order, *range(len(letters), len(letters) + extra))
        return np.expand_dims(arranged, tuple(place - extra for place in missing))


@lru_cache(maxsize=256)
def parse(subscripts: str) -> Subscripts:
    """Read Einstein's notation."""
    inputs, output = subscripts.split("->")
    left, right = inputs.split(",")
    contracted = "".join(sorted(set(left + right) - set(output)))
    return Subscripts(left, right, output, contracted, output + contracted)
