"""Training with shapes alone: what a compiled model would hold if no bound decided an indicator."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agtopt.kinds import Formulation
from agtopt.problem.problem import Problem
from agtopt.program import train
from agtopt.program.subscripts import parse
from agtopt.semantics.symbolic import SUBSTITUTED

Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Shadow:
    """How many terms the affine expression of every entry has (0 for a number), whether it is 0 or 1, and which numbers are 0."""

    terms: Counts
    binary: bool = False
    zero: Mask | None = None

    @property
    def varies(self) -> Mask:
        """Which entries are no numbers."""
        return np.asarray(self.terms > 0)


class CountingOperations:
    """Counts variables and rows by kind as `SymbolicOperations` writes them; an entry that varies is taken as undecided.

    The sizes follow from the encodings: a rectifier has two variables and three rows, a gated indicator one and three (two without a gate;
    in QCP one variable, two rows and one product more), a McCormick or binary product one and four, a kept product one row per sum.
    """

    def __init__(self, problem: Problem, kind: Formulation, start: int, stop: int) -> None:
        self.problem, self.kind = problem, kind
        self.binaries = self.continuous = self.linear = self.quadratic = 0
        data, reach = problem.dataset, problem.perturbation
        touched = np.zeros(len(data), dtype=bool)
        occurring = np.unique(np.concatenate(problem.schedule[start:stop]))
        touched[np.intersect1d(reach.touchable(len(data)), occurring)] = True
        many = int(touched.sum())
        self._binary(many)
        self.linear += int(many > 0)
        self.features = np.zeros(data.features.shape, dtype=bool)
        if reach.eps > 0:
            self.features |= touched.reshape((-1,) + (1,) * (data.features.ndim - 1))
            self._perturbed(self.features)
        labels = problem.encode(data.labels)
        self.labels = np.zeros(labels.shape, dtype=bool)
        if reach.nu > 0:
            self.labels |= touched[:, np.newaxis]
            if not reach.flips:
                self._perturbed(self.labels)
            elif labels.shape[-1] > 2 or reach.eps > 0:
                self._binary(many * labels.shape[-1])
                self.linear += 2 * many
        self.absent = (labels == 0.0) & ~self.labels

    def _binary(self, many: int) -> None:
        if self.kind.binaries:
            self.binaries += many
        else:
            self.continuous += many

    def _perturbed(self, varies: Mask) -> None:
        self.continuous += int(varies.sum())
        self.linear += 2 * int(varies.sum())

    def begin(self, t: int) -> tuple[Shadow, Shadow]:
        batch = self.problem.schedule[t]
        classes = self.problem.training.loss.classes is not None
        return _single(self.features[batch]), Shadow(self.labels[batch].astype(np.int64), classes, self.absent[batch])

    def constant(self, value: NDArray[np.float64] | float) -> Shadow:
        return Shadow(np.zeros(np.shape(value), dtype=np.int64))

    def add(self, first: Shadow, second: Shadow) -> Shadow:
        return Shadow(first.terms + second.terms)

    def scale(self, factor: float, value: Shadow) -> Shadow:
        return Shadow(value.terms)

    def contract(self, subscripts: str, first: Shadow, second: Shadow, at: str) -> Shadow:
        axes_of = parse(subscripts)
        a, b = axes_of.spread(first.terms, axes_of.left), axes_of.spread(second.terms, axes_of.right)
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
        self._binary(many)
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
            self._binary(int(undecided.sum()))
            self.linear += 3 * int(gated.sum()) + 2 * alone
        return _single(undecided | given.varies, binary=True)

    def define(self, value: Shadow, at: str) -> Shadow:
        if value.terms.max(initial=0) <= SUBSTITUTED:
            return value
        self.continuous += int(value.varies.sum())
        self.linear += int(value.varies.sum())
        return _single(value.varies, value.binary)

    def flatten(self, value: Shadow) -> Shadow:
        return Shadow(value.terms.reshape(len(value.terms), -1), value.binary)

    def unflatten(self, value: Shadow, shape: tuple[int, ...]) -> Shadow:
        return Shadow(value.terms.reshape(len(value.terms), *shape), value.binary)

    def column(self, value: Shadow, index: int) -> Shadow:
        zero = None if value.zero is None else value.zero[:, index : index + 1]
        return Shadow(value.terms[:, index : index + 1], value.binary, zero)

    def per_sample(self, value: Shadow) -> Shadow:
        return Shadow(value.terms[np.newaxis], value.binary)

    def aggregate(self, gradient: Shadow, tensor: str) -> Shadow:
        return Shadow(gradient.terms.sum(axis=0))

    def descend(self, parameter: Shadow, direction: Shadow, rate: float, tensor: str) -> Shadow:
        varies = parameter.varies | direction.varies
        self.continuous += int(varies.sum())
        self.linear += int(varies.sum())
        return _single(varies)


def count_steps(problem: Problem, kind: Formulation, start: int, stop: int) -> CountingOperations:
    """Count the steps start … stop−1, from a point at step 0 and from a box at any other."""
    ops = CountingOperations(problem, kind, start, stop)
    begin = {name: _single(np.full(value.shape, start > 0)) for name, value in problem.network.initial.items()}
    if start > 0:
        ops.continuous += problem.network.size
    for _ in train(ops, problem, begin, start, stop):
        pass
    return ops


def _single(varies: Mask, binary: bool = False) -> Shadow:
    return Shadow(varies.astype(np.int64), binary)
