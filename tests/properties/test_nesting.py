"""S7: attained ⊆ MIQCP ⊆ MILP ⊆ LP ⊆ IBP and MIQCP ⊆ QCP ⊆ LP; S1: no admissible run leaves a
domain."""

from itertools import pairwise

import numpy as np
import pytest

import agtopt
from agtopt import IBP, LP, MILP, MIQCP, QCP
from agtopt.attacks import sampled_attack
from agtopt.training.concrete import trajectory
from tests.instances import COMBINATIONS, corrupted, random_problem

SLACK = 2e-5
"""Relative to 1 + |bound|: the solvers' gap of 1e-5 and the outward margin of 1e-6."""


def assert_within(inner, outer, slack=SLACK, note=""):
    for name, excess in (
        ("lower", outer.lower - inner.lower),
        ("upper", inner.upper - outer.upper),
    ):
        size = 1.0 + np.abs(getattr(inner, name))
        assert np.all(excess <= slack * size), (note, name, float(np.max(excess)))


def assert_holds_runs(problem, reach, datasets):
    for dataset in datasets:
        for t, theta in enumerate(trajectory(problem, dataset)):
            assert reach.steps[t].contains(theta, 1e-7), (reach.method, t)


WINDOWS = (1, 2, None)
CUTS = [
    (*combination, window, (k + j) % 2 == 0)
    for k, combination in enumerate(COMBINATIONS)
    for j, window in enumerate(WINDOWS)
]
"""Every combination in every window, with cuts and without in turn: each pair occurs."""


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "loss", "reach", "window", "conditional"), CUTS)
def test_kinds_nest_and_hold_every_run(depth, loss, reach, window, conditional):
    # Small enough that SCIP proves every optimum within a second: S7 speaks of those only.
    problem = random_problem(
        5 if window else 2, depth, loss, reach, samples=5 - depth, steps=4 - depth, eps=0.02
    )
    found = {
        kind: agtopt.bound(problem, kind, window, time_limit=5.0, conditional=conditional)
        for kind in (IBP, LP, QCP, MILP, MIQCP)
    }
    for kind, result in found.items():
        assert {row.status for row in result.rows} <= {"optimal", "attained"}, kind
        assert_holds_runs(problem, result, [problem.dataset, *corrupted(problem, 20)])
    inner = sampled_attack(problem).domain
    for first, second in (*pairwise((MIQCP, MILP, LP, IBP)), (MIQCP, QCP), (QCP, LP)):
        assert_within(found[first].domain, found[second].domain, note=(first, second))
    assert_within(inner, found[MIQCP].domain, 1e-7)


@pytest.mark.parametrize("kind", [LP, MILP])
def test_a_longer_window_is_never_looser(kind):
    """S7 for windows that divide each other."""
    problem = random_problem(4, 1, "hinge", "flips", samples=6, steps=4, n=1)
    assert problem.steps == 4
    boxes = [agtopt.bound(problem, kind, window).domain for window in (4, 2, 1)]
    for inner, outer in pairwise(boxes):
        assert_within(inner, outer)


@pytest.mark.parametrize(("depth", "loss", "reach"), COMBINATIONS)
def test_intervals_hold_the_float_runs_without_any_tolerance(depth, loss, reach):
    """S1, S3 and trap 5: also the rounded run of the framework lies inside."""
    for seed in range(10):
        problem = random_problem(seed, depth, loss, reach, eps=0.1)
        steps = agtopt.bound(problem, IBP).steps
        for dataset in (None, *corrupted(problem, 10)):
            for box, theta in zip(steps, trajectory(problem, dataset), strict=True):
                assert box.contains(theta)
