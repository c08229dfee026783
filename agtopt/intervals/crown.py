r"""CROWN with interval parameters: linear bounds of the pre-activations, substituted backwards to
the inputs.

Proposition 3.5 and appendix C of Sosnin et al. (2024). A layer with interval weights, :math:`z = W
a`, :math:`W \in [m - r, m + r]`, is the layer m with bounded noise, :math:`|z - m a| \le r |a|`,
where :math:`|a|` is at most the concrete bound that is known of it. So a linear bound
:math:`\Lambda z` becomes :math:`\Lambda m a + |\Lambda| r |a|` with a matrix of numbers: the radius
is concretised where it arises, which covers every entry whose coefficient's sign is not known, and
nothing grows by repeated products of absolute values. Rectifiers on :math:`[l, u]` have the lines

.. math:: \alpha a \le \max(0, a) \le \frac{u}{u - l} (a - l), \qquad \alpha \in \{0, 1\},

chosen by the sign of the coefficient; the offset of the upper one belongs to it (trap 1). At the
inputs a box is concretised by :math:`|\Lambda| r`, a ball of the norm :math:`\ell_p` by the dual
norm. Rounding, ours and that of a framework, is part of the noise (S3).

Every quantity of the forward pass remembers how it was made; `define` substitutes backwards and
keeps the tighter of both bounds, entry by entry.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch
from torch import Tensor

from agtopt.intervals.arithmetic import Indicator, Range, largest, norm, rounding_error, rounding_of
from agtopt.intervals.interval import IntervalOperations
from agtopt.problem import Problem
from agtopt.problem.layers import Patches, Shape
from agtopt.training.concrete import fold, reshape

CHUNK = 2**17
"""Entries of the coefficients held at once: what a processor's cache holds; it bounds memory and
changes no result."""

ROOM = 2.0**22
"""Units in the last place that pay for the rounding of a difference of two sums that replaces a sum
of magnitudes."""


@dataclass(frozen=True)
class Linear:
    """Coefficients Λ (…, n, q, *shape) of a quantity; n is 1 where all samples have the same."""

    values: Tensor

    @cached_property
    def magnitude(self) -> Tensor:
        """|Λ|, which several terms need."""
        return self.values.abs()


@dataclass(frozen=True)
class Origin:
    """How a quantity was made of others.

    Attributes
    ----------
    sources : tuple of Traced
    pull : callable
        From coefficients Λ of the quantity and the rows (first, many) they belong to: those of the
        sources, and a number (…, n, q) with which Λ · quantity ≤ Σ Λ' · source + number, but for
        the rounding of that number's own sum.
    """

    sources: "tuple[Traced, ...]"
    pull: Callable[[Linear, tuple[int, int]], tuple[list[Linear], Tensor]]


@dataclass(frozen=True)
class Moved:
    """What a step of the forward pass adds to a linear bound: a number per entry of its result, and
    noise.

    Attributes
    ----------
    noise : Tensor, shape (…, n, *shape)
    middle : Tensor or None
        The middle of what is added.
    rank : int
        Axes behind the sample axis.
    """

    noise: Tensor
    middle: Tensor | None
    rank: int

    @classmethod
    def of(cls, found: Range, shift: Range | None, rank: int, noise: Tensor) -> "Moved":
        """What moves of a result `found`, to which a shift was added, with other noise."""
        if shift is None:
            return cls(noise, None, rank)
        middle = 0.5 * (shift.lower + shift.upper)
        terms = prod(found.lower.shape[found.lower.dim() - rank :])
        spread = torch.maximum(shift.upper - middle, middle - shift.lower) + rounding_error(
            largest(shift), terms
        )
        return cls(noise + spread + 2 * rounding_of(middle).unit * largest(found), middle, rank)

    def number(self, linear: Linear, rows: tuple[int, int]) -> Tensor:
        """Its share of a linear bound, for some rows."""
        number = _dot(linear.magnitude, _rows(self.noise, self.rank, rows), self.rank)
        if self.middle is None:
            return number
        return number + _dot(
            linear.values, _rows(self.middle.expand(self.noise.shape), self.rank, rows), self.rank
        )


class Traced(Range):
    """A range that remembers its origin.

    Attributes
    ----------
    origin : Origin
    rank : int
        Number of axes behind the sample axis.
    order : int
        Larger than that of all its sources.
    curved : bool
        Whether linear bounds can be tighter than intervals: a rectifier or a ball lies before it.
    fixed : bool
        Whether neither inputs nor parameters before it move: its width is rounding, and lines
        through what is before it would gain nothing.
    """

    origin: Origin
    rank: int
    order: int
    curved: bool
    fixed: bool

    @classmethod
    def of(
        cls, value: Range, origin: Origin, rank: int, curved: bool = False, fixed: bool = True
    ) -> "Traced":
        """A range with its origin; `fixed` says whether what it was made with, apart from its
        sources, is."""
        made = cls(*value)
        made.fixed = fixed and all(source.fixed for source in origin.sources)
        made.origin = origin
        made.rank = rank
        made.order = 1 + max((source.order for source in origin.sources), default=0)
        made.curved = curved or any(source.curved for source in origin.sources)
        return made

    @property
    def is_point(self) -> bool:
        return self.lower is self.upper


class LinearIntervals(IntervalOperations):
    """Interval arithmetic that traces the forward pass and tightens it by linear bounds where a
    quantity is defined."""

    def trace(
        self, value: Range, rank: int, ball: tuple[float, float] | None = None, fixed: bool = False
    ) -> Traced:
        """Inputs (…, n, *shape) of `rank` axes; where they move, within a ball (radius, p) if one
        is given, else by rounding if `fixed`."""
        middle = 0.5 * (value.lower + value.upper)
        radius = torch.maximum(value.upper - middle, middle - value.lower)
        error = rounding_error(
            largest(value), prod(value.lower.shape[value.lower.dim() - rank :]) + 8
        )

        def pull(linear: Linear, rows: tuple[int, int]) -> tuple[list[Linear], Tensor]:
            spread = _dot(linear.magnitude, _rows(radius, rank, rows), rank)
            if ball is not None:
                flat = linear.values.flatten(start_dim=-rank)
                dual = norm(Range(flat, flat), -1) if ball[1] == 2 else flat.abs().amax(-1)
                # A sample that does not move has no radius: the smaller of both.
                spread = torch.minimum(
                    spread, dual * (ball[0] * (1.0 + 4 * rounding_of(flat).unit))
                )
            centre = _dot(linear.values, _rows(middle, rank, rows), rank)
            return [], centre + spread + _dot(linear.magnitude, _rows(error, rank, rows), rank)

        return Traced.of(
            value,
            Origin((), pull),
            rank,
            ball is not None,
            fixed or (value.is_point and ball is None),
        )

    def trace_batch(self, problem: Problem, x: Range, y: Range) -> tuple[Range, Range]:
        """A batch whose features are traced."""
        return self.trace(x, len(problem.network.input_shape), problem.perturbation.ball), y

    def contract(
        self, subscripts: str, first: Range, second: Range, at: str = "", shift: Range | None = None
    ) -> Range:
        product = super().contract(subscripts, first, second, at, shift)
        if not isinstance(first, Traced) or not at.startswith("forward"):
            return product
        (left, right), output = subscripts.split("->")[0].split(","), subscripts.split("->")[1]
        middle = second.lower if second.is_point else 0.5 * (second.lower + second.upper)
        extents = dict(zip(right, second.lower.shape[-len(right) :], strict=True))
        # Sums of the contraction itself, and of the coefficients that are taken through it.
        noise = rounding_error(
            largest(second), prod(extents[c] for c in right if c not in output or c not in left) + 4
        )
        if not second.is_point:
            noise = noise + torch.maximum(second.upper - middle, middle - second.lower)
        slack = torch.einsum(f"...{left},...{right}->...{output}", largest(first), noise)
        rank = len(output) - 1
        moved = Moved.of(product, shift, rank, slack)

        def pull(linear: Linear, rows: tuple[int, int]) -> tuple[list[Linear], Tensor]:
            if subscripts == "ni,oi->no" and middle.dim() == 2:
                back = torch.matmul(linear.values, middle)
            else:
                back = torch.einsum(
                    f"...nq{output[1:]},...{right}->...nq{left[1:]}", linear.values, middle
                )
            return [Linear(back)], moved.number(linear, rows)

        return Traced.of(
            product,
            Origin((first,), pull),
            rank,
            fixed=second.is_point and (shift is None or shift.is_point),
        )

    def add(self, first: Range, second: Range) -> Range:
        total = super().add(first, second)
        traced = [value for value in (first, second) if isinstance(value, Traced)]
        if not traced:
            return total
        rank = traced[0].rank
        shift = next((value for value in (first, second) if not isinstance(value, Traced)), None)
        moved = Moved.of(total, shift, rank, 2 * rounding_of(total.lower).unit * largest(total))

        def pull(linear: Linear, rows: tuple[int, int]) -> tuple[list[Linear], Tensor]:
            return [linear] * len(traced), moved.number(linear, rows)

        return Traced.of(
            total, Origin(tuple(traced), pull), rank, fixed=shift is None or shift.is_point
        )

    def scale(self, factor: float, value: Range) -> Range:
        scaled = super().scale(factor, value)
        if not isinstance(value, Traced):
            return scaled
        # The factor is rounded as well, here and where coefficients are taken through it.
        error, rank = 4 * rounding_of(scaled.lower).unit * largest(scaled), value.rank

        def pull(linear: Linear, rows: tuple[int, int]) -> tuple[list[Linear], Tensor]:
            return [Linear(factor * linear.values)], _dot(
                linear.magnitude, _rows(error, rank, rows), rank
            )

        return Traced.of(scaled, Origin((value,), pull), rank)

    def rectify(self, value: Range, at: str = "") -> tuple[Range, Indicator]:
        rectified, slope = super().rectify(value, at)
        if not isinstance(value, Traced):
            return rectified, slope
        if value.fixed:
            return self.trace(rectified, value.rank, fixed=True), slope
        low, high, rank = value.lower, value.upper, value.rank
        unit, smallest, *_ = rounding_of(low)
        crossing = (low < 0) & (high > 0)
        steep = torch.where(crossing, high / (high - low), (high > 0).to(low.dtype))
        below = torch.where(crossing, (high > -low).to(low.dtype), steep)
        # The offset that makes the line valid for the slope as it was rounded, at both ends (trap
        # 1).
        offset = torch.where(
            crossing,
            torch.maximum(-steep * low, high - steep * high) * (1.0 + 4 * unit) + smallest,
            0.0,
        )
        error = (4 * unit * (1.0 + ROOM * unit)) * largest(value) + smallest
        rise, above = steep - below, offset + 2.0 * error

        def pull(linear: Linear, rows: tuple[int, int]) -> tuple[list[Linear], Tensor]:
            lines = [_rows(line, rank, rows).unsqueeze(-1 - rank) for line in (below, rise)]
            positive = linear.values.clamp(min=0.0)
            # Σ Λ⁺ offset + Σ |Λ| error, as |Λ| = 2 Λ⁺ − Λ.
            number = _dot(positive, _rows(above, rank, rows), rank) - _dot(
                linear.values, _rows(error, rank, rows), rank
            )
            return [Linear((linear.values * lines[0]).addcmul_(positive, lines[1]))], number

        return Traced.of(rectified, Origin((value,), pull), rank, curved=True), slope

    def reshape(self, value: Range, old: Shape, new: Shape) -> Range:
        reshaped = super().reshape(value, old, new)
        if not isinstance(value, Traced):
            return reshaped

        def pull(linear: Linear, rows: tuple[int, int]) -> tuple[list[Linear], Tensor]:
            return [Linear(reshape(linear.values, new, old))], _nothing(linear.values, len(new))

        return Traced.of(reshaped, Origin((value,), pull), len(new))

    def unfold(self, value: Range, patches: Patches) -> Range:
        windows = super().unfold(value, patches)
        if not isinstance(value, Traced):
            return windows
        error = rounding_error(largest(value), prod(patches.kernel))

        def pull(linear: Linear, rows: tuple[int, int]) -> tuple[list[Linear], Tensor]:
            return [Linear(fold(linear.values, patches))], _dot(
                fold(linear.magnitude, patches), _rows(error, 3, rows), 3
            )

        return Traced.of(windows, Origin((value,), pull), 2)

    def define(self, value: Range, at: str) -> Range:
        if not isinstance(value, Traced) or not value.curved or not at.startswith("forward"):
            return value
        low, high = substituted(value)
        return self.tightened(value, low, high, at)

    def tightened(self, value: Range, lower: Tensor, upper: Tensor, at: str) -> Range:
        tighter = super().tightened(value, lower, upper, at)
        return (
            Traced.of(tighter, value.origin, value.rank, value.curved, value.fixed)
            if isinstance(value, Traced)
            else tighter
        )


def substituted(value: Traced) -> tuple[Tensor, Tensor]:
    """Lower and upper ends by linear bounds, in the shape of the value."""
    axis = -1 - value.rank
    shape = value.lower.shape[axis + 1 :]
    size, samples = prod(shape), value.lower.shape[axis]
    lead = prod(value.lower.shape[:axis])
    step = max(1, CHUNK // (lead * 2 * size * _widest(value)))
    parts = [
        _upper_ends(value, (first, min(step, samples - first))) for first in range(0, samples, step)
    ]
    ends = torch.cat(
        [part.expand(*value.lower.shape[:axis], *part.shape[-2:]) for part in parts], dim=-2
    )
    return -ends[..., size:].reshape(value.lower.shape), ends[..., :size].reshape(value.lower.shape)


def _upper_ends(value: Traced, rows: tuple[int, int]) -> Tensor:
    """Upper ends of v and of −v for the given rows, (…, n, 2 · size)."""
    shape = value.lower.shape[value.lower.dim() - value.rank :]
    unit = torch.eye(prod(shape), dtype=value.lower.dtype, device=value.lower.device)
    pending: dict[int, tuple[Traced, Linear]] = {
        id(value): (value, Linear(torch.cat([unit, -unit]).reshape(1, -1, *shape)))
    }
    total = magnitude = value.lower.new_zeros(())
    terms = 16
    while pending:
        node, linear = pending.pop(max(pending, key=lambda key: pending[key][0].order))
        pulled, number = node.origin.pull(linear, rows)
        total, magnitude = total + number, magnitude + number.abs()
        terms += prod(linear.values.shape[linear.values.dim() - node.rank :])
        for source, coefficients in zip(node.origin.sources, pulled, strict=True):
            known = pending.get(id(source))
            pending[id(source)] = (
                source,
                coefficients if known is None else Linear(known[1].values + coefficients.values),
            )
    wide = total.expand(*total.shape[:-2], rows[1], total.shape[-1])
    return wide + rounding_error(magnitude, terms)


def _widest(value: Traced) -> int:
    """The largest number of entries of any quantity of one sample that lies before this one."""
    widest, pending, seen = 1, [value], set()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        widest = max(widest, prod(node.lower.shape[node.lower.dim() - node.rank :]))
        pending += node.origin.sources
    return widest


def _rows(values: Tensor, rank: int, rows: tuple[int, int]) -> Tensor:
    # Coefficients take the layout of what they are multiplied with; products of matrices want
    # entries to be last in it.
    axis = -1 - rank
    return values if values.shape[axis] == 1 else values.narrow(axis, *rows).contiguous()


def _dot(linear: Tensor, values: Tensor, rank: int) -> Tensor:
    """Σ Λ · values over the axes behind n and q: (…, n, q)."""
    flat, vectors = linear.flatten(start_dim=-rank), values.flatten(start_dim=-rank)
    if flat.shape[-3] == 1:
        return torch.matmul(vectors, flat.squeeze(-3).mT)
    return torch.matmul(flat, vectors.unsqueeze(-1)).squeeze(-1)


def _nothing(linear: Tensor, rank: int) -> Tensor:
    return linear.new_zeros(()).expand(linear.shape[: linear.dim() - rank])
