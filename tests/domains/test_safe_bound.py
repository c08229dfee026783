"""S5: the value of any duals is a bound, in exact arithmetic; optimal duals make it tight."""

from fractions import Fraction

import highspy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix

from agtopt.domains.safe_bound import safe_bound


def random_lp(seed, spread=0):
    """A feasible LP, its feasible point, and the arrays of `safe_bound`."""
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(1, 6)), int(rng.integers(1, 6))
    scale = 10.0 ** rng.integers(-spread, spread + 1, (rows, columns))
    A = np.where(rng.random((rows, columns)) < 0.7, rng.normal(size=(rows, columns)) * scale, 0.0)
    x = np.round(rng.normal(size=columns), 2)
    lower, upper = x - rng.integers(0, 3, columns), x + rng.integers(0, 3, columns)
    lower[rng.random(columns) < 0.1], upper[rng.random(columns) < 0.1] = -np.inf, np.inf
    exact = [
        sum((Fraction(a) * Fraction(v) for a, v in zip(row, x, strict=True)), Fraction(0))
        for row in A
    ]
    middle = np.array([float(value) for value in exact])
    low = np.where(
        rng.random(rows) < 0.3, -np.inf, np.nextafter(middle, -np.inf) - rng.integers(0, 2, rows)
    )
    high = np.where(
        rng.random(rows) < 0.3, np.inf, np.nextafter(middle, np.inf) + rng.integers(0, 2, rows)
    )
    cost = rng.normal(size=columns) * 10.0 ** rng.integers(-spread, spread + 1, columns)
    value = sum((Fraction(c) * Fraction(v) for c, v in zip(cost, x, strict=True)), Fraction(0))
    return (cost, csc_matrix(A), low, high, lower, upper), value, rng


def solved(arrays):
    """Optimum, statuses and row duals of HiGHS."""
    cost, matrix, low, high, lower, upper = arrays
    highs, lp = highspy.Highs(), highspy.HighsLp()
    highs.setOptionValue("output_flag", False)
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.col_cost_, lp.col_lower_, lp.col_upper_, lp.row_lower_, lp.row_upper_ = (
        cost,
        lower,
        upper,
        low,
        high,
    )
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = (
        matrix.indptr,
        matrix.indices,
        matrix.data,
    )
    highs.passModel(lp)
    highs.run()
    return highs.getModelStatus(), highs.getObjectiveValue(), np.array(highs.getSolution().row_dual)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([0, 3, 100]))
def test_never_above_a_feasible_value_whatever_the_duals(seed, spread):
    arrays, value, rng = random_lp(seed, spread)
    rows = arrays[1].shape[0]
    duals = [
        np.zeros(rows),
        rng.normal(size=rows),
        rng.normal(size=rows) * 10.0 ** rng.integers(-300, 300, rows),
        np.full(rows, np.nan),
        np.full(rows, np.inf),
        np.full(rows, -np.inf),
    ]
    for y in duals:
        with np.errstate(all="ignore"):  # duals near the largest float overflow, and prove nothing
            bound = safe_bound(*arrays, y)
        assert bound == -np.inf or Fraction(bound) <= value


@settings(max_examples=200, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_tight_and_below_the_exact_dual_value_for_optimal_duals(seed):
    arrays, value, _ = random_lp(seed)
    status, optimum, duals = solved(arrays)
    if status != highspy.HighsModelStatus.kOptimal:
        return
    cost, matrix, low, high, lower, upper = arrays
    y = np.where(np.abs(duals) < 1e-12, 0.0, duals)
    bound = safe_bound(*arrays, y)
    assert bound == -np.inf or Fraction(bound) <= value
    if (
        np.isfinite(lower).all() and np.isfinite(upper).all()
    ):  # a free column with a rounded reduced cost proves nothing
        assert bound == pytest.approx(optimum, abs=1e-9 * (1 + abs(optimum)), rel=0)
        assert Fraction(bound) <= exact_dual_value(
            cost, matrix.toarray(), low, high, lower, upper, y
        )


def exact_dual_value(cost, A, low, high, lower, upper, y):
    total = Fraction(0)
    for k, dual in enumerate(y):
        side = low[k] if dual > 0 else high[k]
        total += Fraction(dual) * Fraction(side) if dual != 0 and np.isfinite(side) else 0
    used = [
        Fraction(d) if np.isfinite(low[k] if d > 0 else high[k]) else Fraction(0)
        for k, d in enumerate(y)
    ]
    for j, c in enumerate(cost):
        reduced = Fraction(c) - sum(Fraction(A[k, j]) * used[k] for k in range(len(y)))
        total += min(reduced * Fraction(lower[j]), reduced * Fraction(upper[j]))
    return total


@settings(max_examples=200, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), reach=st.sampled_from([0.0, 1.0, 1e8]))
def test_rounding_is_outward_where_reduced_costs_cancel(seed, reach):
    """A reduced cost that is 0 but for rounding is multiplied by a wide box; with an empty box only
    the rows' sum is rounded."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(2, 7, 2)
    A, y = rng.normal(size=(rows, columns)), rng.normal(size=rows)
    side, box = rng.normal(size=rows), np.full(columns, reach)
    arrays = (A.T @ y, csc_matrix(A), side, side, -box, box)
    assert Fraction(safe_bound(*arrays, y)) <= exact_dual_value(arrays[0], A, *arrays[2:], y)


def test_an_unbounded_column_with_a_reduced_cost_proves_nothing():
    arrays = (
        np.array([1.0]),
        csc_matrix([[1.0]]),
        np.array([0.0]),
        np.array([np.inf]),
        np.array([-np.inf]),
        np.array([np.inf]),
    )
    assert safe_bound(*arrays, np.array([0.5])) == -np.inf
