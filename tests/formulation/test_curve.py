"""Corridors around functions: sound at any number of segments in 60 decimal digits, and tighter
with every doubling."""

from decimal import Decimal, localcontext
from itertools import pairwise

import numpy as np
import pytest

from agtopt.formulation import EXPONENTIAL, SIGMOID, SOFTPLUS, curve_corridor, curve_itself
from agtopt.formulation.curve import breakpoints, corridor
from tests.formulation.test_encodings import Bench, array

EXACT = {
    "sigmoid": lambda z: 1 / (1 + (-z).exp()),
    "softplus": lambda z: max(z, Decimal(0)) + (1 + (-abs(z)).exp()).ln(),
    "exponential": lambda z: z.exp(),
}
CURVES = [SIGMOID, SOFTPLUS, EXPONENTIAL]
SEGMENTS = [1, 2, 3, 4, 8, 16]
every_curve = pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)


@pytest.fixture(autouse=True)
def sixty_digits():
    with localcontext() as context:
        context.prec = 60
        yield


def ranges(curve, seed, count):
    """Random ranges of widths from 1e-9 to 2000, some at the edges of what float64 holds."""
    rng = np.random.default_rng(seed)
    most = 700.0 if curve is EXPONENTIAL else 1000.0
    middle = rng.normal(size=count) * 10.0 ** rng.integers(-1, 3, count)
    width = 10.0 ** rng.uniform(-9, 3.2, count)
    low, high = (
        np.clip(middle - width, -1000, most - 1e-6),
        np.clip(middle + width, -1000 + 1e-6, most),
    )
    fixed = [
        (-1000.0, most),
        (-1000.0, -999.0),
        (most - 1, most),
        (-30.0, 30.0),
        (-1e-300, 1e-300),
        (-746.0, -700.0),
        (0.0, 1e-12),
        (-1000.0, 0.0),
    ]
    low, high = np.append(low, [a for a, _ in fixed]), np.append(high, [b for _, b in fixed])
    return low, np.maximum(high, np.nextafter(low, np.inf))


@every_curve
def test_lines_hold_a_function_relative_to_its_own_size(curve):
    """A probability of 1e-17 has a unit of its own in a model, and its tangent must be found too: a
    chord is above a convex curve."""
    rng = np.random.default_rng(0)
    low = rng.uniform(-700.0, 600.0, 400)
    low = np.append(low, [-36.0, -40.0, -50.0, 34.0])
    high = low + np.append(10.0 ** rng.uniform(-3, 2, 400), [2.0, 2.0, 10.0, 2.0])
    slope, below, above = corridor(curve, low, high)
    z = np.linspace(low, high, 101)
    values = curve.values(z)
    size = np.abs(values).max(axis=0)
    assert np.all((slope * z + below - values) <= 1e-12 * size)
    assert np.all((values - slope * z - above) <= 1e-12 * size)


@every_curve
@pytest.mark.parametrize("segments", SEGMENTS)
def test_lines_hold_the_function_at_any_number_of_segments(curve, segments):
    rng = np.random.default_rng(segments)
    low, high = ranges(curve, segments, 25)
    ends = breakpoints(curve, low, high, segments)
    np.testing.assert_array_equal(ends[..., 0], low)
    np.testing.assert_array_equal(ends[..., -1], high)
    assert np.all(np.diff(ends, axis=-1) >= 0)
    slope, below, above = corridor(curve, ends[..., :-1], ends[..., 1:])
    for index in np.ndindex(slope.shape):
        start, stop = ends[index], ends[(*index[:-1], index[-1] + 1)]
        critical = [np.clip(place, start, stop) for place in curve.critical(slope[index])]
        for z in (
            start,
            stop,
            *critical,
            *np.clip(start + (stop - start) * rng.random(12), start, stop),
        ):
            line, value = (
                Decimal(float(slope[index])) * Decimal(float(z)),
                EXACT[curve.name](Decimal(float(z))),
            )
            assert (
                line + Decimal(float(below[index])) <= value <= line + Decimal(float(above[index]))
            ), (low, high, index, z)


def gap(curve, low, high, segments):
    """The largest distance of the two lines."""
    ends = breakpoints(curve, low, high, segments)
    _, below, above = corridor(curve, ends[..., :-1], ends[..., 1:])
    return (above - below).max(axis=-1)


@every_curve
def test_the_gap_never_grows_with_more_segments(curve):
    low, high = ranges(curve, 7, 60)
    gaps = [gap(curve, low, high, segments) for segments in SEGMENTS]
    rounding = 1e-12 * (1.0 + np.abs(curve.values(low)) + np.abs(curve.values(high)))
    for fewer, more in pairwise(gaps):
        assert np.all(more <= fewer * (1 + 1e-9) + rounding)


@every_curve
def test_the_gap_is_quadratic_in_the_length_of_a_segment(curve):
    """From 4 to 8 to 16 segments it falls nearly 4 times; a segment across an inflection, whose gap
    is cubic, takes a little of that."""
    rng = np.random.default_rng(3)
    low = rng.uniform(-6, 4, 200)
    high = low + 10.0 ** rng.uniform(-1, 0.9, 200)
    inflected = (low < 0) & (high > 0) & (curve is SIGMOID)
    gaps = [gap(curve, low, high, segments) for segments in (4, 8, 16)]
    for fewer, more in pairwise(gaps):
        assert np.all(fewer >= np.where(inflected, 3.35, 3.9) * more), np.min(fewer / more)
        assert np.mean(fewer >= 3.5 * more) > 0.95


@every_curve
@pytest.mark.parametrize("binaries", [True, False], ids=["binaries", "relaxed"])
@pytest.mark.parametrize("segments", [1, 2, 4])
def test_the_model_of_a_corridor_is_the_corridor(curve, segments, binaries):
    """The range of p at a fixed z: the lines of the segment at hand, or with relaxed binaries at
    least those."""
    low, high = -3.0, 2.0
    bench = Bench()
    z = bench.variable("z", low, high)
    wide = array(-50.0), array(50.0)
    p = curve_corridor(bench.site, curve, z, (array(low), array(high)), wide, segments, binaries)
    (ends,) = breakpoints(curve, array(low), array(high), segments)
    slope, below, above = corridor(curve, ends[:-1], ends[1:])
    for value in np.linspace(low, high, 9):
        k = min(int(np.searchsorted(ends, value, side="right")) - 1, segments - 1)
        lines = slope[k] * value + below[k], slope[k] * value + above[k]
        found, exact = bench.output(p, value), float(curve.values(np.array(value)))
        assert found[0] - 1e-6 <= exact <= found[1] + 1e-6
        if binaries or segments == 1:
            assert found == pytest.approx(lines, abs=1e-6)
        else:
            assert found[0] <= lines[0] + 1e-6
            assert found[1] >= lines[1] - 1e-6


@every_curve
def test_the_model_of_the_function_is_the_function(curve):
    bench = Bench()
    z = bench.variable("z", -3.0, 2.0)
    p = curve_itself(bench.site, curve, z, (array(-3.0), array(2.0)), (array(-50.0), array(50.0)))
    for value in np.linspace(-3.0, 2.0, 5):
        assert bench.output(p, value) == pytest.approx(
            [float(EXACT[curve.name](Decimal(value)))] * 2, abs=1e-6
        )


@every_curve
def test_a_number_stays_a_number(curve):
    bench = Bench()
    known = curve_corridor(
        bench.site,
        curve,
        bench.variable("z", -1, 1) * 0.0 + 0.5,
        (array(0.5), array(0.5)),
        (array(0), array(9)),
        4,
        True,
    )
    assert not known.varies.any()
    assert known.constant[0] == pytest.approx(float(EXACT[curve.name](Decimal("0.5"))), rel=1e-15)
