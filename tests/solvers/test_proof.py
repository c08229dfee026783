"""Our own branch and bound: right against brute force, sound whatever its adviser says, and its tree can be checked again."""

from dataclasses import replace
from itertools import product

import numpy as np
import pyomo.environ as pyo
import pytest
from pyomo.core.expr.numeric_expr import LinearExpression
from scipy.optimize import linprog

import agtopt
from agtopt import SoundnessError
from agtopt.solvers.proof import ProofSession
from tests.instances import random_problem


def random_milp(seed, binaries=5, continuous=3, rows=6):
    """A feasible mixed-binary program in a box, and its optimum by brute force."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(rows, binaries + continuous)).round(2)
    inside = np.concatenate([rng.integers(0, 2, binaries), rng.uniform(-1, 1, continuous)])
    b, c = a @ inside + rng.random(rows), rng.normal(size=binaries + continuous)
    model = pyo.ConcreteModel()
    model.s = pyo.Var(range(binaries), domain=pyo.Binary)
    model.x = pyo.Var(range(continuous), bounds=(-2.0, 2.0))
    every = [*model.s.values(), *model.x.values()]
    model.rows = pyo.Constraint(range(rows), rule={k: sum(map(lambda u, v: float(u) * v, a[k], every)) <= float(b[k]) for k in range(rows)})
    model.objective = pyo.Objective(expr=LinearExpression(linear_coefs=c.tolist(), linear_vars=every))
    best = np.inf
    for choice in product((0.0, 1.0), repeat=binaries):
        chosen = np.array(choice)
        found = linprog(c[binaries:], a[:, binaries:], b - a[:, :binaries] @ chosen, bounds=[(-2, 2)] * continuous)
        if found.status == 0:
            best = min(best, found.fun + c[:binaries] @ chosen)
    return model, best


@pytest.mark.parametrize("seed", range(30))
def test_brute_force_agrees_and_the_tree_proves_it_again(seed):
    model, best = random_milp(seed)
    session = ProofSession(model)
    result = session.solve()
    assert result.status == "optimal"
    assert result.rigour == "proved"
    assert best - 1e-4 * (1 + abs(best)) <= result.bound <= best + 1e-9 * (1 + abs(best))
    assert session.tree.bound() == result.bound


def test_a_tree_that_lost_or_repeats_a_leaf_proves_nothing():
    for seed in range(10):
        session = ProofSession(random_milp(seed)[0])
        session.solve()
        tree = session.tree
        if len(tree.leaves) < 3:
            continue
        for k in range(len(tree.leaves)):
            with pytest.raises(SoundnessError, match="S5"):
                replace(tree, leaves=tree.leaves[:k] + tree.leaves[k + 1 :]).bound()
        with pytest.raises(SoundnessError, match="S5"):
            replace(tree, leaves=(*tree.leaves, replace(tree.leaves[0], fixed=()))).bound()
        liar = replace(tree.leaves[0], empty=True, duals=np.zeros_like(tree.leaves[0].duals))
        with pytest.raises(SoundnessError, match="not proved empty"):
            replace(tree, leaves=(liar, *tree.leaves[1:])).bound()


class Liar:
    """HiGHS with random duals, a random point, and now and then a false infeasible."""

    def __init__(self, highs, rng):
        self.highs, self.rng = highs, rng

    def __getattr__(self, name):
        return getattr(self.highs, name)

    def getSolution(self):  # noqa: N802
        found = self.highs.getSolution()
        found.row_dual = list(self.rng.normal(size=len(found.row_dual)) * 3)
        found.col_value = list(self.rng.random(len(found.col_value)))
        return found

    def getModelStatus(self):  # noqa: N802
        import highspy

        return highspy.HighsModelStatus.kInfeasible if self.rng.random() < 0.2 else highspy.HighsModelStatus.kOptimal

    def getDualRay(self):  # noqa: N802
        return None, True, list(self.rng.normal(size=len(self.highs.getSolution().row_dual)))


@pytest.mark.parametrize("seed", range(20))
def test_a_lying_adviser_only_costs_width(seed):
    """S9."""
    model, best = random_milp(seed)
    session = ProofSession(model)
    session.highs = Liar(session.highs, np.random.default_rng(seed))
    result = session.solve()
    assert result.bound is None or result.bound <= best + 1e-9 * (1 + abs(best))


def test_a_time_limit_leaves_a_valid_tree():
    model, best = random_milp(3)
    session = ProofSession(model)
    result = session.solve(time_limit=1e-9)
    assert result.status == "time limit"
    assert result.bound is None or result.bound <= best


@pytest.mark.parametrize("n", [1, 2])
def test_milp_domains_are_proved_and_equal_enumeration(n):
    problem = random_problem(2, 1, "hinge", "flips", samples=7, steps=2, n=n)
    hull = agtopt.attack(problem)
    reach = agtopt.bound(problem, "MILP", solver="proof", conditional=False)
    assert set(reach.table().rigour) == {"proved"}
    np.testing.assert_allclose(reach.domain.lower, hull.domain.lower, rtol=0, atol=5e-5)
    np.testing.assert_allclose(reach.domain.upper, hull.domain.upper, rtol=0, atol=5e-5)
    with pytest.raises(agtopt.SolverUnavailableError):
        agtopt.bound(random_problem(2, 2, "squared", "both"), "MIQCP", solver="proof")
