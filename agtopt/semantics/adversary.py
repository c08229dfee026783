"""How an adversary enters interval propagation: one batch at a time, the whole budget in every batch."""

from functools import singledispatch
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from agtopt.problem import Bounded, Perturbation, Problem, Removal, Substitution
from agtopt.semantics.aggregation import PlainMean, RemainingMean, ReplacedMean, SeparatelyTouchedMean, Tally, TouchedMean
from agtopt.semantics.arithmetic import Range, both, outward
from agtopt.semantics.blocks import whole

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Batch = NDArray[np.int64]


class IntervalAdversary(Protocol):
    """What a perturbation model does to a batch."""

    def batch(self, samples: Batch) -> tuple[Range, Range]:
        """Features (…, n, *shape) and encoded labels (…, n, c) of these samples, in the form that the tally expects."""
        ...

    def tally(self, samples: Batch) -> Tally:
        """Begin to aggregate the gradients of that batch, which may come in fragments."""
        ...


def aggregate(adversary: IntervalAdversary, gradient: Range, samples: Batch, axis: int) -> Range:
    """The descent direction from the intervals of the gradients of a whole batch, along the sample axis; rows of ghosts stand last."""
    tally, many = adversary.tally(samples), len(samples)
    ghosts = gradient.lower.shape[axis] - many
    if ghosts:
        tally.add(whole(both(gradient, lambda end: end.narrow(axis, many, ghosts)), axis), samples[:0])
    tally.add(whole(both(gradient, lambda end: end.narrow(axis, 0, many)), axis), samples)
    return tally.result()


@singledispatch
def interval_adversary(model: Perturbation, problem: Problem) -> IntervalAdversary:
    """The adversary of a perturbation model; samples that are touched move within their boxes, unless another class is registered."""
    return TouchedSamples(problem, [(True, True)], (model.budget,))


@interval_adversary.register
def _(model: Bounded, problem: Problem) -> IntervalAdversary:
    if not model.separate:
        return TouchedSamples(problem, [(True, True)], (model.budget,))
    return TouchedSamples(problem, [(True, False), (False, True), (True, True)], (model.n_features or 0, model.n_labels or 0))


@interval_adversary.register
def _(model: Removal, problem: Problem) -> IntervalAdversary:
    return RemovedSamples(problem)


@interval_adversary.register
def _(model: Substitution, problem: Problem) -> IntervalAdversary:
    return ReplacedSamples(problem)


class TouchedSamples:
    """Samples that move within a box of their own (Theorem 9).

    A batch that the adversary may touch has a leading axis: index 0 holds every sample as it stands, each further index every
    vulnerable sample under one of the `variants`, the last of which contains all others.

    Parameters
    ----------
    problem : Problem
    variants : list of (bool, bool)
        Whether features and labels move.
    budgets : tuple of int
        One, or one for features and one for labels.
    """

    def __init__(self, problem: Problem, variants: list[tuple[bool, bool]], budgets: tuple[int, ...]) -> None:
        self.variants, self.budgets = variants, budgets
        touched = touchable_mask(problem)
        labels = problem.encode(problem.dataset.labels)
        boxes = touched_features(problem, problem.dataset.features, touched), touched_labels(problem, labels, touched)
        self.features = _stacked(problem.dataset.features, boxes[0], [moves for moves, _ in variants])
        self.labels = _stacked(labels, boxes[1], [moves for _, moves in variants])
        self.axis = -1 - len(problem.network.input_shape)

    @property
    def moved(self) -> bool:
        """Whether batches have the leading axis."""
        return self.features.lower.dim() > -self.axis or self.labels.lower.dim() > 2

    def batch(self, samples: Batch) -> tuple[Range, Range]:
        rows = torch.from_numpy(samples)
        return (
            both(self.features, lambda end: end.index_select(self.axis, rows)),
            both(self.labels, lambda end: end.index_select(-2, rows)),
        )

    def tally(self, samples: Batch) -> Tally:
        if not self.moved:
            return PlainMean(len(samples))
        if len(self.budgets) == 2:
            return SeparatelyTouchedMean(len(samples), (self.budgets[0], self.budgets[1]))
        return TouchedMean(len(samples), self.budgets[0])


class AllTouched:
    """`TouchedSamples` whose budget covers every batch: each vulnerable sample takes any admissible value; none counts as it stands."""

    def __init__(self, problem: Problem) -> None:
        touched = touchable_mask(problem)
        self.features = touched_features(problem, problem.dataset.features, touched)
        self.labels = touched_labels(problem, problem.encode(problem.dataset.labels), touched)

    def batch(self, samples: Batch) -> tuple[Range, Range]:
        rows = torch.from_numpy(samples)
        return both(self.features, lambda end: end[rows]), both(self.labels, lambda end: end[rows])

    def tally(self, samples: Batch) -> Tally:
        return PlainMean(len(samples))


def propagating_adversary(problem: Problem) -> IntervalAdversary:
    """The adversary of a problem where only the descent direction counts, and not what is known of single samples."""
    adversary, touched = interval_adversary(problem.perturbation, problem), touchable_mask(problem)
    if isinstance(adversary, ReplacedSamples):
        return ReplacedApart(problem)
    if isinstance(adversary, TouchedSamples) and min(adversary.budgets) >= max(int(touched[batch].sum()) for batch in problem.schedule):
        return AllTouched(problem)
    return adversary


class RemovedSamples:
    """Samples left out (Theorem 6)."""

    def __init__(self, problem: Problem) -> None:
        self.vulnerable, self.budget = touchable_mask(problem), problem.perturbation.budget
        self.features = torch.tensor(problem.dataset.features)
        self.labels = torch.tensor(problem.encode(problem.dataset.labels))

    def batch(self, samples: Batch) -> tuple[Range, Range]:
        x, y = self.features[samples], self.labels[samples]
        return Range(x, x), Range(y, y)

    def tally(self, samples: Batch) -> Tally:
        return RemainingMean(len(samples), min(self.budget, int(self.vulnerable[samples].sum())), self.vulnerable)


class ReplacedSamples:
    """Samples replaced by points of one box (Theorem 8): a batch has `ghosts` rows more, which stand for such points.

    With clipped gradients those rows are never worse than the ±κ of the theorem.
    """

    def __init__(self, problem: Problem, ghosts: int = 1) -> None:
        self.vulnerable, self.budget, self.ghosts = touchable_mask(problem), problem.perturbation.budget, ghosts
        data, one = problem.dataset, np.ones(1, dtype=bool)
        labels = problem.encode(data.labels)
        self.features = _appended(data.features, touched_features(problem, data.features[:1], one))
        self.labels = _appended(labels, touched_labels(problem, labels[:1], one))

    def batch(self, samples: Batch) -> tuple[Range, Range]:
        ghost = [len(self.vulnerable)] * (self.ghosts if self.vulnerable[samples].any() else 0)
        rows = torch.from_numpy(np.concatenate([samples, np.array(ghost, dtype=np.int64)]))
        return both(self.features, lambda end: end[rows]), both(self.labels, lambda end: end[rows])

    def tally(self, samples: Batch) -> Tally:
        return ReplacedMean(len(samples), self.budget, self.vulnerable)


class ReplacedApart(ReplacedSamples):
    """`ReplacedSamples` whose ghost is the batch without samples, so that the samples of all other batches are points."""

    def batch(self, samples: Batch) -> tuple[Range, Range]:
        if not len(samples):
            ghost = slice(len(self.vulnerable), None)
            return both(self.features, lambda end: end[ghost]), both(self.labels, lambda end: end[ghost])
        rows = torch.from_numpy(samples)
        return Range(*[self.features.lower[rows]] * 2), Range(*[self.labels.lower[rows]] * 2)


def touchable_mask(problem: Problem) -> Mask:
    """Which samples the adversary may touch, shape (N,)."""
    mask = np.zeros(len(problem.dataset), dtype=bool)
    mask[problem.perturbation.touchable(problem)] = True
    return mask


def touched_features(problem: Problem, features: Array, touched: Mask) -> Range:
    """Features (…, n, *shape) where the samples of the mask `touched` (…, n) take any admissible value."""
    if not problem.perturbation.moves_features or not touched.any():
        return _point(features)
    low, high = problem.perturbation.feature_box(problem, features)
    box = outward(torch.tensor(low), torch.tensor(high))
    return _where(touched.reshape(*touched.shape, *(1,) * (features.ndim - 1)), box, features)


def touched_labels(problem: Problem, labels: Array, touched: Mask, certain: bool = False) -> Range:
    """Encoded labels (…, n, c) where the samples of the mask `touched` (…, n) take any admissible value."""
    if not problem.perturbation.moves_labels or not touched.any():
        return _point(labels)
    low, high = (torch.tensor(end) for end in problem.perturbation.label_box(problem, labels, certain))
    box = outward(low, high) if problem.classes is None else Range(low, high)
    return _where(touched[..., np.newaxis], box, labels)


def _point(values: Array) -> Range:
    point = torch.tensor(values)
    return Range(point, point)


def _where(mask: Mask, box: Range, values: Array) -> Range:
    where, point = torch.from_numpy(mask), torch.tensor(values)
    low, high = torch.where(where, box.lower, point), torch.where(where, box.upper, point)
    return Range(low, low) if torch.equal(low, high) else Range(low, high)


def _stacked(clean: Array, touched: Range, moves: list[bool]) -> Range:
    """The leading axis: as it stands, and under every variant; a point where nothing moves."""
    point = torch.tensor(clean)
    if touched.is_point and torch.equal(touched.lower, point):
        return Range(point, point)
    return Range(*(torch.stack([point, *(end if moved else point for moved in moves)]) for end in touched))


def _appended(values: Array, row: Range) -> Range:
    point = torch.tensor(values)
    return Range(torch.cat([point, row.lower]), torch.cat([point, row.upper]))
