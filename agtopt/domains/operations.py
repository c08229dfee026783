"""What can be asked of domains: intersect, hull, contains, sample, width. Each dispatches on its
first argument."""

from functools import reduce
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.domains.directions import counted
from agtopt.domains.interval import Interval
from agtopt.domains.linear_program import LinearProgram
from agtopt.domains.polytope import Polytope, interval_hull, merged, minima, own_sides, rounding
from agtopt.errors import InvalidInputError, SoundnessError
from agtopt.tolerances import UNIT_ROUNDOFF, crossed
from agtopt.verbs import verb

Array = NDArray[np.float64]
Domain = TypeVar("Domain", Interval, Polytope)

STEPS = 10
"""Steps of a random walk for each dimension: enough that samples of simplices are uniform in
tests."""


@overload
def intersect(first: Interval, second: Interval) -> Interval: ...
@overload
def intersect(first: Polytope, second: Interval | Polytope) -> Polytope: ...
@overload
def intersect(first: Interval, second: Polytope) -> Polytope: ...
def intersect(first: Interval | Polytope, second: Interval | Polytope) -> Interval | Polytope:
    """The points in both domains (S6): a box of two boxes, otherwise a polytope in which equal
    directions are merged.

    Ends that cross by no more than rounding and solver tolerance collapse to the two ends in order,
    which keeps both.

    Raises
    ------
    SoundnessError
        If two boxes or equal directions do not meet beyond tolerance: two sound bounds of one
        quantity always do. Whether rows that differ contradict each other is found by
        `interval_hull`.
    """
    result: Interval | Polytope = _intersect(first, second)
    return result


@verb
def _intersect(first: object, second: object) -> Any:
    raise _refused("intersect", first)


@_intersect.register
def _(first: Interval, second: Interval | Polytope) -> Interval | Polytope:
    if not isinstance(second, Interval):
        return intersect(second, first)
    _same_length("intersect", first, second)
    lower, upper = np.maximum(first.lower, second.lower), np.minimum(first.upper, second.upper)
    if np.any(bad := crossed(lower, upper)):
        k = int(np.argmax(bad))
        raise SoundnessError(
            f"S6: parameter {k} is bounded by [{first.lower[k]}, {first.upper[k]}] and by "
            f"[{second.lower[k]}, {second.upper[k]}], which do not meet"
        )
    return Interval(np.minimum(lower, upper), np.maximum(lower, upper))


@_intersect.register
def _(first: Polytope, second: Interval | Polytope) -> Polytope:
    _same_length("intersect", first, second)
    if isinstance(second, Interval):
        box = second if first.box is None else intersect(first.box, second)
        return first.with_support(first.lower, first.upper, box)
    boxes = [one.box for one in (first, second) if one.box is not None]
    rows = [
        np.concatenate([getattr(one, name) for one in (first, second)])
        for name in ("directions", "lower", "upper")
    ]
    return Polytope(*merged(*rows), reduce(intersect, boxes) if boxes else None)


def hull(*domains: Domain) -> Domain:
    """A domain that holds all of `domains`: the smallest box of boxes, the smallest of these
    directions for polytopes.

    Raises
    ------
    InvalidInputError
        If there is none, or polytopes differ in their directions.
    """
    if not domains:
        raise InvalidInputError("hull: no box was given; at least one is needed")
    result: Domain = _hull(*domains)
    return result


@verb
def _hull(first: object, *others: object) -> Any:
    raise _refused("hull", first)


@_hull.register
def _(first: Interval, *others: Interval) -> Interval:
    _same_length("hull", first, *others)
    boxes = (first, *others)
    if not all(isinstance(box, Interval) for box in boxes):
        raise InvalidInputError(
            "hull: boxes and polytopes cannot be mixed; take the interval_hull of the polytopes"
        )
    return Interval(
        np.min([b.lower for b in boxes], axis=0), np.max([b.upper for b in boxes], axis=0)
    )


@_hull.register
def _(first: Polytope, *others: Polytope) -> Polytope:
    _same_length("hull", first, *others)
    everyone = (first, *others)
    if not all(
        isinstance(one, Polytope) and np.array_equal(one.directions, first.directions)
        for one in everyone
    ):
        raise InvalidInputError("hull: polytopes must have the same directions in the same order")
    boxes = [one.box for one in everyone if one.box is not None]
    return Polytope(
        first.directions,
        np.min([one.lower for one in everyone], axis=0),
        np.max([one.upper for one in everyone], axis=0),
        hull(*boxes) if len(boxes) == len(everyone) else None,
    )


@verb
def contains(outer: object, inner: object, tolerance: float = 0.0) -> bool:
    """Whether the domain `outer` holds the domain or the points `inner`, shape (p,) or (m, p), to
    within `tolerance`.

    Of points and boxes the rounding of rows is forgiven; for a polytope within another one True is
    a proof, and a tolerance of zero may be too little to prove that sides touch.
    """
    raise _refused("contains", outer)


@contains.register
def _(outer: Interval, inner: "Interval | Polytope | ArrayLike", tolerance: float = 0.0) -> bool:
    if isinstance(inner, Polytope):
        _same_length("contains", outer, inner)
        return (inner.box is not None and contains(outer, inner.box, tolerance)) or contains(
            outer, interval_hull(inner), tolerance
        )
    if isinstance(inner, Interval):
        return outer.contains(np.stack([inner.lower, inner.upper]), tolerance)
    return outer.contains(inner, tolerance)


@contains.register
def _(outer: Polytope, inner: "Interval | Polytope | ArrayLike", tolerance: float = 0.0) -> bool:
    if not isinstance(inner, Interval | Polytope):
        return outer.contains(inner, tolerance)
    _same_length("contains", outer, inner)
    if outer.box is not None and not contains(outer.box, inner, tolerance):
        return False
    # Both sides of every row as lower bounds of directions.
    rows, sides = (
        np.concatenate([outer.directions, -outer.directions]),
        np.concatenate([outer.lower, -outer.upper]),
    )
    rows, sides = rows[finite := np.isfinite(sides)], sides[finite]
    if isinstance(inner, Interval):
        return bool(np.all(_lowest(rows, inner) >= sides - tolerance))
    unknown = own_sides(inner, rows) < sides - tolerance
    return bool(np.all(minima(inner, rows[unknown]) >= (sides - tolerance)[unknown]))


def _lowest(rows: Array, box: Interval) -> Array:
    with np.errstate(all="ignore"):
        terms = np.where(rows == 0.0, 0.0, rows * np.where(rows > 0.0, box.lower, box.upper))
        return np.asarray(terms.sum(axis=1) + rounding(np.abs(terms).sum(axis=1), len(box)))


@verb
def sample(domain: object, size: int, seed: int | None = None) -> Array:
    """Draw `size` points of a bounded domain; shape (size, p).

    Points of a box are uniform. Those of a polytope come from as many independent hit-and-run walks
    (Smith, 1984) from a deep point, in coordinates in which the box is a cube: all lie inside, and
    they are the closer to uniform the less elongated it is there.

    Raises
    ------
    InvalidInputError
        If the domain is unbounded, or it is a polytope whose rows leave it no interior (a parameter
        whose box is a point is no obstacle).
    """
    raise _refused("sample", domain)


@sample.register
def _(domain: Interval, size: int, seed: int | None = None) -> Array:
    if not np.all(np.isfinite(domain.upper - domain.lower)):
        raise InvalidInputError("sample: the box is unbounded; only bounded boxes can be sampled")
    return np.random.default_rng(seed).uniform(domain.lower, domain.upper, size=(size, len(domain)))


@sample.register
def _(domain: Polytope, size: int, seed: int | None = None) -> Array:
    counted("size", size, 0)
    box = interval_hull(domain)
    with np.errstate(over="ignore"):
        spread = box.upper - box.lower
    if not np.all(np.isfinite(spread)):
        raise InvalidInputError(
            "sample: the polytope is unbounded; only bounded ones can be sampled"
        )
    if not np.any(moving := spread > 0):
        return np.tile(box.lower, (size, 1))
    # θ = lower + spread · t: the hull is the unit cube, without the parameters that cannot move.
    rows, offset = (domain.directions * spread)[:, moving], domain.directions @ box.lower
    felt = rows.any(axis=1)
    corner = np.zeros(moving.sum())
    cube = LinearProgram(
        rows[felt],
        (domain.lower - offset)[felt],
        (domain.upper - offset)[felt],
        corner,
        corner + 1.0,
    )
    ball = cube.inscribed()

    def placed(t: Array) -> Array:
        points = np.tile(box.lower, (len(t), 1))
        points[:, moving] += spread[moving] * t
        return np.clip(points, box.lower, box.upper)

    if (
        ball is None
        or ball.radius <= UNIT_ROUNDOFF
        or not domain.contains(centre := placed(ball.centre[None]))
    ):
        raise InvalidInputError(
            "sample: the polytope is flat; only one with an interior can be sampled"
        )
    points = placed(_walk(cube, np.tile(ball.centre, (size, 1)), np.random.default_rng(seed)))
    # Rounding can leave a point outside where the polytope is as thin as rounding itself; the
    # centre is inside.
    return np.where(domain.inside(points)[:, None], points, centre)


def _walk(program: LinearProgram, points: Array, generator: np.random.Generator) -> Array:
    rows = np.concatenate([program.matrix, np.eye(len(program.lower))])
    low, high = (
        np.concatenate([program.row_lower, program.lower]),
        np.concatenate([program.row_upper, program.upper]),
    )
    values = points @ rows.T
    for _ in range(STEPS * len(program.lower)):
        turn = generator.normal(size=points.shape)
        slope = turn @ rows.T
        with np.errstate(all="ignore"):
            ends = (low - values) / slope, (high - values) / slope
        back = np.where(slope == 0.0, -np.inf, np.minimum(*ends)).max(axis=1)
        ahead = np.where(slope == 0.0, np.inf, np.maximum(*ends)).min(axis=1)
        step = generator.uniform(np.minimum(back, 0.0), np.maximum(ahead, 0.0))[:, None]
        points, values = points + step * turn, values + step * slope
    return points


@verb
def width(domain: object) -> float:
    """Total width of the domain: of its interval hull, for a polytope."""
    raise _refused("width", domain)


@width.register
def _(domain: Interval | Polytope) -> float:
    return domain.width()


def _refused(verb: str, value: object) -> InvalidInputError:
    return InvalidInputError(
        f"{verb}: {type(value).__name__} is not allowed; it must be an Interval or a Polytope"
    )


def _same_length(verb: str, *domains: object) -> None:
    lengths = []
    for domain in domains:
        if not isinstance(domain, Interval | Polytope):
            raise _refused(verb, domain)
        lengths.append(len(domain))
    if len(set(lengths)) > 1:
        raise InvalidInputError(f"{verb}: domains of {lengths} parameters are not of one space")
