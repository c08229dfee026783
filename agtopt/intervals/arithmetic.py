"""Outward-rounded arithmetic on interval tensors (S3)."""

from collections.abc import Callable, Sequence
from functools import reduce
from math import isfinite
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from agtopt.errors import UnsupportedError
from agtopt.program.subscripts import Subscripts, parse
from agtopt.tolerances import Rounding
from agtopt.training.concrete import einsum

ROUNDING = {torch.float64: Rounding.of(np.float64), torch.float32: Rounding.of(np.float32)}
"""The formats in which intervals are propagated."""


COPIED = 2**14
"""Entries of a factor that are copied to save products of matrices with few columns."""


class Range(NamedTuple):
    """Lower and upper bound; one and the same tensor for a point, so that points stay points."""

    lower: Tensor
    upper: Tensor

    @property
    def is_point(self) -> bool:
        """Whether both ends are the same tensor."""
        return self.lower is self.upper


class Indicator(Range):
    """1[z > 0], by the bounds of z, which hold no NaN: its products round nothing, and need no
    comparisons but those of a rectifier."""

    def numbers(self) -> Range:
        """The bounds of the indicator itself, 0 or 1; both at z = 0 (S2)."""
        return Range((self.lower > 0).to(self.lower.dtype), (self.upper >= 0).to(self.upper.dtype))


class Nonnegative(Range):
    """Bounds of numbers that are known not to be negative, and hold no NaN."""


Pairs = list[tuple[Tensor, Tensor]]


def rounding_of(value: Tensor) -> Rounding:
    """What rounding takes in the format of a tensor."""
    return ROUNDING[value.dtype]


def outward_range(low: Tensor, high: Tensor, units: int = 2) -> Range:
    """Move both ends outward, in place, by more than some units in the last place.

    Of two, one covers our own rounding, another that of a framework which evaluates the same
    operation, the rest the move itself.
    """
    rounding = rounding_of(low)
    share, tiny = units * rounding.unit, 2 * units * rounding.smallest
    return Range(
        low.sub_(low.abs(), alpha=share).sub_(tiny), high.add_(high.abs(), alpha=share).add_(tiny)
    )


def rounding_error(magnitude: Tensor, terms: int) -> Tensor:
    """A bound on the rounding error of a sum of `terms` products, from the sum of their magnitudes.

    Four extra terms pay for the evaluation of the magnitude itself and for the final addition.
    """
    rounding = rounding_of(magnitude)
    return (magnitude * rounding.accumulated(terms + 4)).add_((terms + 1) * rounding.smallest)


def both(value: Range, apply: Callable[[Tensor], Tensor]) -> Range:
    """An exact operation on both ends; a point stays a point."""
    if value.is_point:
        point = apply(value.lower)
        return Range(point, point)
    return Range(apply(value.lower), apply(value.upper))


def largest(value: Range) -> Tensor:
    """The largest magnitude of every entry."""
    return value.lower.abs() if value.is_point else torch.maximum(value.upper, -value.lower)


def nonnegative(value: Range) -> bool:
    """Whether all entries are; not where one is NaN."""
    return (
        isinstance(value, Nonnegative) or not value.lower.numel() or value.lower.min().item() >= 0
    )


def norm(value: Range, axis: int) -> Tensor:
    """At least the Euclidean norm of the largest magnitudes along an axis, by which the magnitude
    of a sum of products is bounded."""
    sizes = value.lower if value.is_point else largest(value)
    length, rounding = sizes.shape[axis], rounding_of(sizes)
    # Faster than torch's norm where the axis is not the last one in memory.
    euclidean: Tensor = torch.linalg.vecdot(sizes, sizes, dim=axis).sqrt_()
    if not isfinite(euclidean.sum().item()):
        # Squares overflow long before the norm does.
        euclidean = sizes.abs().amax(axis) * length**0.5
    # Those of numbers below the root of the smallest normal one may be lost.
    terms = 2 * length + 8
    return euclidean.mul_(1.0 + rounding.accumulated(terms)).add_(
        (2 * terms * rounding.normal) ** 0.5
    )


def product(subscripts: str, first: Range, second: Range, shift: Range | None = None) -> Range:
    """Contract two interval tensors, and add the shift; exact but for rounding.

    Raises
    ------
    UnsupportedError
        If more than one axis is summed over.
    """
    axes = parse(subscripts)
    if axes.contracted:
        return _contraction(axes, first, second, shift)
    entries = _entries(axes, first, second)
    return (
        entries
        if shift is None
        else outward_range(entries.lower + shift.lower, entries.upper + shift.upper)
    )


def _entries(axes: Subscripts, first: Range, second: Range) -> Range:
    if isinstance(first, Indicator):
        if axes.left == axes.right == axes.output:
            return _gated(first, second)
        first = first.numbers()
    if axes.output not in (axes.left, axes.right) and not first.is_point and not second.is_point:
        if nonnegative(second):
            return _outer_nonnegative(axes, first, second)
        if nonnegative(first):
            return _outer_nonnegative(parse(axes.swapped()), second, first)
    left, right = (
        [_spread(end, axes, letters) for end in value[: 2 - value.is_point]]
        for value, letters in ((first, axes.left), (second, axes.right))
    )
    corners = [a * b for a in left for b in right]
    return outward_range(
        reduce(torch.minimum, corners), reduce(torch.maximum, corners[1:], corners[0].clone())
    )


def _gated(gate: Indicator, value: Range) -> Range:
    """The farther of what a gate that is surely open, and one that may be, lets through; z = 0 may
    be either (S2)."""
    room = -rounding_of(gate.upper).normal
    low, high = (
        [_where_above(end, gate.lower, 0.0), _where_above(end, gate.upper, room)] for end in value
    )
    return Range(torch.minimum(*low, out=low[0]), torch.maximum(*high, out=high[0]))


def _where_above(value: Tensor, z: Tensor, threshold: float) -> Tensor:
    # The backward pass of torch's own rectifier: one pass without masks.
    gated: Tensor = torch.ops.aten.threshold_backward.default(value, z, threshold)
    return gated


def _contraction(axes: Subscripts, first: Range, second: Range, shift: Range | None) -> Range:
    """Ends Σ_k A_k B_k of a contraction with their rounding errors ± γ ‖A‖₁ ‖B‖_∞ and, for products
    of matrices, the shift.

    These are further columns of the factors, so that nothing is done with the result afterwards.
    """
    if len(axes.contracted) != 1:
        raise UnsupportedError(f"contraction of {axes.left}, {axes.right} over more than one axis")
    positive = nonnegative(first)
    left, right = _by_sign(first, second, positive)
    places = [letters.index(axes.contracted) - len(letters) for letters in (axes.left, axes.right)]
    crossing = (
        [] if positive or first.is_point or second.is_point else _crossing(places, first, second)
    )
    # Twice as many terms where both factors straddle zero, and as many again for the errors, the
    # shift and what is taken back.
    terms, rounding = 2 * second.lower.shape[places[1]] + 8, rounding_of(second.lower)
    error = rounding.accumulated(terms if not crossing else 2 * terms + 2 * len(crossing))
    # Σ |A| max |B|; both grow so that their product covers what underflows.
    lost = (terms * rounding.smallest) ** 0.5
    size = (first.upper if positive else largest(first)).sum(places[0], keepdim=True).add_(lost)
    row = largest(second).amax(places[1], keepdim=True).mul_(error).add_(lost)
    left.append(size)
    right.append((-row, row))
    matrices = places[0] == -1 and _is_matrix_product(axes)
    if shift is not None and matrices:
        left.append(torch.ones_like(size))
        turned = both(shift, lambda end: end.movedim(-2, -1) if places[1] == -1 else end)
        low, high = (
            torch.add(end, end.abs(), alpha=sense * error)
            for end, sense in zip(turned, (-1, 1), strict=True)
        )
        right.append((low, high))
    low, high = (
        _products_of_matrices(left, right, places[1])
        if matrices
        else _products(axes, left, right, places)
    )
    if crossing:
        _correct(axes, first, second, crossing, low, high)
    if shift is None or matrices:
        return Range(low, high)
    return outward_range(low + shift.lower, high + shift.upper)


def _is_matrix_product(axes: Subscripts) -> bool:
    return len(axes.left) == 2 and len(axes.right) == 2 and axes.output[0] == axes.left[0]


def _by_sign(first: Range, second: Range, positive: bool) -> tuple[list[Tensor], Pairs]:
    """Factors A_k, and B_k of the lower and of the upper ends, Σ_k A_k B_k, for factors that do not
    both straddle zero.

    The sign of one factor decides which end of the other is extreme, so that every end is a sum of
    products of numbers. All of the first factor is known to be nonnegative if `positive`.
    """
    (al, au), (bl, bu) = first, second
    if first.is_point and second.is_point:
        return [au], [second]
    if first.is_point:
        return [au.relu(), au.clamp_max(0.0)], [second, (bu, bl)]
    lower = bl.relu(), bl.clamp_max(0.0)
    upper = lower if second.is_point else (bu.relu(), bu.clamp_max(0.0))
    outer = [(lower[1], upper[0]), (lower[0], upper[1])]
    if positive or second.is_point:
        return [au, al], outer
    inner = [(upper[0], lower[1]), (upper[1], lower[0])]
    return [au.relu(), al.relu(), al.clamp_max(0.0), au.clamp_max(0.0)], [*outer, *inner]


def _products(
    axes: Subscripts, left: list[Tensor], right: Pairs, places: list[int]
) -> tuple[Tensor, Tensor]:
    """Σ_k of the contractions of A_k and B_k, both ends."""
    joined, low, high = (
        _joined(left, places[0]),
        *(_joined(end, places[1]) for end in zip(*right, strict=True)),
    )
    low, high = (
        einsum(f"{axes.left},{axes.right}->{axes.output}", joined, end) for end in (low, high)
    )
    return low, high


def _products_of_matrices(left: list[Tensor], right: Pairs, place: int) -> tuple[Tensor, Tensor]:
    """`_products` of A_k (…, n, k) and B_k, with the axis k at the place: the rows of both ends
    below each other."""
    ends = [_joined(end, place) for end in zip(*right, strict=True)]
    rows = torch.cat(ends if place == -1 else [end.mT for end in ends], -2)
    # The sample axis last in memory, so that what follows, aggregation above all, runs along
    # contiguous samples.
    if left[0].shape[-1] > rows.shape[-2] and left[0].numel() > COPIED:
        first, *others = zip(
            torch.split(rows, [part.shape[-1] for part in left], -1), left, strict=True
        )
        total = torch.matmul(first[0], first[1].mT)
        for row, part in others:
            total += torch.matmul(row, part.mT)
    else:
        total = torch.matmul(rows, _joined(left, -1).mT)
    low, high = total.mT.chunk(2, -1)
    return low, high


def _joined(parts: Sequence[Tensor], axis: int) -> Tensor:
    if any(part.dim() > 2 for part in parts):
        lead = np.broadcast_shapes(*(part.shape[:-2] for part in parts))
        parts = [part.expand(*lead, *part.shape[-2:]) for part in parts]
    return torch.cat(list(parts), axis)


def _crossing(places: list[int], first: Range, second: Range) -> list[int]:
    """Where on the axis that is summed over both factors straddle zero."""
    where = None
    # The second factor is the smaller one: it belongs to no sample.
    for value, place in ((second, places[1]), (first, places[0])):
        ends = torch.minimum(value.upper, -value.lower)
        # Most often nothing does.
        if ends.max().item() <= 0.0:
            return []
        straddling = ends.movedim(place, -1).reshape(-1, ends.shape[place]).amax(dim=0) > 0
        where = straddling if where is None else where & straddling
    return [] if where is None else [int(index) for index in torch.nonzero(where)[:, 0]]


def _correct(
    axes: Subscripts, first: Range, second: Range, crossing: list[int], low: Tensor, high: Tensor
) -> None:
    """Where both factors straddle zero, the ends have the sum of two products: the lesser one is
    taken back."""
    words, sample = (axes.left, axes.right), axes.left[0]
    letters = [word.replace(axes.contracted, "") for word in words]
    rest = parse(f"{letters[0]},{letters[1]}->{axes.output}")
    rows = axes.output.index(sample) - len(axes.output)
    for index in crossing:
        picked = [
            [end.select(word.index(axes.contracted) - len(word), index) for end in value]
            for value, word in zip((first, second), words, strict=True)
        ]
        straddling = ((picked[0][0] < 0) & (picked[0][1] > 0)).movedim(-len(letters[0]), -1)
        chosen = torch.nonzero(straddling.reshape(-1, straddling.shape[-1]).any(dim=0))[:, 0]
        every = len(chosen) == straddling.shape[-1]
        factors = []
        for ends, word in zip(picked, letters, strict=True):
            some = (
                ends
                if every or sample not in word
                else [end.index_select(word.index(sample) - len(word), chosen) for end in ends]
            )
            factors += [
                _spread(some[0].clamp(max=0.0), rest, word),
                _spread(some[1].clamp(min=0.0), rest, word),
            ]
        al, au, bl, bu = factors
        if every:
            one, other = torch.empty_like(high), torch.empty_like(high)
            high.sub_(
                torch.minimum(torch.mul(au, bu, out=one), torch.mul(al, bl, out=other), out=one)
            )
            low.sub_(
                torch.maximum(torch.mul(au, bl, out=one), torch.mul(al, bu, out=other), out=one)
            )
        else:
            high.index_add_(rows, chosen, torch.minimum(au * bu, al * bl), alpha=-1)
            low.index_add_(rows, chosen, torch.maximum(au * bl, al * bu), alpha=-1)


def _outer_nonnegative(axes: Subscripts, first: Range, second: Range) -> Range:
    # The factors are small and the product is large: they are widened instead of it. One of the two
    # terms is always zero.
    least, most = (_spread(end, axes, axes.right) for end in second)
    tiny = first.lower.new_tensor(4 * rounding_of(first.lower).smallest)

    def end(factor: Tensor, sense: int, with_positive: Tensor, with_negative: Tensor) -> Tensor:
        positive, negative = (
            _moved(factor.clamp(min=0.0), sense),
            -_moved((-factor).clamp(min=0.0), -sense),
        )
        parts = [_spread(part, axes, axes.left) for part in (positive, negative)]
        return torch.addcmul(sense * tiny, parts[0], with_positive).addcmul_(
            parts[1], with_negative
        )

    return Range(end(first.lower, -1, least, most), end(first.upper, 1, most, least))


def _moved(value: Tensor, sense: int) -> Tensor:
    """A nonnegative factor, grown or shrunk for the error of a product with it; by an absolute part
    too, for subnormal numbers."""
    rounding = rounding_of(value)
    moved = value * (1.0 + sense * 4 * rounding.unit) + sense * 4 * rounding.smallest
    return torch.where(value > 0.0, moved, value).clamp(min=0.0)


def _spread(value: Tensor, axes: Subscripts, letters: str) -> Tensor:
    """The named axes in the order of the union, of length 1 where there is none; leading axes stay
    in front."""
    order, missing = axes.arrangement(letters)
    lead = value.dim() - len(letters)
    arranged = value.permute((*range(lead), *(lead + place for place in order)))
    for place in reversed(missing):
        arranged = arranged.unsqueeze(arranged.dim() + 1 + place)
    return arranged
