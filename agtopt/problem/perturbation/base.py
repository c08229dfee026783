"""What every perturbation model can say of itself."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agtopt.domains.interval import Ends
from agtopt.errors import InvalidInputError, UnsupportedError
from agtopt.frozen import Unchanging
from agtopt.problem.checks import chunks, indices, number, whole, whole_numbers
from agtopt.problem.dataset import Dataset, Datasets
from agtopt.problem.perturbation.perturbed import Perturbed
from agtopt.tolerances import ADMITTED

Array = NDArray[np.float64]

NAMED = 8
"""Most vulnerable samples that a description names."""


@dataclass(frozen=True)
class Perturbation(Unchanging, ABC):
    """At most `budget` samples are touched, none but the vulnerable ones.

    What becomes of a touched sample is said by deriving from `Moving` or `Removing`, whose meanings
    are known, or by registering meanings of one's own; and exactly, by `admits`.
    """

    n: int
    vulnerable: Sequence[int] | None = None

    def __post_init__(self) -> None:
        whole("perturbation.n", self.n, 0)
        if self.vulnerable is not None:
            object.__setattr__(
                self, "vulnerable", whole_numbers("perturbation.vulnerable", self.vulnerable)
            )

    @property
    def budget(self) -> int:
        """How many samples of the dataset may be touched."""
        return self.n

    @property
    def separate(self) -> bool:
        """Whether features and labels have budgets of their own, and both move."""
        return False

    @property
    def budgets(self) -> tuple[int, int]:
        """How many samples may be touched in their features and in their labels; the same samples
        unless `separate`."""
        return self.budget, self.budget

    @property
    def moves_features(self) -> bool:
        """Whether a touched sample's features may differ."""
        return False

    @property
    def moves_labels(self) -> bool:
        """Whether a touched sample's label may differ."""
        return False

    @property
    def removes(self) -> bool:
        """Whether a touched sample is left out."""
        raise self._unsaid("removes")

    @property
    def replaces(self) -> bool:
        """Whether a touched sample gives way to another one, so that what is known of its place is
        not known of what stands there."""
        raise self._unsaid("replaces")

    @property
    def ball(self) -> tuple[float, float] | None:
        """Radius (units of the features) and norm, 1 or 2, of a ball around each sample that holds
        its features once it is touched.

        None where their box says all.
        """
        return None

    def _unsaid(self, what: str) -> UnsupportedError:
        kind = type(self).__name__
        return UnsupportedError(
            f"perturbation: {kind} does not say whether it {what} a touched sample; derive it from "
            f"agtopt.problem.Moving or Removing, "
            f"or define {kind}.{what} (docs/extending.md, “A perturbation model”)"
        )

    def check(self, problem: Perturbed) -> None:
        """Raise InvalidInputError where the model does not fit the rest of the problem."""
        samples = len(problem.dataset)
        if self.budget > samples:
            raise InvalidInputError(
                f"perturbation.n: {self.budget} is more than the {samples} samples of the dataset"
            )
        self._named(samples)

    def check_boxes(self, problem: Perturbed) -> None:
        """Raise InvalidInputError where what moves, the boxes and the ball do not agree."""
        kind, data = type(self).__name__, problem.dataset
        if self.ball is not None:
            radius, p = self.ball
            number(f"perturbation: the radius of {kind}.ball", radius, least=0.0)
            if p not in (1, 2):
                raise InvalidInputError(
                    f"perturbation: the norm {p!r} of {kind}.ball is not allowed; it must be 1 or 2"
                )
        if not len(self.touchable(problem)):
            return
        for what, moves, box, values in (
            ("features", self.moves_features, self.feature_box, data.features),
            ("labels", self.moves_labels, self.label_box, problem.encode(data.labels)),
        ):
            still = moves or all(
                np.array_equal(end, part) for part in chunks(values) for end in box(problem, part)
            )
            if not still:
                raise InvalidInputError(
                    f"perturbation: the boxes of {kind} move {what} although {kind}.moves_{what} "
                    f"is false; one of the two is wrong"
                )

    def _named(self, samples: int) -> NDArray[np.int64]:
        if self.vulnerable is None:
            return np.arange(samples)
        return np.sort(indices("perturbation.vulnerable", self.vulnerable, samples))

    def touchable(self, problem: Perturbed) -> NDArray[np.int64]:
        """Sorted indices of the samples that the adversary may touch."""
        return self._named(len(problem.dataset)) if self.budget > 0 else np.empty(0, dtype=np.int64)

    def only(self, *samples: int) -> Self:
        """The same model with only these samples vulnerable."""
        return replace(self, n=min(self.n, len(samples)), vulnerable=samples)

    def feature_box(self, problem: Perturbed, features: Array) -> Ends:
        """Lowest and highest features of samples (…, *shape) once they are touched, before
        rounding."""
        return features, features

    def label_box(self, problem: Perturbed, labels: Array, certain: bool = False) -> Ends:
        """Lowest and highest encoded labels (…, outputs or classes) of samples once they are
        touched.

        With `certain` a touched sample *is* changed, and in its label where nothing else moves.
        """
        return labels, labels

    @abstractmethod
    def admits(self, problem: Perturbed, other: Dataset, tolerance: float = ADMITTED) -> bool:
        """Whether `other` is one of the datasets that the problem's may be turned into.

        `tolerance` is for the rounding of whoever made it, relative to the sizes at hand.
        """

    @abstractmethod
    def sample(self, problem: Perturbed, size: int, generator: np.random.Generator) -> Datasets:
        """Draw admissible datasets that spend the whole budget, many of them at extreme points."""

    def count(self, problem: Perturbed) -> float:
        """Number of admissible datasets; inf where something moves continuously, which is the
        default."""
        return inf if len(self.touchable(problem)) else 1

    def enumerate(self, problem: Perturbed) -> Datasets:
        """Every admissible dataset of a finite model, the nominal one first.

        Raises
        ------
        UnsupportedError
            If they are not finitely many, which is the default.
        """
        if len(self.touchable(problem)):
            raise UnsupportedError(
                f"perturbation: {self.describe()}: these datasets cannot be enumerated"
            )
        return Datasets(problem.dataset, 1)

    @abstractmethod
    def describe(self) -> str:
        """The adversary in words."""

    def _among(self) -> str:
        """The vulnerable samples in words, to end a description with; empty where all are."""
        if self.vulnerable is None:
            return ""
        named = ", ".join(map(str, self.vulnerable[:NAMED])) + ", …" * (
            len(self.vulnerable) > NAMED
        )
        return (
            f", among {samples(len(self.vulnerable))} ({named})" if named else ", among no samples"
        )

    def same_places(self, problem: Perturbed, other: Dataset) -> bool:
        """Whether no more samples than the budget differ, all of them touchable."""
        nominal = problem.dataset
        if (
            other.features.shape != nominal.features.shape
            or other.labels.shape != nominal.labels.shape
        ):
            return False
        changed = np.flatnonzero(other.changed(nominal))
        return len(changed) <= self.budget and set(changed) <= set(self.touchable(problem))


@dataclass(frozen=True)
class Moving(Perturbation):
    """A touched sample stays in its place and moves within boxes of its own, which hold the sample
    as it stands."""

    @property
    def removes(self) -> bool:
        return False

    @property
    def replaces(self) -> bool:
        return False


@dataclass(frozen=True)
class Removing(Perturbation):
    """A touched sample is left out of every batch it occurs in; all others keep their batches, and
    the mean is over those that remain."""

    @property
    def removes(self) -> bool:
        return True

    @property
    def replaces(self) -> bool:
        return False

    def check(self, problem: Perturbed) -> None:
        super().check(problem)
        touchable = self.touchable(problem)
        for t, batch in enumerate(problem.schedule):
            if min(self.budget, int(np.isin(batch, touchable).sum())) >= len(batch):
                raise InvalidInputError(
                    f"perturbation.n: {self.budget} removals may leave no sample in the batch of "
                    f"step {t}, which has {len(batch)}; "
                    "larger batches or a smaller budget are needed"
                )


def samples(many: int | None) -> str:
    """A number of samples in words."""
    return f"{many or 0} sample{'s' * (many != 1)}"


def drawn(
    touchable: NDArray[np.int64], budget: int, size: int, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """For each of `size` datasets, which samples are touched."""
    return [
        generator.choice(touchable, size=min(budget, len(touchable)), replace=False)
        for _ in range(size)
    ]


def in_box(values: Array, low: Array, high: Array, tolerance: float = ADMITTED) -> bool:
    """Whether all values lie between two ends, which may be infinite, but for a tolerance relative
    to each end."""
    least, most = (
        end + sense * tolerance * np.where(np.isfinite(end), np.abs(end), 0.0)
        for end, sense in ((low, -1.0), (high, 1.0))
    )
    return bool(np.all((least <= values) & (values <= most)))


def in_ball(values: Array, centres: Array, ball: tuple[float, float], tolerance: float) -> bool:
    """Whether samples (first axis) lie in a ball around others, but for a tolerance relative to
    these and to the radius, once for each entry that a norm sums."""
    radius, p = ball
    moved = np.maximum(np.abs(values - centres) - tolerance * np.abs(centres), 0.0)
    # In radii, whose squares do not underflow.
    shares = moved.reshape(len(moved), -1) / radius
    sizes = np.linalg.norm(shares, ord=p, axis=1)
    return bool(np.all(sizes <= 1.0 + tolerance * shares.shape[1]))


def within_ball(shifts: Array, ball: tuple[float, float]) -> Array:
    """What samples (first axis) are moved by, shortened to the radius of a ball where it is
    longer."""
    radius, p = ball
    size = np.linalg.norm(shifts.reshape(len(shifts), -1), ord=p, axis=1)
    part = np.divide(radius, size, out=np.ones_like(size), where=size > radius)
    return np.asarray(shifts * part.reshape(-1, *(1,) * (shifts.ndim - 1)))


def directions(
    shape: tuple[int, ...], extreme: bool, p: float, generator: np.random.Generator
) -> Array:
    """For each sample (first axis) a point of the unit ball of the ℓ_p norm; one of its boundary,
    or corners, where `extreme`."""
    flat: Array = generator.uniform(-1.0, 1.0, (shape[0], int(np.prod(shape[1:]))))
    if p == np.inf:
        points = np.sign(flat) if extreme else flat
    elif p == 2:
        points = generator.normal(size=flat.shape)
        points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-300)
        points *= 1.0 if extreme else generator.uniform(size=(shape[0], 1))
    elif extreme:
        points = np.zeros_like(flat)
        rows = np.arange(len(flat))
        places = generator.integers(0, flat.shape[1], len(flat))
        points[rows, places] = np.sign(flat[rows, places])
    else:
        points = flat / np.maximum(np.abs(flat).sum(axis=1, keepdims=True), 1.0)
    return points.reshape(shape)
