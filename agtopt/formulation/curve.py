r"""Functions of one variable without an exact mixed-integer form: a piecewise-linear corridor, or
the function itself.

For :math:`p = f(z)`, :math:`z \in [l, u]`, split at :math:`l = t_0 < \dots < t_K = u`, each segment
has a line below the curve and one above it, both of the slope of its chord: :math:`a_k z + b_k \le
f(z) \le a_k z + c_k` for :math:`z \in [t_{k-1}, t_k]`. With :math:`w_k \in \{0, 1\}` choosing the
segment and :math:`z_k` the value within it,

.. math::
    \sum_k w_k = 1, \quad \sum_k z_k = z, \quad t_{k-1} w_k \le z_k \le t_k w_k, \quad
    \sum_k (a_k z_k + b_k w_k) \le p \le \sum_k (a_k z_k + c_k w_k).

With w relaxed this is the convex hull of the corridor (Balas, 1979). The gap :math:`c_k - b_k` is
quadratic in the length of a segment; the segments are placed so that it is about equal in all of
them (density :math:`\sqrt{|f''|}`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
import pyomo.environ as pyo

from agtopt.formulation.affine import AffineArray, Array, Mask
from agtopt.formulation.site import Site
from agtopt.tolerances import CURVE_MARGIN, FEASIBILITY, size_of, unit_of

GRID = 193
"""Points at which the curvature is sampled to place the segments; it moves them, not their
validity."""

CURVED = 30.0
"""The functions here are straight to float64 outside ±30, so half of the grid is within."""


@dataclass(frozen=True)
class Curve:
    """A function of one variable.

    Attributes
    ----------
    name : str
    values, curvature : callable
        f, which rises, and f'', entry by entry.
    critical : callable
        For slopes, the points where f' takes them (any number where there is none).
    equation : callable
        p · unit = f(z) as a Pyomo relation, for solvers that take it.
    sign : float
        The exponential in that relation is of sign · (z − log unit).
    """

    name: str
    values: Callable[[Array], Array]
    curvature: Callable[[Array], Array]
    critical: Callable[[Array], list[Array]]
    equation: Callable[[Any, float, Any], Any]
    sign: float = 1.0

    def largest_exponent(self, low: Array, high: Array, unit: Array) -> Array:
        """The largest exponent in the equation for z in [low, high]."""
        return self.sign * ((high if self.sign > 0 else low) - np.log(unit))


def _logistic(z: Array) -> Array:
    decay = np.exp(-np.abs(z))
    value: Array = np.where(z >= 0.0, 1.0, decay) / (1.0 + decay)
    return value


def _bell(z: Array) -> Array:
    return _logistic(z) * _logistic(-z)


def _where_bell_is(slope: Array) -> list[Array]:
    """±log((1 + r) / (1 − r)) with r = √(1 − 4 slope); 1 − r = 4 slope / (1 + r) does not
    cancel."""
    root = np.sqrt(np.clip(1.0 - 4.0 * slope, 0.0, 1.0))
    place = 2.0 * np.log1p(root) - np.log(4.0 * np.maximum(slope, 1e-300))
    return [place, -place]


SIGMOID = Curve(
    "sigmoid",
    _logistic,
    lambda z: _bell(z) * (1.0 - 2.0 * _logistic(z)),
    _where_bell_is,
    # In a unit of its own p and the exponential are of size one, however small the probability.
    lambda p, unit, z: p * (unit + pyo.exp(log(unit) - z)) == 1.0,
    -1.0,
)

SOFTPLUS = Curve(
    "softplus",
    lambda z: np.logaddexp(0.0, z),
    _bell,
    lambda slope: [
        np.log(np.clip(slope, 1e-300, None)) - np.log(np.clip(1.0 - slope, 1e-300, None))
    ],
    lambda p, unit, z: p * unit == pyo.log(1.0 + unit * pyo.exp(z - log(unit))),
)

EXPONENTIAL = Curve(
    "exponential",
    np.exp,
    np.exp,
    lambda slope: [np.log(np.clip(slope, 1e-300, None))],
    lambda p, unit, z: p == pyo.exp(z - log(unit)),
)


def corridor(curve: Curve, low: Array, high: Array) -> tuple[Array, Array, Array]:
    """Slope, lower and upper offset of the lines around a curve on [low, high], entry by entry."""
    width = np.maximum(high - low, 1e-300)
    slope = (curve.values(high) - curve.values(low)) / width
    slope = np.where(high > low, slope, 0.0)
    places = np.stack(
        [low, high, *(np.clip(np.nan_to_num(place), low, high) for place in curve.critical(slope))]
    )
    values = curve.values(places)
    offsets = values - slope * places
    # A critical point that is off by rounding changes the offset in second order only.
    margin = CURVE_MARGIN * (np.abs(values) + np.abs(slope * places) + 1e-9).max(axis=0)
    return slope, offsets.min(axis=0) - margin, offsets.max(axis=0) + margin


def breakpoints(curve: Curve, low: Array, high: Array, segments: int) -> Array:
    """Ends of the segments, shape S + (segments + 1,): equal shares of ∫√|f''|."""
    share = np.linspace(0.0, 1.0, segments + 1)
    knots = np.empty((*low.shape, segments + 1))
    for index in np.ndindex(low.shape):
        least, most = float(low[index]), float(high[index])
        grid = np.sort(
            np.concatenate(
                [
                    np.linspace(least, most, GRID),
                    np.clip(np.linspace(-CURVED, CURVED, GRID), least, most),
                ]
            )
        )
        density = np.sqrt(np.abs(curve.curvature(0.5 * (grid[1:] + grid[:-1])))) + 1e-9 / max(
            most - least, 1e-9
        )
        mass = np.concatenate([[0.0], np.cumsum(density * np.diff(grid))])
        knots[index] = np.interp(share * mass[-1], mass, grid)
    knots[..., 0], knots[..., -1] = low, high
    return knots


def _at_numbers(curve: Curve, value: AffineArray) -> AffineArray:
    """f of the entries without variables; it rises, so the room of the argument bounds the
    error."""
    argument, room = (np.where(value.varies, 0.0, part) for part in (value.constant, value.room))
    low, middle, high = (curve.values(argument + shift) for shift in (-room, 0.0, room))
    return AffineArray.known(
        middle, np.maximum(middle - low, high - middle) + CURVE_MARGIN * (np.abs(high) + 1e-9)
    )


def _result(
    site: Site, curve: Curve, value: AffineArray, results: tuple[Array, Array]
) -> tuple[AffineArray, Mask]:
    """p in its box, and where that holds less than the curve does.

    A box that is narrower than a solver's tolerance is all that it can hold of a curve: it gets
    that tolerance as room, and no rows.
    """
    varies = value.varies
    tolerance = FEASIBILITY * unit_of(size_of(*results))
    where = np.asarray(varies & (results[1] - results[0] >= tolerance))
    room = np.where(where, 0.0, tolerance)
    result = site.variables(
        "", results[0] - room, results[1] + room, varies, otherwise=_at_numbers(curve, value)
    )
    site.assign(result, varies, lambda: curve.values(value.values()))
    return result, where


def curve_corridor(
    site: Site,
    curve: Curve,
    value: AffineArray,
    bounds: tuple[Array, Array],
    results: tuple[Array, Array],
    segments: int,
    binaries: bool,
) -> AffineArray:
    """p = f(value) by its corridor; `bounds` enclose the value, `results` p."""
    result, where = _result(site, curve, value, results)
    if segments == 1:
        slope, below, above = corridor(curve, *bounds)
        line = value * slope
        site.rows("_below", result - line, where, lower=below)
        site.rows("_above", result - line, where, upper=above)
        return result
    ends = breakpoints(curve, *bounds, segments)
    starts, stops = ends[..., :-1], ends[..., 1:]
    slope, below, above = corridor(curve, starts, stops)
    wide: Mask = np.broadcast_to(where[..., np.newaxis], starts.shape)
    chosen = site.variables("_segment", 0.0, 1.0, wide, binaries)
    part = site.variables("_part", np.minimum(starts, 0.0), np.maximum(stops, 0.0), wide)

    def place() -> Array:
        # The last segment that starts at or below the value.
        inside = starts <= value.values()[..., np.newaxis]
        index = np.maximum(inside.sum(axis=-1) - 1, 0)
        chosen_one: Array = np.eye(segments)[index]
        return chosen_one

    site.assign(chosen, wide, place)
    site.assign(part, wide, lambda: place() * value.values()[..., np.newaxis])
    site.rows("_one", chosen.total(1), where, lower=1.0, upper=1.0)
    site.rows("_sum", part.total(1) - value, where, lower=0.0, upper=0.0)
    site.rows("_from", part - chosen * starts, wide, lower=0.0)
    site.rows("_to", part - chosen * stops, wide, upper=0.0)
    site.rows("_below", result - (part * slope + chosen * below).total(1), where, lower=0.0)
    site.rows("_above", result - (part * slope + chosen * above).total(1), where, upper=0.0)
    return result


def curve_itself(
    site: Site,
    curve: Curve,
    value: AffineArray,
    bounds: tuple[Array, Array],
    results: tuple[Array, Array],
) -> AffineArray:
    """p = f(value) as an equation of the function (MINLP); `bounds` enclose the value, `results`
    p."""
    result, where = _result(site, curve, value, results)
    if where.any():
        argument = _argument(site, value, bounds)[where].expressions()
        columns = (result.variables[..., 0][where], result.coefficients[..., 0][where])
        relations = [
            curve.equation(p, unit, z)
            for p, unit, z in zip(*(column.tolist() for column in columns), argument, strict=True)
        ]
        site.constrain(f"_{curve.name}", site.keys(where), relations)
    return result


def _argument(site: Site, value: AffineArray, bounds: tuple[Array, Array]) -> AffineArray:
    """The argument of a function: a variable of its own where solvers would leave out some of its
    coefficients, since only a row can pay for them (S9)."""
    kept, change = value.without_dust()
    dusty = change > 0.0
    if not dusty.any():
        return kept
    argument = site.variables("_argument", *bounds, dusty)
    site.assign(argument, dusty, value.values)
    site.rows("_argument_is", argument - value, dusty, lower=0.0, upper=0.0)
    return argument + kept * (~dusty).astype(np.float64)
