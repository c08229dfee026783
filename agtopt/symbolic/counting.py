"""Training with shapes alone: what a compiled model would hold if no bound decided an indicator."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agtopt.formulation.selector import PAIRED
from agtopt.kinds import Formulation
from agtopt.problem import Moving, Perturbation, Problem, Removing, Substitution
from agtopt.problem.layers import Patches, Shape
from agtopt.problem.network import VELOCITY
from agtopt.program import train
from agtopt.program.subscripts import parse
from agtopt.symbolic.operations import SUBSTITUTED
from agtopt.symbolic.protocol import touchable
from agtopt.verbs import unregistered, verb

Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Shadow:
    """How many terms the affine expression of every entry has (0 for a number), whether it is 0 or
    1, and which numbers are 0."""

    terms: Counts
    binary: bool = False
    zero: Mask | None = None

    @property
    def varies(self) -> Mask:
        """Which entries are no numbers."""
        return np.asarray(self.terms > 0)


class CountingOperations:
    """Counts variables and rows by kind as `SymbolicOperations` writes them; an entry that varies
    is taken as undecided.

    The sizes follow from the encodings: a rectifier has two variables and three rows, a gated
    indicator one and three (two without a gate; in QCP one variable, two rows and one product
    more), a McCormick or binary product one and four, a kept product one row per sum, a corridor of
    K segments 2K + 1 and 2K + 4 (one and two for K = 1).
    """

    def __init__(self, problem: Problem, kind: Formulation, start: int, stop: int) -> None:
        self.problem = problem
        self.kind = kind
        self.binaries = 0
        self.continuous = 0
        self.linear = 0
        self.quadratic = 0
        occurring = np.zeros(len(problem.dataset), dtype=bool)
        for batch in problem.schedule[start:stop]:
            occurring[batch] = True
        self.adversary = count_choices(problem.perturbation, self, touchable(problem, occurring))

    def add_binaries(self, many: int) -> None:
        """Selectors or indicators: binaries, or continuous where these are relaxed."""
        if self.kind.binaries:
            self.binaries += many
        else:
            self.continuous += many

    def begin(self, t: int) -> tuple[Shadow, Shadow]:
        self.t = t
        self.samples = self.problem.schedule[t]
        return self.adversary.batch(self.samples)

    def constant(self, value: NDArray[np.float64] | float) -> Shadow:
        return Shadow(np.zeros(np.shape(value), dtype=np.int64))

    def add(self, first: Shadow, second: Shadow) -> Shadow:
        return Shadow(first.terms + second.terms)

    def scale(self, factor: float, value: Shadow) -> Shadow:
        return Shadow(value.terms)

    def contract(
        self, subscripts: str, first: Shadow, second: Shadow, at: str, shift: Shadow | None = None
    ) -> Shadow:
        if shift is not None:
            return self.add(self.contract(subscripts, first, second, at), shift)
        axes_of = parse(subscripts)
        a, b = (
            axes_of.spread(first.terms, axes_of.left),
            axes_of.spread(second.terms, axes_of.right),
        )
        both = np.asarray((a > 0) & (b > 0))
        axes = tuple(range(-len(axes_of.contracted), 0))
        linear = np.where(both, 0, a + b).sum(axis=axes)
        if self.kind.bilinear and not (self.kind.binaries and (first.binary or second.binary)):
            kept = both.any(axis=axes)
            self.continuous += int(kept.sum())
            self.quadratic += int(kept.sum())
            return Shadow(np.where(kept, 1, linear))
        self.continuous += int(both.sum())
        self.linear += 4 * int(both.sum())
        return Shadow(linear + both.sum(axis=axes))

    def rectify(self, value: Shadow, at: str) -> tuple[Shadow, Shadow]:
        many = int(value.varies.sum())
        self.add_binaries(many)
        self.continuous += many
        self.linear += 3 * many
        return _single(value.varies), _single(value.varies, binary=True)

    def positive(self, value: Shadow, given: Shadow, at: str) -> Shadow:
        undecided = value.varies & (given.varies if given.zero is None else ~given.zero)
        gated = undecided & given.varies
        alone = int(undecided.sum() - gated.sum())
        if self.kind.bilinear and not self.kind.binaries:
            self.continuous += 2 * int(gated.sum()) + alone
            self.quadratic += int(gated.sum())
            self.linear += 5 * int(gated.sum()) + 2 * alone
        else:
            self.add_binaries(int(undecided.sum()))
            self.linear += 3 * int(gated.sum()) + 2 * alone
        return _single(undecided | given.varies, binary=True)

    def define(self, value: Shadow, at: str) -> Shadow:
        if value.terms.max(initial=0) <= SUBSTITUTED:
            return value
        self.continuous += int(value.varies.sum())
        self.linear += int(value.varies.sum())
        return _single(value.varies, value.binary)

    def sigmoid(self, value: Shadow, at: str) -> Shadow:
        return self._curves(value)

    def _curves(self, value: Shadow) -> Shadow:
        many, segments = int(value.varies.sum()), self.kind.segments
        self.continuous += many
        if self.kind.functions:
            self.quadratic += many
        elif segments == 1:
            self.linear += 2 * many
        else:
            self.add_binaries(segments * many)
            self.continuous += segments * many
            self.linear += (2 * segments + 4) * many
        return _single(value.varies)

    def softmax(self, value: Shadow, at: str) -> Shadow:
        logits = [self.column(value, c) for c in range(value.terms.shape[-1])]
        if len(logits) == 2:
            second = self.sigmoid(self.add(*logits), at)
            return Shadow(np.concatenate([second.terms, second.terms], axis=1))
        total = logits[0]
        for logit in logits[1:]:
            gap = self.add(total, logit)
            total = (
                _single(gap.varies) if self.kind.functions else self.add(total, self._curves(gap))
            )
        if self.kind.functions:
            self.continuous += int(total.varies.sum())
        shares = [self._curves(self.add(logit, total)) for logit in logits]
        self.linear += int(total.varies.sum())
        return Shadow(np.concatenate([share.terms for share in shares], axis=1))

    def clip(self, value: Shadow, bound: float, at: str) -> Shadow:
        lower, _ = self.rectify(value, at)
        upper, _ = self.rectify(lower, at)
        return upper

    def reshape(self, value: Shadow, old: Shape, new: Shape) -> Shadow:
        lead = value.terms.shape[: value.terms.ndim - len(old)]
        return Shadow(value.terms.reshape(*lead, *new), value.binary)

    def unfold(self, value: Shadow, patches: Patches) -> Shadow:
        return Shadow(_taken(value.terms.reshape(len(value.terms), -1), patches.index))

    def fold(self, value: Shadow, patches: Patches) -> Shadow:
        many = len(value.terms)
        return Shadow(
            _taken(value.terms.reshape(many, -1), patches.transposed_index)
            .sum(axis=-1)
            .reshape(many, *patches.shape)
        )

    def column(self, value: Shadow, index: int) -> Shadow:
        zero = None if value.zero is None else value.zero[:, index : index + 1]
        return Shadow(value.terms[:, index : index + 1], value.binary, zero)

    def per_sample(self, value: Shadow, rank: int = 1) -> Shadow:
        return Shadow(value.terms[np.newaxis], value.binary)

    def aggregate(self, gradient: Shadow, tensor: str) -> Shadow:
        return self.adversary.aggregate(gradient, self.samples)

    def update(self, terms: list[tuple[float, Shadow]], tensor: str) -> Shadow:
        varies = np.logical_or.reduce([value.varies for _, value in terms])
        if tensor.startswith(VELOCITY):
            return Shadow(2 * varies.astype(np.int64))
        self.continuous += int(varies.sum())
        self.linear += int(varies.sum())
        return _single(varies)


class CountedChoices(Protocol):
    """What an adversary decides, counted as `agtopt.symbolic.choices` writes it."""

    def batch(self, samples: NDArray[np.int64]) -> tuple[Shadow, Shadow]:
        """Features and encoded labels of the rows of a batch."""
        ...

    def aggregate(self, gradient: Shadow, samples: NDArray[np.int64]) -> Shadow:
        """The descent direction, of the gradient of every sample in the batch."""
        ...


@verb
def count_choices(model: Perturbation, ops: CountingOperations, touched: Mask) -> CountedChoices:
    """Count the choices of a perturbation model for the touchable samples of the window (a
    mask)."""
    raise unregistered("perturbation", model, count_choices, "A perturbation model")


class CountedTouches:
    """What `choices.TouchedChoices` writes, counted."""

    def __init__(self, ops: CountingOperations, touched: Mask) -> None:
        problem, model, data = ops.problem, ops.problem.perturbation, ops.problem.dataset
        many, labels = int(touched.sum()), problem.encode(data.labels)
        groups = 2 if model.separate else 1
        ops.add_binaries(groups * many)
        ops.linear += groups * int(many > 0)
        self.features = np.zeros(data.features.shape, dtype=bool)
        self.labels = np.zeros(labels.shape, dtype=bool)
        if model.moves_features:
            self.features |= touched.reshape((-1,) + (1,) * (data.features.ndim - 1))
            _count_box(ops, self.features)
            if model.ball is not None:
                self._count_ball(ops, model.ball[1], many, data.features[0].size)
        self.classes = problem.classes is not None
        if model.moves_labels:
            possible = model.label_box(problem, labels)[1]
            movable = touched[:, np.newaxis] & (possible != labels).any(axis=1, keepdims=True)
            self.labels |= movable & ((possible > 0) | (labels > 0) if self.classes else True)
            others = (possible > 0) & (labels == 0)
            if not self.classes:
                _count_box(ops, self.labels)
            elif model.moves_features or (others.sum(axis=1) > 1).any():
                ops.add_binaries(int(self.labels.sum()))
                ops.linear += 2 * int(movable.sum())
        self.absent = (labels == 0.0) & ~self.labels

    @staticmethod
    def _count_ball(ops: CountingOperations, p: float, many: int, entries: int) -> None:
        ops.continuous += many * entries
        ops.linear += many * (2 * entries + 1)
        if p == 2:
            ops.linear += many * (entries * (entries - 1) // 2 if 2 < entries <= PAIRED else 0)
            ops.quadratic += many * ops.kind.bilinear

    def batch(self, samples: NDArray[np.int64]) -> tuple[Shadow, Shadow]:
        return _single(self.features[samples]), Shadow(
            self.labels[samples].astype(np.int64), self.classes, self.absent[samples]
        )

    def aggregate(self, gradient: Shadow, samples: NDArray[np.int64]) -> Shadow:
        return Shadow(gradient.terms.sum(axis=0))


class CountedRemovals:
    """What `choices.RemovalChoices` writes, counted."""

    def __init__(self, ops: CountingOperations, touched: Mask) -> None:
        self.ops = ops
        self.touched = touched
        self.counted = -1
        ops.add_binaries(int(touched.sum()))
        ops.linear += int(touched.any())
        self.labels = ops.problem.encode(ops.problem.dataset.labels)

    def batch(self, samples: NDArray[np.int64]) -> tuple[Shadow, Shadow]:
        return _points(self.ops.problem.dataset.features[samples].shape), _labels(
            self.ops, self.labels[samples]
        )

    def aggregate(self, gradient: Shadow, samples: NDArray[np.int64]) -> Shadow:
        ops, gate = self.ops, _single(self.touched[samples], binary=True)
        if not gate.varies.any():
            return Shadow(gradient.terms.sum(axis=0))
        axes = "abcd"[: gradient.terms.ndim - 1]
        removed = ops.contract(f"n,n{axes}->n{axes}", gate, gradient, "")
        most = min(ops.problem.perturbation.budget, int(gate.varies.sum()))
        if self.counted != ops.t and most > 1:
            self.counted = ops.t
            ops.add_binaries(most)
            ops.linear += 2
        where = (gradient.terms + removed.terms + gate.terms.reshape(-1, *(1,) * len(axes))).sum(
            axis=0
        ) > 0
        mean, many = _single(where), int(where.sum())
        ops.continuous += many
        ops.contract(
            f"k,{axes}->k{axes}", _single(np.ones(most, dtype=bool), binary=True), mean, ""
        )
        ops.linear += many
        return mean


class CountedSubstitutions:
    """What `choices.SubstitutionChoices` writes, counted."""

    def __init__(self, ops: CountingOperations, touched: Mask) -> None:
        problem = ops.problem
        data, model = problem.dataset, problem.perturbation
        self.ops = ops
        self.touched = touched
        replaced = int(touched.sum())
        self.ghosts = many = min(model.budget, replaced)
        ops.add_binaries(many * replaced)
        ops.linear += (replaced + many + max(many - 1, 0) * replaced) if many else 0
        labels = problem.encode(data.labels)
        low, high = model.feature_box(problem, np.repeat(data.features[:1], many, axis=0))
        self.features = np.concatenate([np.zeros(data.features.shape, dtype=bool), low < high])
        ops.continuous += int((low < high).sum())
        low, high = model.label_box(problem, np.repeat(labels[:1], many, axis=0))
        self.labels = np.concatenate([np.zeros(labels.shape, dtype=bool), low < high])
        if problem.classes is None:
            ops.continuous += int((low < high).sum())
        else:
            ops.add_binaries(int((low < high).sum()))
            ops.linear += int((low < high).any(axis=1).sum())
        self.zero = np.concatenate([labels == 0.0, high == 0.0])

    def batch(self, samples: NDArray[np.int64]) -> tuple[Shadow, Shadow]:
        extra = self.ghosts if self.touched[samples].any() else 0
        rows = np.concatenate([samples, len(self.touched) + np.arange(extra)])
        classes = self.ops.problem.classes is not None
        return _single(self.features[rows]), Shadow(
            self.labels[rows].astype(np.int64), classes, self.zero[rows]
        )

    def aggregate(self, gradient: Shadow, samples: NDArray[np.int64]) -> Shadow:
        own = self.touched[samples]
        if len(gradient.terms) == len(samples):
            return Shadow(gradient.terms.sum(axis=0))
        used = np.ones(self.ghosts, dtype=bool)
        gates = Shadow(
            np.concatenate([self.ghosts * own, own.sum() * used]).astype(np.int64), binary=True
        )
        axes = "abcd"[: gradient.terms.ndim - 1]
        return Shadow(
            self.ops.contract(f"n,n{axes}->n{axes}", gates, gradient, "").terms.sum(axis=0)
        )


@count_choices.register
def _(model: Moving, ops: CountingOperations, touched: Mask) -> CountedChoices:
    return CountedTouches(ops, touched)


@count_choices.register
def _(model: Removing, ops: CountingOperations, touched: Mask) -> CountedChoices:
    return CountedRemovals(ops, touched)


@count_choices.register
def _(model: Substitution, ops: CountingOperations, touched: Mask) -> CountedChoices:
    return CountedSubstitutions(ops, touched)


def count_steps(problem: Problem, kind: Formulation, start: int, stop: int) -> CountingOperations:
    """Count the steps start … stop−1, from a point at step 0 and from a box at any other."""
    ops = CountingOperations(problem, kind, start, stop)
    moving = {*problem.trained, *(name for name in problem.state if name.startswith(VELOCITY))}
    begin = {
        name: _single(np.full(value.shape, start > 0 and name in moving))
        for name, value in problem.state.items()
    }
    ops.continuous += sum(int(value.varies.sum()) for value in begin.values())
    for _ in train(ops, problem, begin, start, stop):
        pass
    return ops


def _single(varies: Mask, binary: bool = False) -> Shadow:
    return Shadow(varies.astype(np.int64), binary)


def _points(shape: tuple[int, ...]) -> Shadow:
    return Shadow(np.zeros(shape, dtype=np.int64))


def _labels(ops: CountingOperations, labels: NDArray[np.float64]) -> Shadow:
    return Shadow(
        np.zeros(labels.shape, dtype=np.int64), ops.problem.classes is not None, labels == 0.0
    )


def _count_box(ops: CountingOperations, varies: Mask) -> None:
    ops.continuous += int(varies.sum())
    ops.linear += 2 * int(varies.sum())


def _taken(terms: Counts, index: NDArray[np.int64]) -> Counts:
    picked: Counts = np.where(index >= 0, terms[:, np.maximum(index, 0)], 0)
    return picked
