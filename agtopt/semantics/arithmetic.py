"""Outward-rounded arithmetic on interval tensors (S3)."""

from collections.abc import Callable
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from agtopt.errors import UnsupportedError
from agtopt.program.subscripts import Subscripts, parse
from agtopt.semantics.concrete import einsum
from agtopt.tolerances import SMALLEST, UNIT_ROUNDOFF

Factors = tuple[list[Tensor], list[Tensor]]


class Range(NamedTuple):
    """Lower and upper bound; one and the same tensor for a point, so that points stay points."""

    lower: Tensor
    upper: Tensor

    @property
    def is_point(self) -> bool:
        """Whether both ends are the same tensor."""
        return self.lower is self.upper


class Indicator(Range):
    """A range whose ends are 0 or 1: a product with it rounds nothing."""

    @property
    def is_point(self) -> bool:
        return self.lower is self.upper


def outward(low: Tensor, high: Tensor) -> Range:
    """Move both ends outward, in place, by more than two units in the last place.

    One unit covers our own rounding, another that of a framework which evaluates the same operation, the rest the move itself.
    """
    tiny = 4 * SMALLEST
    return Range(low.sub_(low.abs(), alpha=2 * UNIT_ROUNDOFF).sub_(tiny), high.add_(high.abs(), alpha=2 * UNIT_ROUNDOFF).add_(tiny))


def rounding_error(magnitude: Tensor, terms: int) -> Tensor:
    """A bound on the rounding error of a sum of `terms` products, from the sum of their magnitudes.

    γ_n ≤ n u / (1 − n u); four extra terms pay for the evaluation of the magnitude itself and for the final addition.
    """
    return torch.add(magnitude.new_tensor((terms + 1) * SMALLEST), magnitude, alpha=(terms + 4) * UNIT_ROUNDOFF)


def both(value: Range, apply: Callable[[Tensor], Tensor]) -> Range:
    """An exact operation on both ends; a point stays a point."""
    if value.is_point:
        point = apply(value.lower)
        return Range(point, point)
    return Range(apply(value.lower), apply(value.upper))


def largest(value: Range) -> Tensor:
    """The largest magnitude of every entry."""
    return value.lower.abs() if value.is_point else torch.maximum(value.upper, -value.lower)


def product(subscripts: str, first: Range, second: Range) -> Range:
    """Contract two interval tensors; exact but for rounding.

    Raises
    ------
    UnsupportedError
        If more than one axis is summed over.
    """
    axes = parse(subscripts)
    if axes.contracted:
        return _contraction(axes, first, second)
    if isinstance(first, Indicator):
        return _gated(axes, first, second)
    if axes.output not in (axes.left, axes.right) and not first.is_point and not second.is_point:
        if bool((second.lower >= 0).all()):
            return _outer_nonnegative(axes, first, second)
        if bool((first.lower >= 0).all()):
            return _outer_nonnegative(parse(axes.swapped()), second, first)
    left, right = (
        [_spread(end, axes, letters) for end in value[: 2 - value.is_point]]
        for value, letters in ((first, axes.left), (second, axes.right))
    )
    corners = [a * b for a in left for b in right]
    return outward(reduce(torch.minimum, corners), reduce(torch.maximum, corners[1:], corners[0].clone()))


def _gated(axes: Subscripts, gate: Indicator, value: Range) -> Range:
    least, most = (_spread(end, axes, axes.left) for end in gate)
    low, high = (_spread(end, axes, axes.right) for end in value)
    if gate.is_point:
        return both(Range(low, low) if value.is_point else Range(low, high), lambda end: least * end)
    ends = [(least * end, most * end) for end in (low, high)]
    return Range(torch.minimum(*ends[0], out=ends[0][0]), torch.maximum(*ends[1], out=ends[1][0]))


def _contraction(axes: Subscripts, first: Range, second: Range) -> Range:
    if len(axes.contracted) != 1:
        raise UnsupportedError(f"contraction of {axes.left}, {axes.right} over more than one axis")
    nonnegative = bool((first.lower >= 0).all()), bool((second.lower >= 0).all())
    above, below = _by_sign(first, second, nonnegative)
    left, right = (value.upper if known else largest(value) for value, known in zip((first, second), nonnegative, strict=True))
    terms = second.upper.shape[axes.right.index(axes.contracted) - len(axes.right)]
    high = _sum_of_products(axes, *above)
    if below is above:
        error = rounding_error(_sum_of_products(axes, [left], [right]), terms)
        return Range(high - error, high.add_(error))
    low = _sum_of_products(axes, *below)
    crossing = [] if any(nonnegative) else _crossing(axes, first, second)
    if crossing:
        _correct(axes, first, second, crossing, low, high)
        # Up to three terms instead of one where both factors straddle zero.
        terms = 2 * (terms + len(crossing) + 1)
    error = rounding_error(_sum_of_products(axes, [left], [right]), terms + 2)
    return Range(low.sub_(error), high.add_(error))


def _by_sign(first: Range, second: Range, nonnegative: tuple[bool, bool]) -> tuple[Factors, Factors]:
    """Factors A_k and B_k of the upper and of the lower ends, Σ_k A_k B_k, for factors that do not both straddle zero.

    The sign of one factor decides which end of the other is extreme, so that every end is a sum of products of numbers.
    """
    (al, au), (bl, bu) = first, second
    if first.is_point and second.is_point:
        same = [au], [bu]
        return same, same
    if second.is_point or nonnegative[0]:
        ends = [au, al]
        return (ends, [bu.clamp(min=0.0), bu.clamp(max=0.0)]), (ends, [bl.clamp(max=0.0), bl.clamp(min=0.0)])
    if first.is_point:
        parts = [au.clamp(min=0.0), au.clamp(max=0.0)]
        return (parts, [bu, bl]), (parts, [bl, bu])
    if nonnegative[1]:
        return ([au.clamp(min=0.0), au.clamp(max=0.0)], [bu, bl]), ([al.clamp(min=0.0), al.clamp(max=0.0)], [bl, bu])
    parts = [au.clamp(min=0.0), al.clamp(min=0.0), au.clamp(max=0.0), al.clamp(max=0.0)]
    b = bu.clamp(min=0.0), bu.clamp(max=0.0), bl.clamp(min=0.0), bl.clamp(max=0.0)
    return (parts, list(b)), (parts, [b[3], b[2], b[1], b[0]])


def _sum_of_products(axes: Subscripts, left: list[Tensor], right: list[Tensor]) -> Tensor:
    """Σ_k of the contractions of A_k and B_k: one product of matrices with the A_k and the B_k side by side, unless these are large."""
    places = [letters.index(axes.contracted) - len(letters) for letters in (axes.left, axes.right)]
    if len(axes.left) == 2 and len(axes.right) == 2 and axes.output[0] == axes.left[0] and places[0] == -1:
        # The sample axis last in memory, so that what follows, aggregation above all, runs along contiguous samples.
        first, second = [part.mT for part in left], [part if places[1] == -1 else part.mT for part in right]
        if len(first) > 1 and first[0].shape[-2] > second[0].shape[-2]:
            total = torch.matmul(second[0], first[0])
            for a, b in zip(first[1:], second[1:], strict=True):
                total += torch.matmul(b, a)
            return total.mT
        return torch.matmul(_joined(second, -1), _joined(first, -2)).mT
    return einsum(f"{axes.left},{axes.right}->{axes.output}", _joined(left, places[0]), _joined(right, places[1]))


def _joined(parts: list[Tensor], axis: int) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, axis)


def _crossing(axes: Subscripts, first: Range, second: Range) -> list[int]:
    """Where on the axis that is summed over both factors straddle zero."""
    where = None
    # The second factor is the smaller one: it belongs to no sample.
    for value, letters in ((second, axes.right), (first, axes.left)):
        if value.is_point:
            return []
        place = letters.index(axes.contracted) - len(letters)
        straddling = ((value.lower < 0) & (value.upper > 0)).movedim(place, -1).reshape(-1, value.lower.shape[place]).any(dim=0)
        where = straddling if where is None else where & straddling
        if not bool(where.any()):
            return []
    return [] if where is None else [int(index) for index in torch.nonzero(where)[:, 0]]


def _correct(axes: Subscripts, first: Range, second: Range, crossing: list[int], low: Tensor, high: Tensor) -> None:
    """Where both factors straddle zero, the ends have the sum of two products: the lesser one is taken back."""
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
            some = ends if every or sample not in word else [end.index_select(word.index(sample) - len(word), chosen) for end in ends]
            factors += [_spread(some[0].clamp(max=0.0), rest, word), _spread(some[1].clamp(min=0.0), rest, word)]
        al, au, bl, bu = factors
        if every:
            one, other = torch.empty_like(high), torch.empty_like(high)
            high.sub_(torch.minimum(torch.mul(au, bu, out=one), torch.mul(al, bl, out=other), out=one))
            low.sub_(torch.maximum(torch.mul(au, bl, out=one), torch.mul(al, bu, out=other), out=one))
        else:
            high.index_add_(rows, chosen, torch.minimum(au * bu, al * bl), alpha=-1)
            low.index_add_(rows, chosen, torch.maximum(au * bl, al * bu), alpha=-1)


def _outer_nonnegative(axes: Subscripts, first: Range, second: Range) -> Range:
    # The factors are small and the product is large: they are widened instead of it. One of the two terms is always zero.
    least, most = (_spread(end, axes, axes.right) for end in second)
    tiny = first.lower.new_tensor(4 * SMALLEST)

    def end(factor: Tensor, sense: int, with_positive: Tensor, with_negative: Tensor) -> Tensor:
        positive, negative = (_moved(factor.clamp(min=0.0), sense), -_moved((-factor).clamp(min=0.0), -sense))
        parts = [_spread(part, axes, axes.left) for part in (positive, negative)]
        return torch.addcmul(sense * tiny, parts[0], with_positive).addcmul_(parts[1], with_negative)

    return Range(end(first.lower, -1, least, most), end(first.upper, 1, most, least))


def _moved(value: Tensor, sense: int) -> Tensor:
    """A nonnegative factor, grown or shrunk for the error of a product with it; by an absolute part too, for subnormal numbers."""
    moved = value * (1.0 + sense * 4 * UNIT_ROUNDOFF) + sense * 4 * SMALLEST
    return torch.where(value > 0.0, moved, value).clamp(min=0.0)


def _spread(value: Tensor, axes: Subscripts, letters: str) -> Tensor:
    """The named axes in the order of the union, of length 1 where there is none; leading axes stay in front."""
    order, missing = axes.arrangement(letters)
    lead = value.dim() - len(letters)
    arranged = value.permute((*range(lead), *(lead + place for place in order)))
    for place in reversed(missing):
        arranged = arranged.unsqueeze(arranged.dim() + 1 + place)
    return arranged
