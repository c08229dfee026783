"""Samples replaced by arbitrary points of a box."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from agtopt.domains.interval import Ends
from agtopt.errors import InvalidInputError
from agtopt.problem.checks import real_array
from agtopt.problem.dataset import Dataset, Datasets
from agtopt.problem.perturbation.base import (
    Array,
    Perturbation,
    directions,
    drawn,
    in_box,
    samples,
)
from agtopt.problem.perturbation.perturbed import Perturbed
from agtopt.tolerances import ADMITTED

UNBOUNDED_SPREAD = 10.0
"""Standard deviations of the data within which features are drawn where the box is unbounded."""


@dataclass(frozen=True, eq=False)
class Substitution(Perturbation):
    """At most n samples replaced by arbitrary points of a box (Theorem 8 of Sosnin et al. 2025).

    The batches keep their sizes. A dataset with a sample more or less, under a mean over the
    nominal batch size, is *not* covered.

    Parameters
    ----------
    n : int
        How many samples may be replaced.
    vulnerable : sequence of int or None
        Indices of the samples that may be replaced; None for all.
    features : (array_like, array_like) or None
        Lowest and highest features, numbers or arrays of the shape of a sample; None for any, which
        needs ``Training(clip=…)``.
    labels : sequence
        For classification the classes a replaced sample may have, all by default; for regression
        its (lowest, highest) target.

    Raises
    ------
    InvalidInputError
        If a box is empty or NaN, or does not fit the data.
    """

    features: tuple[ArrayLike, ArrayLike] | None = None
    labels: Sequence[float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.features is not None:
            lower, upper = _ends(self.features)
            if lower.ndim and upper.ndim and lower.shape != upper.shape:
                raise InvalidInputError(
                    f"perturbation.features: ends of shapes {lower.shape} and {upper.shape} are no "
                    f"box; their shapes must be equal, or one a number"
                )
            if not np.all(lower <= upper):
                raise InvalidInputError(
                    "perturbation.features: the box is empty or NaN; lower ends must not exceed "
                    "upper ends"
                )
            object.__setattr__(self, "features", (lower, upper))
        if self.labels is not None:
            labels = real_array("perturbation.labels", self.labels)
            if labels.ndim != 1:
                raise InvalidInputError(
                    f"perturbation.labels: {self.labels!r} is not allowed; it must be a list of "
                    f"classes, or (lowest, highest) for a regression"
                )
            object.__setattr__(self, "labels", tuple(labels.tolist()))

    @property
    def removes(self) -> bool:
        return False

    @property
    def replaces(self) -> bool:
        return True

    @property
    def moves_features(self) -> bool:
        return self.n > 0

    @property
    def moves_labels(self) -> bool:
        return self.n > 0

    def check(self, problem: Perturbed) -> None:
        super().check(problem)
        shape = problem.network.input_shape
        for end in self.features or ():
            if np.shape(end) not in ((), shape):
                raise InvalidInputError(
                    f"perturbation.features: an end has shape {np.shape(end)}; it must be a number "
                    f"or have shape {shape}"
                )
        finite = self.features is not None and all(np.isfinite(end).all() for end in self.features)
        if not finite and problem.training.clip is None:
            raise InvalidInputError(
                "perturbation.features: an unbounded box needs Training(clip=…); give a finite box "
                "or clip the gradients"
            )
        if problem.classes is None:
            if self.labels is None or len(self.labels) != 2 or not self.labels[0] <= self.labels[1]:
                raise InvalidInputError(
                    f"perturbation.labels: {self.labels!r} is not allowed; a regression needs "
                    f"(lowest, highest)"
                )
        elif self.labels is not None and not (
            self.labels and set(self.labels) <= set(problem.classes)
        ):
            raise InvalidInputError(
                f"perturbation.labels: {self.labels!r} is not allowed; the classes are "
                f"{', '.join(map(str, problem.classes))}"
            )

    def feature_box(self, problem: Perturbed, features: Array) -> Ends:
        ends = (-inf, inf) if self.features is None else self.features
        lower, upper = (
            np.broadcast_to(np.asarray(end, dtype=np.float64), features.shape) for end in ends
        )
        return lower, upper

    def label_box(self, problem: Perturbed, labels: Array, certain: bool = False) -> Ends:
        if problem.classes is None:
            lower, upper = (np.full(labels.shape, end) for end in self.labels or (-inf, inf))
            return lower, upper
        allowed = np.array(
            [float(self.labels is None or c in self.labels) for c in problem.classes]
        )
        possible = np.broadcast_to(allowed, labels.shape)
        return np.where(allowed.sum() == 1.0, possible, 0.0), possible

    def admits(self, problem: Perturbed, other: Dataset, tolerance: float = ADMITTED) -> bool:
        if not self.same_places(problem, other) or other.present is not None:
            return False
        changed = other.changed(problem.dataset)
        features, labels = other.features[changed], other.labels[changed]
        if not in_box(features, *self.feature_box(problem, features), tolerance):
            return False
        if problem.classes is None:
            return in_box(labels, *self.label_box(problem, labels), tolerance)
        return bool(np.isin(labels, problem.classes if self.labels is None else self.labels).all())

    def sample(self, problem: Perturbed, size: int, generator: np.random.Generator) -> Datasets:
        nominal, touchable = problem.dataset, self.touchable(problem)
        features, labels = (
            np.repeat(values[np.newaxis], size, axis=0)
            for values in (nominal.features, nominal.labels)
        )
        low, high = self.feature_box(problem, nominal.features)
        centre, spread = (
            nominal.features.mean(axis=0),
            UNBOUNDED_SPREAD * (1.0 + nominal.features.std(axis=0)),
        )
        low, high = (
            np.where(np.isfinite(low), low, centre - spread),
            np.where(np.isfinite(high), high, centre + spread),
        )
        for k, chosen in enumerate(drawn(touchable, self.n, size, generator)):
            part = 0.5 + 0.5 * directions(features[k, chosen].shape, k % 2 == 0, inf, generator)
            features[k, chosen] = _between(part, low[chosen], high[chosen])
            if problem.classes is not None:
                labels[k, chosen] = generator.choice(
                    problem.classes if self.labels is None else self.labels, size=len(chosen)
                )
            else:
                least, most = self.labels or (0.0, 0.0)
                part = 0.5 + 0.5 * directions(labels[k, chosen].shape, k % 2 == 0, inf, generator)
                labels[k, chosen] = _between(part, np.array(least), np.array(most))
        return Datasets(nominal, size, features, labels)

    def describe(self) -> str:
        where = "anything" if self.features is None else "points of a box"
        return (
            f"at most {samples(self.n)} replaced by {where}{self._among()} (batches keep their "
            "sizes)"
        )


def _ends(features: Any) -> tuple[Array, Array]:
    """The lower and the upper end of a box."""
    ends = list(features) if isinstance(features, (tuple, list)) or np.ndim(features) else []
    if len(ends) != 2:
        raise InvalidInputError(
            f"perturbation.features: {features!r} is not allowed; it must be a pair of a lower and "
            f"an upper end"
        )
    lower, upper = (real_array("perturbation.features", end) for end in ends)
    return lower, upper


def _between(part: Array, low: Array, high: Array) -> Array:
    """Points of boxes, which rounding must not take out of them."""
    return np.clip((1.0 - part) * low + part * high, low, high)
