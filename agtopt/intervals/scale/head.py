"""Layers in front of everything that is trained: what comes out of them does not change from step
to step."""

from math import prod

import numpy as np
import torch
from numpy.typing import NDArray

from agtopt.intervals.adversary import IntervalAdversary
from agtopt.intervals.aggregation import Tally
from agtopt.intervals.arithmetic import Range, both
from agtopt.intervals.interval import IntervalOperations
from agtopt.intervals.scale.numerics import Numerics
from agtopt.problem import Problem
from agtopt.problem.network import INPUT
from agtopt.program import between, forward

Batch = NDArray[np.int64]


def head_pays(problem: Problem, variants: int, memory: int) -> bool:
    """Whether features behind the head are used more than once and fit into so many bytes."""
    network, size = problem.network, len(problem.dataset)
    if problem.head == INPUT or sum(map(len, problem.schedule)) <= size:
        return False
    computed = any(
        network.layer(node).parameter_shapes() for node in between(network, INPUT, problem.head)
    )
    return computed and 16 * variants * size * prod(network.shapes[problem.head]) <= memory


class BehindHead:
    """An adversary whose features are those behind `Problem.head`, computed once for all samples.

    Parameters
    ----------
    problem : Problem
    adversary : IntervalAdversary
    part : int
        Samples that go through the head at once.
    numerics : Numerics
    """

    def __init__(
        self, problem: Problem, adversary: IntervalAdversary, part: int, numerics: Numerics
    ) -> None:
        self.adversary = adversary
        self.problem = problem
        self.ops = IntervalOperations()
        self.ops.numerics = numerics
        self.axis = -1 - len(problem.network.shapes[problem.head])
        everyone = np.arange(len(problem.dataset))
        parts = [
            self._behind(everyone[first : first + part]) for first in range(0, len(everyone), part)
        ]
        self.features = Range(*(torch.cat(ends, self.axis) for ends in zip(*parts, strict=True)))

    def _behind(self, samples: Batch) -> Range:
        network = self.problem.network
        weights = {name: self.ops.constant(value) for name, value in network.initial.items()}
        features: Range = forward(
            self.ops, network, weights, self.adversary.batch(samples)[0], goal=self.problem.head
        )[0]
        return features

    def batch(self, samples: Batch) -> tuple[Range, Range]:
        """Features behind the head, and encoded labels."""
        labels, where = self.adversary.batch(samples)[1], self.ops.numerics.indices(samples)
        if not len(samples):
            return self._behind(samples), labels
        return both(self.features, lambda end: end.index_select(self.axis, where)), labels

    def tally(self, samples: Batch) -> Tally:
        """How the adversary aggregates the gradients of a batch; the head changes nothing of it."""
        return self.adversary.tally(samples)
