"""Linear programs over two-sided rows and a box: a solver proposes dual values, and what they prove
is the bound (`safe_bound`).

So a solver that stops early, fails or is wrong costs width and never soundness (S5).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

from agtopt.domains.safe_bound import reduced_costs, safe_bound, usable_duals

Array = NDArray[np.float64]


class Solution(NamedTuple):
    """What a solver found, to its tolerances: a point, shape (p,), and a dual value for each row,
    shape (m,)."""

    point: Array
    duals: Array


class Ball(NamedTuple):
    """A ball, and the radius that no ball exceeds: proved over a finite box, otherwise the solver's
    word."""

    centre: Array
    radius: float
    most: float


class _Scaled(NamedTuple):
    # x = origin + scale * t, and rows divided by height: what the solver sees is of size one.
    origin: Array
    scale: Array
    height: Array
    matrix: csc_matrix
    right: Array
    bounds: Array


@dataclass(frozen=True, eq=False)
class LinearProgram:
    """Every program over the set {x in [lower, upper] : row_lower <= matrix x <= row_upper}.

    Parameters
    ----------
    matrix : array, shape (m, p)
    row_lower, row_upper : array, shape (m,)
        Infinite where a side is absent.
    lower, upper : array, shape (p,)
        May be infinite.
    """

    matrix: Array
    row_lower: Array
    row_upper: Array
    lower: Array
    upper: Array

    def minimise(self, cost: Array) -> Solution | None:
        """An approximate minimiser of cost · x; None where the solver has none (infeasible,
        unbounded or failed)."""
        from scipy.optimize import (
            linprog,
        )  # it takes a third of a second: importing agtopt does not wait for it

        scaled, above, below = (
            self._scaled,
            np.isfinite(self.row_upper),
            np.isfinite(self.row_lower),
        )
        with np.errstate(all="ignore"):
            unit = cost * scaled.scale
            size = np.max(np.abs(unit)) or 1.0
            data = (unit / size, scaled.matrix.data, scaled.right)
            if not all(np.isfinite(values).all() for values in data):
                return None
            options = {"method": "highs", "options": {"presolve": False}}
            solved = linprog(data[0], scaled.matrix, scaled.right, bounds=scaled.bounds, **options)  # type: ignore[call-overload]
            if solved.status != 0:
                return None
            duals = np.zeros(len(self.matrix))
            duals[above] += solved.ineqlin.marginals[: above.sum()]
            duals[below] -= solved.ineqlin.marginals[above.sum() :]
            point = np.clip(scaled.origin + scaled.scale * solved.x, self.lower, self.upper)
            return Solution(point, duals * size / scaled.height)

    def proved(self, cost: Array, duals: Array) -> float:
        """The lower bound of cost · x that any dual values prove; −inf where they prove nothing."""
        return safe_bound(
            cost, self.matrix, self.row_lower, self.row_upper, self.lower, self.upper, duals
        )

    def minimum(self, cost: Array) -> float:
        """The best lower bound of cost · x that is proved: by a solver's dual values or by the box
        alone."""
        solved = self.minimise(cost)
        alone = self.proved(cost, np.zeros(len(self.matrix)))
        return alone if solved is None else max(alone, self.proved(cost, solved.duals))

    def inscribed(self, cap: float = np.inf) -> "Ball | None":
        """The largest ball of radius at most `cap` in the set; None where there is no largest one
        or the solver fails.

        A negative radius says how far every row has to be moved before there is a point of the box
        that meets all of them.
        """
        rows, columns = self.matrix.shape
        norm, one, unit = lengths(self.matrix), np.ones((columns, 1)), np.eye(columns)
        with np.errstate(all="ignore"):
            start = self.matrix @ self._scaled.origin
            missing = np.max(
                np.maximum(self.row_lower - start, start - self.row_upper) / norm, initial=0.0
            )
            half = (
                np.concatenate([(self.row_upper - self.row_lower) / norm, self.upper - self.lower])
                / 2
            )
        balls = LinearProgram(
            np.block(
                [
                    [self.matrix, norm[:, None]],
                    [self.matrix, -norm[:, None]],
                    [unit, one],
                    [unit, -one],
                ]
            ),
            np.concatenate(
                [np.full(rows, -np.inf), self.row_lower, np.full(columns, -np.inf), self.lower]
            ),
            np.concatenate(
                [self.row_upper, np.full(rows, np.inf), self.upper, np.full(columns, np.inf)]
            ),
            np.append(self.lower, -missing),
            np.append(self.upper, np.minimum(cap, half.min())),
        )
        cost = np.append(np.zeros(columns), -1.0)
        solved = balls.minimise(cost)
        if solved is None:
            return None
        radius, most = float(solved.point[-1]), -balls.proved(cost, solved.duals)
        return Ball(solved.point[:-1], radius, most if np.isfinite(most) else radius)

    def within(self, lower: Array, upper: Array) -> "LinearProgram":
        """A program with the same rows, whose columns lie within [lower, upper]."""
        return LinearProgram(self.matrix, self.row_lower, self.row_upper, lower, upper)

    def bounded(self) -> "LinearProgram":
        r"""The same set over a finite box, where dual values prove that the rows bound it;
        otherwise the program itself.

        Dual values of :math:`\pm e_k` show :math:`\pm x_k \le a_k + \sum_{j} R_{kj} |x_j|` over the
        unbounded coordinates j, with R the rounding that stays of reduced costs of zero. Where its
        rows sum to less than a quarter, :math:`\max |x| \le 2 \max a`.
        """
        free = ~(np.isfinite(self.lower) & np.isfinite(self.upper))
        if not free.any():
            return self
        unit, infinite = np.eye(len(free))[free], np.where(free, np.inf, 0.0)
        # What ends these coordinates have become rows, so that dual values may use them.
        rows = LinearProgram(
            np.concatenate([self.matrix, unit]),
            np.concatenate([self.row_lower, self.lower[free]]),
            np.concatenate([self.row_upper, self.upper[free]]),
            self.lower - infinite,
            self.upper + infinite,
        )
        known, reach = (
            rows.within(np.where(free, 0.0, self.lower), np.where(free, 0.0, self.upper)),
            0.0,
        )
        for cost in np.concatenate([unit, -unit]):
            solved = rows.minimise(cost)
            if solved is None:
                return self
            reduced, error = reduced_costs(
                cost, rows.matrix, usable_duals(solved.duals, rows.row_lower, rows.row_upper)[0]
            )
            reach = max(reach, -known.proved(cost, solved.duals))
            if not (np.sum((np.abs(reduced) + error)[free]) < 0.25 and np.isfinite(reach)):
                return self
        return self.within(
            np.maximum(self.lower, np.where(free, -2 * reach, -np.inf)),
            np.minimum(self.upper, np.where(free, 2 * reach, np.inf)),
        )

    @cached_property
    def _scaled(self) -> _Scaled:
        with np.errstate(all="ignore"):
            width = self.upper - self.lower
            scale = np.where(np.isfinite(width) & (width > 0), width, 1.0)
            origin = np.clip(
                np.where(np.isfinite(width), self.lower + width / 2, 0.0), self.lower, self.upper
            )
            matrix = self.matrix * scale
            height = np.max(np.abs(matrix), axis=1)
            height[height == 0] = 1.0
            matrix, start = matrix / height[:, None], self.matrix @ origin
            above, below = np.isfinite(self.row_upper), np.isfinite(self.row_lower)
            right = np.concatenate(
                [
                    ((self.row_upper - start) / height)[above],
                    ((start - self.row_lower) / height)[below],
                ]
            )
            bounds = np.stack([self.lower - origin, self.upper - origin], axis=1) / scale[:, None]
        return _Scaled(
            origin,
            scale,
            height,
            csc_matrix(np.concatenate([matrix[above], -matrix[below]])),
            right,
            bounds,
        )


def lengths(rows: Array) -> Array:
    """Euclidean lengths of non-zero rows, shape (m, p), whose squares may under- or overflow."""
    largest = np.max(np.abs(rows), axis=1, keepdims=True)
    return np.asarray(largest[:, 0] * np.linalg.norm(rows / largest, axis=1))
