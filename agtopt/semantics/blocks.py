"""Per-sample gradients in blocks of parameter entries: those of dense layers are never multiplied out as a whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, prod
from typing import NamedTuple

import torch
from torch import Tensor

from agtopt.semantics.arithmetic import Range, both, largest

Index = tuple[slice, ...]
Terms = list[tuple[Tensor, Tensor]]
Form = tuple[Terms, Terms, Tensor]


class Ends(NamedTuple):
    """Upper ends of gradient entries and of their negatives, each with the sample axis last, so that both are treated alike."""

    upper: Tensor
    negated: Tensor


@dataclass(frozen=True)
class Block:
    """Gradients of some entries.

    Attributes
    ----------
    variants : list of Ends, shape (entries, n)
        As the samples stand, then under every variant of being touched.
    magnitude : Tensor, shape (entries,)
        Sum over the samples of the largest magnitude as they stand.
    """

    variants: list[Ends]
    magnitude: Tensor

    @classmethod
    def of(cls, variants: list[Ends]) -> "Block":
        """With the magnitude that the ends have."""
        return cls(variants, torch.maximum(*variants[0]).sum(-1))


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
    return Block.of(_variants(gradient, axis))


def _variants(gradient: Range, axis: int) -> list[Ends]:
    ends = gradient.upper.movedim(axis, -1), (-gradient.lower).movedim(axis, -1)
    if gradient.lower.dim() == -axis:
        return [Ends(*ends)]
    return [Ends(*pair) for pair in zip(*ends, strict=True)]


def blocks(gradient: Gradient, axis: int, entries: int) -> Iterator[tuple[Index, Block]]:
    """The entries in blocks that do not depend on the number of samples.

    Parameters
    ----------
    gradient : Range or Outer
    axis : int
        The sample axis of the multiplied gradient.
    entries : int
        Entries of a block.

    Yields
    ------
    index : tuple of slice
        Which entries of the tensor.
    block : Block
    """
    if isinstance(gradient, Outer):
        yield from _products(gradient, entries)
        return
    shape = gradient.lower.shape[gradient.lower.dim() + axis + 1 :]
    variants = _variants(gradient, axis)
    step = max(1, entries // prod(shape[1:]))
    for first in range(0, shape[0], step):
        rows = slice(first, first + step)
        yield (rows,), Block.of([Ends(upper[rows].contiguous(), negated[rows].contiguous()) for upper, negated in variants])


def _products(outer: Outer, entries: int) -> Iterator[tuple[Index, Block]]:
    delta, inputs = _by_variant(outer.delta), _by_variant(outer.inputs)
    many = max(len(delta), len(inputs))
    pairs = list(zip(delta * (many // len(delta)), inputs * (many // len(inputs)), strict=True))
    forms = [(_form(d.lower, d.upper, a), _form(-d.upper, -d.lower, a)) for d, a in pairs]
    shape = delta[0].lower.shape[0], inputs[0].lower.shape[0]
    columns = min(shape[1], max(1, entries))
    rows = max(1, entries // columns)
    sizes = [largest(value) for value in pairs[0]]
    for first in range(0, shape[0], rows):
        for start in range(0, shape[1], columns):
            index = slice(first, first + rows), slice(start, start + columns)
            variants = [Ends(*(_evaluated(form, *index, outer.bound) for form in pair)) for pair in forms]
            # Unless they are clipped, magnitudes are products too: their sum is one of matrices.
            yield index, Block.of(variants) if outer.bound < inf else Block(variants, sizes[0][index[0]] @ sizes[1][index[1]].mT)


def _by_variant(value: Range) -> list[Range]:
    """The factors of every variant, with the sample axis last in memory."""
    last = both(value, lambda end: end.mT.contiguous())
    if last.lower.dim() == 2:
        return [last]
    found = []
    for low, high in zip(*last, strict=True):
        # A sample as it stands has the features that it has.
        found.append(Range(low, low) if last.is_point or torch.equal(low, high) else Range(low, high))
    return found


def _form(low: Tensor, high: Tensor, inputs: Range) -> Form:
    """The upper end of [low, high] · inputs as a sum of products, of which one term is not zero, so that it is rounded once.

    It is the larger of two such sums for the samples that are named at last.
    """
    least, most = inputs
    nonnegative, none = bool((least >= 0).all()), torch.empty(0, dtype=torch.int64)
    if inputs.is_point and nonnegative:
        return [(high, most)], [], none
    if nonnegative:
        return [(high.clamp(min=0.0), most), (high.clamp(max=0.0), least)], [], none
    first = [(high, most.clamp(min=0.0)), (low, most.clamp(max=0.0))]
    where = none if inputs.is_point else torch.nonzero((least != most).any(dim=0))[:, 0]
    if not len(where):
        return first, [], none
    # As good as all samples: it takes longer to choose some.
    if 2 * len(where) > least.shape[-1]:
        return first, [(high, least.clamp(min=0.0)), (low, least.clamp(max=0.0))], none
    part = least[:, where]
    return first, [(high[:, where], part.clamp(min=0.0)), (low[:, where], part.clamp(max=0.0))], where


def _evaluated(form: Form, rows: slice, columns: slice, bound: float) -> Tensor:
    first, second, where = form
    found = _sum(first, rows, columns)
    if second and len(where):
        found[..., where] = torch.maximum(found[..., where], _sum(second, rows, columns))
    elif second:
        torch.maximum(found, _sum(second, rows, columns), out=found)
    if bound < inf:
        # Whatever an unknown gradient was, it is within the bounds once it is clipped.
        replaced(found, bound).clamp_(-bound, bound)
    return found


def _sum(terms: Terms, rows: slice, columns: slice) -> Tensor:
    (left, right), *others = ((left[rows].unsqueeze(1), right[columns]) for left, right in terms)
    total = left * right
    for factors in others:
        total.addcmul_(*factors)
    return total


def replaced(values: Tensor, unknown: float) -> Tensor:
    """The values, in place, with another one where they are NaN: a sum tells whether any is."""
    return values.nan_to_num_(nan=unknown, posinf=inf, neginf=-inf) if bool(values.sum().isnan()) else values
