"""Boxes and the store of known bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtopt import Interval, InvalidInputError, KnownBounds, SoundnessError
from agtopt.domains import contains, hull, intersect, minima, minimum, sample, width

ends = st.lists(st.tuples(st.floats(-10, 10), st.floats(0, 5)), min_size=2, max_size=2)


def box(pairs):
    low = np.array([a for a, _ in pairs])
    return Interval(low, low + [w for _, w in pairs])


@settings(max_examples=100, deadline=None, derandomize=True)
@given(ends, ends)
def test_hull_and_intersection_order_the_boxes(first, second):
    a, b = box(first), box(second)
    both = hull(a, b)
    assert contains(both, a)
    assert contains(both, b)
    assert width(both) >= max(width(a), width(b)) - 1e-12
    if np.all(np.maximum(a.lower, b.lower) <= np.minimum(a.upper, b.upper)):
        inner = intersect(a, b)
        assert contains(a, inner)
        assert contains(b, inner)
    points = sample(a, 10, seed=0)
    assert points.shape == (10, 2)
    assert a.contains(points)


def test_intersect_raises_where_sound_bounds_contradict():
    """S6: beyond rounding; within it both ends are kept."""
    with pytest.raises(SoundnessError, match="S6: parameter 1"):
        intersect(Interval([0, 0], [1, 1]), Interval([0, 1.1], [1, 2]))
    met = intersect(Interval([0.0], [1.0]), Interval([1.0 + 1e-9], [2.0]))
    assert (met.lower[0], met.upper[0]) == (1.0, 1.0 + 1e-9)


def test_contains_counts_nan_as_outside():
    assert not Interval([0.0], [1.0]).contains([np.nan])
    assert not Interval([-np.inf], [np.inf]).contains([[0.0], [np.nan]])
    assert Interval([0.0], [1.0]).contains([1.05], tolerance=0.1)


def test_boxes_are_read_only_copies():
    low = np.zeros(2)
    made = Interval(low, np.ones(2))
    low[0] = 9.0
    assert made.lower[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        made.lower[0] = 1.0


@pytest.mark.parametrize("case", [lambda: hull(), lambda: sample(Interval([0.0], [np.inf]), 1)])
def test_what_has_no_answer_is_refused(case):
    with pytest.raises(InvalidInputError):
        case()


def test_known_bounds_only_shrink():
    known = KnownBounds()
    for low, high in ((-1, 5), (-3, 4), (0, 9)):
        known.shrink((1, "w"), np.array([float(low)]), np.array([float(high)]))
    assert [end[0] for end in known.get((1, "w"))] == [0.0, 4.0]
    twin = known.copy()
    twin.shrink((1, "w"), np.array([1.0]), np.array([2.0]))
    assert known.get((1, "w"))[0][0] == 0.0
    assert known.get((2, "w")) is None
    assert list(known) == [(1, "w")]
    with pytest.raises(SoundnessError, match="S6"):
        known.shrink((1, "w"), np.array([5.0]), np.array([6.0]))
    with pytest.raises(SoundnessError, match="NaN"):
        known.shrink((1, "w"), np.array([np.nan]), np.array([6.0]))


def test_minima_of_a_box_are_at_its_corners():
    box = Interval([-1, 0, -5], [2, 4, 3])
    rows = [[1, 0, 0], [-1, 0, 0], [1, -2, 0], [0, 0, -1], [0, 0, 1], [1, 1, -2]]
    expected = np.array([-1, -2, -9, -3, -5, -7])
    np.testing.assert_allclose(minima(box, rows), expected, rtol=1e-13)
    assert np.all(minima(box, rows) <= expected)
    assert minimum(box, [1, -2, 0]) == minima(box, rows)[2]
    half = Interval([-1, 0, -np.inf], [2, 4, 3])
    np.testing.assert_allclose(minima(half, [[1, 1, -2], [1, 1, 2]]), [-7, -np.inf], rtol=1e-13)
    for row in ([[np.inf, 0, 0]], [[1, 0]], [1, 0, 0]):
        with pytest.raises(InvalidInputError, match="minimum"):
            minima(box, row)
