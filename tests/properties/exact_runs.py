"""Training in 400 bits: what a proof must never exclude, without any rounding of its own worth the
name."""

from math import prod

import numpy as np
from mpmath import mp, mpf

from agtopt.problem.problem import VELOCITY
from agtopt.program import train
from agtopt.program.subscripts import parse

BITS = 400


def wide(values):
    """Numbers of 400 bits."""
    return np.vectorize(mpf, otypes=[object])(np.asarray(values, dtype=np.float64))


class WideOperations:
    """The training step over object arrays of such numbers, on one dataset."""

    def __init__(self, problem, dataset):
        self.problem, self.present = problem, dataset.presence()
        self.features, self.labels = wide(dataset.features), wide(problem.encode(dataset.labels))

    def begin(self, t):
        self.t = t
        self.batch = np.array([k for k in self.problem.schedule[t] if self.present[k]])
        return self.features[self.batch], self.labels[self.batch]

    def constant(self, value):
        return wide(value)

    def add(self, first, second):
        return first + second

    def scale(self, factor, value):
        return mpf(factor) * value

    def contract(self, subscripts, first, second, at, shift=None):
        axes = parse(subscripts)
        found = axes.spread(first, axes.left) * axes.spread(second, axes.right)
        if axes.contracted:
            found = found.sum(axis=tuple(range(-len(axes.contracted), 0)))
        return found if shift is None else found + shift

    def rectify(self, value, at):
        active = wide((value > 0).astype(float))
        return value * active, active

    def positive(self, value, given, at):
        return wide((value > 0).astype(float)) * given

    def sigmoid(self, value, at):
        return np.vectorize(lambda z: 1 / (1 + mp.exp(-z)), otypes=[object])(value)

    def softmax(self, value, at):
        grown = np.vectorize(mp.exp, otypes=[object])(value - value.max(axis=-1, keepdims=True))
        return grown / grown.sum(axis=-1, keepdims=True)

    def clip(self, value, bound, at):
        return np.maximum(np.minimum(value, mpf(bound)), -mpf(bound))

    def define(self, value, at):
        return value

    def reshape(self, value, old, new):
        return value.reshape(*value.shape[: value.ndim - len(old)], *new)

    def unfold(self, value, patches):
        flat = np.concatenate(
            [value.reshape(len(value), -1), wide(np.zeros((len(value), 1)))], axis=1
        )
        return flat[:, patches.index]

    def fold(self, value, patches):
        flat = np.concatenate(
            [value.reshape(len(value), -1), wide(np.zeros((len(value), 1)))], axis=1
        )
        return flat[:, patches.transposed_index].sum(axis=-1).reshape(len(value), *patches.shape)

    def column(self, value, index):
        return value[:, index : index + 1]

    def per_sample(self, value, rank=1):
        return value[np.newaxis]

    def aggregate(self, gradient, tensor):
        return gradient.sum(axis=0) / len(self.batch)

    def update(self, terms, tensor):
        """With factors that were not rounded."""
        training, rate = self.problem.training, mpf(float(self.problem.learning_rates[self.t]))
        factors = [mpf(factor) for factor, _ in terms]
        if not tensor.startswith(VELOCITY):
            past = [-rate * mpf(training.momentum)] if len(terms) == 3 else []
            factors = [1 - rate * mpf(training.weight_decay), *past, -rate]
        return sum(
            (factor * value for factor, (_, value) in zip(factors[1:], terms[1:], strict=True)),
            factors[0] * terms[0][1],
        )


def wide_parameters(problem, dataset):
    """θ_T of a run on one dataset, shape (p,)."""
    with mp.workprec(BITS):
        start = {name: wide(value) for name, value in problem.state.items()}
        *_, last = train(WideOperations(problem, dataset), problem, start, 0, problem.steps)
        found = np.concatenate([last[name].reshape(-1) for name in problem.network.initial])
    assert len(found) == sum(prod(value.shape) for value in problem.network.initial.values())
    return found
