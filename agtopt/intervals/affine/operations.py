"""The meaning of the program's operations on deviations from the nominal run (S2, S3).

Every operation is written q = q̄ + ℓ + ρ: what is not linear in the deviations of its operands goes
into the remainder ρ, together with the rounding of training and our own. The slopes that are chosen
on the way are kept in order, for the linear functions themselves (`tangent`).
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.intervals.affine.chord import chord_remainder, chord_slope
from agtopt.intervals.affine.deviation import Deviation
from agtopt.intervals.arithmetic import Range
from agtopt.intervals.interval import EXACT_FACTORS
from agtopt.intervals.transcendental import softmax as softmax_range
from agtopt.problem.layers import Patches, Shape
from agtopt.program.subscripts import parse
from agtopt.tolerances import DOUBLE, Rounding
from agtopt.training.concrete import einsum, fold, number_tensor, reshape, unfold

GROWN = 1.0 + 64 * DOUBLE.unit
"""Pays for the rounding of a few operations on bounds that are not negative."""


class DeviationOperations:
    """Deviations of the quantities of a batch.

    Parameters
    ----------
    rounding : Rounding
        That of the format in which training runs; what is here is in float64.

    Attributes
    ----------
    slopes : list of Tensor
        What the nonlinear operations were replaced by, and the nominal values of sums of products,
        in the order of the program.
    undecided : int
        Units whose side of the kink is not known, over the samples as they stand.
    terms : int
        Bounds how many roundings a coefficient of a linear part has seen.
    gap : (Tensor, Tensor) or None
        Bounds of the deviation of z_0 − z_1 for two classes, where they are known.
    slack : Tensor, shape (n, 1)
        By how much remainders of two probabilities may fail to add up to zero.
    extent : callable or None
        From coefficients of features, (features, n, …), how far these move a quantity under every
        variant, (variants, n, …).
    """

    def __init__(self, rounding: Rounding) -> None:
        self.rounding = rounding
        self.slopes: list[Tensor] = []
        self.undecided = 0
        self.terms = 16
        self.gap: tuple[Tensor, Tensor] | None = None
        self.slack: Tensor | float = 0.0
        self.extent: Callable[[Tensor], Tensor] | None = None

    def constant(self, value: NDArray[np.float64] | float) -> Deviation:
        exact = number_tensor(value)
        return Deviation.known(exact, self.unheld(exact))

    def unheld(self, value: Tensor) -> Tensor | None:
        """By how much numbers of a problem may be changed to fit the format of training."""
        if self.rounding == DOUBLE:
            return None
        return value.abs() * self.rounding.unit + self.rounding.normal

    def add(self, first: Deviation, second: Deviation) -> Deviation:
        self.terms += 2
        return self._rounded(
            Deviation(
                first.nominal + second.nominal,
                first.low + second.low,
                first.high + second.high,
                first.middle + second.middle,
                first.radius + second.radius,
                first.size + second.size,
                summed(first.own, second.own),
            ),
            first.largest + second.largest,
            2,
        )

    def scale(self, factor: float, value: Deviation) -> Deviation:
        self.terms += 2
        low, high = (value.low, value.high) if factor >= 0 else (value.high, value.low)
        found = Deviation(
            factor * value.nominal,
            factor * low,
            factor * high,
            factor * value.middle,
            abs(factor) * value.radius,
            abs(factor) * value.size,
            None if value.own is None else factor * value.own,
        )
        return (
            found
            if abs(factor) in EXACT_FACTORS
            else self._rounded(found, abs(factor) * value.largest, 4)
        )

    def contract(
        self,
        subscripts: str,
        first: Deviation,
        second: Deviation,
        at: str = "",
        shift: Deviation | None = None,
    ) -> Deviation:
        axes = parse(subscripts)
        many = 1
        for letter in axes.contracted:
            many *= first.nominal.shape[axes.left.index(letter) - len(axes.left)]
        self.terms += many + 4

        def product(one: Tensor, other: Tensor) -> Tensor:
            return einsum(subscripts, one, other)

        a, b = first.nominal.abs(), second.nominal.abs()
        reach, other = first.reach, second.reach
        crossed = product(reach, other)
        far = product(a, other) + product(reach, b) + crossed
        share = DOUBLE.accumulated(2 * many + 8)
        middle = product(first.nominal, second.middle) + product(first.middle, second.nominal)
        radius = (
            product(a, second.radius + share * second.middle.abs())
            + product(first.radius + share * first.middle.abs(), b)
            + crossed
        )
        size = product(a, second.size) + product(first.size, b)
        far, radius, size = ((1.0 + share) * part for part in (far, radius, size))
        own = summed(
            None if second.own is None else product(first.nominal, second.own),
            None if first.own is None else product(first.own, second.nominal),
        )
        nominal = product(first.nominal, second.nominal)
        if shift is not None:
            nominal = nominal + shift.nominal
        if not at.startswith("gradient."):
            self.slopes.append(nominal)
        largest = product(a, b) + far
        if shift is None:
            found = Deviation(nominal, -far, far, middle, radius, size, own)
        else:
            self.terms += 2
            largest = largest + shift.largest
            found = Deviation(
                nominal,
                shift.low - far,
                shift.high + far,
                middle + shift.middle,
                radius + shift.radius,
                size + shift.size,
                summed(own, shift.own),
            )
        return self._rounded(found, largest, many + 2)

    def rectify(self, value: Deviation, at: str = "") -> tuple[Deviation, Deviation]:
        """a = s z + ρ with s the nominal side; ρ lies between 0 and what is beyond the kink."""
        value = self.ranged(value)
        low, high = value.nominal + value.low, value.nominal + value.high
        on = value.nominal > 0
        slope = on.to(value.nominal.dtype)
        # The ends are moved: their sums were rounded.
        spare = 2.0 * DOUBLE.unit * (value.nominal.abs() + value.reach) + DOUBLE.normal
        low, high = low - spare, high + spare
        beyond = torch.where(on, -low, high).clamp(min=0.0)
        undecided = torch.where(on, low <= 0, high >= 0).to(beyond.dtype)
        undecided = torch.where(torch.isnan(low + high), torch.nan, undecided)
        self.slopes += [slope, value.nominal]
        self.undecided += int((value.standing(undecided) > 0).sum())
        self.terms += 2
        activation = Deviation(
            value.nominal.clamp(min=0.0),
            torch.where(on, value.low, 0.0),
            torch.where(on, torch.maximum(value.high, -value.nominal), beyond),
            slope * value.middle + 0.5 * beyond,
            (slope * value.radius + 0.5 * beyond) * GROWN
            + DOUBLE.unit * slope * value.middle.abs(),
            slope * value.size,
            None if value.own is None else slope * value.own,
        )
        sense = torch.where(on, -1.0, 1.0)
        gate = Deviation(
            slope,
            (sense * undecided).clamp(max=0.0),
            (sense * undecided).clamp(min=0.0),
            0.5 * sense * undecided,
            0.5 * undecided,
            torch.zeros_like(undecided),
        )
        return activation, gate

    def ranged(self, value: Deviation) -> Deviation:
        """A quantity whose range is also that of its linear part: in the parameters by the sum of
        magnitudes, in the features of a touched sample itself exactly."""
        if self.extent is None or value.own is None:
            return value
        reach = self.extent(value.own) + value.standing(value.size)
        reach = reach * (1.0 + DOUBLE.accumulated(2 * self.terms + len(value.own) + 8))
        return replace(
            value,
            low=torch.fmax(value.low, value.middle - value.radius * GROWN - reach),
            high=torch.fmin(value.high, value.middle + value.radius * GROWN + reach),
        )

    def positive(self, value: Deviation, given: Deviation, at: str = "") -> Deviation:
        """given · h = h̄ given + (h − h̄) given, the second where the side is not known."""
        value = self.ranged(value)
        spare = 2.0 * DOUBLE.unit * (value.nominal.abs() + value.reach) + DOUBLE.normal
        low, high = value.nominal + value.low - spare, value.nominal + value.high + spare
        on = value.nominal > 0
        side = on.to(value.nominal.dtype)
        undecided = torch.where(on, low <= 0, high >= 0).to(low.dtype)
        undecided = torch.where(torch.isnan(low + high), torch.nan, undecided)
        self.slopes.append(side)
        self.undecided += int((value.standing(undecided) > 0).sum())
        self.terms += 2
        jump = undecided * (given.nominal + given.high).clamp(min=0.0)
        sense = torch.where(on, -1.0, 1.0)
        return Deviation(
            side * given.nominal,
            side * given.low + (sense * jump).clamp(max=0.0),
            side * given.high + (sense * jump).clamp(min=0.0),
            side * given.middle + 0.5 * sense * jump,
            (side * given.radius + 0.5 * jump) * GROWN + DOUBLE.unit * side * given.middle.abs(),
            side * given.size,
            None if given.own is None else side * given.own,
        )

    def sigmoid(self, value: Deviation, at: str = "") -> Deviation:
        z, (low, high) = value.nominal, (value.low, value.high)
        slope = chord_slope(z, value.standing(low), value.standing(high))
        self.slopes += [slope, torch.sigmoid(z), z]
        self.terms += 4
        return self._curved(torch.sigmoid(z), z, low, high, slope, value)

    def _curved(
        self, nominal: Tensor, z: Tensor, low: Tensor, high: Tensor, slope: Tensor, value: Deviation
    ) -> Deviation:
        least, most = chord_remainder(z, low, high, slope, self.rounding)
        # The range itself, without the slope.
        zero = torch.zeros_like(slope)
        reach = chord_remainder(z, low, high, zero, self.rounding)
        return Deviation(
            nominal,
            reach.lower.clamp(max=0.0),
            reach.upper.clamp(min=0.0),
            slope * value.middle + 0.5 * (least + most),
            (slope * value.radius + 0.5 * (most - least)) * GROWN
            + DOUBLE.unit * (slope * value.middle).abs(),
            slope * value.size,
            None if value.own is None else slope * value.own,
        )

    def softmax(self, value: Deviation, at: str = "") -> Deviation:
        if value.nominal.shape[-1] == 2:
            return self._two_classes(value)
        z = value.nominal
        share = torch.softmax(z, dim=-1)
        jacobian = torch.diag_embed(share) - share.unsqueeze(-1) * share.unsqueeze(-2)
        self.slopes += [jacobian, share, z]
        self.terms += 4 * z.shape[-1]
        # The mean value of the derivative over the range of logits, less the one that is chosen.
        # The way from the nominal logits lies within bounds that hold these.
        low, high = softmax_range(
            Range(z + value.low.clamp(max=0.0), z + value.high.clamp(min=0.0))
        )
        off = jacobian_range(low, high, jacobian)
        reach = value.reach
        curve = (off * reach.unsqueeze(-2)).sum(-1) * GROWN
        rounding = share * self.rounding.evaluation * 8 + 8 * self.rounding.underflow
        rounding = (
            rounding
            + share
            * self.rounding.unit
            * (z.abs().amax(-1, keepdim=True) + reach.amax(-1, keepdim=True) + z.shape[-1])
            * 16
        )
        steep = jacobian.abs()
        return Deviation(
            share,
            torch.minimum(low - share, torch.zeros_like(low)) - rounding,
            torch.maximum(high - share, torch.zeros_like(low)) + rounding,
            einsum("nco,no->nc", jacobian, value.middle),
            (einsum("nco,no->nc", steep, value.radius + DOUBLE.unit * 16 * value.middle.abs()))
            * GROWN
            + curve
            + rounding,
            einsum("nco,no->nc", steep, value.size) * GROWN,
            None if value.own is None else einsum("nco,no->nc", jacobian, value.own),
        )

    def _two_classes(self, value: Deviation) -> Deviation:
        """p_0 = σ(z_0 − z_1), p_1 = 1 − p_0."""
        own, other = (self.column(value, k) for k in (0, 1))
        gap = self.add(own, self.scale(-1.0, other))
        low, high = gap.low, gap.high
        if self.gap is not None:
            low, high = torch.maximum(low, self.gap[0]), torch.minimum(high, self.gap[1])
        slope = chord_slope(gap.nominal, gap.standing(low), gap.standing(high))
        first = torch.sigmoid(gap.nominal)
        self.slopes += [slope, torch.softmax(value.nominal, -1), value.nominal]
        self.terms += 8
        one = self._curved(first, gap.nominal, low, high, slope, gap)
        pair = torch.softmax(value.nominal, -1)
        # Both are rounded apart, and do not add up to 1.
        extra = 4.0 * (self.rounding.evaluation + DOUBLE.evaluation) + 4.0 * self.rounding.unit * (
            value.largest.amax(-1, keepdim=True) + 1.0
        )
        self.slack = 2.0 * value.standing(extra)
        return Deviation(
            pair,
            torch.cat([one.low, -one.high], -1) - extra,
            torch.cat([one.high, -one.low], -1) + extra,
            torch.cat([one.middle, -one.middle], -1),
            torch.cat([one.radius, one.radius], -1) + extra,
            torch.cat([one.size, one.size], -1),
            None if one.own is None else torch.cat([one.own, -one.own], -1),
        )

    def clip(self, value: Deviation, bound: float, at: str = "") -> Deviation:
        """c = s g + ρ with s the nominal side of both kinks."""
        g = value.nominal
        free = g.abs() < bound
        slope = free.to(g.dtype)
        self.slopes += [slope, g]
        self.terms += 2
        low, high = g + value.low, g + value.high
        nominal = g.clamp(-bound, bound)
        above, below = (high - bound).clamp(min=0.0), (-bound - low).clamp(min=0.0)
        # Where the nominal entry is cut off, a value that is not adds what it is inside by.
        inside = torch.where(g >= bound, bound - low, high + bound).clamp(0.0, 2.0 * bound)
        inside = torch.where(free, torch.zeros_like(inside), inside)
        least = torch.where(free, -above, torch.where(g >= bound, -inside, 0.0))
        most = torch.where(free, below, torch.where(g >= bound, 0.0, inside))
        spare = self.rounding.unit * (g.abs() + bound + value.reach) + DOUBLE.normal
        return Deviation(
            nominal,
            low.clamp(-bound, bound) - nominal - spare,
            high.clamp(-bound, bound) - nominal + spare,
            slope * value.middle + 0.5 * (least + most),
            (slope * value.radius + 0.5 * (most - least)) * GROWN + spare,
            slope * value.size,
            None if value.own is None else slope * value.own,
        )

    def define(self, value: Deviation, at: str) -> Deviation:
        return value

    def reshape(self, value: Deviation, old: Shape, new: Shape) -> Deviation:
        return value.each(lambda part: reshape(part, old, new))

    def unfold(self, value: Deviation, patches: Patches) -> Deviation:
        return value.each(lambda part: unfold(part, patches))

    def fold(self, value: Deviation, patches: Patches) -> Deviation:
        many = int(np.prod(patches.kernel))
        self.terms += many
        found = value.each(lambda part: fold(part, patches))
        self.slopes.append(found.nominal)
        return self._rounded(found, fold(value.largest, patches), many)

    def column(self, value: Deviation, index: int) -> Deviation:
        return value.each(lambda part: part[..., index : index + 1])

    def per_sample(self, value: Deviation, rank: int = 1) -> Deviation:
        return value.each(lambda part: part.unsqueeze(-1 - rank))

    def update(self, terms: list[tuple[float, Deviation]], tensor: str) -> Deviation:
        total, *others = (self.scale(factor, value) for factor, value in terms)
        for other in others:
            total = self.add(total, other)
        return total

    def _rounded(self, value: Deviation, largest: Tensor, terms: int) -> Deviation:
        """The rounding of a sum of so many products in training, and of all of its bounds here."""
        error = (
            largest * self.rounding.accumulated(terms + 4) + (terms + 1) * self.rounding.smallest
        )
        own = DOUBLE.unit * 4 * (value.middle.abs() + value.radius)
        return Deviation(
            value.nominal,
            value.low - (GROWN - 1.0) * value.low.abs() - error,
            value.high + (GROWN - 1.0) * value.high.abs() + error,
            value.middle,
            value.radius * GROWN + error + own,
            value.size * GROWN,
            value.own,
        )


def summed(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """The sum of what there is."""
    if first is None or second is None:
        return second if first is None else first
    return first + second


def jacobian_range(low: Tensor, high: Tensor, chosen: Tensor) -> Tensor:
    """The largest |∂p_c/∂z_j − chosen| for probabilities within bounds, (…, classes, classes)."""
    far = torch.full_like(low, 0.5)
    # p (1 − p) grows up to one half.
    ends = torch.stack([low * (1.0 - low), high * (1.0 - high)])
    top = torch.where((low <= far) & (high >= far), 0.25, ends.amax(0))
    diagonal = torch.stack([ends.amin(0), top])
    pairs = torch.stack(
        [-high.unsqueeze(-1) * high.unsqueeze(-2), -low.unsqueeze(-1) * low.unsqueeze(-2)]
    )
    eye = torch.eye(low.shape[-1], dtype=torch.bool)
    bounds = torch.where(eye, diagonal.unsqueeze(-1), pairs)
    return (bounds - chosen).abs().amax(0) * GROWN + 16 * DOUBLE.unit
