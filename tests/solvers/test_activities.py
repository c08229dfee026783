"""S5: what propagation cuts off holds no point, in exact arithmetic; what it keeps is no wider than
rounding asks for."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix

from agtopt.solvers import activities
from agtopt.solvers.activities import Box, LinearRows, propagate


def rows_of(A, low, high, integer=None):
    A = np.atleast_2d(np.asarray(A, dtype=float))
    low, high = (np.broadcast_to(np.asarray(side, dtype=float), len(A)) for side in (low, high))
    return LinearRows.of(
        csc_matrix(A),
        low,
        high,
        np.zeros(A.shape[1], dtype=bool) if integer is None else np.asarray(integer),
    )


def exact(row, x):
    return sum(
        (Fraction(float(a)) * Fraction(float(v)) for a, v in zip(row, x, strict=True)), Fraction(0)
    )


def downward(value):
    found = float(value)
    return found if Fraction(found) <= value else float(np.nextafter(found, -np.inf))


def tight_system(seed, spread):
    """Rows and a box around a point, many of them without room but for a rounding."""
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(1, 8)), int(rng.integers(1, 8))
    A = np.where(
        rng.random((rows, columns)) < 0.7,
        rng.normal(size=(rows, columns)) * 10.0 ** rng.integers(-spread, spread + 1),
        0.0,
    )
    A *= 10.0 ** rng.integers(-spread, spread + 1, (rows, columns))
    integer = rng.random(columns) < 0.4
    x = np.where(
        integer,
        rng.integers(0, 2, columns),
        rng.normal(size=columns) * 10.0 ** rng.integers(-spread, spread + 1, columns),
    )
    values = [exact(row, x) for row in A]
    room = np.where(rng.random((2, rows)) < 0.6, 0.0, rng.random((2, rows)))
    low = np.array([downward(v) for v in values]) - room[0]
    high = -np.array([downward(-v) for v in values]) + room[1]
    low[rng.random(rows) < 0.3], high[rng.random(rows) < 0.3] = -np.inf, np.inf
    fall, rise = np.where(
        rng.random((2, columns)) < 0.2, 0.0, 10.0 ** rng.integers(-2, 4, (2, columns))
    )
    lower, upper = np.where(integer, 0.0, x - fall), np.where(integer, 1.0, x + rise)
    (
        lower[~integer & (rng.random(columns) < 0.15)],
        upper[~integer & (rng.random(columns) < 0.15)],
    ) = -np.inf, np.inf
    return rows_of(A, low, high, integer), Box(lower, upper), x


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([0, 0, 2, 8, 100]))
def test_a_point_of_the_rows_is_never_cut_off(seed, spread):
    rows, box, x = tight_system(seed, spread)
    found = propagate(rows, box)
    assert found is not None
    assert np.all((found.lower <= x) & (x <= found.upper))
    assert np.all((found.lower >= box.lower) & (found.upper <= box.upper))


def exact_round(A, low, high, integer, box):
    """One round of the formulas of the module in rational arithmetic; no infinities."""
    ends = [Fraction(v) for v in box.lower], [Fraction(v) for v in box.upper]
    new = [list(end) for end in ends]
    for row, two in zip(A, zip(low, high, strict=True), strict=True):
        for sign, side in zip((-1, 1), two, strict=True):
            if not np.isfinite(side):
                continue
            g = [sign * Fraction(float(a)) for a in row]
            terms = [min(a * least, a * most) for a, least, most in zip(g, *ends, strict=True)]
            for j, a in enumerate(g):
                end = (sign * Fraction(float(side)) - (sum(terms) - terms[j])) / a
                if integer[j]:
                    end = Fraction(end.__floor__() if a > 0 else end.__ceil__())
                new[a > 0][j] = min(new[1][j], end) if a > 0 else max(new[0][j], end)
    return new


@settings(max_examples=300, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_one_round_is_the_exact_one_but_for_rounding_outward(seed):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 5, 2)
    A, integer = rng.normal(size=(rows, columns)), rng.random(columns) < 0.4
    lower = np.where(integer, 0.0, -rng.random(columns))
    upper = np.where(integer, 1.0, rng.random(columns))
    low, high = -2 * rng.random(rows), 2 * rng.random(rows)
    low[rng.random(rows) < 0.3], high[rng.random(rows) < 0.3] = -np.inf, np.inf
    box = Box(lower, upper)
    expected = exact_round(A, low, high, integer, box)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(activities, "ROUNDS", 1)
        found = propagate(rows_of(A, low, high, integer), box)
    if found is None:
        assert any(least > most for least, most in zip(*expected, strict=True))
        return
    for j in range(columns):
        room = [Fraction(1, 10**11) * (1 + abs(end[j])) for end in expected]
        assert Fraction(found.lower[j]) <= expected[0][j] <= Fraction(found.lower[j]) + room[0]
        assert Fraction(found.upper[j]) >= expected[1][j] >= Fraction(found.upper[j]) - room[1]


def test_many_terms_that_cancel_are_rounded_outward():
    """A row whose float sum is wrong by more than its exact slack."""
    for seed in range(150):
        rng = np.random.default_rng(seed)
        a = rng.normal(size=400) * 10.0 ** rng.integers(-3, 4, 400)
        x = rng.normal(size=400)
        side = -downward(-exact(a, x))
        found = propagate(
            rows_of(np.append(a, 1.0), -np.inf, side), Box(np.append(x, 0.0), np.append(x, 1.0))
        )
        assert found is not None
        assert 0.0 == found.lower[-1] <= found.upper[-1] <= 1e-6


@pytest.mark.parametrize("small", [1.0, 2.0**-1070])
def test_a_quotient_without_a_finite_binary_expansion_is_rounded_outward(small):
    """Down to where quotients have but a few digits."""
    for h in range(1, 300):
        for g in (3.0, 5.0, 7.0, 11.0):
            scaled = (g, h * small) if small == 1.0 else (g * 2.0**900, h * small * 2.0**900)
            end = Fraction(scaled[1]) / Fraction(scaled[0])
            found = propagate(
                rows_of([scaled[0]], -np.inf, scaled[1]), Box(np.zeros(1), np.full(1, np.inf))
            )
            assert (
                end
                <= Fraction(found.upper[0])
                <= end * (1 + Fraction(1, 10**13)) + Fraction(2.0**-1070)
            )


def test_a_row_without_a_point_and_a_row_with_one_just_so():
    box = Box(np.zeros(2), np.ones(2))
    assert propagate(rows_of([1.0, 1.0], 2.0 + 1e-12, np.inf), box) is None
    assert propagate(rows_of([1.0, 1.0], -np.inf, -1e-12), box) is None
    for found, end in (
        (propagate(rows_of([1.0, 1.0], 2.0, np.inf), box), 1.0),
        (propagate(rows_of([1.0, 1.0], -np.inf, 0.0), box), 0.0),
    ):
        np.testing.assert_allclose(found.lower, end, atol=1e-13)
        np.testing.assert_allclose(found.upper, end, atol=1e-13)


def test_whole_numbers_are_taken_exactly():
    box, binary = Box(np.zeros(2), np.ones(2)), [True, True]
    assert propagate(rows_of([2.0, 3.0], 4.0, 4.5, binary), box) is None
    np.testing.assert_array_equal(
        propagate(rows_of([2.0, 3.0], 2.5, 4.5, binary), box), [[0.0, 1.0], [0.0, 1.0]]
    )
    np.testing.assert_array_equal(
        propagate(rows_of([1.0, 0.0], -np.inf, 1.0 - 1e-9, binary), box).upper, [0.0, 1.0]
    )
    np.testing.assert_array_equal(
        propagate(rows_of([1.0, 0.0], -np.inf, 1.0, binary), box).upper, [1.0, 1.0]
    )


def test_one_infinite_term_is_bounded_and_two_are_not():
    endless = Box(np.full(2, -np.inf), np.full(2, np.inf))
    half = Box(np.array([-np.inf, 0.0]), np.array([np.inf, 1.0]))
    assert np.isinf(propagate(rows_of([1.0, 2.0], -1.0, 3.0), endless)).all()
    found = propagate(rows_of([1.0, 2.0], -1.0, 3.0), half)
    np.testing.assert_allclose(found, [[-3.0, 0.0], [3.0, 1.0]])
    assert found.lower[0] <= -3.0
    assert found.upper[0] >= 3.0
    negative = propagate(rows_of([-1.0, 2.0], -np.inf, -3.0), half)
    np.testing.assert_allclose(negative, [[3.0, 0.0], [np.inf, 1.0]])


def test_rows_without_terms_and_zeros_say_nothing():
    box = Box(np.array([-np.inf, 0.0]), np.array([np.inf, 1.0]))
    matrix = csc_matrix((np.array([0.0, 1.0]), np.array([1, 2]), np.array([0, 1, 2])), shape=(3, 2))
    rows = LinearRows.of(
        matrix, np.full(3, -np.inf), np.array([-1.0, 5.0, 0.5]), np.zeros(2, dtype=bool)
    )
    np.testing.assert_allclose(propagate(rows, box), [[-np.inf, 0.0], [np.inf, 0.5]])


def test_a_chain_is_followed_to_its_end_and_only_from_what_moved(monkeypatch):
    """x_{k+1} = x_k + s_k, as parameters follow from indicators."""
    steps = 50
    A = np.zeros((steps, 2 * steps + 1))
    for k in range(steps):
        A[k, [k, k + 1, steps + 1 + k]] = -1.0, 1.0, -1.0
    rows = rows_of(A, 0.0, 0.0, np.arange(2 * steps + 1) > steps)
    lower, upper = np.full(2 * steps + 1, -1e3), np.full(2 * steps + 1, 1e3)
    lower[steps + 1 :], upper[steps + 1 :] = 0.0, 1.0
    lower[0] = upper[0] = 0.0
    box = propagate(rows, Box(lower, upper))
    np.testing.assert_allclose(box.upper[: steps + 1], np.arange(steps + 1), atol=1e-9)
    awake = []
    original = activities._round
    monkeypatch.setattr(
        activities,
        "_round",
        lambda rows, these, ends: awake.append(len(these)) or original(rows, these, ends),
    )
    decided = propagate(rows, box.fixing(2 * steps, 0.0), np.array([2 * steps]))
    assert sum(awake) < 10
    np.testing.assert_allclose(decided.upper[steps], steps - 1, atol=1e-9)
    # And back: the last parameter decides every indicator.
    back = propagate(rows, box.fixing(steps, float(steps)), np.array([steps]))
    np.testing.assert_array_equal(back.lower[steps + 1 :], 1.0)


def test_numbers_that_are_none_prove_nothing():
    box = Box(np.array([np.nan, 0.0]), np.array([1.0, np.nan]))
    assert propagate(rows_of([[1.0, 1.0], [-1.0, 1.0]], -1.0, [0.5, np.nan]), box) is not None
    assert box.fixing(0, 1.0) is not None
    huge = Box(np.full(3, -1e308), np.full(3, 1e308))
    found = propagate(rows_of([[1e10, -1e300, 1e-300], [1.0, 1.0, 1.0]], -1.0, 1.0), huge)
    assert found is not None
    assert np.all(found.lower <= 0.0)
    assert np.all(found.upper >= 0.0)
