"""How an adversary enters interval propagation: one batch at a time, the whole budget in every
batch."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.intervals.aggregation import (
    PlainMean,
    RemainingMean,
    ReplacedMean,
    SeparatelyTouchedMean,
    Tally,
    TouchedMean,
)
from agtopt.intervals.arithmetic import Range, both
from agtopt.intervals.scale.blocks import whole
from agtopt.intervals.scale.numerics import FLOAT64, Numerics
from agtopt.problem import Moving, Perturbation, Problem, Removing, Substitution
from agtopt.verbs import unregistered, verb

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Batch = NDArray[np.int64]


class IntervalAdversary(Protocol):
    """What a perturbation model does to a batch."""

    def batch(self, samples: Batch) -> tuple[Range, Range]:
        """Features (…, n, *shape) and encoded labels (…, n, c) of these samples, in the form that
        the tally expects."""
        ...

    def tally(self, samples: Batch) -> Tally:
        """Begin to aggregate the gradients of that batch, which may come in fragments."""
        ...


def aggregate(adversary: IntervalAdversary, gradient: Range, samples: Batch, axis: int) -> Range:
    """The descent direction from the intervals of the gradients of a whole batch, along the sample
    axis; rows of ghosts stand last."""
    tally, many = adversary.tally(samples), len(samples)
    ghosts = gradient.lower.shape[axis] - many
    if ghosts:
        tally.add(
            whole(both(gradient, lambda end: end.narrow(axis, many, ghosts)), axis), samples[:0]
        )
    tally.add(whole(both(gradient, lambda end: end.narrow(axis, 0, many)), axis), samples)
    return tally.result()


class Rows(ABC):
    """Features and encoded labels of samples: made once, or for every batch where the features are
    on disk.

    Parameters
    ----------
    problem : Problem
    numerics : Numerics, optional

    Attributes
    ----------
    variants : sequence of (bool, bool), or None
        Whether features and labels move, for each further index of a leading axis whose index 0
        holds every sample as it stands. Empty where there is no such axis and every sample stands
        as it is; None where rows mean something else, which the sample-wise decomposition refuses.
    ghost : (Range, Range) or None
        The row behind the samples of a batch that stands for what replaces them.
    apart : bool
        Whether that row is the batch without samples.
    """

    variants: Sequence[tuple[bool, bool]] | None = None
    ghost: tuple[Range, Range] | None = None
    apart = False

    def __init__(self, problem: Problem, numerics: Numerics = FLOAT64) -> None:
        self.problem = problem
        self.numerics = numerics
        self.vulnerable = touchable_mask(problem)
        self.axis = -1 - len(problem.network.input_shape)

    @cached_property
    def _made(self) -> tuple[Range, Range]:
        return self.rows(np.arange(len(self.problem.dataset)))

    @abstractmethod
    def rows(self, samples: Batch) -> tuple[Range, Range]:
        """Make those of some samples."""

    @abstractmethod
    def tally(self, samples: Batch) -> Tally:
        """Begin to aggregate the gradients of that batch, which may come in fragments."""

    @abstractmethod
    def branches(self, samples: Batch, touched: Mask) -> tuple[Range, Range, Tensor]:
        """Features, encoded labels and weights of these samples where branch r touches exactly
        those of row r of a mask (R, n).

        Weights, (R, n) or (1, n), are 1 for samples that take part in the mean and 0 for those that
        are left out.
        """

    def propagating(self) -> "Rows":
        """The same adversary where only the descent direction counts, and not what is known of
        single samples."""
        return self

    def batch(self, samples: Batch) -> tuple[Range, Range]:
        """Features (…, n, *shape) and encoded labels (…, n, c) of these samples."""
        if self.problem.dataset.mapped:
            return self.rows(samples)
        where = self.numerics.indices(samples)
        features, labels = self._made
        return both(features, lambda end: end.index_select(self.axis, where)), both(
            labels, lambda end: end.index_select(-2, where)
        )

    def _arrays(self, samples: Batch) -> tuple[Array, Array]:
        data = self.problem.dataset
        return np.array(data.features[samples]), self.problem.encode(data.labels[samples])

    def _points(self, samples: Batch) -> tuple[Range, Range]:
        features, labels = map(self.numerics.enclose, self._arrays(samples))
        return features, labels

    def _touched(self, samples: Batch, touched: Mask, certain: bool = False) -> tuple[Range, Range]:
        features, labels = self._arrays(samples)
        return (
            touched_features(self.problem, features, touched, numerics=self.numerics),
            touched_labels(self.problem, labels, touched, certain, numerics=self.numerics),
        )


class TouchedSamples(Rows):
    """Samples that move within a box of their own (Theorem 9).

    A batch that the adversary may touch has a leading axis: index 0 holds every sample as it
    stands, each further index every vulnerable sample under one of the `variants`, the last of
    which contains all others.

    Parameters
    ----------
    problem : Problem
    variants : list of (bool, bool)
        Whether features and labels move.
    budgets : tuple of int
        One, or one for features and one for labels.
    """

    def __init__(
        self,
        problem: Problem,
        variants: list[tuple[bool, bool]],
        budgets: tuple[int, ...],
        numerics: Numerics = FLOAT64,
    ) -> None:
        super().__init__(problem, numerics)
        model, touched = problem.perturbation, bool(self.vulnerable.any())
        # Whether features and labels have the leading axis.
        self.moves = touched and bool(model.moves_features), touched and bool(model.moves_labels)
        self.variants = variants if any(self.moves) else []
        self.budgets = budgets

    def rows(self, samples: Batch) -> tuple[Range, Range]:
        points, boxes = self._points(samples), self._touched(samples, self.vulnerable[samples])
        x, y = (
            _stacked(clean, box, [moved[k] for moved in self.variants or ()])
            if self.moves[k]
            else clean
            for k, (clean, box) in enumerate(zip(points, boxes, strict=True))
        )
        return x, y

    def tally(self, samples: Batch) -> Tally:
        """The mean of a batch of which n samples may move (Theorem 9)."""
        if not self.variants:
            return PlainMean(len(samples))
        if len(self.budgets) == 2:
            return SeparatelyTouchedMean(len(samples), (self.budgets[0], self.budgets[1]))
        return TouchedMean(len(samples), self.budgets[0])

    def branches(self, samples: Batch, touched: Mask) -> tuple[Range, Range, Tensor]:
        return *self._touched(samples, touched, certain=True), _weights(
            np.ones((1, len(samples)), dtype=bool)
        )

    def propagating(self) -> Rows:
        most = max(int(self.vulnerable[batch].sum()) for batch in self.problem.schedule)
        return AllTouched(self.problem, self.numerics) if min(self.budgets) >= most else self


class AllTouched(TouchedSamples):
    """`TouchedSamples` whose budget covers every batch: each vulnerable sample takes any admissible
    value; none counts as it stands."""

    def __init__(self, problem: Problem, numerics: Numerics = FLOAT64) -> None:
        super().__init__(problem, [], (), numerics)
        self.variants = None

    def rows(self, samples: Batch) -> tuple[Range, Range]:
        return self._touched(samples, self.vulnerable[samples])


class RemovedSamples(Rows):
    """Samples left out (Theorem 6)."""

    variants = ()

    def rows(self, samples: Batch) -> tuple[Range, Range]:
        return self._points(samples)

    def tally(self, samples: Batch) -> Tally:
        """The mean of what is left when up to n samples go (Theorem 6)."""
        vulnerable = int(self.vulnerable[samples].sum())
        return RemainingMean(
            len(samples), min(self.problem.perturbation.budget, vulnerable), self.vulnerable
        )

    def branches(self, samples: Batch, touched: Mask) -> tuple[Range, Range, Tensor]:
        return *self._points(samples), _weights(~touched)


class ReplacedSamples(Rows):
    """Samples replaced by points of one box (Theorem 8): a batch has `ghosts` rows more, which
    stand for such points.

    With clipped gradients those rows are never worse than the ±κ of the theorem.
    """

    variants = ()

    def __init__(self, problem: Problem, ghosts: int = 1, numerics: Numerics = FLOAT64) -> None:
        super().__init__(problem, numerics)
        self.ghosts = ghosts
        self.ghost: tuple[Range, Range] = self._touched(
            np.zeros(1, dtype=np.int64), np.ones(1, dtype=bool)
        )

    def rows(self, samples: Batch) -> tuple[Range, Range]:
        return self._points(samples)

    def batch(self, samples: Batch) -> tuple[Range, Range]:
        points = super().batch(samples)
        if not self.vulnerable[samples].any():
            return points
        x, y = (
            Range(
                *(
                    torch.cat([own, *[end] * self.ghosts])
                    for own, end in zip(point, ghost, strict=True)
                )
            )
            for point, ghost in zip(points, self.ghost, strict=True)
        )
        return x, y

    def tally(self, samples: Batch) -> Tally:
        """The mean of a batch in which n samples may be replaced (Theorem 8)."""
        return ReplacedMean(len(samples), self.problem.perturbation.budget, self.vulnerable)

    def branches(self, samples: Batch, touched: Mask) -> tuple[Range, Range, Tensor]:
        return *self._touched(samples, touched, certain=True), _weights(
            np.ones((1, len(samples)), dtype=bool)
        )

    def propagating(self) -> Rows:
        return ReplacedApart(self.problem, numerics=self.numerics)


class ReplacedApart(ReplacedSamples):
    """`ReplacedSamples` whose ghost is the batch without samples, so that the samples of all other
    batches are points."""

    apart = True

    def batch(self, samples: Batch) -> tuple[Range, Range]:
        return Rows.batch(self, samples) if len(samples) else self.ghost


@verb
def interval_adversary(model: Perturbation, problem: Problem, numerics: Numerics = FLOAT64) -> Rows:
    """The adversary of a perturbation model."""
    raise unregistered("perturbation", model, interval_adversary, "A perturbation model")


@interval_adversary.register
def _(model: Moving, problem: Problem, numerics: Numerics = FLOAT64) -> Rows:
    variants = [(True, False), (False, True), (True, True)] if model.separate else [(True, True)]
    return TouchedSamples(
        problem, variants, model.budgets if model.separate else model.budgets[:1], numerics
    )


@interval_adversary.register
def _(model: Removing, problem: Problem, numerics: Numerics = FLOAT64) -> Rows:
    return RemovedSamples(problem, numerics)


@interval_adversary.register
def _(model: Substitution, problem: Problem, numerics: Numerics = FLOAT64) -> Rows:
    return ReplacedSamples(problem, numerics=numerics)


def touchable_mask(problem: Problem) -> Mask:
    """Which samples the adversary may touch, shape (N,)."""
    mask = np.zeros(len(problem.dataset), dtype=bool)
    mask[problem.perturbation.touchable(problem)] = True
    return mask


def touched_features(
    problem: Problem, features: Array, touched: Mask, numerics: Numerics = FLOAT64
) -> Range:
    """Features (…, n, *shape) where the samples of the mask `touched` (…, n) take any admissible
    value."""
    point = numerics.enclose(features)
    if not problem.perturbation.moves_features or not touched.any():
        return point
    box = numerics.box(*problem.perturbation.feature_box(problem, features))
    return _where(
        numerics.mask(touched.reshape(*touched.shape, *(1,) * (features.ndim - 1))), box, point
    )


def touched_labels(
    problem: Problem,
    labels: Array,
    touched: Mask,
    certain: bool = False,
    numerics: Numerics = FLOAT64,
) -> Range:
    """Encoded labels (…, n, c) where the samples of the mask `touched` (…, n) take any admissible
    value."""
    point = numerics.enclose(labels)
    if not problem.perturbation.moves_labels or not touched.any():
        return point
    enclose = numerics.box if problem.classes is None else numerics.enclose
    box = enclose(*problem.perturbation.label_box(problem, labels, certain))
    return _where(numerics.mask(touched[..., np.newaxis]), box, point)


def _weights(present: Mask) -> Tensor:
    return torch.from_numpy(present).double()


def _where(mask: Tensor, box: Range, point: Range) -> Range:
    low, high = torch.where(mask, box.lower, point.lower), torch.where(mask, box.upper, point.upper)
    return Range(low, low) if torch.equal(low, high) else Range(low, high)


def _stacked(clean: Range, touched: Range, moves: list[bool]) -> Range:
    """The leading axis: as it stands, and under every variant."""
    return Range(
        *(
            torch.stack([own, *(end if moved else own for moved in moves)])
            for own, end in zip(clean, touched, strict=True)
        )
    )
