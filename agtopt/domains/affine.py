"""The affine domain: the deviation from the nominal run, affine in what the adversary does to each
sample."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.arguments import typed
from agtopt.domains.interval import Interval
from agtopt.domains.membership import within_form
from agtopt.domains.moves import Touched, read_touched
from agtopt.domains.polytope import Polytope
from agtopt.errors import InvalidInputError, SoundnessError
from agtopt.files import Archive, opened, write_arrays
from agtopt.tolerances import DOUBLE, SMALLEST, crossed

Array = NDArray[np.float64]

TRIES = 60
"""Halvings after which a random point is taken to lie outside the box on all of its way."""


@typed("affine")
@dataclass(frozen=True, eq=False)
class Affine:
    r"""The set of θ with

    .. math:: θ − \bar θ \in \{ c + \sum_i D_i u_i + E e + r \circ f \} \cap \text{ball},
        \quad θ \in \text{box},

    where :math:`u_i \in U_i`, at most n of them not 0, and the entries of e and f are in [−1, 1].

    Parameters
    ----------
    nominal : array_like, shape (p,)
        The parameters :math:`\bar θ` of the nominal run.
    offset : array_like, shape (p,)
        The centre c of the deviation.
    touched : tuple of Touched
        One budget each: one for all that is done to a sample, or one for features and one for
        labels.
    errors : array_like, shape (k, p)
        The k columns of E.
    radius : array_like, shape (p,)
        r; infinite where only the box says something.
    box : Interval
        Of θ.
    ball : float
        Radius of an ℓ₂ ball around :math:`\bar θ` that holds θ; infinite where there is none.

    Raises
    ------
    InvalidInputError
        If shapes differ, or numbers are not finite that must be.
    """

    nominal: Array
    offset: Array
    touched: tuple[Touched, ...]
    errors: Array
    radius: Array
    box: Interval
    ball: float = np.inf

    def __post_init__(self) -> None:
        for name in ("nominal", "offset", "errors", "radius"):
            values = np.array(getattr(self, name), dtype=np.float64)
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        p = len(self.box)
        shapes = {self.nominal.shape, self.offset.shape, self.radius.shape}
        sizes = {each.size for each in self.touched}
        if shapes != {(p,)} or self.errors.shape[1:] != (p,) or sizes - {p}:
            raise InvalidInputError(
                f"affine: parts of shapes {sorted(shapes)}, errors of shape {self.errors.shape} "
                f"and directions of sizes {sorted(sizes)} do not fit a box of {p} parameters"
            )
        finite = all(np.isfinite(part).all() for part in (self.nominal, self.offset, self.errors))
        if not finite or not np.all(self.radius >= 0) or not self.ball >= 0:
            raise InvalidInputError(
                "affine: nominal, offset and errors must be finite, radius and ball not negative"
            )

    @classmethod
    @typed()
    def of_box(cls, nominal: ArrayLike, box: Interval) -> "Affine":
        """A box that knows of nothing but itself."""
        point = np.asarray(nominal, dtype=np.float64)
        nothing = np.zeros((0, len(box)))
        return cls(point, np.zeros(len(box)), (), nothing, np.full(len(box), np.inf), box)

    def __len__(self) -> int:
        return len(self.box)

    @property
    def bytes(self) -> int:
        """What its arrays take."""
        moved = sum(each.directions.nbytes for part in self.touched for each in part.moves)
        return moved + self.errors.nbytes + 6 * self.nominal.nbytes

    @property
    def columns(self) -> int:
        """Number of generators: columns of all D_i, and of E."""
        moved = sum(each.directions[..., 0].size for part in self.touched for each in part.moves)
        return moved + len(self.errors)

    @typed()
    def support(self, directions: ArrayLike) -> Array:
        """At least the largest value of direction · θ over the set, rounded up (S3).

        Parameters
        ----------
        directions : array_like, shape (m, p) or (p,)

        Returns
        -------
        array, shape (m,) or ()
            The least of what the affine form, the ball and the box say.
        """
        rows = np.atleast_2d(self._directions(directions))
        with np.errstate(over="ignore", invalid="ignore"):
            shift = rows @ self.nominal
            error = DOUBLE.accumulated(self._terms) * (
                np.abs(rows) @ np.abs(self.nominal) + np.abs(shift)
            )
            apart = shift + self.deviation(rows)[1] + error
            found = np.fmin(self._box_support(rows), apart)
        return found if np.ndim(directions) == 2 else found[0]

    @typed()
    def deviation(self, directions: ArrayLike) -> tuple[Array, Array]:
        """Bounds of direction · (θ − nominal), rounded outward.

        Parameters
        ----------
        directions : array_like, shape (m, p)

        Returns
        -------
        lower, upper : array, shape (m,)
        """
        rows = np.atleast_2d(self._directions(directions))
        with np.errstate(over="ignore", invalid="ignore"):
            ball = self._ball_support(rows)
            box = (self._box_deviation(-rows), self._box_deviation(rows))
            ends = [
                np.fmin.reduce([form, ball, side])
                for form, side in zip(self.form(rows), box, strict=True)
            ]
        low, high = (np.where(np.isnan(end), np.inf, end) for end in ends)
        return -low, high

    def form(self, rows: Array) -> tuple[Array, Array]:
        """At least the largest value of −rows and of rows times what the form allows."""
        centre, size = rows @ self.offset, float(np.linalg.norm(self.offset))
        reach = _products(np.abs(rows), self.radius).sum(axis=1)
        box = reach
        if len(self.errors):
            reach = reach + np.abs(rows @ self.errors.T).sum(axis=1)
            size += float(np.linalg.norm(self.errors, axis=1).sum())
        along = against = np.zeros(len(rows))
        for part in self.touched:
            up, down = part.spread(rows)
            along, against, size = along + up, against + down, size + part.length()
        error = self._share * (np.linalg.norm(rows, axis=1) * size + box)
        error = error + self._terms * SMALLEST
        return against - centre + reach + error, along + centre + reach + error

    def _ball_support(self, rows: Array) -> Array:
        length = np.linalg.norm(rows, axis=1)
        total = _products(length, np.array(self.ball))
        return np.asarray(total * (1.0 + self._share) + SMALLEST)

    def _box_deviation(self, rows: Array) -> Array:
        low, high = deviations(self.box, self.nominal)
        terms = _products(rows, np.where(rows > 0, high, low))
        error = DOUBLE.accumulated(self._terms) * np.abs(terms).sum(axis=1)
        return np.asarray(terms.sum(axis=1) + error + self._terms * SMALLEST)

    def _box_support(self, rows: Array) -> Array:
        terms = _products(rows, np.where(rows > 0, self.box.upper, self.box.lower))
        error = DOUBLE.accumulated(self._terms) * np.abs(terms).sum(axis=1)
        return np.asarray(terms.sum(axis=1) + error + self._terms * SMALLEST)

    @property
    def _terms(self) -> int:
        return 2 * len(self) + self.columns + 16

    def to_box(self) -> Interval:
        """The smallest box that the form, the ball and the box allow.

        Raises
        ------
        SoundnessError
            If they do not meet: two sound bounds of one quantity always do (S6).
        """
        with np.errstate(over="ignore", invalid="ignore"):
            size = np.abs(self.nominal) + np.abs(self.offset) + np.abs(self.errors).sum(axis=0)
            reach = np.abs(self.errors).sum(axis=0) + self.radius
            ends = []
            for sense in (-1.0, 1.0):
                form = sense * self.offset + reach
                for part in self.touched:
                    form = form + part.extent(sense)
                form = form + np.where(np.isfinite(form), np.abs(form), 0.0) * self._share
                ends.append(np.fmin(form + size * self._share, self.ball))
            error = DOUBLE.unit * (np.abs(self.nominal) + np.abs(ends[0]) + np.abs(ends[1]))
            lower = np.fmax(self.nominal - ends[0] - error, self.box.lower)
            upper = np.fmin(self.nominal + ends[1] + error, self.box.upper)
        return Interval(*_ordered("parameter", lower, upper))

    def mass(self) -> Array:
        """At least how far θ may be from the nominal run by the form alone, in every entry, with
        opposite choices together."""
        total = np.abs(self.offset) + np.abs(self.errors).sum(axis=0) + self.radius
        for part in self.touched:
            total = total + part.extent(1.0) + part.extent(-1.0)
        return np.asarray(total * (1.0 + self._share))

    def length(self) -> float:
        """At least the sum of the Euclidean norms of all parts of the form."""
        parts = [np.linalg.norm(self.offset), np.linalg.norm(self.radius)]
        total = float(sum(parts)) + float(np.linalg.norm(self.errors, axis=1).sum())
        total += sum(part.length() for part in self.touched)
        return total * (1.0 + self._share)

    @property
    def _share(self) -> float:
        return DOUBLE.accumulated(self._terms)

    def first(self, size: int) -> "Affine":
        """The domain of the first `size` entries: of the parameters of a state."""
        if size == len(self):
            return self
        touched = tuple(
            replace(
                part,
                moves=tuple(
                    replace(each, directions=each.directions[..., :size]) for each in part.moves
                ),
            )
            for part in self.touched
        )
        return Affine(
            self.nominal[:size],
            self.offset[:size],
            touched,
            self.errors[:, :size],
            self.radius[:size],
            Interval(self.box.lower[:size], self.box.upper[:size]),
            self.ball,
        )

    def width(self) -> float:
        """Total width of its box."""
        return self.to_box().width()

    @typed()
    def to_polytope(self, directions: ArrayLike) -> Polytope:
        """Its support along directions, shape (m, p), and opposite to them, within its box.

        Raises
        ------
        SoundnessError
            As of `to_box`.
        """
        rows = np.atleast_2d(self._directions(directions))
        ends = _ordered("direction", -self.support(-rows), self.support(rows))
        return Polytope(rows, *ends, self.to_box())

    @typed()
    def sample(self, size: int, generator: np.random.Generator | int = 0) -> Array:
        """Random points of the set, shape (size, p), that spend the budget; those outside the box
        or the ball are moved towards the centre."""
        rng = np.random.default_rng(generator)
        centre = self.nominal + self.offset
        reach = np.where(np.isfinite(self.radius), self.radius, 0.0)
        points = np.empty((size, len(self)))
        for k in range(size):
            signs = (
                rng.choice([-1.0, 1.0], len(self.errors))
                if k % 2
                else rng.uniform(-1.0, 1.0, len(self.errors))
            )
            shift = signs @ self.errors + reach * rng.uniform(-1.0, 1.0, len(self))
            shift = shift + sum((part.draw(rng) for part in self.touched), np.zeros(len(self)))
            points[k] = self._pulled(centre, shift)
        return points

    def _pulled(self, centre: Array, shift: Array) -> Array:
        for k in range(TRIES):
            point = centre + shift * 0.5**k
            if self.box.contains(point) and np.linalg.norm(point - self.nominal) <= self.ball:
                return point
        return np.clip(self.nominal, self.box.lower, self.box.upper)

    @typed()
    def contains(self, theta: ArrayLike, tolerance: float = 1e-9) -> bool:
        """Whether every row of `theta`, shape (p,) or (m, p), lies in the set, up to `tolerance`
        in every entry.

        False is proved: a direction along which the point is farther than the set. Where neither
        is shown, the answer is True. The set is taken with fractions of choices.
        """
        points = np.atleast_2d(np.asarray(theta, dtype=np.float64))
        return all(self._holds(point, tolerance) for point in points)

    def _holds(self, point: Array, tolerance: float) -> bool:
        apart = np.linalg.norm(point - self.nominal)
        return (
            self.box.contains(point, tolerance)
            and bool(apart <= self.ball + tolerance)
            and within_form(self, point, tolerance)
        )

    def _directions(self, directions: ArrayLike) -> Array:
        rows = np.asarray(directions, dtype=np.float64)
        if rows.ndim not in (1, 2) or rows.shape[-1] != len(self) or not np.isfinite(rows).all():
            raise InvalidInputError(
                f"affine: directions of shape {rows.shape} are not allowed; they must be finite, "
                f"(m, {len(self)}) or ({len(self)},)"
            )
        return rows

    @typed()
    def save(self, path: str | Path) -> None:
        """Write it to a file (.npz, without pickle); raises SaveError."""
        write_arrays(path, self.arrays())

    def arrays(self) -> dict[str, ArrayLike]:
        """What `load` reads, by name."""
        found: dict[str, ArrayLike] = {
            "nominal": self.nominal,
            "offset": self.offset,
            "errors": self.errors,
            "radius": self.radius,
            "lower": self.box.lower,
            "upper": self.box.upper,
            "ball": np.array(self.ball),
            "budgets": np.array([part.budget for part in self.touched], dtype=np.int64),
        }
        for group, part in enumerate(self.touched):
            found |= part.arrays(group)
        return found

    @classmethod
    @typed()
    def load(cls, path: str | Path) -> "Affine":
        """Read what `save` wrote.

        Raises
        ------
        InvalidInputError
            If the file is none of these, or broken.
        """
        with opened(path, f"affine: {path} is no affine domain") as archive:
            return read_affine(archive)


def read_affine(archive: Archive, others: Collection[str] = ()) -> Affine:
    """The domain in the arrays of an open archive, which has `others` besides.

    Raises
    ------
    ValueError
        If one is missing, or is not as it must be.
    """
    nominal = archive.array("nominal", (None,), kinds="f")
    p = len(nominal)
    ends = [archive.array(end, (p,), kinds="f") for end in ("lower", "upper")]
    budgets = archive.array("budgets", (None,), kinds="iu").tolist()
    parts = [read_touched(archive, group, budget, p) for group, budget in enumerate(budgets)]
    found = Affine(
        nominal,
        archive.array("offset", (p,), kinds="f"),
        tuple(parts),
        archive.array("errors", (None, p), kinds="f"),
        archive.array("radius", (p,), kinds="f"),
        Interval(*ends),
        float(archive.array("ball", (), kinds="f")),
    )
    archive.only(found.arrays(), others)
    return found


def deviations(box: Interval, nominal: Array) -> tuple[Array, Array]:
    """Bounds of θ − nominal over a box, rounded outward, each (p,)."""
    with np.errstate(invalid="ignore", over="ignore"):
        low, high = box.lower - nominal, box.upper - nominal
    return np.nextafter(low, -np.inf), np.nextafter(high, np.inf)


def _ordered(what: str, lower: Array, upper: Array) -> tuple[Array, Array]:
    if np.any(bad := crossed(lower, upper)):
        k = int(np.argmax(bad))
        raise SoundnessError(
            f"S6: {what} {k} is at least {lower[k]} and at most {upper[k]} by the form, the ball "
            f"and the box of an affine domain, which do not meet"
        )
    return np.minimum(lower, upper), np.maximum(lower, upper)


def _products(factor: Array, end: Array) -> Array:
    # 0 · inf counts as 0: a direction without an entry asks nothing of it.
    return np.where(factor == 0.0, 0.0, factor * np.where(factor == 0.0, 0.0, end))
