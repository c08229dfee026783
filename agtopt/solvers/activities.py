r"""Bounds that follow from the activities of rows (feasibility-based bound tightening; Belotti et
al., 2010), rounded outward (S5).

In a row :math:`\sum_k g_k x_k \le h` each term is at least :math:`c_k = \min(g_k l_k, g_k u_k)`.
With the slack :math:`t = h - \sum_k c_k`,

.. math:: t < 0 \Rightarrow \text{no point}, \qquad
    g_j > 0 \Rightarrow x_j \le l_j + t / g_j, \qquad g_j < 0 \Rightarrow x_j \ge u_j + t / g_j ,

and an integer column takes the whole numbers within. One infinite term bounds its own column only,
with the slack of the others. A row that is two-sided or an equation is two such rows. All columns
are tightened at once, round after round, by the rows that hold a column that has moved: once the
selectors of a model are fixed, the rounds go through the training run and fix it.

Every slack is moved up by a bound on its rounding error, whatever the order of summation, and every
bound by its own; whole numbers are then taken without any tolerance. What is cut off holds no point
of the rows in exact arithmetic.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix, vstack

from agtopt.tolerances import SMALLEST, UNIT_ROUNDOFF

Array = NDArray[np.float64]
Places = NDArray[np.intp]

ROUNDS = 200
"""Most rounds of one propagation: some rows pull each other along for ever in small steps."""

WORTHWHILE = 0.3, 1e-9
"""A bound that moves by less than this part of its domain, or less than this times (1 + |bound|),
is kept but wakes no further row. Smaller parts fix no more of a training run and take twice the
time."""


class Box(NamedTuple):
    """Bounds of all columns."""

    lower: Array
    upper: Array

    def fixing(self, column: int, value: float) -> "Box | None":
        """The part where a column has a value; None where it cannot have it."""
        if value < self.lower[column] or value > self.upper[column]:
            return None
        lower, upper = self.lower.copy(), self.upper.copy()
        lower[column] = upper[column] = value
        return Box(lower, upper)


@dataclass(frozen=True, eq=False)
class LinearRows:
    r"""One-sided rows G x ≤ h, without zeros and empty rows.

    The ends of all columns are held as :math:`z = (l, -u)`, which only ever grow. With z the end
    that makes a term smallest, that term is :math:`|g| z`, and the other end of its column becomes
    at least :math:`-(z + t / |g|)`, whatever the sign of g.

    Attributes
    ----------
    start, length : array, shape (rows,)
        Where the terms of a row lie.
    size : array, shape (terms,)
        Absolute values of the coefficients.
    least, most : array, shape (terms,)
        Places in z of the end that makes the term smallest, and of the other end of that column.
    side : array, shape (rows,)
    standing : csc_matrix, shape (rows, columns)
        Which rows a column stands in.
    integer : mask, shape (columns,)
    """

    start: Places
    length: Places
    size: Array
    least: Places
    most: Places
    side: Array
    standing: csc_matrix
    integer: NDArray[np.bool_]

    @classmethod
    def of(
        cls, matrix: csc_matrix, row_lower: Array, row_upper: Array, integer: NDArray[np.bool_]
    ) -> "LinearRows":
        """Split two-sided rows."""
        by_row = csr_matrix(matrix, copy=True)
        by_row.eliminate_zeros()
        above, below = np.isfinite(row_upper), np.isfinite(row_lower)
        every = csr_matrix(vstack([by_row[above], -by_row[below]]))
        side = np.concatenate([row_upper[above], -row_lower[below]])
        filled = np.diff(every.indptr) > 0
        every, side = csr_matrix(every[filled]), side[filled]
        column, rising, many = every.indices.astype(np.intp), every.data > 0.0, len(integer)
        return cls(
            every.indptr[:-1].astype(np.intp),
            np.diff(every.indptr).astype(np.intp),
            np.abs(every.data),
            column + np.where(rising, 0, many),
            column + np.where(rising, many, 0),
            side,
            csc_matrix(every),
            integer,
        )

    def holding(self, columns: Places) -> Places:
        """The rows that hold any of the columns, ascending."""
        first, last = (
            self.standing.indptr[columns].astype(np.intp),
            self.standing.indptr[columns + 1].astype(np.intp),
        )
        held = np.zeros(len(self.side), dtype=bool)
        held[self.standing.indices[_ranges(first, last - first)]] = True
        return np.flatnonzero(held)


def propagate(rows: LinearRows, box: Box, moved: Places | None = None) -> Box | None:
    """A smaller box that holds the same points of the rows; None where there is none.

    Parameters
    ----------
    rows : LinearRows
    box : Box
    moved : array of int or None
        The columns whose bounds are new since the box was propagated last; None where it never was.
    """
    awake = np.arange(len(rows.side)) if moved is None else rows.holding(moved)
    ends = np.concatenate([box.lower, -box.upper])
    for _ in range(ROUNDS):
        if not len(awake):
            break
        with np.errstate(all="ignore"):  # what overflows proves nothing
            changed = _round(rows, awake, ends)
        if changed is None:
            return None
        awake = rows.holding(changed)
    lower, upper = np.split(ends, 2)
    return Box(lower, -upper)


def _round(rows: LinearRows, awake: Places, ends: Array) -> Places | None:
    """Raise `ends` by the rows that are awake; the columns that have moved, or None where nothing
    is left."""
    length = rows.length[awake]
    starts = np.cumsum(length) - length
    terms = _ranges(rows.start[awake], length)
    size, most = rows.size[terms], rows.most[terms]
    near, slack, infinite = _slacks(rows.side[awake], starts, length, size, ends[rows.least[terms]])
    if np.any((slack < 0.0) & (infinite == 0)):
        return None
    reach = np.repeat(slack, length) / size
    # Few terms say something new: only those are rounded and counted.
    new = np.flatnonzero(-(np.where(np.isfinite(near), near, 0.0) + reach) > ends[most])
    row = np.searchsorted(starts, new, "right") - 1
    known = np.isfinite(near[new])
    # A slack bounds every term of a row without an infinite one, and the infinite one where there
    # is no other.
    sure = infinite[row] + known <= 1
    new, known = new[sure], known[sure]
    return _raised(rows, ends, most[new], np.where(known, near[new], 0.0), reach[new])


def _slacks(
    side: Array, starts: Places, length: Places, size: Array, near: Array
) -> tuple[Array, Array, Places]:
    """Of each term its end, infinite where the term is; of each row the slack without those terms,
    rounded up, and how many they are."""
    smallest = size * near
    finite = np.isfinite(smallest)
    if finite.all():
        infinite = np.zeros(len(side), dtype=np.intp)
    else:
        infinite = np.add.reduceat(~finite, starts, dtype=np.intp)
        near, smallest = np.where(finite, near, -np.inf), np.where(finite, smallest, 0.0)
    magnitude = np.add.reduceat(np.abs(smallest), starts) + np.abs(side)
    slack = (
        side
        - np.add.reduceat(smallest, starts)
        + (length + 8) * (UNIT_ROUNDOFF * magnitude + SMALLEST)
    )
    return near, slack, infinite


def _raised(
    rows: LinearRows, ends: Array, places: Places, near: Array, reach: Array
) -> Places | None:
    many = len(rows.integer)
    raised = -(near + reach) - 4.0 * (UNIT_ROUNDOFF * (np.abs(near) + np.abs(reach)) + SMALLEST)
    raised = np.where(rows.integer[places % many], np.ceil(raised), raised)
    sure = np.isfinite(raised)
    risen = np.unique(places[sure])
    columns, was = risen % many, ends[risen]
    width = -(ends[columns] + ends[columns + many])
    np.maximum.at(ends, places[sure], raised[sure])
    if np.any(ends[columns] + ends[columns + many] > 0.0):
        return None
    part, whole = WORTHWHILE
    little = np.maximum(
        np.where(np.isfinite(width), part * width, 0.0), whole * (1.0 + np.abs(ends[risen]))
    )
    return np.unique(columns[~(ends[risen] - was <= little)])


def _ranges(first: Places, length: Places) -> Places:
    """first[0], first[0]+1, … of each range, one after the other."""
    ends = np.cumsum(length)
    places: Places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(
        first - ends + length, length
    )
    return places
