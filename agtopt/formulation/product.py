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

import numpy as np

from agtopt.formulation.affine import AffineArray, Array, Mask
from agtopt.formulation.polynomial import Polynomial
from agtopt.formulation.site import Site
from agtopt.tolerances import unit_of

Bounds = tuple[Array, Array]


def corners(first: Bounds, second: Bounds) -> Bounds:
    """The exact range of a product of two intervals, rounded outward."""
    products = np.stack([a * b for a in first for b in second])
    return np.nextafter(products.min(axis=0), -np.inf), np.nextafter(products.max(axis=0), np.inf)


def binary_product(
    site: Site, suffix: str, binary: AffineArray, value: AffineArray, bounds: Bounds, where: Mask
) -> AffineArray:
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
    first: AffineArray,
    second: AffineArray,
    bounds: tuple[Bounds, Bounds],
    where: Mask,
) -> AffineArray:
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
    first: AffineArray,
    second: AffineArray,
    rest: AffineArray,
    bounds: Bounds,
    where: Mask,
) -> AffineArray:
    """w = rest + Σ first · second, kept as one quadratic row for each entry in `where`.

    Parameters
    ----------
    first, second : AffineArray, shape S + (K,)
        Factors; the K products of an entry are summed. Products of which one factor is a number
        count as zero.
    rest : AffineArray, shape S
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
    linear, relations = result - rest, []
    for entry in zip(*np.nonzero(where), strict=True):
        row, share = Polynomial(), 1.0 / float(unit[entry])
        row.add(share, linear[entry])
        for k in np.flatnonzero(both[entry]):
            row.add(-share, first[entry][k], second[entry][k])
        relations.append(row.vanishing())
    site.constrain(f"{suffix}_product" if suffix else "_product", site.keys(where), relations)
    return result


def _sum_of_products(first: AffineArray, second: AffineArray) -> Array:
    both = first.varies & second.varies
    total: Array = np.where(both, first.values() * second.values(), 0.0).sum(axis=-1)
    return total
