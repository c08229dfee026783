"""Rows with products: equal products are added up, and what solvers leave out is paid for."""

from fractions import Fraction

import numpy as np
import pyomo.environ as pyo
from hypothesis import given, settings
from hypothesis import strategies as st
from pyomo.repn import generate_standard_repn

from agtopt.formulation import AffineArray, Site, kept_product
from agtopt.tolerances import SMALLEST_COEFFICIENT

ONE = np.ones(1, dtype=bool)
COEFFICIENTS = st.sampled_from([1.0, -1.0, 1e-5, -1e-5, 4e-5, 1e-10, 1.0 + 1e-9, 300.0])
FACTORS = st.lists(st.tuples(st.integers(0, 2), COEFFICIENTS), min_size=1, max_size=4)


def affine(pool, terms, constant):
    found = AffineArray.known([constant])
    for which, coefficient in terms:
        found = found + pool[which] * coefficient
    return found


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    pairs=st.lists(st.tuples(FACTORS, FACTORS), min_size=1, max_size=3),
    rest=FACTORS,
    constant=st.sampled_from([0.0, 1.0, -1e-5]),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_solvers_leave_out_of_a_kept_product_is_paid_for(pairs, rest, constant, seed):
    """Judged term by term, sums of equal products and of the linear terms of a factor's constant
    with others fell below what solvers take, and no one paid."""
    model = pyo.ConcreteModel()
    model.block = pyo.Block()
    site = Site(model.block, "f")
    pool = [site.variables(f"_x{k}", -500.0, 500.0, ONE) for k in range(3)]
    first, second = (
        affine_stack([affine(pool, pair[side], constant) for pair in pairs]) for side in (0, 1)
    )
    linear = affine(pool, rest, constant)
    kept = kept_product(site, "", first, second, linear, (np.full(1, -1e9), np.full(1, 1e9)), ONE)
    (row,) = model.block.component("f_product").values()
    parts = generate_standard_repn(row.body, compute_values=True, quadratic=True)
    assert parts.nonlinear_expr is None
    found = np.array([*parts.linear_coefs, *parts.quadratic_coefs])
    assert np.all(np.abs(found) > SMALLEST_COEFFICIENT)

    generator = np.random.default_rng(seed)
    for _ in range(5):
        for x in pool:
            x.variables[0, 0].set_value(float(generator.choice([-500.0, 500.0, 1.0])))
        total = exact(linear)[0] + sum(
            a * b
            for a, b, both in zip(
                exact(first), exact(second), (first.varies & second.varies)[0], strict=True
            )
            if both
        )
        value = total / Fraction(float(kept.coefficients[0, 0]))
        body = Fraction(parts.constant) + sum(
            Fraction(c) * point(v, kept, value)
            for c, v in zip(parts.linear_coefs, parts.linear_vars, strict=True)
        )
        body += sum(
            Fraction(c) * point(u, kept, value) * point(v, kept, value)
            for c, (u, v) in zip(parts.quadratic_coefs, parts.quadratic_vars, strict=True)
        )
        # What is left is the rounding of the coefficients.
        room = Fraction(1e-9)
        assert (
            Fraction(pyo.value(row.lower)) - room <= body <= Fraction(pyo.value(row.upper)) + room
        )


def affine_stack(parts):
    """Shape (1, K)."""
    found = parts[0].reshape(1, 1)
    for k, part in enumerate(parts[1:], start=1):
        shape = (1, k + 1)
        old = np.arange(k + 1)[np.newaxis] < k
        wide = found.map(
            lambda array, extra: np.concatenate([array, array[:, :1]], axis=1)
        ) * old.astype(float)
        found = wide + part.reshape(1, 1).broadcast(shape) * (~old).astype(float)
    return found


def exact(value):
    """The entries at the values of the variables, in rational arithmetic."""
    return [
        Fraction(float(constant))
        + sum(
            Fraction(float(c)) * Fraction(v.value)
            for c, v in zip(coefficients, variables, strict=True)
            if c
        )
        for constant, coefficients, variables in zip(
            value.constant.ravel(),
            value.coefficients.reshape(value.constant.size, -1),
            value.variables.reshape(value.constant.size, -1),
            strict=True,
        )
    ]


def point(variable, kept, value):
    return value if variable is kept.variables[0, 0] else Fraction(variable.value)
