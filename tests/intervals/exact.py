"""Random ranges of very different size, and exact rational arithmetic to hold them against."""

from fractions import Fraction

import numpy as np
import torch

from agtopt.intervals.arithmetic import Range

CASES = 1000


def numbers(rng, shape, spread):
    """Zeros, subnormals, and numbers of sizes up to 10**±spread, some of which nearly cancel."""
    values = rng.normal(size=shape) * 10.0 ** rng.integers(-spread, min(spread, 145), shape)
    values = np.where(rng.random(shape) < 0.15, 0.0, values)
    values = np.where(rng.random(shape) < 0.1, rng.integers(-9, 9, shape) * 5e-324, values)
    return np.where(rng.random(shape) < 0.2, np.round(rng.normal(size=shape), 1), values)


def tensor_range(rng, shape, form, spread):
    """A random range: a point, one of any sign, or a nonnegative one; some entries without
    width."""
    first, second = numbers(rng, shape, spread), numbers(rng, shape, spread)
    if form == "point":
        point = torch.from_numpy(first)
        return Range(point, point)
    if form == "narrow":
        second = np.nextafter(first, np.inf)
    second = np.where(rng.random(shape) < 0.1, first, second)
    if form == "nonnegative":
        first, second = np.abs(first), np.abs(second)
    return Range(
        torch.from_numpy(np.minimum(first, second)), torch.from_numpy(np.maximum(first, second))
    )


def wider(rng, value, spread):
    """A random range that contains the other."""
    other = tensor_range(rng, tuple(value.lower.shape), "any", spread)
    keep = torch.from_numpy(rng.random(tuple(value.lower.shape)) < 0.2)
    return Range(
        torch.where(keep, value.lower, torch.minimum(value.lower, other.lower)),
        torch.where(keep, value.upper, torch.maximum(value.upper, other.upper)),
    )


def in_float32(value):
    """A random range between two float32 numbers."""
    low, high = value.lower.float().clamp(-1e18, 1e18), value.upper.float().clamp(-1e18, 1e18)
    return type(value)(low, low) if value.is_point else type(value)(low, high)


def exact(range_):
    """Both ends as Fractions by index."""
    return [
        {index: Fraction(float(end[index])) for index in np.ndindex(end.shape)} for end in range_
    ]


def assert_encloses(found, low, high, note=""):
    """`low` and `high` are Fractions by index."""
    for index in low:
        ends = float(found.lower[index]), float(found.upper[index])
        assert not np.isnan(ends).any(), (note, index)
        assert ends[0] == -np.inf or Fraction(ends[0]) <= low[index], (
            note,
            index,
            ends,
            float(low[index]),
        )
        assert ends[1] == np.inf or Fraction(ends[1]) >= high[index], (
            note,
            index,
            ends,
            float(high[index]),
        )


def assert_is(found, low, high, scale, note=""):
    """Encloses, and not by more than rounding relative to `scale`."""
    assert_encloses(found, low, high, note)
    for index in low:
        for end, value in ((found.lower[index], low[index]), (found.upper[index], high[index])):
            assert abs(Fraction(float(end)) - value) <= Fraction(scale) * Fraction(
                1e-12
            ) + Fraction(1e-300), (
                note,
                index,
                float(end),
                float(value),
            )
