"""S5 for polytopes: no bound is ever inside the exact one, in rational arithmetic by enumeration of
all vertices."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtopt import Interval, SoundnessError
from agtopt.domains import (
    Polytope,
    chebyshev,
    contains,
    intersect,
    interval_hull,
    minima,
    without_redundant,
)
from agtopt.domains.linear_program import LinearProgram


def fractions(values):
    return [Fraction(float(value)) for value in values]


def dot(first, second):
    return sum((a * b for a, b in zip(first, second, strict=True)), Fraction(0))


def solve(rows, right):
    """The solution of a square rational system; None where it is singular."""
    system = [[*row, value] for row, value in zip(rows, right, strict=True)]
    for k in range(len(system)):
        pivot = next((i for i in range(k, len(system)) if system[i][k] != 0), None)
        if pivot is None:
            return None
        system[k], system[pivot] = system[pivot], system[k]
        system[k] = [value / system[k][k] for value in system[k]]
        system = [
            row if i == k else [a - row[k] * b for a, b in zip(row, system[k], strict=True)]
            for i, row in enumerate(system)
        ]
    return [row[-1] for row in system]


def vertices(polytope):
    """All vertices, as lists of fractions; none where the (bounded) polytope is empty."""
    p, sides = len(polytope), []
    box = polytope.box or Interval(np.full(p, -np.inf), np.full(p, np.inf))
    for rows, lower, upper in (
        (polytope.directions, polytope.lower, polytope.upper),
        (np.eye(p), box.lower, box.upper),
    ):
        for row, low, high in zip(rows, lower, upper, strict=True):
            sides += [
                ([sense * x for x in fractions(row)], sense * Fraction(float(end)))
                for sense, end in ((-1, low), (1, high))
                if np.isfinite(end)
            ]
    corners = (
        solve([row for row, _ in some], [end for _, end in some]) for some in combinations(sides, p)
    )
    return [
        corner
        for corner in corners
        if corner is not None and all(dot(row, corner) <= end for row, end in sides)
    ]


def random_polytope(seed, spread, boxed=True):
    """A polytope around a point, some of it flat, with sides missing; `spread` is the decimal
    exponent of its scales."""
    rng = np.random.default_rng(seed)
    p = int(rng.integers(2, 4))
    m = int(rng.integers(1, 4)) if boxed else p + 1
    D = rng.normal(size=(m, p)) * 10.0 ** rng.integers(-spread, spread + 1, (m, p))
    if boxed:
        D = np.where(rng.random((m, p)) < 0.8, D, 0.0) + 1e-3 * (rng.random((m, p)) < 0.2)
        D[~D.any(axis=1), 0] = 1.0
    x = rng.normal(size=p) * 10.0 ** rng.integers(-spread, spread + 1, p)
    radius = np.abs(x) * rng.choice([0.0, 1e-6, 1.0], p) + 10.0 ** rng.integers(
        -spread, spread + 1, p
    )
    middle = [dot(fractions(row), fractions(x)) for row in D]
    size = np.abs(D) @ radius
    gap = rng.random((2, m)) * rng.choice([0.0, 1e-9, 0.3, 1.0], (2, m)) * size
    low = np.array([np.nextafter(float(v), -np.inf) for v in middle]) - gap[0]
    high = np.array([np.nextafter(float(v), np.inf) for v in middle]) + gap[1]
    if boxed:
        low[rng.random(m) < 0.3], high[rng.random(m) < 0.3] = -np.inf, np.inf
    return Polytope(D, low, high, Interval(x - radius, x + radius) if boxed else None), rng


@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([0, 1, 3, 6]))
def test_no_bound_is_inside_the_exact_one(seed, spread):
    polytope, rng = random_polytope(seed, spread)
    p = len(polytope)
    costs = np.concatenate(
        [
            rng.normal(size=(2, p)) * 10.0 ** rng.integers(-spread, spread + 1, (2, p)),
            polytope.directions,
        ]
    )
    corners, hull, least = vertices(polytope), interval_hull(polytope), minima(polytope, costs)
    assert corners
    for k in range(p):
        ends = [corner[k] for corner in corners]
        assert Fraction(hull.lower[k]) <= min(ends)
        assert max(ends) <= Fraction(hull.upper[k])
    for cost, bound in zip(costs, least, strict=True):
        assert Fraction(bound) <= min(dot(fractions(cost), corner) for corner in corners)
    # A set that lost nothing: every corner of the one without redundant sides is a corner of the
    # first.
    kept = without_redundant(polytope)
    assert {tuple(corner) for corner in vertices(kept)} == {tuple(corner) for corner in corners}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_bounds_are_tight_where_numbers_are_of_size_one(seed):
    polytope, _ = random_polytope(seed, 0)
    corners, hull = (
        np.array([[float(x) for x in corner] for corner in vertices(polytope)]),
        interval_hull(polytope),
    )
    np.testing.assert_allclose(hull.lower, corners.min(axis=0), rtol=0, atol=1e-6)
    np.testing.assert_allclose(hull.upper, corners.max(axis=0), rtol=0, atol=1e-6)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([0, 1, 3]))
def test_rows_alone_are_proved_to_bound_a_simplex(seed, spread):
    """Without a box: p + 1 normals whose positive combination is zero."""
    rng = np.random.default_rng(seed)
    p = int(rng.integers(2, 4))
    D = rng.normal(size=(p, p)) * 10.0 ** rng.integers(-spread, spread + 1, p)
    if abs(np.linalg.det(D / np.abs(D).max(axis=0))) < 1e-2:
        return
    D = np.concatenate([D, -rng.uniform(0.5, 2, (1, p)) @ D])
    polytope = Polytope(D, upper=rng.uniform(0.1, 2, p + 1))
    corners, hull = vertices(polytope), interval_hull(polytope)
    for k in range(p):
        ends = [corner[k] for corner in corners]
        assert Fraction(hull.lower[k]) <= min(ends) <= max(ends) <= Fraction(hull.upper[k])
        assert hull.upper[k] - hull.lower[k] <= 1.000001 * float(max(ends) - min(ends))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_reduced_costs_that_round_to_zero_still_count(seed):
    """The dual value is optimal, the sum is zero, and what rounding hid of the reduced costs meets
    a wide box."""
    rng = np.random.default_rng(seed)
    row, dual = rng.normal(size=2), rng.uniform(0.5, 2)
    polytope, cost = Polytope([row], lower=0.0, box=Interval([-1e6, -1e6], [1e6, 1e6])), dual * row
    exact = min(dot(fractions(cost), corner) for corner in vertices(polytope))
    assert Fraction(polytope.program().proved(cost, np.array([dual]))) <= exact


@pytest.mark.parametrize("lie", [None, np.nan, np.inf, "random", "huge"])
def test_a_solver_that_fails_or_lies_costs_width_only(lie, monkeypatch):
    polytope, rng = random_polytope(3, 1)
    honest = LinearProgram.minimise

    def wrong(self, cost):
        found = honest(self, cost)
        if lie is None or found is None:
            return None
        noise = rng.normal(size=found.duals.shape)
        return found._replace(
            duals={"random": noise, "huge": noise * 1e200}.get(lie, np.full(found.duals.shape, lie))
        )

    monkeypatch.setattr(LinearProgram, "minimise", wrong)
    corners, hull = vertices(polytope), interval_hull(polytope)
    assert contains(polytope.box, hull)
    for k in range(len(polytope)):
        assert Fraction(hull.lower[k]) <= min(corner[k] for corner in corners)
        assert max(corner[k] for corner in corners) <= Fraction(hull.upper[k])
    if lie is None:
        assert (hull.lower == polytope.box.lower).all()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_empty_exactly_where_the_exact_set_is(seed):
    """S6: two that do not meet raise, two that meet do not, with a gap of a tenth between them."""
    rng = np.random.default_rng(seed)
    D, box = rng.normal(size=(4, 2)), Interval([-1, -1], [1, 1])
    middle = rng.normal(size=4)
    polytope = Polytope(D, middle - 0.5, middle + 0.5, box)
    slack = 0.1 * np.linalg.norm(D, axis=1)
    if vertices(polytope):
        interval_hull(polytope)
    elif not vertices(Polytope(D, middle - 0.5 - slack, middle + 0.5 + slack, box)):
        with pytest.raises(SoundnessError, match="S6"):
            interval_hull(polytope)
        with pytest.raises(SoundnessError, match="S6"):
            chebyshev(polytope)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_intersection_and_merging_keep_exactly_the_common_points(seed):
    first, _ = random_polytope(seed, 1)
    second = Polytope(
        -first.directions,
        -first.upper - 0.1,
        -first.lower,
        Interval(first.box.lower, first.box.upper + 1),
    )
    both = intersect(first, second)
    assert len(both.directions) == len(first.directions)
    assert {tuple(corner) for corner in vertices(both)} == {
        tuple(corner) for corner in vertices(first)
    }
