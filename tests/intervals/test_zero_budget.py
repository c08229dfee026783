"""Without an adversary every domain is the training run itself."""

import numpy as np
import pytest

import agtopt
from tests.instances import COMBINATIONS, random_problem, torch_sgd, with_reach

NOTHING = [{"n": 0}, {"eps": 0.0, "nu": 0.0}]


@pytest.mark.parametrize("nothing", NOTHING, ids=["no budget", "no radius"])
@pytest.mark.parametrize(("depth", "loss", "reach"), COMBINATIONS)
def test_intervals_are_the_run_itself(depth, loss, reach, nothing):
    for seed in range(3):
        problem = with_reach(random_problem(seed, depth, loss, reach), **nothing)
        steps = agtopt.bound(problem, agtopt.IBP).steps
        for box, theta in zip(steps, torch_sgd(problem), strict=True):
            assert box.contains(theta)
            assert np.max(box.upper - box.lower) < 1e-9


@pytest.mark.parametrize("kind", ["LP", "QCP", "MILP", "MIQCP"])
def test_every_kind_is_the_run_itself(kind):
    problem = with_reach(random_problem(1, 2, "squared", "both"), n=0)
    box = agtopt.bound(problem, kind).domain
    assert box.contains(torch_sgd(problem)[-1])
    assert box.width() < 1e-6
