"""Interval propagation through training: all samples at once, or one branch of the adversary's
choices at a time; IBP or with CROWN."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from agtopt.domains import Interval
from agtopt.intervals.adversary import Rows, aggregate, interval_adversary
from agtopt.intervals.aggregation import weighted_mean
from agtopt.intervals.arithmetic import Range, both
from agtopt.intervals.crown import LinearIntervals
from agtopt.intervals.interval import IntervalOperations
from agtopt.intervals.scale.fragments import MEMORY, CrownFragments, FragmentIntervals, fragmented
from agtopt.intervals.scale.numerics import FLOAT64, Numerics
from agtopt.intervals.states import flat_ranges, initial_domain, state_ranges
from agtopt.problem import Problem
from agtopt.program import train

Array = NDArray[np.float64]


class BudgetedIntervals(IntervalOperations):
    """The adversary spends its budget in every batch (section 6.4 of Sosnin et al. 2025)."""

    def __init__(self, problem: Problem, adversary: Rows | None = None) -> None:
        self.problem = problem
        self.adversary = adversary or interval_adversary(problem.perturbation, problem)

    def begin(self, t: int) -> tuple[Range, Range]:
        self.samples = self.problem.schedule[t]
        return self.adversary.batch(self.samples)

    def aggregate(self, gradient: Range, tensor: str) -> Range:
        return aggregate(
            self.adversary, gradient, self.samples, -1 - self.problem.network.initial[tensor].ndim
        )


class CrownIntervals(LinearIntervals, BudgetedIntervals):
    """`BudgetedIntervals` with linear bounds of the forward pass."""

    def begin(self, t: int) -> tuple[Range, Range]:
        return self.trace_batch(self.problem, *super().begin(t))


class BranchIntervals(IntervalOperations):
    """One branch of the adversary's choices per leading index: the samples that branch touches are
    known.

    Parameters
    ----------
    problem : Problem
    touched : array of bool, shape (R, N)
        Which samples branch r touches: those are changed in any admissible way (a flip of two
        classes is then certain) or left out; the others stand as they are.
    """

    def __init__(self, problem: Problem, touched: NDArray[np.bool_]) -> None:
        self.problem = problem
        self.touched = touched
        self.adversary = interval_adversary(problem.perturbation, problem)

    def begin(self, t: int) -> tuple[Range, Range]:
        samples = self.problem.schedule[t]
        features, labels, self.weights = self.adversary.branches(samples, self.touched[:, samples])
        return features, labels

    def aggregate(self, gradient: Range, tensor: str) -> Range:
        return weighted_mean(gradient, self.weights, -1 - self.problem.network.initial[tensor].ndim)


class CrownBranches(LinearIntervals, BranchIntervals):
    """`BranchIntervals` with linear bounds of the forward pass."""

    def begin(self, t: int) -> tuple[Range, Range]:
        return self.trace_batch(self.problem, *super().begin(t))


def interval_steps(
    problem: Problem,
    start: int = 0,
    domain: Interval | None = None,
    stop: int | None = None,
    linear: bool = False,
    memory: int = MEMORY,
    numerics: Numerics = FLOAT64,
) -> Iterator[Interval]:
    """IBP, or with `linear` the tighter of IBP and CROWN for every entry: the interval domains of
    the state at steps start+1 … stop.

    Parameters
    ----------
    problem : Problem
    start, stop : int
        Steps start … stop−1 are propagated; `stop` is T by default.
    domain : Interval, optional
        Domain of the state (`Problem.flatten`) at step `start`; the initial one by default.
    linear : bool
        Whether linear bounds tighten every pre-activation.
    memory : int
        Bytes that a step may hold beside the problem and the parameters; it changes no domain
        beyond rounding (`FragmentIntervals`).
    numerics : Numerics
        Device and format.

    Yields
    ------
    Interval
        After each step; entries that diverged are infinite.

    Raises
    ------
    UnsupportedError
        If torch rounds factors of products to a shorter format than that of `numerics`.
    """
    numerics.check()
    begin = initial_domain(problem) if domain is None else domain
    ops = (CrownFragments if linear else FragmentIntervals)(problem, memory, numerics)
    yield from fragmented(ops, begin, start, problem.steps if stop is None else stop)


def branch_steps(
    problem: Problem,
    touched: NDArray[np.bool_],
    start: int = 0,
    domain: Interval | None = None,
    stop: int | None = None,
) -> Iterator[tuple[Array, Array]]:
    """Lower and upper state, each (R, s), after each step, where branch r touches exactly the
    samples `touched[r]`."""
    begin = initial_domain(problem) if domain is None else domain
    lead = len(touched)
    state = {
        name: both(value, lambda end: end.expand(lead, *end.shape))
        for name, value in state_ranges(problem, begin).items()
    }
    for following in train(
        CrownBranches(problem, touched),
        problem,
        state,
        start,
        problem.steps if stop is None else stop,
    ):
        yield flat_ranges(problem, following)
