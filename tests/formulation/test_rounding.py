"""S5: how far the values of a training run may be from an expression that was written with rounded
numbers."""

from fractions import Fraction
from functools import reduce
from operator import add

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtopt.formulation import AffineArray, Site
from agtopt.formulation.site import ROUNDING
from agtopt.solvers.highs import Arrays
from agtopt.symbolic.quantity import contracted, joined, linear_part

FEW = 3


class Twin:
    """An expression beside what it stands for: the same operations in rational arithmetic, with
    factors that are not rounded."""

    def __init__(self, affine, exact):
        self.affine, self.exact = affine, exact

    def missed(self):
        """By how much the expression misses the exact value at the values of its variables, entry
        by entry."""
        affine = self.affine
        for index in np.ndindex(affine.shape):
            value = Fraction(float(affine.constant[index]))
            for coefficient, variable in zip(
                affine.coefficients[index], affine.variables[index], strict=True
            ):
                value += (
                    Fraction(float(coefficient)) * Fraction(variable.value) if coefficient else 0
                )
            yield abs(value - self.exact[index]), Fraction(float(affine.room[index]))


def rationals(values):
    return np.vectorize(lambda value: Fraction(float(value)), otypes=[object])(values)


class Source:
    """Random variables, numbers and operations."""

    def __init__(self, seed):
        self.rng, self.model, self.count = np.random.default_rng(seed), pyo.ConcreteModel(), 0

    def values(self):
        return self.rng.normal(size=FEW) * 10.0 ** self.rng.integers(-6, 7, FEW)

    def fractions(self):
        return [
            Fraction(int(p), int(q))
            for p, q in zip(
                self.rng.integers(-99, 99, FEW), self.rng.integers(1, 99, FEW), strict=True
            )
        ]

    def variable(self):
        values = self.values()
        low, high = (values + sense * np.abs(self.values()) * 0.1 for sense in (-1, 1))
        self.count += 1
        affine = Site(self.model, f"x{self.count}").variables(
            "", low, high, np.ones(FEW, dtype=bool)
        )
        for variable, value in zip(*affine.shares(values), strict=True):
            variable.set_value(value, skip_validation=True)
        return Twin(affine, rationals(values))

    def number(self):
        """Numbers that were rounded before they are known."""
        exact = self.fractions()
        rounded = np.array([float(value) for value in exact])
        return Twin(AffineArray.known(rounded, np.abs(rounded) * 2.0**-52), np.array(exact))

    def grown(self, depth):
        if depth == 0:
            return self.variable() if self.rng.random() < 0.6 else self.number()
        first, kind = self.grown(depth - 1), self.rng.integers(5)
        if kind == 0:
            second = self.grown(depth - 1)
            return Twin(first.affine + second.affine, first.exact + second.exact)
        if kind == 1:
            second = self.grown(depth - 1)
            return Twin(first.affine - second.affine, first.exact - second.exact)
        if kind == 2:
            factor = self.fractions()
            return Twin(
                first.affine * np.array([float(value) for value in factor]),
                first.exact * np.array(factor),
            )
        if kind == 3:
            number = self.number()
            return Twin(linear_part(number.affine, first.affine), number.exact * first.exact)
        total = Twin(first.affine.total(1), reduce(add, first.exact))
        return Twin(total.affine[np.newaxis].broadcast((FEW,)), np.array([total.exact] * FEW))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), depth=st.integers(0, 5))
def test_no_expression_misses_its_exact_value_by_more_than_its_room(seed, depth):
    assert all(missed <= room for missed, room in Source(seed).grown(depth).missed())


def test_rooms_are_of_the_size_of_rounding():
    """Sums and products of a few terms of size one have one below 1e-13."""
    source, misses = Source(0), 0
    for _ in range(50):
        x = Site(source.model, f"y{_}").variables("", -1.0, 1.0, np.ones(FEW, dtype=bool))
        made = ((x * (1.0 / 3.0) + 0.1) * 0.7 - 0.3).total(1)
        misses = max(misses, float(made.room))
    assert 1e-16 < misses < 1e-13


def test_what_rounds_nothing_has_no_room():
    x = Site(pyo.ConcreteModel(), "x").variables("", -3.0, 5.0, np.ones(FEW, dtype=bool))
    for exact in (x, -x, x * 0.5, x * np.array([1.0, 0.0, -4.0]), x[:1].total(1)):
        assert np.all(exact.room == 0.0)
    assert np.all(x.magnitude == 5.0)


def test_constants_that_cancel_leave_their_size():
    """κ added and taken away again has cost the digits below κ · 1e-16, which the room pays for."""
    x = Site(pyo.ConcreteModel(), "x").variables("", -1e-3, 1e-3, np.ones(1, dtype=bool))
    number = AffineArray.known(np.array([1e-3 / 3.0]))
    there_and_back = (x + number + 1e4) - 1e4
    lost = abs(Fraction(float(there_and_back.constant[0])) - Fraction(float(number.constant[0])))
    assert 0 < lost <= Fraction(float(there_and_back.room[0])) < Fraction(1, 10**10)


def test_numbers_of_which_an_interval_is_known():
    value = AffineArray.known(np.array([0.5, 0.25])).loosened(1e12, 3)
    assert np.all(value.room > 1e-5)
    low, high = np.array([0.5, 0.25]) - 1e-9, np.array([0.5, 0.25]) + 2e-9
    assert np.all((value.within(low, high).room >= 2e-9) & (value.within(low, high).room < 3e-9))
    x = (
        Site(pyo.ConcreteModel(), "x")
        .variables("", -1.0, 1.0, np.ones(2, dtype=bool))
        .loosened(1e12, 3)
    )
    np.testing.assert_array_equal(x.within(low, high).magnitude, x.magnitude)


def test_a_contraction_and_a_join_know_the_errors_of_their_parts():
    a, b = (AffineArray.known(np.full((2, 2), 1.0 / 3.0), 1e-9) for _ in range(2))
    assert np.all(contracted("ni,oi->no", a, b).room >= 4 * 1e-9 / 3.0)
    exact = AffineArray.known(np.ones(2))
    assert np.all(joined([exact, a[0]]).room[2:] >= 1e-9)


@pytest.mark.parametrize("side", ["lower", "upper"])
def test_inequalities_are_moved_outward_and_equations_keep_their_room(side):
    model = pyo.ConcreteModel()
    site, one = Site(model, "f"), np.ones(1, dtype=bool)
    x = Site(model, "x").variables("", -1.0, 1.0, one)
    body = x * (1.0 / 3.0)
    site.rows("_row", body, one, **{side: 0.1})
    site.rows("_equation", body, one, lower=0.1, upper=0.1)
    row, equation = model.f_row[0], model.f_equation[0]
    room = model.component(ROUNDING)[equation]
    assert 1e-16 < room < 1e-13
    assert (row.lower if side == "lower" else -row.upper) == (
        0.1 - room if side == "lower" else -0.1 - room
    )
    assert equation.equality
    assert row not in model.component(ROUNDING)
    arrays = Arrays.of(model)
    low, high = arrays.true_sides
    where = arrays.room > 0
    assert where.sum() == 1
    assert np.all(low[where] < arrays.row_lower[where] - 0.99 * room)
    assert np.all(arrays.row_upper[where] + 0.99 * room < high[where])
    np.testing.assert_array_equal(low[~where], arrays.row_lower[~where])
