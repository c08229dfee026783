"""The polytope domain: two-sided bounds on directions of the parameters, within a box."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.arguments import typed
from agtopt.domains import directions as templates
from agtopt.domains.interval import Interval
from agtopt.domains.linear_program import LinearProgram, lengths
from agtopt.errors import InvalidInputError, SoundnessError
from agtopt.tolerances import AGREEMENT, SMALLEST, UNIT_ROUNDOFF, crossed, unit_of

Array = NDArray[np.float64]


@typed("polytope")
@dataclass(frozen=True, eq=False)
class Polytope:
    """The set {θ in box : lower ≤ directions · θ ≤ upper} over the flattened parameters.

    Parameters
    ----------
    directions : array_like, shape (m, p)
        Finite and not zero, meant exactly as stored.
    lower, upper : array_like, shape (m,), optional
        Support values, infinite where a side is absent; one number stands for all. Without them
        this is a template to be filled in.
    box : Interval, optional
        Bounds of the p parameters; the whole space by default. Support values are proved much
        faster within a finite box.

    Raises
    ------
    InvalidInputError
        If shapes differ, a direction is zero or not finite, a bound is NaN, or a lower bound
        exceeds its upper bound.
    """

    directions: Array
    lower: Array = field(default_factory=lambda: np.array(-np.inf))
    upper: Array = field(default_factory=lambda: np.array(np.inf))
    box: Interval | None = None

    def __post_init__(self) -> None:
        rows = np.array(self.directions, dtype=np.float64)
        if rows.ndim != 2 or not rows.shape[1]:
            raise InvalidInputError(
                f"polytope: directions has shape {rows.shape}; it must be (m, p) with p of at "
                f"least 1"
            )
        if np.any(bad := ~np.isfinite(rows).all(axis=1) | ~rows.any(axis=1)):
            raise InvalidInputError(
                f"polytope: direction {int(np.argmax(bad))} is zero or not finite"
            )
        sides = [np.array(side, dtype=np.float64) for side in (self.lower, self.upper)]
        if any(side.shape not in {(), (len(rows),)} for side in sides):
            raise InvalidInputError(
                f"polytope: lower has shape {sides[0].shape} and upper {sides[1].shape}; both must "
                f"be ({len(rows)},) or one number"
            )
        lower, upper = (np.broadcast_to(side, len(rows)).copy() for side in sides)
        if np.any(bad := ~((lower <= upper) & (lower < np.inf) & (upper > -np.inf))):
            k = int(np.argmax(bad))
            raise InvalidInputError(
                f"polytope: direction {k} is bounded by [{lower[k]}, {upper[k]}]; bounds must be "
                f"numbers with lower <= upper"
            )
        if self.box is not None and (
            not isinstance(self.box, Interval) or len(self.box) != rows.shape[1]
        ):
            raise InvalidInputError(
                f"polytope: box is {self.box!r}; it must be an Interval of {rows.shape[1]} "
                f"parameters or None"
            )
        if self.box is not None and (
            np.any(self.box.lower == np.inf) or np.any(self.box.upper == -np.inf)
        ):
            raise InvalidInputError(
                "polytope: box has a lower bound of inf or an upper bound of -inf and holds no "
                "point"
            )
        for name, values in (("directions", rows), ("lower", lower), ("upper", upper)):
            values.setflags(write=False)
            object.__setattr__(self, name, values)

    @classmethod
    @typed()
    def octagon(cls, p: int, pairs: Iterable[tuple[int, int]] | None = None) -> "Polytope":
        """A template of θ_i + θ_j and θ_i − θ_j for the pairs given, by default for all (Miné,
        2006).

        Raises
        ------
        InvalidInputError
            If a pair is none of two parameters, or the directions are too many.
        """
        return cls(templates.octagon(p, pairs))

    @classmethod
    @typed()
    def principal(cls, theta: ArrayLike, count: int) -> "Polytope":
        """A template of the `count` principal axes of attained parameters `theta`, shape (runs, p).

        The axes are right singular vectors of the centred array, by decreasing spread: along them
        attained parameters are uncorrelated, so that a box over them fits an elongated cloud
        tightly. Where there are fewer runs than parameters only as many axes exist.
        """
        return cls(templates.principal(theta, count))

    @classmethod
    @typed()
    def random(cls, p: int, count: int, seed: int | None = None) -> "Polytope":
        """A template of `count` directions drawn uniformly from the sphere."""
        return cls(templates.random(p, count, seed))

    def with_support(
        self, lower: ArrayLike, upper: ArrayLike, box: Interval | None = None
    ) -> "Polytope":
        """The same directions with support values, shape (m,), within `box` (by default this
        one's)."""
        return Polytope(
            self.directions, np.asarray(lower), np.asarray(upper), self.box if box is None else box
        )

    def __len__(self) -> int:
        return int(self.directions.shape[1])

    def width(self) -> float:
        """Total width of the interval hull."""
        return interval_hull(self).width()

    def contains(self, theta: ArrayLike, tolerance: float = 0.0) -> bool:
        """Whether every row of `theta`, shape (p,) or (m, p), lies within box and rows (both
        widened by `tolerance`).

        Rows are granted the rounding of their evaluation: no point of the set is called outside.
        """
        points = np.atleast_2d(np.asarray(theta, dtype=np.float64))
        if points.ndim != 2 or points.shape[1] != len(self):
            raise InvalidInputError(
                f"contains: theta has shape {np.shape(theta)}; it must be ({len(self)},) or (m, "
                f"{len(self)})"
            )
        return bool(np.all(self.inside(points, tolerance)))

    def inside(self, points: Array, tolerance: float = 0.0) -> NDArray[np.bool_]:
        """Which of `points`, shape (n, p), `contains` would accept; shape (n,)."""
        with np.errstate(all="ignore"):
            values = points @ self.directions.T
            allowed = tolerance + rounding(np.abs(points) @ np.abs(self.directions.T), len(self))
            within = np.all(
                (values >= self.lower - allowed) & (values <= self.upper + allowed), axis=1
            ) & ~np.isnan(points).any(axis=1)
        if self.box is None:
            return np.asarray(within)
        return np.asarray(
            within
            & np.all(
                (points >= self.box.lower - tolerance) & (points <= self.box.upper + tolerance),
                axis=1,
            )
        )

    def program(self) -> LinearProgram:
        """The linear programs over this set."""
        whole = np.full(len(self), np.inf)
        ends = (-whole, whole) if self.box is None else (self.box.lower, self.box.upper)
        return LinearProgram(self.directions, self.lower, self.upper, *ends)


def rounding(magnitude: Array, terms: int) -> Array:
    """A bound on the rounding error of sums of products, from the sum of their magnitudes; nothing
    is granted to an overflow."""
    return np.where(
        np.isfinite(magnitude),
        (terms + 4) * UNIT_ROUNDOFF * magnitude + (terms + 1) * SMALLEST,
        0.0,
    )


def interval_hull(polytope: Polytope) -> Interval:
    """The smallest box around a polytope, never wider than its own; rigorous whatever the solver
    did (S5).

    Two linear programs a parameter propose dual values, and what these prove is the end. Where they
    prove nothing the end of the box stays. Ends that cross within tolerance collapse to both (S6).

    Raises
    ------
    SoundnessError
        If the polytope is empty beyond tolerance: two sound bounds of one quantity always meet
        (S6).
    """
    program, p = polytope.program().bounded(), len(polytope)
    _refuse_empty(program)
    costs = np.concatenate([np.eye(p), -np.eye(p)])
    solved, own = [program.minimise(cost) for cost in costs], own_sides(polytope, costs)
    # The second time the same dual values are read over the box that they proved, where their
    # rounding weighs less.
    for _ in range(2):
        ends = [
            -np.inf if best is None else program.proved(cost, best.duals)
            for cost, best in zip(costs, solved, strict=True)
        ]
        least = np.maximum(ends, own)
        lower, upper = np.maximum(program.lower, least[:p]), np.minimum(program.upper, -least[p:])
        if np.any(bad := crossed(lower, upper)):
            k = int(np.argmax(bad))
            raise SoundnessError(
                f"S6: the polytope is empty; it bounds parameter {k} from below by {lower[k]} and "
                f"from above by {upper[k]}"
            )
        program = program.within(np.minimum(lower, upper), np.maximum(lower, upper))
    return Interval(program.lower, program.upper)


def minimum(domain: Interval | Polytope, direction: ArrayLike) -> float:
    """A rigorous lower bound of direction · θ over a domain, for a direction of shape (p,); see
    `minima`."""
    return float(minima(domain, np.asarray(direction, dtype=np.float64)[None])[0])


def minima(domain: Interval | Polytope, directions: ArrayLike) -> Array:
    """Rigorous lower bounds of directions · θ over a domain (S5).

    Parameters
    ----------
    domain : Interval or Polytope
    directions : array_like, shape (n, p)
        Finite. One that is a row of the polytope, up to its sign, is never bounded worse than that
        row.

    Returns
    -------
    array, shape (n,)
        −inf where nothing is proved. Of an empty polytope every number is a bound, and some number
        is returned.

    Raises
    ------
    InvalidInputError
        If the directions are not finite or have another shape.
    """
    costs = np.asarray(directions, dtype=np.float64)
    if costs.ndim != 2 or costs.shape[1] != len(domain) or not np.isfinite(costs).all():
        raise InvalidInputError(
            f"minimum: directions of shape {costs.shape} are not allowed; they must be finite, (n, "
            f"{len(domain)})"
        )
    if isinstance(domain, Interval):
        alone = LinearProgram(
            np.zeros((0, len(domain))), np.zeros(0), np.zeros(0), domain.lower, domain.upper
        )
        return np.array([alone.proved(cost, np.zeros(0)) for cost in costs])
    program, known = domain.program().bounded(), own_sides(domain, costs)
    return np.array(
        [max(program.minimum(cost), side) for cost, side in zip(costs, known, strict=True)]
    )


def own_sides(polytope: Polytope, directions: Array) -> Array:
    """What the rows say themselves of directions, shape (n, p), that equal one up to sign: a lower
    bound, −inf for all others."""
    rows = (
        np.concatenate([polytope.directions, -polytope.directions]) + 0.0
    )  # no negative zeros, whose bytes differ
    sides = {
        row.tobytes(): side
        for row, side in zip(rows, np.concatenate([polytope.lower, -polytope.upper]), strict=True)
    }
    return np.array([sides.get(row.tobytes(), -np.inf) for row in directions + 0.0])


def chebyshev(polytope: Polytope) -> tuple[Array, float]:
    """Centre, shape (p,), and radius of a largest ball in the polytope; a flat polytope has radius
    zero.

    The solver's centre is taken as it is, and the radius is that of the ball around it which fits.

    Raises
    ------
    SoundnessError
        If the polytope is empty beyond tolerance (S6).
    InvalidInputError
        If it holds balls of any size.
    """
    program = polytope.program()
    _refuse_empty(program)
    ball = program.inscribed()
    if ball is None:
        raise InvalidInputError(
            "chebyshev: no largest ball was found; the polytope has to be bounded in some direction"
        )
    rows = polytope.directions @ ball.centre
    norm = lengths(polytope.directions)
    room = [
        (rows - polytope.lower) / norm,
        (polytope.upper - rows) / norm,
        ball.centre - program.lower,
        program.upper - ball.centre,
    ]
    return ball.centre, max(0.0, float(np.min(np.concatenate(room))))


def without_redundant(polytope: Polytope, tolerance: float = 0.0) -> Polytope:
    """The polytope without the sides that are proved to follow from the others.

    Equal directions are merged. Sides are tried one after the other, each against those that are
    left. A side that the others only touch cannot be proved at a `tolerance` of zero, where the set
    stays the same; a small one removes it, and moves it by at most ``tolerance · (1 + |side|)``:
    the set only grows. Nothing can be proved over an infinite box; intersect with `interval_hull`
    first.
    """
    rows, lower, upper = merged(polytope.directions, polytope.lower, polytope.upper)
    box = polytope.program()
    for k, row in enumerate(rows):
        for sense, sides in ((1.0, lower), (-1.0, upper)):
            side = sides[k]
            if np.isfinite(side):
                sides[k] = -sense * np.inf
                rest = LinearProgram(rows, lower, upper, box.lower, box.upper)
                least = sense * side - tolerance * (1.0 + abs(side))
                if (
                    rest.proved(sense * row, np.zeros(len(rows))) < least
                    and rest.minimum(sense * row) < least
                ):
                    sides[k] = side
    kept = np.isfinite(lower) | np.isfinite(upper)
    return Polytope(rows[kept], lower[kept], upper[kept], polytope.box)


def merged(directions: Array, lower: Array, upper: Array) -> tuple[Array, Array, Array]:
    """One row for each set of rows that are equal up to their sign, with the sides that all of them
    allow, and the first one's sign (S6).

    Raises
    ------
    SoundnessError
        If the sides of equal rows do not meet.
    """
    place: dict[bytes, int] = {}
    rows: list[Array] = []
    sides: list[tuple[float, float]] = []
    for row, low, high in zip(
        directions + 0.0, lower, upper, strict=True
    ):  # no negative zeros, as above
        opposite = place.get((0.0 - row).tobytes())
        k = place.setdefault(row.tobytes(), len(rows)) if opposite is None else opposite
        if k == len(rows):
            rows.append(row)
            sides.append((low, high))
        else:
            low, high = (low, high) if opposite is None else (-high, -low)
            sides[k] = max(sides[k][0], low), min(sides[k][1], high)
    lower, upper = np.array(sides, dtype=np.float64).reshape(-1, 2).T
    if np.any(bad := crossed(lower, upper)):
        k = int(np.argmax(bad))
        raise SoundnessError(
            f"S6: direction {k} is bounded from below by {lower[k]} and from above by {upper[k]}, "
            f"which do not meet"
        )
    return (
        np.array(rows).reshape(-1, directions.shape[1]),
        np.minimum(lower, upper),
        np.maximum(lower, upper),
    )


def _refuse_empty(program: LinearProgram) -> None:
    ball = program.inscribed(cap=0.0)
    if ball is None:
        return
    ends = np.concatenate([program.lower, program.upper])
    size = np.max(np.abs(ball.centre))
    if ball.most < -AGREEMENT * (
        unit_of(np.max(np.abs(ends[np.isfinite(ends)]), initial=size)) + size
    ):
        raise SoundnessError(
            f"S6: the polytope is empty; its rows would have to move by {-ball.most:.3g} to meet"
        )
