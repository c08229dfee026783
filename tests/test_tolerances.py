"""Units, and margins that are relative to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtopt.tolerances import BOUND_MARGIN, FARTHEST, ORDINARY, crossed, outward, unit_of

SIZES = st.floats(2.0**-FARTHEST, 2.0**FARTHEST)


@given(SIZES)
def test_a_size_in_its_unit_is_near_one_and_exact(size):
    unit = float(unit_of(size))
    least, most = ORDINARY
    assert unit == 1.0 if least <= size <= most else 0.5 <= size / unit <= 1.0
    assert np.frexp(unit)[0] == 0.5
    assert size / unit * unit == size


@pytest.mark.parametrize("size", [0.0, np.inf, np.nan, *ORDINARY])
def test_no_unit_where_none_is_needed(size):
    assert unit_of(size) == 1.0


def test_units_do_not_overflow():
    assert unit_of([5e-324, 1e308]).tolist() == [2.0**-FARTHEST, 2.0**FARTHEST]


@given(SIZES, st.integers(-40, 40))
def test_margins_scale_with_the_unit(bound, k):
    room = outward(bound, 1, 1.0) - bound
    assert room >= BOUND_MARGIN * (1.0 - 1e-9) or bound > 1e8
    assert outward(np.ldexp(bound, k), 1, 2.0**k) == np.ldexp(outward(bound, 1, 1.0), k)
    assert outward(np.ldexp(-bound, k), -1, 2.0**k) == -np.ldexp(outward(bound, 1, 1.0), k)
    assert outward(-np.inf, -1, 2.0**k) == -np.inf


def test_bounds_that_cross_are_seen_at_every_size():
    lower, upper = np.array([1.0, 0.0]), np.array([1.0 - 1e-4, 1.0])
    for k in (-30, 0, 30):
        assert crossed(np.ldexp(lower, k), np.ldexp(upper, k)).tolist() == [True, False]
    # Zero but for rounding, beside entries of size one.
    assert not crossed([1e-16, -1.0], [-1e-16, 1.0]).any()
