"""Variables in units, rows in units, and coefficients that solvers leave out."""

from fractions import Fraction

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyomo.repn import generate_standard_repn

from agtopt import UnsupportedError
from agtopt.formulation import AffineArray, Site
from agtopt.formulation.site import UNITS
from agtopt.solvers.highs import Arrays, HighsSession
from agtopt.tolerances import SMALLEST_COEFFICIENT

TWO = np.ones(2, dtype=bool)
ONE = np.ones(1, dtype=bool)


@pytest.fixture
def block():
    model = pyo.ConcreteModel()
    model.block = pyo.Block()
    return model.block


def row(block, name):
    (found,) = block.component(name).values()
    return pyo.value(found.lower), pyo.value(found.upper)


def test_ordinary_variables_keep_their_names_and_scale(block):
    x = Site(block, "x").variables("", [-1.0, 0.0], [3.0, 1000.0], TWO)
    assert x.coefficients.tolist() == [[1.0], [1.0]]
    assert (block.x[0].lb, block.x[1].ub) == (-1.0, 1000.0)
    assert block.component("x_in_units") is None
    assert block.model().component(UNITS) is None


def test_small_and_large_variables_are_in_units_that_are_said(block):
    x = Site(block, "x").variables("", [-3e-6, 0.0], [1e-6, 5e5], TWO)
    units = [2.0**-18, 2.0**19]
    assert x.coefficients[:, 0].tolist() == units
    assert [block.model().component(UNITS)[variable] for variable in x.variables[:, 0]] == units
    assert (block.x_in_units[0].lb * units[0], block.x_in_units[1].ub * units[1]) == (-3e-6, 5e5)
    assert block.x_in_units.doc == "x in units of 2^-18 … 2^19, each entry in its own"
    for variable, share in zip(*x.shares(np.array([1e-6, 4e5])), strict=True):
        variable.set_value(share)
    # The name without a unit is the quantity itself, so that rows of a user's own mean what they
    # say.
    assert [pyo.value(block.x[k]) for k in (0, 1)] == x.values().tolist() == [1e-6, 4e5]


def test_rows_are_in_the_unit_of_their_largest_term(block):
    site = Site(block, "f")
    x = site.variables("_x", 0.0, 2e-6, ONE)
    site.rows("_most", x, ONE, upper=1e-6)
    assert row(block, "f_most")[1] == pytest.approx(1e-6 / 2.0**-18, rel=1e-12)
    site.rows("_margin", x, ONE, upper=1e-6, margin=True)
    assert row(block, "f_margin")[1] == pytest.approx(
        (1e-6 + 1e-6 * (2.0**-18 + 1e-6)) / 2.0**-18, rel=1e-12
    )


def test_what_is_left_out_of_an_equation_is_paid_for_on_both_sides(block):
    site = Site(block, "f")
    x, y = site.variables("_x", -1.0, 1.0, ONE), site.variables("_y", -500.0, 3.0, ONE)
    site.rows("_exact", x + y * 1e-6, ONE, lower=0.25, upper=0.25)
    assert row(block, "f_exact") == (0.25, 0.25)
    site.rows("_dust", x + y * 1e-10, ONE, lower=0.25, upper=0.25)
    lower, upper = row(block, "f_dust")
    assert lower <= 0.25 - 5e-8
    assert upper >= 0.25 + 5e-8
    assert upper - lower == pytest.approx(1e-7, rel=1e-6)


def test_a_row_of_tiny_terms_alone_is_kept(block):
    site = Site(block, "f")
    x, y = site.variables("_x", -1e-9, 1e-9, ONE), site.variables("_y", -1.0, 1.0, ONE)
    site.rows("_kept", x - y * 1e-9, ONE, lower=0.0, upper=0.0)
    assert row(block, "f_kept") == (0.0, 0.0)


def test_an_unbounded_variable_cannot_be_left_out(block):
    site = Site(block, "f")
    free, x = site.variables("_free", -np.inf, np.inf, ONE), site.variables("_x", -1.0, 1.0, ONE)
    with pytest.raises(UnsupportedError, match="without bounds"):
        site.rows("_dust", x + free * 1e-10, ONE, upper=0.0)


def test_largest_terms():
    x = AffineArray(
        np.array([9.0]),
        np.array([[2.0, 0.0]]),
        np.array([["u", None]], dtype=object),
        np.array([[3.0, np.inf]]),
        np.array([15.0]),
    )
    assert x.largest.tolist() == [6.0]


TERMS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from([1.0, -1.0, 1.5e-9, -1.5e-9, 1e-10, 1.0 + 3e-10, -1.0 - 3e-10, 1e6, -1e6]),
    ),
    min_size=1,
    max_size=9,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    terms=TERMS,
    sizes=st.lists(st.sampled_from([1e-3, 1.0, 536.0, 1e6]), min_size=4, max_size=4),
    equation=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_coefficient_that_a_solver_drops_is_unpaid(terms, sizes, equation, seed):
    """Terms of one variable were judged one by one: their sum fell below what solvers take, and an
    admissible run was excluded by 2.7e-5."""
    model = pyo.ConcreteModel()
    model.block = pyo.Block()
    site = Site(model.block, "f")
    pool = [site.variables(f"_x{k}", -size, size, ONE) for k, size in enumerate(sizes)]
    body = AffineArray.known([0.0])
    for which, coefficient in terms:
        body = body + pool[which] * coefficient
    generator = np.random.default_rng(seed)
    values = [float(size * generator.choice([-1.0, 1.0, 0.3])) for size in sizes]
    true = sum(Fraction(values[which]) * Fraction(coefficient) for which, coefficient in terms)
    side = float(true)
    site.rows("_row", body, ONE, upper=side, lower=side if equation else None)
    arrays = Arrays.of(model)
    taken = HighsSession(model).highs.getLp().a_matrix_
    assert np.array_equal(taken.value_, arrays.matrix.data), "HiGHS has dropped some"
    assert np.all(np.abs(arrays.matrix.data) > SMALLEST_COEFFICIENT)
    chosen = [x.variables[0, 0] for x in pool]
    point = [
        Fraction(values[k]) / Fraction(float(pool[k].coefficients[0, 0]))
        for k in (next(i for i, v in enumerate(chosen) if v is column) for column in arrays.columns)
    ]
    (low, high), matrix = arrays.true_sides, arrays.matrix.toarray()
    for row in range(len(matrix)):
        value = sum(Fraction(float(a)) * x for a, x in zip(matrix[row], point, strict=True))
        assert low[row] == -np.inf or Fraction(float(low[row])) <= value
        assert high[row] == np.inf or value <= Fraction(float(high[row]))


def test_a_row_has_the_unit_of_what_is_left(block):
    """Terms that cancel gave the row their own unit, in which the others were dust."""
    site = Site(block, "f")
    x, y = site.variables("_x", -1.0, 1.0, ONE), site.variables("_y", -1.0, 1.0, ONE)
    site.rows("_left", x * 1e8 + y * 1e-4 - x * 1e8, ONE, upper=0.5)
    (found,) = block.component("f_left").values()
    assert generate_standard_repn(found.body).linear_vars == (y.variables[0, 0],)
    # What cancelled stays in the room: 1e8 rounded.
    assert row(block, "f_left")[1] > 0.5
