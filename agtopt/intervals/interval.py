"""The interval meaning of the program's operations, rounded outward (S3)."""

from math import isfinite

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.errors import SoundnessError
from agtopt.intervals.arithmetic import (
    Indicator,
    Nonnegative,
    Range,
    both,
    largest,
    outward_range,
    product,
    rounding_error,
)
from agtopt.intervals.scale.numerics import FLOAT64, Numerics
from agtopt.intervals.transcendental import sigmoid, softmax
from agtopt.problem.layers import Patches, Shape
from agtopt.tolerances import crossed
from agtopt.training.concrete import fold, reshape, unfold

EXACT_FACTORS = (1.0, 2.0)


class IntervalOperations:
    """Interval arithmetic of the program; how a batch enters and how its gradients are aggregated
    is left to subclasses."""

    numerics: Numerics = FLOAT64

    def constant(self, value: NDArray[np.float64] | float) -> Range:
        return self.numerics.enclose(value)

    def add(self, first: Range, second: Range) -> Range:
        first, second = _numbers(first), _numbers(second)
        return outward_range(first.lower + second.lower, first.upper + second.upper)

    def scale(self, factor: float, value: Range) -> Range:
        value = _numbers(value)
        if abs(factor) in EXACT_FACTORS:
            if value.is_point or factor >= 0:
                return both(value, lambda end: factor * end)
            return Range(factor * value.upper, factor * value.lower)
        low, high = (value.lower, value.upper) if factor >= 0 else (value.upper, value.lower)
        # The factor is rounded as well, to the format of the range.
        return outward_range(factor * low, factor * high, units=4)

    def contract(
        self, subscripts: str, first: Range, second: Range, at: str = "", shift: Range | None = None
    ) -> Range:
        return product(subscripts, first, second, shift)

    def rectify(self, value: Range, at: str = "") -> tuple[Range, Indicator]:
        if not isfinite(value.lower.sum().item() + value.upper.sum().item()):
            # Trap 3: a NaN must leave the derivative undecided.
            value = Range(
                value.lower.nan_to_num(-torch.inf, torch.inf, -torch.inf),
                value.upper.nan_to_num(torch.inf, torch.inf, -torch.inf),
            )
        rectified = Nonnegative(value.lower.relu(), value.upper.relu())
        # Trap 6: bounds are already outward, so that their signs decide.
        return rectified, Indicator(rectified.lower, value.upper)

    def positive(self, value: Range, given: Range, at: str = "") -> Range:
        return Range((value.lower > 0) * given.lower, ~(value.upper < 0) * given.upper)

    def sigmoid(self, value: Range, at: str = "") -> Range:
        return sigmoid(value)

    def softmax(self, value: Range, at: str = "") -> Range:
        return softmax(value)

    def clip(self, value: Range, bound: float, at: str = "") -> Range:
        # Whatever an unknown gradient was, it is within the bounds once it is clipped.
        return Range(
            torch.nan_to_num(value.lower, nan=-bound).clamp(-bound, bound),
            torch.nan_to_num(value.upper, nan=bound).clamp(-bound, bound),
        )

    def define(self, value: Range, at: str) -> Range:
        return value

    def tightened(self, value: Range, lower: Tensor, upper: Tensor, at: str) -> Range:
        """The intersection with other bounds of the same quantity, which may be NaN where nothing
        is known.

        Raises
        ------
        SoundnessError
            If the two do not meet beyond tolerance (S6).
        """
        # fmax and fmin take the other bound where one is unknown.
        low, high = torch.fmax(value.lower, lower), torch.fmin(value.upper, upper)
        if crossed(low.cpu().numpy(), high.cpu().numpy()).any():
            raise SoundnessError(f"S6: two bounds of {at} do not meet")
        return Range(torch.minimum(low, high), torch.maximum(low, high))

    def reshape(self, value: Range, old: Shape, new: Shape) -> Range:
        return both(value, lambda end: reshape(end, old, new))

    def unfold(self, value: Range, patches: Patches) -> Range:
        return both(value, lambda end: unfold(end, patches))

    def fold(self, value: Range, patches: Patches) -> Range:
        low, high = fold(value.lower, patches), fold(value.upper, patches)
        error = rounding_error(fold(largest(value), patches), int(np.prod(patches.kernel)))
        return Range(low - error, high + error)

    def column(self, value: Range, index: int) -> Range:
        return both(value, lambda end: end[..., index : index + 1])

    def per_sample(self, value: Range, rank: int = 1) -> Range:
        return both(value, lambda end: end.unsqueeze(-1 - rank))

    def update(self, terms: list[tuple[float, Range]], tensor: str = "") -> Range:
        (first, past), *others = terms
        low, high = (
            past if first == 1.0 else (first * end for end in past[:: 1 if first >= 0 else -1])
        )
        # The first factor, 1 − α λ, is itself the rounded difference of two numbers.
        size = (1.0 + abs(first)) * largest(past)
        for factor, value in others:
            least, most = value[:: 1 if factor >= 0 else -1]
            low, high = torch.add(low, least, alpha=factor), torch.add(high, most, alpha=factor)
            size = size.add_(largest(value), alpha=abs(factor))
        error = rounding_error(size, 2 * len(terms) + 2)
        # A diverged interval is the whole line, never NaN, so that it certifies nothing.
        return Range(
            torch.nan_to_num(low - error, nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf),
            torch.nan_to_num(high + error, nan=torch.inf, posinf=torch.inf, neginf=-torch.inf),
        )


def _numbers(value: Range) -> Range:
    return value.numbers() if isinstance(value, Indicator) else value
