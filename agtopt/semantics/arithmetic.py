"""Outward-rounded arithmetic on interval tensors (S3)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from agtopt.program.subscripts import Subscripts, parse
from agtopt.semantics.concrete import einsum
from agtopt.tolerances import SMALLEST, UNIT_ROUNDOFF

CORNERS = 2**24
"""Entries up to which an interval product that is contracted is expanded to its four corners; beyond it Rump's form is used."""


class Range(NamedTuple):
    """Lower and upper bound; one and the same tensor for a point, so that points stay points."""

    lower: Tensor
    upper: Tensor

    @property
    def is_point(self) -> bool:
        """Whether both ends are the same tensor."""
        return self.lower is self.upper


def outward(low: Tensor, high: Tensor) -> Range:
    """Move both ends outward by two units in the last place.

    One unit covers our own rounding, the other that of a framework which evaluates the same operation.
    """
    minus, plus = low.new_tensor(-torch.inf), low.new_tensor(torch.inf)
    return Range(torch.nextafter(torch.nextafter(low, minus), minus), torch.nextafter(torch.nextafter(high, plus), plus))


def rounding_error(magnitude: Tensor, terms: int) -> Tensor:
    """A bound on the rounding error of a sum of `terms` products, from the sum of their magnitudes.

    γ_n ≤ n u / (1 − n u); four extra terms pay for the evaluation of the magnitude itself and for the final addition.
    """
    return (terms + 4) * UNIT_ROUNDOFF * magnitude + (terms + 1) * SMALLEST


def both(value: Range, apply: Callable[[Tensor], Tensor]) -> Range:
    """An exact operation on both ends; a point stays a point."""
    if value.is_point:
        point = apply(value.lower)
        return Range(point, point)
    return Range(apply(value.lower), apply(value.upper))


def largest(value: Range) -> Tensor:
    """The largest magnitude of every entry."""
    return torch.maximum(value.lower.abs(), value.upper.abs())


def product(subscripts: str, first: Range, second: Range) -> Range:
    """Contract two interval tensors.

    Exact but for rounding where one factor is a point, where one factor of a contraction has no negative entry, where nothing is
    contracted, and where the expanded product has at most `CORNERS` entries; Rump's centre-radius form elsewhere.
    """
    axes = parse(subscripts)
    if first.is_point:
        return _point_product(axes.swapped(), second, first.lower)
    if second.is_point:
        return _point_product(subscripts, first, second.lower)
    if axes.contracted and bool((second.lower >= 0).all()):
        return _nonnegative_product(subscripts, first, second)
    if axes.contracted and bool((first.lower >= 0).all()):
        return _nonnegative_product(axes.swapped(), second, first)
    if not axes.contracted and axes.output not in (axes.left, axes.right):
        if bool((second.lower >= 0).all()):
            return _outer_nonnegative(axes, first, second)
        if bool((first.lower >= 0).all()):
            return _outer_nonnegative(parse(axes.swapped()), second, first)
    a = Range(*(_spread(end, axes, axes.left) for end in first))
    b = Range(*(_spread(end, axes, axes.right) for end in second))
    if axes.contracted and int(np.prod(np.broadcast_shapes(a.lower.shape, b.lower.shape))) > CORNERS:
        return _rump_product(subscripts, first, second)
    corners = a.lower * b.lower, a.lower * b.upper, a.upper * b.lower, a.upper * b.upper
    low = torch.minimum(torch.minimum(corners[0], corners[1]), torch.minimum(corners[2], corners[3]))
    high = torch.maximum(torch.maximum(corners[0], corners[1]), torch.maximum(corners[2], corners[3]))
    if not axes.contracted:
        return outward(low, high)
    summed = tuple(range(-len(axes.contracted), 0))
    error = rounding_error(torch.maximum(low.abs(), high.abs()).sum(summed), int(np.prod(low.shape[summed[0] :])))
    return Range(low.sum(summed) - error, high.sum(summed) + error)


def _point_product(subscripts: str, first: Range, point: Tensor) -> Range:
    # Centre-radius form is exact where one factor is a point: C = m_A P ± r_A |P|.
    axes = parse(subscripts)
    if not axes.contracted:
        factor = _spread(point, axes, axes.right)
        low = _spread(first.lower, axes, axes.left) * factor
        high = low if first.is_point else _spread(first.upper, axes, axes.left) * factor
        return outward(torch.minimum(low, high), torch.maximum(low, high))
    if first.is_point:
        centre = einsum(subscripts, first.lower, point)
        error = rounding_error(einsum(subscripts, first.lower.abs(), point.abs()), _terms(axes, point))
        return Range(centre - error, centre + error)
    middle, size = 0.5 * (first.lower + first.upper), point.abs()
    radius = torch.maximum(first.upper - middle, middle - first.lower)
    centre, spread = einsum(subscripts, middle, point), einsum(subscripts, radius, size)
    reach = spread + rounding_error(einsum(subscripts, middle.abs(), size) + spread, _terms(axes, point) + 2)
    return Range(centre - reach, centre + reach)


def _nonnegative_product(subscripts: str, first: Range, second: Range) -> Range:
    negative, positive = first.lower.clamp(max=0.0), first.lower.clamp(min=0.0)
    low = einsum(subscripts, positive, second.lower) + einsum(subscripts, negative, second.upper)
    negative, positive = first.upper.clamp(max=0.0), first.upper.clamp(min=0.0)
    high = einsum(subscripts, positive, second.upper) + einsum(subscripts, negative, second.lower)
    magnitude = einsum(subscripts, torch.maximum(first.lower.abs(), first.upper.abs()), second.upper)
    error = rounding_error(magnitude, _terms(parse(subscripts), second.upper) + 1)
    return Range(low - error, high + error)


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


def _rump_product(subscripts: str, first: Range, second: Range) -> Range:
    # Rump: centre m_A m_B, radius |m_A| r_B + r_A |m_B| + r_A r_B.
    middles = [0.5 * (value.lower + value.upper) for value in (first, second)]
    radii = [torch.maximum(value.upper - middle, middle - value.lower) for value, middle in zip((first, second), middles, strict=True)]
    centre = einsum(subscripts, middles[0], middles[1])
    spread = einsum(subscripts, middles[0].abs(), radii[1]) + einsum(subscripts, radii[0], middles[1].abs() + radii[1])
    magnitude = einsum(subscripts, middles[0].abs(), middles[1].abs()) + spread
    reach = spread + rounding_error(magnitude, _terms(parse(subscripts), second.upper) + 4)
    return Range(centre - reach, centre + reach)


def _terms(axes: Subscripts, second: Tensor) -> int:
    """How many products each sum of a contraction has."""
    return int(np.prod([second.shape[place - len(axes.right)] for place, letter in enumerate(axes.right) if letter not in axes.output]))


def _spread(value: Tensor, axes: Subscripts, letters: str) -> Tensor:
    """The named axes in the order of the union, of length 1 where there is none; leading axes stay in front."""
    order, missing = axes.arrangement(letters)
    lead = value.dim() - len(letters)
    arranged = value.permute(*range(lead), *(lead + place for place in order))
    for place in reversed(missing):
        arranged = arranged.unsqueeze(arranged.dim() + 1 + place)
    return arranged
