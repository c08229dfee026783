r"""Products of two quantities.

Binary times bounded, :math:`p = s v` with :math:`v \in [l, u]` (exact while s is binary, in every
kind):

.. math:: l s \le p \le u s, \qquad v - u (1 - s) \le p \le v - l (1 - s).

McCormick envelope of :math:`w = u v` with :math:`u \in [u_L, u_U], v \in [v_L, v_U]` (McCormick,
1976):

.. math::
    w \ge u_L v + u v_L - u_L v_L, \quad w \ge u_U v + u v_U - u_U v_U, \quad
    w \le u_U v + u v_L - u_U v_L, \quad w \le u_L v + u v_U - u_L v_U.
"""

from typing import Any

import numpy as np
import pyomo.environ as pyo

from agtopt.formulation.affine import Affine, Array, Mask
from agtopt.formulation.site import Site
from agtopt.tolerances import SMALLEST_COEFFICIENT, unit_of

Bounds = tuple[Array, Array]


def corners(first: Bounds, second: Bounds) -> Bounds:
    """The exact range of a product of two intervals, rounded outward."""
    products = np.stack([a * b for a in first for b in second])
    return np.nextafter(products.min(axis=0), -np.inf), np.nextafter(products.max(axis=0), np.inf)


def binary_product(
    site: Site, suffix: str, binary: Affine, value: Affine, bounds: Bounds, where: Mask
) -> Affine:
    """p = binary · value over the entries in `where`, with the range `bounds` of `value`; four rows
    each."""
    low, high = bounds
    product = site.variables(suffix, np.minimum(low, 0.0), np.maximum(high, 0.0), where)
    site.assign(product, where, lambda: binary.values() * value.values())
    site.rows(f"{suffix}_on_low", product - binary * low, where, lower=0.0)
    site.rows(f"{suffix}_on_high", product - binary * high, where, upper=0.0)
    site.rows(f"{suffix}_off_low", product - value - binary * high, where, lower=-high)
    site.rows(f"{suffix}_off_high", product - value - binary * low, where, upper=-low)
    return product


def mccormick(
    site: Site,
    suffix: str,
    first: Affine,
    second: Affine,
    bounds: tuple[Bounds, Bounds],
    where: Mask,
) -> Affine:
    """The envelope of first · second over the entries in `where`, with the ranges `bounds` of the
    two; four rows each."""
    (a, b), (c, d) = bounds
    low, high = corners((a, b), (c, d))
    product = site.variables(suffix, low, high, where)
    site.assign(product, where, lambda: first.values() * second.values())
    site.rows(f"{suffix}_low_low", product - second * a - first * c, where, lower=-(a * c))
    site.rows(f"{suffix}_high_high", product - second * b - first * d, where, lower=-(b * d))
    site.rows(f"{suffix}_high_low", product - second * b - first * c, where, upper=-(b * c))
    site.rows(f"{suffix}_low_high", product - second * a - first * d, where, upper=-(a * d))
    return product


def kept_product(
    site: Site,
    suffix: str,
    first: Affine,
    second: Affine,
    rest: Affine,
    bounds: Bounds,
    where: Mask,
) -> Affine:
    """w = rest + Σ first · second, kept as one quadratic row for each entry in `where`.

    Parameters
    ----------
    first, second : Affine, shape S + (K,)
        Factors; the K products of an entry are summed. Products of which one factor is a number
        count as zero.
    rest : Affine, shape S
    bounds : Bounds, shape S
        Range of w.
    where : mask, shape S
    """
    result = site.variables(suffix, *bounds, where)
    site.assign(result, where, lambda: rest.values() + _sum_of_products(first, second))
    both = first.varies & second.varies
    terms = np.where(
        both,
        (first.largest + np.abs(first.constant)) * (second.largest + np.abs(second.constant)),
        0.0,
    )
    unit = unit_of(
        np.maximum(np.maximum(result.largest, rest.largest), terms.max(axis=-1, initial=0.0))
    )
    linear, left = ((result - rest) * (1.0 / unit))[where].without_dust()
    scaled = first * (1.0 / unit)[..., np.newaxis]
    left = left + _ignored(scaled, second, both)[where]
    relations = []
    for entry, body, slack in zip(
        np.argwhere(where), linear.expressions(), left.tolist(), strict=True
    ):
        used = tuple(entry)
        products = zip(
            scaled[used][both[used]].expressions(),
            second[used][both[used]].expressions(),
            strict=True,
        )
        difference = body - sum(expanded(u, v) for u, v in products)
        relations.append(pyo.inequality(-slack, difference, slack) if slack else difference == 0.0)
    site.constrain(f"{suffix}_product" if suffix else "_product", site.keys(where), relations)
    return result


def _ignored(first: Affine, second: Affine, both: Mask) -> Array:
    """By how much the sum of products may change where solvers ignore its smallest coefficients
    (S9), shape S."""
    (a, x), (b, y) = (
        (
            np.concatenate(
                [np.abs(factor.coefficients), np.abs(factor.constant)[..., np.newaxis]], axis=-1
            ),
            np.concatenate([factor.sizes, np.ones((*factor.shape, 1))], axis=-1),
        )
        for factor in (first, second)
    )
    least = [np.min(factor, where=factor != 0.0, initial=np.inf) for factor in (a, b)]
    if least[0] * least[1] > SMALLEST_COEFFICIENT:
        return np.zeros(both.shape[:-1])
    coefficients = a[..., :, np.newaxis] * b[..., np.newaxis, :]
    sizes = np.where(coefficients != 0.0, x[..., :, np.newaxis] * y[..., np.newaxis, :], 0.0)
    small = both[..., np.newaxis, np.newaxis] & (coefficients <= SMALLEST_COEFFICIENT)
    lost: Array = np.where(small, coefficients * sizes, 0.0).sum(axis=(-3, -2, -1))
    return lost


def _sum_of_products(first: Affine, second: Affine) -> Array:
    both = first.varies & second.varies
    total: Array = np.where(both, first.values() * second.values(), 0.0).sum(axis=-1)
    return total


def expanded(first: Any, second: Any) -> Any:
    """The product of two affine expressions as a sum of monomials, so that every writer sees plain
    quadratic terms."""
    (a, u, x), (b, v, y) = ((e.constant, e.linear_coefs, e.linear_vars) for e in (first, second))
    quadratic = sum(
        p * q * s * t for p, s in zip(u, x, strict=True) for q, t in zip(v, y, strict=True)
    )
    return a * second + b * first - a * b + quadratic
