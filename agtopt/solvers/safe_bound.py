r"""The rigorous bound of a linear program from approximate dual values (S5; Neumaier and Shcherbina, 2004).

For :math:`\min c^T x`, :math:`r_L \le A x \le r_U`, :math:`x \in [l, u]` and *any* y,

.. math:: c^T x \ge \sum_i \min(y_i r_{L,i}, y_i r_{U,i})|_{\mathrm{sign}} + \sum_j \min_{x_j \in [l_j, u_j]} (c - A^T y)_j x_j ,

where a positive :math:`y_i` takes :math:`r_{L,i}` and a negative one :math:`r_{U,i}`. Every sum is rounded outward, so the value is a bound
whatever the solver did.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

from agtopt.tolerances import SMALLEST, UNIT_ROUNDOFF

Array = NDArray[np.float64]


def safe_bound(cost: Array, matrix: csc_matrix, row_lower: Array, row_upper: Array, lower: Array, upper: Array, duals: Array) -> float:
    """A proved lower bound of an LP.

    Parameters
    ----------
    cost : array, shape (columns,)
    matrix : sparse matrix, shape (rows, columns)
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
        return _evaluated(cost, matrix, row_lower, row_upper, lower, upper, duals)


def _evaluated(cost: Array, matrix: csc_matrix, row_lower: Array, row_upper: Array, lower: Array, upper: Array, duals: Array) -> float:
    side = np.where(duals > 0, row_lower, row_upper)
    y = np.where(np.isfinite(duals) & np.isfinite(side), duals, 0.0)
    side = np.where(y == 0.0, 0.0, side)
    columns = np.diff(matrix.indptr)
    reduced = cost - matrix.T @ y
    size = np.abs(cost) + abs(matrix).T @ np.abs(y)
    error = (columns + 4) * UNIT_ROUNDOFF * size + (columns + 2) * SMALLEST
    corners = np.stack([_product(reduced + sign * error, end) for sign in (-1.0, 1.0) for end in (lower, upper)])
    terms = np.concatenate([y * side, corners.min(axis=0)])
    magnitude = np.abs(terms).sum()
    if not np.isfinite(magnitude):
        return -np.inf
    return float(terms.sum() - (len(terms) + 8) * (UNIT_ROUNDOFF * magnitude + SMALLEST))


def _product(factor: Array, end: Array) -> Array:
    # 0 · inf counts as 0: a column without a reduced cost contributes nothing.
    return np.where(factor == 0.0, 0.0, factor * np.where(factor == 0.0, 0.0, end))
