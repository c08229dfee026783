"""Bounds that are conditional on which single sample the adversary touches (a budget of one)."""

import numpy as np

from agtopt.domains import Interval, KnownBounds
from agtopt.problem import Problem
from agtopt.semantics.propagation import branch_steps
from agtopt.semantics.symbolic import BranchBounds
from agtopt.tolerances import outward


def branch_bounds(problem: Problem, start: int, domain: Interval, stop: int) -> BranchBounds | None:
    """The state when only one sample is touched, for each vulnerable sample; None unless the budget is one."""
    samples = problem.perturbation.touchable(problem)
    if problem.perturbation.budget != 1 or not len(samples):
        return None
    touched = np.zeros((1 + len(samples), len(problem.dataset)), dtype=bool)
    touched[1 + np.arange(len(samples)), samples] = True
    lower, upper = zip(*branch_steps(problem, touched, start, domain, stop), strict=True)
    if not all(np.isfinite(ends).all() for ends in (*lower, *upper)):
        return None
    return BranchBounds(samples, np.stack(lower), np.stack(upper))


def learn_branches(problem: Problem, known: KnownBounds, branches: BranchBounds, start: int, stop: int) -> None:
    """Add the hull of the branches to what is known of the states after steps start … stop−1: every run is in a branch (budget of one)."""
    for t in range(start, stop):
        lower = problem.unflatten(outward(branches.lower[t - start].min(axis=0), -1))
        upper = problem.unflatten(outward(branches.upper[t - start].max(axis=0), 1))
        for tensor in problem.state:
            known.shrink((t + 1, tensor), lower[tensor], upper[tensor])
