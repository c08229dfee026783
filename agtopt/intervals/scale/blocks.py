"""Per-sample gradients in blocks of parameter entries: those of dense layers are multiplied out
only where single samples count.

Ends of gradients have a leading axis of length 2, the upper ends and the upper ends of the
negatives, so that both are treated alike.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite, prod
from typing import Protocol

import torch
from torch import Tensor

from agtopt.intervals.arithmetic import Range
from agtopt.intervals.scale import kernels
from agtopt.intervals.scale.kernels import Factors
from agtopt.intervals.scale.products import (
    Mirror,
    Product,
    ProductBlock,
    VariantEnds,
    by_variant,
    ends_of,
)

Index = tuple[slice, ...]

ALL = slice(None)


class Block(Protocol):
    """Gradients of some entries: of the samples as they stand, then under every variant of being
    touched.

    Attributes
    ----------
    finite : bool
        Whether every end is known to be finite.
    magnitude : Tensor, shape (entries,)
        Sum over the samples of the largest magnitude as they stand, or more.
    """

    @property
    def finite(self) -> bool: ...

    @property
    def magnitude(self) -> Tensor: ...

    def sums(self) -> Tensor:
        """Sums over the samples as they stand, (2, entries)."""
        ...

    def ends(self) -> list[Tensor]:
        """Ends of the samples, (2, entries, n) each, under every variant; the caller may overwrite
        them."""
        ...

    def gains(self) -> Tensor:
        """The ends as they stand less those under the last variant, (2, entries, n); the caller may
        overwrite them."""
        ...

    def below(
        self, limit: Tensor, wanted: int, gains: bool, samples: Tensor | None
    ) -> Tensor | None:
        """Ends as they stand, or gains, of all samples or of some: `kernels.values_below` a limit
        (2, entries); None if not suited."""
        ...


class Entries:
    """A block of gradients that are there as numbers.

    Parameters
    ----------
    variants : list of VariantEnds, shape (entries, n)
        The last contains all others.
    rows : slice
        Which entries, along their first axis.
    """

    def __init__(self, variants: list[VariantEnds], rows: slice = ALL) -> None:
        self.variants = variants
        self.rows = rows
        self.magnitude = variants[0].size[rows].sum(-1)

    @property
    def finite(self) -> bool:
        return isfinite(self.variants[-1].reach) and isfinite(self.magnitude.max().item())

    def sums(self) -> Tensor:
        return self.variants[0].far[:, self.rows].sum(-1)

    def ends(self) -> list[Tensor]:
        return [
            ends.far[:, self.rows].clone(memory_format=torch.contiguous_format)
            for ends in self.variants
        ]

    def gains(self) -> Tensor:
        return self.variants[0].far[:, self.rows] - self.variants[-1].far[:, self.rows]

    def below(
        self, limit: Tensor, wanted: int, gains: bool, samples: Tensor | None
    ) -> Tensor | None:
        if not kernels.suits(self.finite, limit):
            return None
        stands, touched = (self._factors(k) for k in (0, -1))
        candidates = kernels.values_below(
            limit.reshape(2, -1, 1), wanted, stands, touched if gains else None, samples=samples
        )
        return candidates.reshape(*limit.shape, -1)

    def _factors(self, variant: int) -> Factors:
        low, high = (
            end[self.rows].reshape(-1, end.shape[-1]) for end in self.variants[variant].value
        )
        one = low.new_ones((1, low.shape[-1]))
        return low, high, one, one


class Together:
    """Small blocks of all tensors as one, (entries,) behind each other."""

    def __init__(self, blocks: list[Block]) -> None:
        self.blocks = blocks
        self.magnitude = torch.cat([block.magnitude.reshape(-1) for block in blocks])

    @property
    def finite(self) -> bool:
        return all(block.finite for block in self.blocks)

    def sums(self) -> Tensor:
        return torch.cat([block.sums().reshape(2, -1) for block in self.blocks], 1)

    def ends(self) -> list[Tensor]:
        return [
            _entries(ends) for ends in zip(*(block.ends() for block in self.blocks), strict=True)
        ]

    def gains(self) -> Tensor:
        return _entries([block.gains() for block in self.blocks])

    def below(
        self, limit: Tensor, wanted: int, gains: bool, samples: Tensor | None
    ) -> Tensor | None:
        return None


def _entries(ends: Sequence[Tensor]) -> Tensor:
    return torch.cat([end.reshape(2, -1, end.shape[-1]) for end in ends], 1)


@dataclass(frozen=True)
class Outer:
    """Per-sample gradients δ aᵀ of a dense layer's weights, as their factors.

    Parameters
    ----------
    delta : Range, shape (…, n, o)
    inputs : Range, shape (…, n, i)
        Either may have a leading axis of variants.
    bound : float
        Every entry is clipped to ± this.
    """

    delta: Range
    inputs: Range
    bound: float = inf


Gradient = Range | Outer


def whole(gradient: Range, axis: int) -> Block:
    """All entries at once; variants are a leading axis before the sample axis."""
    return Entries(ends_of(gradient, axis))


def blocks(
    gradient: Gradient, axis: int, entries: int, mirror: Mirror
) -> Iterator[tuple[Index, Block]]:
    """The entries in blocks that do not depend on the number of samples.

    Parameters
    ----------
    gradient : Range or Outer
    axis : int
        The sample axis of the multiplied gradient.
    entries : int
        Entries of a block.
    mirror : Mirror
        Remembers what a layer's tensors share.

    Yields
    ------
    index : tuple of slice
        Which entries of the tensor.
    block : Block
    """
    if isinstance(gradient, Outer):
        yield from _products(gradient, entries, mirror)
        return
    shape = gradient.lower.shape[gradient.lower.dim() + axis + 1 :]
    step = max(1, entries // prod(shape[1:]))
    for first in range(0, shape[0], step):
        rows = slice(first, min(first + step, shape[0]))
        if axis == -2:
            yield (rows,), Entries(mirror.of(gradient), rows)
        else:
            yield (
                (rows,),
                whole(
                    Range(*(end.narrow(axis + 1, first, rows.stop - first) for end in gradient)),
                    axis,
                ),
            )


def _products(outer: Outer, entries: int, mirror: Mirror) -> Iterator[tuple[Index, Block]]:
    product = Product(mirror.of(outer.delta), by_variant(outer.inputs, -2), outer.bound)
    columns = min(product.shape[1], max(1, entries))
    rows = max(1, entries // columns)
    for first in range(0, product.shape[0], rows):
        for start in range(0, product.shape[1], columns):
            index = slice(first, first + rows), slice(start, start + columns)
            yield index, ProductBlock(product, *index)
