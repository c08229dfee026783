"""Products of two expressions that both vary, written by what a kind keeps and which of them is
binary."""

import numpy as np
from numpy.typing import NDArray

from agtopt.domains.interval import Ends
from agtopt.formulation import AffineArray, Site, binary_product, kept_product, mccormick
from agtopt.kinds import Formulation
from agtopt.symbolic.quantity import Quantity


def product_written(
    site: Site,
    kind: Formulation,
    factors: tuple[AffineArray, AffineArray],
    bounds: tuple[Ends, Ends],
    gate: int | None,
    result: Quantity,
    both: NDArray[np.bool_],
    summed: int,
) -> AffineArray:
    """The sum of products over the last axes, and what is known of the rest.

    Parameters
    ----------
    site : Site
    kind : Formulation
    factors : (AffineArray, AffineArray)
        Of one shape.
    bounds : pair of (array, array)
        Lowest and highest values of each factor.
    gate : int or None
        Which factor is binary, if one is.
    result : Quantity
        What is linear of the sum, with the interval of the whole.
    both : array of bool
        Where both factors vary.
    summed : int
        How many of the last axes are summed over.
    """
    suffix = "_product" if summed else ""
    if kind.bilinear and (gate is None or not kind.binaries):
        return _kept(site, suffix, factors, result, both)
    if gate is None:
        products = mccormick(site, suffix, *factors, bounds, both)
    else:
        products = binary_product(
            site, suffix, factors[gate], factors[1 - gate], bounds[1 - gate], both
        )
    return products.total(summed) + result.affine


def _kept(
    site: Site,
    suffix: str,
    factors: tuple[AffineArray, AffineArray],
    result: Quantity,
    both: NDArray[np.bool_],
) -> AffineArray:
    shape = result.affine.shape
    stacked = factors[0].reshape(*shape, -1), factors[1].reshape(*shape, -1)
    where = np.asarray(both.reshape(*shape, -1).any(axis=-1))
    inside = result.affine * where.astype(np.float64)
    return kept_product(site, suffix, *stacked, inside, result.ends(), where) + result.affine * (
        ~where
    ).astype(np.float64)
