r"""The rigorous bound of a linear program from approximate dual values (S5; Neumaier and
Shcherbina, 2004).

For :math:`\min c^T x`, :math:`r_L \le A x \le r_U`, :math:`x \in [l, u]` and *any* y,

.. math:: c^T x \ge \sum_i \min(y_i r_{L,i}, y_i r_{U,i})|_{\mathrm{sign}}
    + \sum_j \min_{x_j \in [l_j, u_j]} (c - A^T y)_j x_j ,

where a positive :math:`y_i` takes :math:`r_{L,i}` and a negative one :math:`r_{U,i}`. Every sum is
rounded outward, so the value is a bound whatever the solver did.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

from agtopt.tolerances import SMALLEST, UNIT_ROUNDOFF

Array = NDArray[np.float64]
Matrix = Array | csc_matrix


def safe_bound(
    cost: Array,
    matrix: Matrix,
    row_lower: Array,
    row_upper: Array,
    lower: Array,
    upper: Array,
    duals: Array,
) -> float:
    """A proved lower bound of an LP.

    Parameters
    ----------
    cost : array, shape (columns,)
    matrix : array or sparse matrix, shape (rows, columns)
    row_lower, row_upper : array, shape (rows,)
        Infinite where a side is absent.
    lower, upper : array, shape (columns,)
    duals : array, shape (rows,)
        Any numbers; the better they are, the tighter the bound.

    Returns
    -------
    float
        −inf where the duals prove nothing (an unbounded column with a reduced cost).
    """
    with np.errstate(all="ignore"):
        y, side = usable_duals(duals, row_lower, row_upper)
        reduced, error = reduced_costs(cost, matrix, y)
        corners = np.stack(
            [
                _product(reduced + sign * error, end)
                for sign in (-1.0, 1.0)
                for end in (lower, upper)
            ]
        )
        terms = np.concatenate([y * side, corners.min(axis=0)])
        magnitude = np.abs(terms).sum()
        if not np.isfinite(magnitude):
            return -np.inf
        return float(terms.sum() - (len(terms) + 8) * (UNIT_ROUNDOFF * magnitude + SMALLEST))


def shifted(bound: float, constant: float) -> float:
    """A lower bound plus a constant, rounded down."""
    return (
        float(np.nextafter(bound + constant, -np.inf))
        if np.isfinite(bound) and constant != 0.0
        else bound
    )


def usable_duals(duals: Array, row_lower: Array, row_upper: Array) -> tuple[Array, Array]:
    """The duals of which a finite side exists, 0 elsewhere, and that side of each row."""
    side = np.where(duals > 0, row_lower, row_upper)
    y = np.where(np.isfinite(duals) & np.isfinite(side), duals, 0.0)
    return y, np.where(y == 0.0, 0.0, side)


def reduced_costs(cost: Array, matrix: Matrix, y: Array) -> tuple[Array, Array]:
    """c − Aᵀy, and how far rounding may have moved each entry."""
    terms = np.diff(matrix.indptr) if isinstance(matrix, csc_matrix) else len(y)
    magnitude: Any = abs(matrix)
    size = np.abs(cost) + magnitude.T @ np.abs(y)
    return cost - matrix.T @ y, (terms + 4) * UNIT_ROUNDOFF * size + (terms + 2) * SMALLEST


def _product(factor: Array, end: Array) -> Array:
    # 0 · inf counts as 0: a column without a reduced cost contributes nothing.
    return np.where(factor == 0.0, 0.0, factor * np.where(factor == 0.0, 0.0, end))
