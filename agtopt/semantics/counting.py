"""Training with shapes alone: what a compiled model would hold if no bound decided an indicator."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agtopt.kinds import Formulation
from agtopt.problem.problem import Problem
from agtopt.program import train

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Shadow:
    """Which entries of a quantity vary, whether they are affine in more than one variable, and whether they are 0 or 1."""

    varies: Mask
    composite: Mask
    binary: bool = False

    @classmethod
    def of(cls, varies: Mask, binary: bool = False) -> "Shadow":
        """Entries that are numbers or single variables."""
        return cls(varies, np.zeros_like(varies), binary)


class CountingOperations:
    """Counts variables and rows by kind as `SymbolicOperations` writes them; an entry that varies is taken as undecided.

    The sizes follow from the encodings: a rectifier has two variables and three rows, a gated indicator one and three (two without a gate;
    in QCP two variables, three rows and one product more), a McCormick or binary product one and four, a kept product one row per sum.
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
        labels = problem.training.loss.encode(data.labels, problem.network.outputs)
        self.labels = np.zeros(labels.shape, dtype=bool)
        if reach.nu > 0:
            self.labels |= touched[:, np.newaxis]
            if not reach.flips:
                self._perturbed(self.labels)
            elif labels.shape[-1] > 2 or reach.eps > 0:
                self._binary(many * labels.shape[-1])
                self.linear += 2 * many

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
        return Shadow.of(self.features[batch]), Shadow.of(self.labels[batch], classes)

    def constant(self, value: NDArray[np.float64] | float) -> Shadow:
        return Shadow.of(np.zeros(np.shape(value), dtype=bool))

    def add(self, first: Shadow, second: Shadow) -> Shadow:
        composite = (first.composite | second.composite) | (first.varies & second.varies)
        varies = first.varies | second.varies
        return Shadow(varies, np.broadcast_to(composite, varies.shape))

    def scale(self, factor: float, value: Shadow) -> Shadow:
        return Shadow(value.varies, value.composite)

    def contract(self, subscripts: str, first: Shadow, second: Shadow, at: str) -> Shadow:
        inputs, output = subscripts.split("->")
        left, right = inputs.split(",")
        contracted = "".join(sorted(set(left + right) - set(output)))
        a, b = (_spread(v.varies, letters, output + contracted) for v, letters in ((first, left), (second, right)))
        shape = np.broadcast_shapes(a.shape, b.shape)
        both = np.broadcast_to(a, shape) & np.broadcast_to(b, shape)
        axes = tuple(range(-len(contracted), 0))
        terms = np.broadcast_to(a, shape) | np.broadcast_to(b, shape)
        varies = np.asarray(terms.any(axis=axes) if contracted else terms)
        composite = np.asarray(terms.sum(axis=axes) > 1 if contracted else np.zeros(shape, dtype=bool))
        if not contracted:
            for value, letters in ((first, left), (second, right)):
                composite = composite | (np.broadcast_to(_spread(value.composite, letters, output), shape) & ~both)
        elif first.composite.any() or second.composite.any():
            composite = composite | varies
        gated = first.binary or second.binary
        if self.kind.bilinear and (not gated or not self.kind.binaries):
            rows = both.any(axis=axes) if contracted else both
            self.continuous += int(rows.sum())
            self.quadratic += int(rows.sum())
            composite = composite & ~rows
        else:
            self.continuous += int(both.sum())
            self.linear += 4 * int(both.sum())
        return Shadow(varies, composite)

    def rectify(self, value: Shadow, at: str) -> tuple[Shadow, Shadow]:
        many = int(value.varies.sum())
        self._binary(many)
        self.continuous += many
        self.linear += 3 * many
        return Shadow.of(value.varies), Shadow.of(value.varies, binary=True)

    def positive(self, value: Shadow, given: Shadow, at: str) -> Shadow:
        undecided = value.varies & np.ones_like(given.varies)
        gated = undecided & given.varies
        alone = int(undecided.sum() - gated.sum())
        if self.kind.bilinear and not self.kind.binaries:
            self.continuous += 2 * int(gated.sum()) + alone
            self.quadratic += int(gated.sum())
            self.linear += 5 * int(gated.sum()) + 2 * alone
        else:
            self._binary(int(undecided.sum()))
            self.linear += 3 * int(gated.sum()) + 2 * alone
        return Shadow.of(undecided | given.varies, binary=True)

    def define(self, value: Shadow, at: str) -> Shadow:
        if value.composite.any():
            self.continuous += int(value.varies.sum())
            self.linear += int(value.varies.sum())
            return Shadow.of(value.varies, value.binary)
        return value

    def flatten(self, value: Shadow) -> Shadow:
        return _both(value, lambda mask: mask.reshape(mask.shape[0], -1))

    def unflatten(self, value: Shadow, shape: tuple[int, ...]) -> Shadow:
        return _both(value, lambda mask: mask.reshape(mask.shape[0], *shape))

    def column(self, value: Shadow, index: int) -> Shadow:
        return _both(value, lambda mask: mask[:, index : index + 1])

    def per_sample(self, value: Shadow) -> Shadow:
        return _both(value, lambda mask: mask[np.newaxis])

    def aggregate(self, gradient: Shadow, tensor: str) -> Shadow:
        varies: Mask = np.asarray(gradient.varies.any(axis=0))
        return Shadow(varies, varies)

    def descend(self, parameter: Shadow, direction: Shadow, rate: float, tensor: str) -> Shadow:
        varies = parameter.varies | direction.varies
        self.continuous += int(varies.sum())
        self.linear += int(varies.sum())
        return Shadow.of(varies)


def count_steps(problem: Problem, kind: Formulation, start: int, stop: int) -> CountingOperations:
    """Count the steps start … stop−1, from a point at step 0 and from a box at any other."""
    ops = CountingOperations(problem, kind, start, stop)
    begin = {name: Shadow.of(np.full(value.shape, start > 0)) for name, value in problem.network.initial.items()}
    if start > 0:
        ops.continuous += problem.network.size
    for _ in train(ops, problem, begin, start, stop):
        pass
    return ops


def _both(value: Shadow, apply: Any) -> Shadow:
    return Shadow(apply(value.varies), apply(value.composite), value.binary)


def _spread(mask: Mask, letters: str, union: str) -> Mask:
    arranged = mask.transpose([letters.index(letter) for letter in union if letter in letters])
    return arranged[tuple(slice(None) if letter in letters else np.newaxis for letter in union)]
