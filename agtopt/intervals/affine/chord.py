"""The logistic function near a nominal logit: a slope over a range of deviations, and what is left
(S3)."""

from typing import NamedTuple

import torch
from torch import Tensor

from agtopt.tolerances import DOUBLE, Rounding

SMALL = 1e-7
"""Ranges below this have the slope of the tangent: of a difference of two values little would be
left."""

STEEPEST = 0.25
"""The largest slope of the logistic function."""


class Remainder(NamedTuple):
    """Bounds of what is left of a function once its linear part is taken away."""

    lower: Tensor
    upper: Tensor


def chord_slope(z: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The slope of σ between z + low and z + high."""
    width = high - low
    tangent = z + 0.5 * (low + high)
    flat = torch.sigmoid(tangent) * torch.sigmoid(-tangent)
    chord = (torch.sigmoid(z + high) - torch.sigmoid(z + low)) / width.clamp(min=SMALL)
    return torch.where(width > SMALL, chord, flat).clamp(0.0, STEEPEST)


def chord_remainder(
    z: Tensor, low: Tensor, high: Tensor, slope: Tensor, rounding: Rounding
) -> Remainder:
    """Bounds of σ(z + v) − σ(z) − slope · v for v in [low, high], of any slope within [0, ¼].

    Its extremes are at the ends, or where σ' is the slope: at the logits ± log(q / (1 − q)) with
    q (1 − q) = slope. Errors of these places are of second order: a few units of a value that is
    rounded anyway.
    """
    share = 2.0 * slope / (1.0 + (1.0 - 4.0 * slope).clamp(min=0.0).sqrt())
    place = torch.log((share / (1.0 - share)).clamp(min=DOUBLE.normal))
    points = [low, high, *(torch.clamp(sign * place - z, low, high) for sign in (1.0, -1.0))]
    base = torch.sigmoid(z)
    values = torch.stack([torch.sigmoid(z + v) - base - slope * v for v in points])
    reach = torch.maximum(-low, high)
    # The argument z + v is rounded, and so are both values, in training too.
    largest = (base + STEEPEST * reach).clamp(max=1.0)
    size = (largest + slope * reach) * rounding.evaluation + STEEPEST * rounding.unit * (
        z.abs() + reach
    )
    error = 2.0 * size + 2.0 * rounding.underflow
    return Remainder(values.amin(0) - error, values.amax(0) + error)
