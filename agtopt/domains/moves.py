"""What an adversary may do to single samples, and how it moves the parameters: D_i u_i with u_i in
a set U_i of its own."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.errors import InvalidInputError
from agtopt.files import Archive

Array = NDArray[np.float64]

DUALS = {1.0: np.inf, 2.0: 2.0, np.inf: 1.0}
"""The norm by which a linear function over a unit ball is bounded."""

BLOCK = 2**22
"""Gains that are held at once."""


@dataclass(frozen=True, eq=False)
class Moves(ABC):
    """Directions D_i of some samples and the sets U_i, each of which holds 0: a sample as it
    stands.

    Parameters
    ----------
    directions : array_like, shape (m, k, p)
        The k columns of each D_i.
    """

    directions: Array
    kind: ClassVar[str]

    def __post_init__(self) -> None:
        rows = np.array(self.directions, dtype=np.float64)
        if rows.ndim != 3 or not np.isfinite(rows).all():
            raise InvalidInputError(
                f"affine: directions of shape {rows.shape} are not allowed; they must be finite, "
                f"(samples, columns, p)"
            )
        rows.setflags(write=False)
        object.__setattr__(self, "directions", rows)

    @abstractmethod
    def reach(self, values: Array) -> Array:
        """h_i(v) = max of v · u over U_i, shape (…, m), for values (…, m, k); not rounded."""

    @abstractmethod
    def length(self, norms: Array) -> Array:
        """A bound on Σ_k norms_k |u_k| over U_i, shape (m,), for norms (m, k)."""

    @abstractmethod
    def best(self, values: Array) -> Array:
        """A u of U_i, shape (m, k), that attains h_i(v) for values (m, k)."""

    @abstractmethod
    def draw(self, generator: np.random.Generator) -> Array:
        """A random u of every U_i, shape (m, k)."""

    def numbers(self) -> dict[str, Array]:
        """What describes the sets, by name."""
        return {}


@dataclass(frozen=True, eq=False)
class Choices(Moves):
    """One of the k columns, or none: a flip to one of k classes, a removal; with fractions of
    them, as in the hull."""

    kind: ClassVar[str] = "choices"

    def reach(self, values: Array) -> Array:
        return np.asarray(np.maximum(values.max(axis=-1), 0.0))

    def length(self, norms: Array) -> Array:
        return np.asarray(norms.max(axis=-1))

    def best(self, values: Array) -> Array:
        chosen = np.zeros_like(values)
        places = np.arange(len(values)), values.argmax(axis=-1)
        chosen[places] = values[places] > 0.0
        return chosen

    def draw(self, generator: np.random.Generator) -> Array:
        return self.best(generator.normal(size=self.directions.shape[:2]))


@dataclass(frozen=True, eq=False)
class Balls(Moves):
    """A ball in the ℓ_p norm.

    Parameters
    ----------
    radius : float
    p : float
        ``inf``, 2 or 1.
    """

    radius: float = 0.0
    p: float = np.inf
    kind: ClassVar[str] = "ball"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.p not in DUALS or not 0.0 <= self.radius < np.inf:
            raise InvalidInputError(
                f"affine: a ball of radius {self.radius!r} in the norm {self.p!r} is not allowed"
            )

    def reach(self, values: Array) -> Array:
        return np.asarray(self.radius * np.linalg.norm(values, ord=DUALS[self.p], axis=-1))

    def length(self, norms: Array) -> Array:
        return self.reach(norms)

    def best(self, values: Array) -> Array:
        if self.p == np.inf:
            return np.asarray(self.radius * np.sign(values))
        if self.p == 2:
            size = np.linalg.norm(values, axis=-1, keepdims=True)
            flat = np.zeros_like(values)
            return np.asarray(np.divide(self.radius * values, size, out=flat, where=size > 0))
        found = np.zeros_like(values)
        places = np.arange(len(values)), np.abs(values).argmax(axis=-1)
        found[places] = self.radius * np.sign(values[places])
        return found

    def draw(self, generator: np.random.Generator) -> Array:
        return self.best(generator.normal(size=self.directions.shape[:2]))

    def numbers(self) -> dict[str, Array]:
        return {"radius": np.array(float(self.radius)), "norm": np.array(float(self.p))}


@dataclass(frozen=True, eq=False)
class Boxes(Moves):
    """A box of its own for every sample, which holds 0.

    Parameters
    ----------
    lower, upper : array_like, shape (m, k)
    """

    lower: ArrayLike = 0.0
    upper: ArrayLike = 0.0
    kind: ClassVar[str] = "boxes"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("lower", "upper"):
            end = np.array(getattr(self, name), dtype=np.float64)
            end = np.broadcast_to(end, self.directions.shape[:2]).copy()
            end.setflags(write=False)
            object.__setattr__(self, name, end)
        low, high = self.ends
        if (
            not (np.isfinite(low).all() and np.isfinite(high).all())
            or np.any(low > 0)
            or np.any(high < 0)
        ):
            raise InvalidInputError("affine: the boxes of moves must be finite and hold 0")

    @property
    def ends(self) -> tuple[Array, Array]:
        """Lower and upper ends, each (m, k)."""
        return np.asarray(self.lower), np.asarray(self.upper)

    def reach(self, values: Array) -> Array:
        low, high = self.ends
        return np.asarray(np.maximum(low * values, high * values).sum(axis=-1))

    def length(self, norms: Array) -> Array:
        low, high = self.ends
        return np.asarray((np.maximum(-low, high) * norms).sum(axis=-1))

    def best(self, values: Array) -> Array:
        low, high = self.ends
        return np.asarray(np.where(values > 0, high, low))

    def draw(self, generator: np.random.Generator) -> Array:
        low, high = self.ends
        return np.asarray(generator.uniform(low, high))

    def numbers(self) -> dict[str, Array]:
        low, high = self.ends
        return {"lower": low, "upper": high}


@dataclass(frozen=True, eq=False)
class Touched:
    """Samples of which at most `budget` are touched, each in all of the ways that are named.

    Parameters
    ----------
    budget : int
    samples : array_like of int, shape (m,)
        Their indices in the dataset.
    moves : tuple of Moves
        Each of these m samples.
    """

    budget: int
    samples: NDArray[np.int64]
    moves: tuple[Moves, ...]

    def __post_init__(self) -> None:
        chosen = np.array(self.samples, dtype=np.int64)
        chosen.setflags(write=False)
        object.__setattr__(self, "samples", chosen)
        shapes = {len(each.directions) for each in self.moves}
        if chosen.ndim != 1 or self.budget < 0 or not self.moves or shapes != {len(chosen)}:
            raise InvalidInputError(
                f"affine: a budget of {self.budget!r} over samples of shape {chosen.shape} does "
                f"not fit directions of {sorted(shapes)} samples"
            )

    @property
    def size(self) -> int:
        """Number p of parameters that are moved."""
        return int(self.moves[0].directions.shape[-1])

    def gains(self, rows: Array) -> tuple[Array, Array]:
        """What touching each sample gains along rows (r, p) and against them, each (r, m); not
        rounded."""
        total = np.zeros((2, len(rows), len(self.samples)))
        for each in self.moves:
            many, columns, size = each.directions.shape
            flat = rows @ each.directions.reshape(many * columns, size).T
            values = flat.reshape(len(rows), many, columns)
            total[0] += each.reach(values)
            total[1] += each.reach(-values)
        return total[0], total[1]

    def spread(self, rows: Array) -> tuple[Array, Array]:
        """The largest sum of `budget` gains along each row and against it, each (r,); not
        rounded."""
        block = max(1, BLOCK // max(1, len(self.samples)))
        parts = [
            [largest_sum(gain, self.budget) for gain in self.gains(rows[first : first + block])]
            for first in range(0, len(rows), block)
        ]
        along, against = (np.concatenate(side) for side in zip(*parts, strict=True))
        return along, against

    def extent(self, sense: float) -> Array:
        """`support` along every parameter, or for a `sense` of −1 against it, shape (p,)."""
        total = np.zeros((self.size, len(self.samples)))
        for each in self.moves:
            total += each.reach(sense * each.directions.transpose(2, 0, 1))
        return largest_sum(total, self.budget)

    def length(self) -> float:
        """A bound on the Euclidean norm of what they move the parameters by, up to rounding."""
        norms = [each.length(np.linalg.norm(each.directions, axis=-1)) for each in self.moves]
        return float(largest_sum(np.sum(norms, axis=0)[np.newaxis], self.budget)[0])

    def best(self, direction: Array) -> Array:
        """The farthest point of the sum along a direction (p,)."""
        chosen = np.argsort(-self.gains(direction[np.newaxis])[0][0])[: self.budget]
        return self._moved([each.best(each.directions @ direction) for each in self.moves], chosen)

    def draw(self, generator: np.random.Generator) -> Array:
        """A random point of the sum, (p,), that spends the budget."""
        many = min(self.budget, len(self.samples))
        chosen = generator.choice(len(self.samples), size=many, replace=False)
        return self._moved([each.draw(generator) for each in self.moves], chosen)

    def arrays(self, group: int) -> dict[str, ArrayLike]:
        """What `read_touched` reads, by name."""
        found: dict[str, ArrayLike] = {
            f"samples_{group}": self.samples,
            f"kinds_{group}": np.array(" ".join(each.kind for each in self.moves)),
        }
        for k, each in enumerate(self.moves):
            found[f"directions_{group}_{k}"] = each.directions
            found |= {f"{name}_{group}_{k}": value for name, value in each.numbers().items()}
        return found

    def _moved(self, parts: list[Array], chosen: NDArray[np.int64]) -> Array:
        total = np.zeros(self.size)
        for each, part in zip(self.moves, parts, strict=True):
            total += np.einsum("mk,mkp->p", part[chosen], each.directions[chosen])
        return total


def largest_sum(values: Array, many: int) -> Array:
    """The sum of the `many` largest of nonnegative values (r, m) of each row."""
    if many >= values.shape[-1]:
        return np.asarray(values.sum(axis=-1))
    if many == 0:
        return np.zeros(len(values))
    kept = np.partition(values, values.shape[-1] - many, axis=-1)[:, values.shape[-1] - many :]
    return np.asarray(kept.sum(axis=-1))


def read_touched(archive: Archive, group: int, budget: int, p: int) -> Touched:
    """The samples of a group in the arrays of an open archive, whose directions have p entries.

    Raises
    ------
    ValueError
        If an array is missing, or is not as it must be.
    """
    samples = archive.array(f"samples_{group}", (None,), kinds="iu")
    moves: list[Moves] = []
    for k, kind in enumerate(archive.text(f"kinds_{group}").split()):
        place = f"{group}_{k}"
        rows = archive.array(f"directions_{place}", (len(samples), None, p), kinds="f")
        if kind == Choices.kind:
            moves.append(Choices(rows))
        elif kind == Balls.kind:
            radius, norm = (archive.array(f"{name}_{place}", ()) for name in ("radius", "norm"))
            moves.append(Balls(rows, float(radius), float(norm)))
        elif kind == Boxes.kind:
            ends = (archive.array(f"{end}_{place}", rows.shape[:2]) for end in ("lower", "upper"))
            moves.append(Boxes(rows, *ends))
        else:
            raise ValueError(f"it has moves of the unknown kind {kind!r}")
    return Touched(budget, samples, tuple(moves))
