"""Perturbation models: which datasets an adversary may turn the training data into."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb, inf

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import InvalidInputError, UnsupportedError
from agtopt.problem.checks import indices, number, whole, whole_numbers
from agtopt.problem.dataset import Dataset
from agtopt.problem.loss import Loss


@dataclass(frozen=True)
class Bounded:
    """At most n samples changed, each within a ball (equation 7 of Sosnin et al. 2025).

    Parameters
    ----------
    n : int
        Budget over the dataset: how many samples the adversary may change.
    eps : float
        Radius of the feature ball in the ℓ_p norm (units of the features); 0 leaves the features alone.
    p : float
        Norm of the feature ball; ``inf``.
    nu : float
        Reach of the label: for ``q=inf`` the radius of the label interval (regression), for ``q=0`` 1 allows a flip to any
        other class; 0 leaves the labels alone.
    q : float
        ``inf`` or 0.
    vulnerable : sequence of int or None
        Indices of the samples the adversary may touch; None for all.

    Raises
    ------
    InvalidInputError
        If a field is out of range.
    """

    n: int
    eps: float = 0.0
    p: float = inf
    nu: float = 0.0
    q: float = inf
    vulnerable: Sequence[int] | None = None

    def __post_init__(self) -> None:
        whole("perturbation.n", self.n, 0)
        number("perturbation.eps", self.eps, least=0.0)
        number("perturbation.nu", self.nu, least=0.0)
        if self.p != inf:
            raise UnsupportedError(f"perturbation.p: {self.p!r} is not supported; allowed is inf")
        if self.q not in (0, inf):
            raise InvalidInputError(f"perturbation.q: {self.q!r} is not allowed; it must be inf (interval) or 0 (flip)")
        if self.q == 0 and self.nu not in (0, 1):
            raise InvalidInputError(f"perturbation.nu: {self.nu!r} is not allowed; with q=0 it must be 0 or 1 (a flip)")
        if self.vulnerable is not None:
            object.__setattr__(self, "vulnerable", whole_numbers("perturbation.vulnerable", self.vulnerable))

    @property
    def flips(self) -> bool:
        """Whether class labels may flip."""
        return self.q == 0 and self.nu > 0

    def check(self, dataset: Dataset, loss: Loss) -> None:
        """Raise InvalidInputError where the model does not fit the dataset or the loss."""
        if self.n > len(dataset):
            raise InvalidInputError(f"perturbation.n: {self.n} is more than the {len(dataset)} samples of the dataset")
        self.touchable(len(dataset))
        if self.nu > 0 and (self.q == 0) != (loss.classes is not None):
            wanted = "q=0 (flips)" if loss.classes else "q=inf (an interval)"
            raise InvalidInputError(f"perturbation.q: {self.q!r} does not fit loss {loss.name!r}; it needs {wanted}")

    def touchable(self, samples: int) -> NDArray[np.int64]:
        """Sorted indices of the samples that the adversary may change, in a dataset of `samples` samples."""
        named = np.arange(samples) if self.vulnerable is None else indices("perturbation.vulnerable", self.vulnerable, samples)
        return np.sort(named) if self.n > 0 and (self.eps > 0 or self.nu > 0) else np.empty(0, dtype=np.int64)

    def only(self, *samples: int) -> "Bounded":
        """The same model with only these samples vulnerable."""
        return replace(self, n=min(self.n, len(samples)), vulnerable=samples)

    def admits(self, nominal: Dataset, other: Dataset, tolerance: float = 1e-9) -> bool:
        """Whether `other` is one of the datasets that `nominal` may be turned into."""
        samples = len(nominal)
        if other.features.shape != nominal.features.shape or other.labels.shape != nominal.labels.shape:
            return False
        moved = np.abs(other.features - nominal.features).reshape(samples, -1).max(axis=1)
        label = np.abs(other.labels - nominal.labels).reshape(samples, -1).max(axis=1)
        changed = (moved > 0) | (label > 0)
        if not set(np.flatnonzero(changed)) <= set(self.touchable(samples)):
            return False
        within = np.all(label <= self.nu + tolerance) if self.q == inf else (self.flips or not label.any())
        return bool(changed.sum() <= self.n and np.all(moved <= self.eps + tolerance) and within)

    def sample(
        self, nominal: Dataset, loss: Loss, size: int, generator: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw admissible datasets that spend the whole budget, half of them at the corners of the balls.

        Returns
        -------
        features, labels : arrays, shapes (size, N, …) and (size, N) or (size, N, outputs)
        """
        touchable = self.touchable(len(nominal))
        features = np.repeat(nominal.features[np.newaxis], size, axis=0)
        labels = np.repeat(nominal.labels[np.newaxis], size, axis=0)
        budget = min(self.n, len(touchable))
        for k in range(size):
            chosen = generator.choice(touchable, size=budget, replace=False)
            features[k, chosen] += self.eps * self._direction(features[k, chosen].shape, k, generator)
            if self.flips:
                labels[k, chosen] = [generator.choice(others) for others in self._others(nominal, loss, chosen)]
            elif self.q == inf:
                labels[k, chosen] += self.nu * self._direction(labels[k, chosen].shape, k, generator)
        return features, labels

    @staticmethod
    def _direction(shape: tuple[int, ...], k: int, generator: np.random.Generator) -> NDArray[np.float64]:
        uniform = generator.uniform(-1.0, 1.0, shape)
        return np.sign(uniform) if k % 2 == 0 else uniform

    @staticmethod
    def _others(nominal: Dataset, loss: Loss, chosen: Sequence[int] | NDArray[np.int64]) -> list[list[int]]:
        return [[c for c in loss.classes or () if c != nominal.labels[i]] for i in chosen]

    def count(self, nominal: Dataset, loss: Loss) -> float:
        """Number of admissible datasets; inf where features or label intervals move continuously."""
        if self.n == 0 or (self.eps == 0 and self.nu == 0):
            return 1
        if self.eps > 0 or self.q == inf:
            return inf
        touchable, others = len(self.touchable(len(nominal))), len(loss.classes or ()) - 1
        return sum(comb(touchable, k) * int(others**k) for k in range(min(self.n, touchable) + 1))

    def enumerate(self, nominal: Dataset, loss: Loss) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Every admissible dataset of a finite model, as (samples changed, their labels); the nominal one first."""
        touchable = self.touchable(len(nominal))
        for k in range(min(self.n, len(touchable)) + 1):
            for chosen in combinations(map(int, touchable), k):
                options: list[tuple[int, ...]] = [()]
                for others in self._others(nominal, loss, chosen):
                    options = [(*head, other) for head in options for other in others]
                for labels in options:
                    yield chosen, labels
