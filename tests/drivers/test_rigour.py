"""S5: with rigour="proved" no mixed-integer solver is trusted, and the proofs can be checked
again."""

import numpy as np
import pytest

import agtopt
from agtopt.drivers import processes
from agtopt.solvers.tree import Tree
from tests.instances import random_problem


@pytest.fixture
def problem():
    """Intervals leave gaps that the models close."""
    return random_problem(4, 1, "hinge", "flips", samples=6, steps=2, n=2, vulnerable=range(6))


@pytest.mark.parametrize("window", [None, 1])
def test_proved_bounds_are_those_of_the_solver(problem, window):
    usual = agtopt.bound(problem, "MILP", window, conditional=False)
    proved = agtopt.bound(problem, "MILP", window, conditional=False, rigour="proved")
    assert {row.rigour for row in proved.rows} == {"proved"}
    assert "solver tolerance" in {row.rigour for row in usual.rows}
    np.testing.assert_allclose(proved.domain.lower, usual.domain.lower, rtol=0, atol=1e-4)
    np.testing.assert_allclose(proved.domain.upper, usual.domain.upper, rtol=0, atol=1e-4)
    inner = agtopt.attack(problem)
    assert proved.domain.contains(np.stack([inner.lower[-1], inner.upper[-1]]))


@pytest.mark.parametrize("workers", [None, 2])
def test_proofs_are_kept_and_can_be_checked_again(problem, workers, tmp_path):
    options = {"conditional": False, "rigour": "proved", "proofs": tmp_path / "proofs"}
    if workers is None:
        reach = agtopt.bound(problem, "MILP", **options)
    else:
        with processes(workers) as pool:
            reach = agtopt.bound(problem, "MILP", executor=pool, **options)
    asked = [row for row in reach.rows if row.source == "MILP"]
    assert asked
    for row in asked:
        tree = Tree.load(
            tmp_path
            / "proofs"
            / f"{row.start}-{row.stop}-{row.source}-{row.objective}-{row.sense}.npz"
        )
        value = tree.bound() if row.sense == "min" else -tree.bound()
        assert row.bound <= value if row.sense == "min" else row.bound >= value
        assert row.bound == pytest.approx(value, abs=1e-5)


def test_a_time_limit_leaves_a_proof(problem):
    reach = agtopt.bound(problem, "MILP", conditional=False, rigour="proved", time_limit=1e-3)
    inner = agtopt.attack(problem)
    assert {row.rigour for row in reach.rows} == {"proved"}
    assert reach.domain.contains(np.stack([inner.lower[-1], inner.upper[-1]]))
