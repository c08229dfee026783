"""Samples changed within a ball, labels flipped or moved."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from math import inf
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agtopt.arguments import fits
from agtopt.domains.interval import Ends
from agtopt.errors import InvalidInputError
from agtopt.problem.checks import number, whole, whole_numbers
from agtopt.problem.dataset import Dataset, Datasets
from agtopt.problem.loss import Classes
from agtopt.problem.perturbation.base import (
    Array,
    Moving,
    directions,
    drawn,
    in_ball,
    in_box,
    samples,
)
from agtopt.problem.perturbation.perturbed import Perturbed
from agtopt.tolerances import ADMITTED


@dataclass(frozen=True)
class Bounded(Moving):
    """At most n samples changed, each within a ball (equation 7 of Sosnin et al. 2025).

    Parameters
    ----------
    n : int or None
        Budget over the dataset: how many samples the adversary may change, in their features, their
        label or both. None where `n_features` and `n_labels` are given instead.
    eps : float
        Radius of the feature ball in the ℓ_p norm (units of the features); 0 leaves the features
        alone.
    p : float
        Norm of the feature ball: ``inf``, 2 or 1.
    nu : float
        Reach of the label: for ``q=inf`` the radius of the label interval (regression), for ``q=0``
        1 allows a flip to another class; 0 leaves the labels alone.
    q : float
        ``inf`` or 0.
    vulnerable : sequence of int or None
        Indices of the samples the adversary may touch; None for all.
    flips : sequence of (int, int) or None
        Which flips ``(source, target)`` of classes are allowed; all by default.
    n_features, n_labels : int or None
        Separate budgets: at most `n_features` samples with changed features and, chosen
        independently, at most `n_labels` with a changed label.

    Raises
    ------
    InvalidInputError
        If a field is out of range.
    """

    n: int | None = None  # type: ignore[assignment]
    eps: float = 0.0
    p: float = inf
    nu: float = 0.0
    q: float = inf
    vulnerable: Sequence[int] | None = None
    flips: Sequence[tuple[int, int]] | None = None
    n_features: int | None = None
    n_labels: int | None = None

    def __post_init__(self) -> None:
        if (self.n is None) == (self.n_features is None) or (self.n_features is None) != (
            self.n_labels is None
        ):
            raise InvalidInputError(
                f"perturbation.n: {self.n!r} with n_features {self.n_features!r} and n_labels "
                f"{self.n_labels!r} is not allowed; "
                "give either n or both of the others"
            )
        for name in ("n_features", "n_labels"):
            if getattr(self, name) is not None:
                whole(f"perturbation.{name}", getattr(self, name), 0)
        if self.n is not None:
            whole("perturbation.n", self.n, 0)
        number("perturbation.eps", self.eps, least=0.0)
        number("perturbation.nu", self.nu, least=0.0)
        if not fits(self.p, float) or self.p not in (1, 2, inf):
            raise InvalidInputError(
                f"perturbation.p: {self.p!r} is not allowed; it must be inf, 2 or 1"
            )
        if not fits(self.q, float) or self.q not in (0, inf):
            raise InvalidInputError(
                f"perturbation.q: {self.q!r} is not allowed; it must be inf (interval) or 0 (flip)"
            )
        if self.q == 0 and self.nu not in (0, 1):
            raise InvalidInputError(
                f"perturbation.nu: {self.nu!r} is not allowed; with q=0 it must be 0 or 1 (a flip)"
            )
        if self.vulnerable is not None:
            object.__setattr__(
                self, "vulnerable", whole_numbers("perturbation.vulnerable", self.vulnerable)
            )
        if self.flips is not None:
            object.__setattr__(self, "flips", _pairs(self.flips))
            if self.q != 0 or self.nu == 0:
                raise InvalidInputError("perturbation.flips: is not allowed without q=0 and nu=1")

    @property
    def flipping(self) -> bool:
        """Whether class labels may flip."""
        return self.q == 0 and self.moves_labels

    @property
    def separate(self) -> bool:
        return self.n is None and self.moves_features and self.moves_labels

    @property
    def budget(self) -> int:
        if self.n is not None:
            return self.n
        return (self.n_features or 0) * (self.eps > 0) + (self.n_labels or 0) * (self.nu > 0)

    @property
    def budgets(self) -> tuple[int, int]:
        return (
            (self.n_features or 0, self.n_labels or 0)
            if self.separate
            else (self.budget, self.budget)
        )

    @property
    def ball(self) -> tuple[float, float] | None:
        return (self.eps, self.p) if self.moves_features and self.p != inf else None

    @property
    def moves_features(self) -> bool:
        return self.eps > 0 and (self.n if self.n_features is None else self.n_features) != 0

    @property
    def moves_labels(self) -> bool:
        return self.nu > 0 and (self.n if self.n_labels is None else self.n_labels) != 0

    def check(self, problem: Perturbed) -> None:
        most = max(self.n or 0, self.n_features or 0, self.n_labels or 0)
        if most > len(problem.dataset):
            raise InvalidInputError(
                f"perturbation.n: {most} is more than the {len(problem.dataset)} samples of the "
                f"dataset"
            )
        self._named(len(problem.dataset))
        loss, classes = problem.training.loss, problem.classes
        if self.nu > 0 and (self.q == 0) != (classes is not None):
            wanted = "q=0 (flips)" if classes else "q=inf (an interval)"
            raise InvalidInputError(
                f"perturbation.q: {self.q!r} does not fit loss {loss.name!r}; it needs {wanted}"
            )
        unknown = [c for flip in self.flips or () for c in flip if c not in (classes or ())]
        if unknown:
            raise InvalidInputError(
                f"perturbation.flips: {unknown[0]} is no class; the classes are "
                f"{', '.join(map(str, classes or ()))}"
            )

    def touchable(self, problem: Perturbed) -> NDArray[np.int64]:
        if self.budget == 0 or not (self.moves_features or self.moves_labels):
            return np.empty(0, dtype=np.int64)
        data = problem.dataset
        named = self._named(len(data))
        if self.moves_features or self.flips is None:
            return named
        sources = [source for source, _ in self.flips]
        return named[np.isin(data.labels[named], sources)]

    def only(self, *samples: int) -> Self:
        budgets = {
            name: min(getattr(self, name), len(samples))
            for name in ("n", "n_features", "n_labels")
            if getattr(self, name) is not None
        }
        return replace(self, vulnerable=samples, **budgets)

    def feature_box(self, problem: Perturbed, features: Array) -> Ends:
        reach = self.eps if self.moves_features else 0.0
        return features - reach, features + reach

    def label_box(self, problem: Perturbed, labels: Array, certain: bool = False) -> Ends:
        if not self.flipping:
            reach = self.nu if self.moves_labels else 0.0
            return labels - reach, labels + reach
        possible = labels @ self._targets(problem.classes or ())
        if not certain or self.moves_features:
            possible = np.maximum(possible, labels)
        return np.where(possible.sum(axis=-1, keepdims=True) == 1.0, possible, 0.0), possible

    def _targets(self, classes: Classes) -> Array:
        """1 where the class of the row may flip to the class of the column."""
        return np.array(
            [[float(self._allowed(source, target)) for target in classes] for source in classes]
        )

    def _allowed(self, source: float, target: float) -> bool:
        return source != target and (self.flips is None or (source, target) in self.flips)

    def _others(self, problem: Perturbed, sample: int) -> list[int]:
        return [
            c
            for c in problem.classes or ()
            if self._allowed(float(problem.dataset.labels[sample]), c)
        ]

    @property
    def _flip_budget(self) -> int:
        return self.n if self.n is not None else (self.n_labels or 0)

    def admits(self, problem: Perturbed, other: Dataset, tolerance: float = ADMITTED) -> bool:
        if not self.same_places(problem, other) or other.present is not None:
            return False
        nominal, many = problem.dataset, len(problem.dataset)
        moved, relabelled = (
            (mine != theirs).reshape(many, -1).any(axis=1)
            for mine, theirs in (
                (other.features, nominal.features),
                (other.labels, nominal.labels),
            )
        )
        if (moved.any() and not self.moves_features) or (
            relabelled.any() and not self.moves_labels
        ):
            return False
        if self.n is None and (
            moved.sum() > (self.n_features or 0) or relabelled.sum() > (self.n_labels or 0)
        ):
            return False
        boxes = [(other.features[moved], self.feature_box(problem, nominal.features[moved]))]
        if self.flipping:
            flipped = np.flatnonzero(relabelled).tolist()
            if not all(other.labels[i] in self._others(problem, i) for i in flipped):
                return False
        else:
            labels = nominal.labels[relabelled]
            boxes.append((other.labels[relabelled], self.label_box(problem, labels)))
        return all(in_box(values, *box, tolerance) for values, box in boxes) and (
            self.ball is None
            or not moved.any()
            or in_ball(other.features[moved], nominal.features[moved], self.ball, tolerance)
        )

    def sample(self, problem: Perturbed, size: int, generator: np.random.Generator) -> Datasets:
        nominal, touchable = problem.dataset, self.touchable(problem)
        features = (
            np.repeat(nominal.features[np.newaxis], size, axis=0) if self.moves_features else None
        )
        labels = np.repeat(nominal.labels[np.newaxis], size, axis=0) if self.moves_labels else None
        moved = relabelled = drawn(touchable, self.n or 0, size, generator)
        if self.n is None:
            moved = drawn(touchable, self.n_features or 0, size, generator)
            relabelled = drawn(touchable, self.n_labels or 0, size, generator)
        for k in range(size):
            extreme = k % 2 == 0
            if features is not None:
                features[k, moved[k]] += self.eps * directions(
                    features[k, moved[k]].shape, extreme, self.p, generator
                )
            if labels is not None and not self.flipping:
                labels[k, relabelled[k]] += self.nu * directions(
                    labels[k, relabelled[k]].shape, extreme, inf, generator
                )
            elif labels is not None:
                for i in relabelled[k].tolist():
                    others = self._others(problem, i)
                    labels[k, i] = generator.choice(others) if others else labels[k, i]
        return Datasets(nominal, size, features, labels)

    def count(self, problem: Perturbed) -> float:
        touchable = self.touchable(problem)
        if not len(touchable):
            return 1
        if self.moves_features or self.q == inf:
            return inf
        # The generating polynomial of the budget: coefficient k is the number of datasets with k
        # flips.
        ways = [1] + [0] * self._flip_budget
        for i in touchable.tolist():
            others = len(self._others(problem, i))
            ways = [
                now + others * before for now, before in zip(ways, [0, *ways[:-1]], strict=True)
            ]
        return sum(ways)

    def enumerate(self, problem: Perturbed) -> Datasets:
        rows, touchable = [problem.dataset.labels], self.touchable(problem).tolist()
        for k in range(1, min(self._flip_budget, len(touchable)) + 1):
            for chosen in combinations(touchable, k):
                for labels in product(*(self._others(problem, i) for i in chosen)):
                    changed = problem.dataset.labels.copy()
                    changed[list(chosen)] = labels
                    rows.append(changed)
        return Datasets(problem.dataset, len(rows), labels=np.stack(rows))

    def describe(self) -> str:
        norm = "" if self.p == inf else f" in ℓ{self.p:g}"
        flips = (
            "label flips"
            if self.flips is None
            else "flips " + ", ".join(f"{a}→{b}" for a, b in self.flips)
        )
        features = f"features ±{self.eps:g}{norm}" if self.eps > 0 else ""
        labels = (flips if self.q == 0 else f"labels ±{self.nu:g}") if self.nu > 0 else ""
        if self.n is None:
            moved, relabelled = features or "no change", labels or "no change"
            return (
                f"at most {samples(self.n_features)} with {moved} and {samples(self.n_labels)} "
                f"with {relabelled}{self._among()}"
            )
        return (
            f"at most {samples(self.n)} with "
            f"{' and '.join(filter(None, (features, labels))) or 'no change'}{self._among()}"
        )


def _pairs(flips: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    try:
        given = [(source, target) for source, target in flips]
    except (TypeError, ValueError):
        raise InvalidInputError(
            f"perturbation.flips: {flips!r} is not allowed; it must be a list of pairs (source, "
            f"target)"
        ) from None
    pairs = tuple((_label(source), _label(target)) for source, target in given)
    if any(source == target for source, target in pairs):
        raise InvalidInputError(
            f"perturbation.flips: {list(pairs)!r} is not allowed; source and target must differ"
        )
    return pairs


def _label(value: float) -> int:
    label = number("perturbation.flips", value)
    if label != int(label):
        raise InvalidInputError(
            f"perturbation.flips: {value!r} is not allowed; labels of classes are whole numbers"
        )
    return int(label)
