"""One layer, label flips: no continuous product is left, so MILP = MIQCP = enumeration."""

import numpy as np
import pytest

import agtopt
from tests.instances import random_problem


@pytest.mark.parametrize("conditional", [True, False], ids=["cuts", "plain"])
@pytest.mark.parametrize("kind", ["MILP", "MIQCP"])
@pytest.mark.parametrize("n", [1, 2])
def test_exact_kinds_are_the_enumerated_hull(n, kind, conditional):
    for seed in range(3):
        problem = random_problem(seed, 1, "hinge", "flips", n=n)
        hull = agtopt.attack(problem)
        assert hull.exact
        box = agtopt.bound(problem, kind, conditional=conditional).domain
        np.testing.assert_allclose(box.lower, hull.domain.lower, rtol=0, atol=5e-5)
        np.testing.assert_allclose(box.upper, hull.domain.upper, rtol=0, atol=5e-5)
        assert np.all(box.lower <= hull.domain.lower)
        assert np.all(hull.domain.upper <= box.upper)
