"""Interval steps over fragments of a batch: what a step holds is set by a budget of memory and not by the batch."""

from collections.abc import Iterator
from dataclasses import replace
from math import prod

import torch

from agtopt.problem import Problem
from agtopt.problem.layers import Conv2d
from agtopt.problem.network import INPUT
from agtopt.program import between, step
from agtopt.program.forward import Parameters
from agtopt.program.place import place_of
from agtopt.semantics.adversary import IntervalAdversary, ReplacedApart, propagating_adversary
from agtopt.semantics.aggregation import Tally
from agtopt.semantics.arithmetic import Range
from agtopt.semantics.blocks import Gradient, Index, Outer, blocks
from agtopt.semantics.crown import LinearIntervals
from agtopt.semantics.head import BehindHead, head_pays
from agtopt.semantics.interval import IntervalOperations
from agtopt.semantics.numerics import Numerics
from agtopt.semantics.products import Mirror

MEMORY = 2**30
"""Bytes that a step may hold by default beside the problem and the parameters."""

FRAGMENT = 2**18
"""Entries of the widest layer of a fragment: what a processor's cache holds. It changes no domain beyond rounding."""

BLOCK = 2**17
"""Entries of a block of per-sample gradients, likewise."""

KEPT = 24 * 2**20
"""A tensor of so many bytes, which is never written, tells the allocator to keep freed memory of that size: to get it from the system, page
by page and zeroed, takes as long as all arithmetic (glibc's dynamic threshold, below its maximum of 32 MiB)."""

ALIVE = 8
"""Tensors of a layer's size that are alive at once for each of its own: both ends, of the value and of what it is made of."""


class FragmentIntervals(IntervalOperations):
    """`BudgetedIntervals` that sees every batch in fragments of samples, and per-sample gradients in blocks of entries.

    Running sums and the n largest gains of every entry are all that a fragment leaves behind: 16 n bytes per parameter.

    Parameters
    ----------
    problem : Problem
    memory : int
        Bytes for the samples of a fragment, which has one sample at least; half of it for features behind layers that do not change.
    numerics : Numerics
    """

    hoists = True
    """Whether layers in front of everything that is trained are run once for all steps."""

    def __init__(self, problem: Problem, memory: int, numerics: Numerics) -> None:
        self.problem, self.numerics = problem, numerics
        adversary = propagating_adversary(problem, numerics)
        self.apart = isinstance(adversary, ReplacedApart)
        self.block = BLOCK if numerics.cached else memory // (8 * ALIVE)
        x, y = adversary.batch(problem.schedule[0][:1])
        variants = max(prod(x.lower.shape[: -1 - len(problem.network.input_shape)]), prod(y.lower.shape[:-2]))
        self.entry = problem.head if self.hoists and head_pays(problem, variants, memory // 2) else INPUT
        self.adversary: IntervalAdversary = adversary
        if self.entry != INPUT:
            memory //= 2
            part = fragment_size(problem, memory, variants, INPUT, numerics.cached)
            self.adversary = BehindHead(problem, adversary, part, numerics)
        self.most = fragment_size(problem, memory, variants, self.entry, numerics.cached)
        self.part = slice(0, self.most)
        self.tallies: dict[str, dict[tuple[int, ...], Tally]] = {}
        self.mirror = Mirror()

    def begin(self, t: int) -> tuple[Range, Range]:
        """The fragment at hand of the batch of step t."""
        self.batch = self.problem.schedule[t]
        self.samples = self.batch[self.part]
        self.last = self.part.stop >= len(self.batch)
        return self.adversary.batch(self.samples)

    # The program hands a gradient to `clip` and `aggregate` only, so that it need not be a range.
    def contract(  # type: ignore[override]
        self, subscripts: str, first: Range, second: Range, at: str = "", shift: Range | None = None
    ) -> Gradient:
        if subscripts == "no,ni->noi" and at.startswith("gradient."):
            return Outer(first, second)
        return super().contract(subscripts, first, second, at, shift)

    def clip(self, value: Gradient, bound: float, at: str = "") -> Gradient:  # type: ignore[override]
        return replace(value, bound=bound) if isinstance(value, Outer) else super().clip(value, bound, at)

    def aggregate(self, gradient: Gradient, tensor: str) -> Gradient:
        """The descent direction, once the last fragment of the batch is seen; the gradient itself before."""
        shape = self.problem.network.initial[tensor].shape
        tallies, found = self.tallies.setdefault(tensor, {}), list[tuple[Index, Range]]()
        for index, block in blocks(gradient, -1 - len(shape), self.block // self.most, self.mirror):
            place = tuple(part.start for part in index)
            tally = tallies.pop(place) if place in tallies else self.adversary.tally(self.batch)
            tally.add(block, self.samples)
            if self.last:
                found.append((index, tally.result()))
            else:
                tallies[place] = tally
        return self._joined(found, shape) if self.last else gradient

    def _joined(self, found: list[tuple[Index, Range]], shape: tuple[int, ...]) -> Range:
        if len(found) == 1:
            return found[0][1]
        lower, upper = self.numerics.empty(shape), self.numerics.empty(shape)
        for index, value in found:
            lower[index], upper[index] = value
        return Range(lower, upper)

    def update(self, terms: list[tuple[float, Range]], tensor: str = "") -> Range:
        """The state after the step, once the last fragment of the batch is seen; as it was before."""
        return super().update(terms, tensor) if self.last else terms[0][1]


class CrownFragments(LinearIntervals, FragmentIntervals):
    """`FragmentIntervals` with linear bounds of the forward pass, from the inputs on in every step."""

    hoists = False

    def begin(self, t: int) -> tuple[Range, Range]:
        return self.trace_batch(self.problem, *super().begin(t))


def fragmented(ops: FragmentIntervals, state: Parameters, start: int, stop: int) -> Iterator[Parameters]:
    """The state after each of the steps start … stop−1, from `state` at step `start`."""
    torch.empty(KEPT, dtype=torch.uint8, device="cpu")
    for t in range(start, stop):
        samples = len(ops.problem.schedule[t])
        size = -(-samples // -(-samples // ops.most))
        parts = [slice(first, first + size) for first in range(0, samples, size)]
        following = state
        # What replaces samples comes first, as the part without any.
        # Without what torch keeps for derivatives: a seventh of a small step.
        with torch.inference_mode():
            for part in [slice(0, 0)] * ops.apart + parts:
                ops.part = part
                following = step(ops, ops.problem, t, state, ops.entry)
        state = following
        yield state


def fragment_size(problem: Problem, memory: int, variants: int, entry: str, cached: bool = True) -> int:
    """Samples of a fragment: as many as caches hold if it is `cached`, and several times the budget, unless memory for them is lacking.

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
    most = max(FRAGMENT // (variants * max(sizes)), 4 * problem.perturbation.budget) if cached else longest
    return max(1, min(most, memory // (8 * ALIVE * variants * sum(sizes)), longest))
