"""Interval steps over fragments of a batch: what a step holds is set by a budget of memory and not
by the batch."""

from collections.abc import Iterator
from dataclasses import replace
from math import prod

import torch

from agtopt.domains import Interval
from agtopt.intervals.adversary import IntervalAdversary, interval_adversary
from agtopt.intervals.aggregation import Batch, Tally
from agtopt.intervals.arithmetic import Range
from agtopt.intervals.crown import LinearIntervals
from agtopt.intervals.interval import IntervalOperations
from agtopt.intervals.scale.blocks import Block, Gradient, Index, Outer, Together, blocks
from agtopt.intervals.scale.head import BehindHead, head_pays
from agtopt.intervals.scale.numerics import Numerics
from agtopt.intervals.scale.products import Mirror
from agtopt.intervals.states import Layout, StateVector
from agtopt.problem import Problem
from agtopt.problem.layers import Conv2d
from agtopt.problem.network import INPUT
from agtopt.program import between, gradients, moved
from agtopt.program.forward import Parameters
from agtopt.program.place import place_of

MEMORY = 2**30
"""Bytes that a step may hold by default beside the problem and the parameters."""

FRAGMENT = 2**18
"""Entries of the widest layer of a fragment: what a processor's cache holds. It changes no domain
beyond rounding."""

BLOCK = 2**17
"""Entries of a block of per-sample gradients, likewise."""

KEPT = 24 * 2**20
"""A tensor of so many bytes, which is never written, tells the allocator to keep freed memory of
that size: to get it from the system, page by page and zeroed, takes as long as all arithmetic
(glibc's dynamic threshold, below its maximum of 32 MiB)."""

ALIVE = 8
"""Tensors of a layer's size that are alive at once for each of its own: both ends, of the value and
of what it is made of."""


class FragmentIntervals(IntervalOperations):
    """`BudgetedIntervals` that sees every batch in fragments of samples, and per-sample gradients
    in blocks of entries.

    Running sums and the n largest gains of every entry are all that a fragment leaves behind: 16 n
    bytes per parameter.

    Parameters
    ----------
    problem : Problem
    memory : int
        Bytes for the samples of a fragment, which has one sample at least; half of it for features
        behind layers that do not change.
    numerics : Numerics
    """

    hoists = True
    """Whether layers in front of everything that is trained are run once for all steps."""

    def __init__(self, problem: Problem, memory: int, numerics: Numerics) -> None:
        self.problem = problem
        self.numerics = numerics
        adversary = interval_adversary(problem.perturbation, problem, numerics).propagating()
        self.apart = adversary.apart
        self.block = BLOCK if numerics.cached else memory // (8 * ALIVE)
        x, y = adversary.batch(problem.schedule[0][:1])
        variants = max(
            prod(x.lower.shape[: -1 - len(problem.network.input_shape)]), prod(y.lower.shape[:-2])
        )
        self.entry = (
            problem.head if self.hoists and head_pays(problem, variants, memory // 2) else INPUT
        )
        self.adversary: IntervalAdversary = adversary
        if self.entry != INPUT:
            memory //= 2
            part = fragment_size(problem, memory, variants, INPUT, numerics.cached)
            self.adversary = BehindHead(problem, adversary, part, numerics)
        self.most = fragment_size(problem, memory, variants, self.entry, numerics.cached)
        self.mirror = Mirror()
        self.layout = Layout(problem)

    def enter(self, samples: Batch) -> tuple[Range, Range]:
        """Features and encoded labels of a fragment."""
        return self.adversary.batch(samples)

    # The program hands a gradient to `clip` only, so that it need not be a range.
    def contract(  # type: ignore[override]
        self, subscripts: str, first: Range, second: Range, at: str = "", shift: Range | None = None
    ) -> Gradient:
        if subscripts == "no,ni->noi" and at.startswith("gradient."):
            return Outer(first, second)
        return super().contract(subscripts, first, second, at, shift)

    def clip(self, value: Gradient, bound: float, at: str = "") -> Gradient:  # type: ignore[override]
        return (
            replace(value, bound=bound)
            if isinstance(value, Outer)
            else super().clip(value, bound, at)
        )

    def direction(self, t: int, parameters: Parameters) -> Range:
        """The descent direction of step t, (q,): of everything that is trained, one tensor behind
        the other."""
        batch = self.problem.schedule[t]
        size = -(-len(batch) // -(-len(batch) // self.most))
        # What replaces samples comes first, as the part without any.
        parts = [batch[:0]] * self.apart + [
            batch[first : first + size] for first in range(0, len(batch), size)
        ]
        tallies: dict[tuple[str | int, ...], Tally] = {}
        direction = Range(
            self.numerics.empty((self.layout.size,)), self.numerics.empty((self.layout.size,))
        )
        for part in parts:
            for name, index, block in self._blocks(parameters, part):
                place = (name, *(along.start for along in index))
                tally = tallies.pop(place, None) or self.adversary.tally(batch)
                tally.add(block, part)
                if part is not parts[-1]:
                    tallies[place] = tally
                elif not name:
                    direction = tally.result()
                else:
                    for end, value in zip(
                        self.layout.tensors(direction)[name], tally.result(), strict=True
                    ):
                        end[index] = value
        return direction

    def _blocks(self, parameters: Parameters, samples: Batch) -> Iterator[tuple[str, Index, Block]]:
        """The per-sample gradients of a fragment: which tensor, which of its entries; without a
        name if one block is as large as all."""
        problem, entries = self.problem, self.block // self.most
        factors = gradients(
            self, problem, parameters, *self.enter(samples), problem.trained, self.entry
        )
        parts = {
            name: blocks(gradient, -1 - problem.network.initial[name].ndim, entries, self.mirror)
            for name, gradient in factors.items()
        }
        if self.layout.size <= entries:
            yield "", (), Together([block for part in parts.values() for _, block in part])
        else:
            for name, part in parts.items():
                for index, block in part:
                    yield name, index, block


class CrownFragments(LinearIntervals, FragmentIntervals):
    """`FragmentIntervals` with linear bounds of the forward pass, from the inputs on in every
    step."""

    hoists = False

    def enter(self, samples: Batch) -> tuple[Range, Range]:
        return self.trace_batch(self.problem, *super().enter(samples))


def fragmented(
    ops: FragmentIntervals, domain: Interval, start: int, stop: int
) -> Iterator[Interval]:
    """The domain of the state after each of the steps start … stop−1, from `domain` at step
    `start`."""
    torch.empty(KEPT, dtype=torch.uint8, device="cpu")
    state = StateVector(ops.problem, domain, ops.numerics)
    for t in range(start, stop):
        # Without what torch keeps for derivatives: a seventh of a small step.
        with torch.inference_mode():
            direction = ops.direction(t, state.parameters)
            state.move(*moved(ops, ops.problem, t, state.theta, state.velocity, direction))
        yield state.domain()


def fragment_size(
    problem: Problem, memory: int, variants: int, entry: str, cached: bool = True
) -> int:
    """Samples of a fragment: as many as caches hold if it is `cached`, and several times the
    budget, unless memory for them is lacking.

    They begin with the output of the node `entry`.
    """
    network = problem.network
    places = {node: place_of(network, node) for node in between(network, entry, network.output)}
    sizes = [prod(network.shapes[node]) for node in (entry, *places)]
    for node, place in places.items():
        layer = network.layer(node)
        if isinstance(layer, Conv2d):
            patches = layer.patches(*place.inputs)
            sizes += [patches.entries * prod(patches.places), layer.out_channels * patches.entries]
    longest = max(map(len, problem.schedule))
    most = (
        max(FRAGMENT // (variants * max(sizes)), 4 * problem.perturbation.budget)
        if cached
        else longest
    )
    return max(1, min(most, memory // (8 * ALIVE * variants * sum(sizes)), longest))
