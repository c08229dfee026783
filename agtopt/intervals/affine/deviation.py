"""Quantities of a step as deviations from the nominal run: how far they may be, and what of that a
linear function of the deviation of the parameters and of the adversary's move does not say."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Deviation:
    """A quantity q = q̄ + ℓ + ρ of a step.

    Everything but the nominal value may have an axis in front: index 0 is a sample as it stands,
    the others are samples that are touched in some way.

    Attributes
    ----------
    nominal : Tensor
        A number near the value of the nominal run.
    low, high : Tensor
        Bounds of q − q̄, around 0.
    middle, radius : Tensor
        The remainder ρ is within middle ± radius.
    size : Tensor
        A bound on the sum of the magnitudes of all terms of ℓ, for its rounding.
    own : Tensor or None
        The coefficients of ℓ in the features of the sample itself, on an axis in front, where these
        are symbols.
    """

    nominal: Tensor
    low: Tensor
    high: Tensor
    middle: Tensor
    radius: Tensor
    size: Tensor
    own: Tensor | None = None

    @classmethod
    def known(cls, value: Tensor, error: Tensor | None = None) -> "Deviation":
        """A number that is known up to an error."""
        zero = torch.zeros_like(value)
        if error is None:
            return cls(value, zero, zero, zero, zero, zero)
        return cls(value, -error, error, zero, error, zero)

    @classmethod
    def linear(cls, value: Tensor, low: Tensor, high: Tensor, size: Tensor) -> "Deviation":
        """A quantity whose deviation is one of the symbols itself."""
        zero = torch.zeros_like(low)
        return cls(value, low, high, zero, zero, size)

    @property
    def reach(self) -> Tensor:
        """The largest |q − q̄|."""
        return torch.maximum(-self.low, self.high)

    @property
    def largest(self) -> Tensor:
        """The largest |q|."""
        return torch.maximum((self.nominal + self.low).abs(), (self.nominal + self.high).abs())

    def standing(self, part: Tensor) -> Tensor:
        """Of a part of it, or a tensor of that shape, what belongs to samples as they stand."""
        return part[0] if part.dim() > self.nominal.dim() else part

    def each(self, apply: Callable[[Tensor], Tensor]) -> "Deviation":
        """The same exact linear rearrangement of everything."""
        return Deviation(
            apply(self.nominal),
            apply(self.low),
            apply(self.high),
            apply(self.middle),
            apply(self.radius),
            apply(self.size),
            None if self.own is None else apply(self.own),
        )
