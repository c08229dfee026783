"""Our own branch and bound: right against brute force and other solvers, and sound whatever its adviser, its start and its clock say."""

import numpy as np
import pyomo.environ as pyo
import pytest
from pyomo.core.expr.numeric_expr import LinearExpression

import agtopt
from agtopt import UnsupportedError
from agtopt.solvers import proof
from agtopt.solvers.highs import HighsSession
from agtopt.solvers.proof import ProofSession
from agtopt.solvers.scip import ScipSession
from tests.instances import random_problem
from tests.solvers.milp import random_milp


def below(bound, best):
    """Whether a bound is sound, up to the accuracy of the reference."""
    return bound <= best + 1e-8 * (1 + abs(best))


@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_brute_force_agrees_and_the_tree_proves_it_again(seed, start):
    model, best = random_milp(seed)
    session = ProofSession(model)
    result = session.solve(start=start)
    assert result.status == "optimal"
    assert result.rigour == "proved"
    assert best - 3e-5 * (1 + abs(best)) <= result.bound
    assert below(result.bound, best)
    assert result.incumbent == pytest.approx(best, abs=3e-5 * (1 + abs(best)))
    assert session.tree.bound() == result.bound


@pytest.mark.parametrize("seed", range(40))
def test_larger_trees_agree_with_highs(seed):
    model, _ = random_milp(seed, binaries=12, rows=8, solved=False)
    session, other = ProofSession(model), HighsSession(model).solve()
    result = session.solve(start=bool(seed % 2))
    assert result.status == other.status == "optimal"
    assert result.bound == pytest.approx(other.bound, abs=3e-5 * (1 + abs(other.bound)))
    assert result.bound <= other.incumbent + 1e-6
    assert session.tree.bound() == result.bound


def test_every_objective_of_a_session_has_a_tree_of_its_own():
    model, best = random_milp(1)
    session, found = ProofSession(model), []
    original = model.objective.expr
    negative = LinearExpression(linear_coefs=[-c for c in original.linear_coefs], linear_vars=original.linear_vars)
    for expression in (original, negative, original):
        model.objective.set_value(expression)
        found.append(session.solve().bound)
        assert session.tree.matches(model)
        assert found[-1] == session.tree.bound() == pytest.approx(ProofSession(model).solve().bound, abs=1e-4)
    assert found[0] == pytest.approx(found[2], abs=1e-4)
    assert found[0] == pytest.approx(best, abs=1e-4)


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


@pytest.mark.parametrize("seed", range(40))
def test_a_lying_adviser_only_costs_width(seed):
    """S9."""
    model, best = random_milp(seed)
    session = ProofSession(model)
    session.adviser.highs = Liar(session.adviser.highs, np.random.default_rng(seed))
    result = session.solve()
    assert result.bound is None or below(result.bound, best)
    assert below(session.tree.bound(), best)


class Mirrored(Liar):
    """HiGHS with the other convention of rays; else honest."""

    def getSolution(self):  # noqa: N802
        return self.highs.getSolution()

    def getModelStatus(self):  # noqa: N802
        return self.highs.getModelStatus()

    def getDualRay(self):  # noqa: N802
        status, known, ray = self.highs.getDualRay()
        return status, known, [-dual for dual in ray]


def test_the_sign_of_a_ray_does_not_matter():
    for seed in range(10):
        model, _ = random_milp(seed, binaries=12, rows=8, solved=False)
        straight, mirrored = ProofSession(model), ProofSession(model)
        mirrored.adviser.highs = Mirrored(mirrored.adviser.highs, None)
        assert mirrored.solve().bound == straight.solve().bound
        np.testing.assert_array_equal(mirrored.tree.nodes, straight.tree.nodes)


def test_a_start_cuts_off_what_is_worse():
    """A little above it, so that it is not cut off itself; without a start nothing is."""
    model, _ = random_milp(2)
    session = ProofSession(model)
    value = pyo.value(model.objective)
    session.solve(start=True)
    cost = value - session.tree.constant
    assert cost + 1e-6 < session.tree.cutoff < cost + 1e-4
    session.solve()
    assert session.tree.cutoff == np.inf


@pytest.mark.parametrize("lower", [10.0, 0.5, 1e-2, 1e-4])
@pytest.mark.parametrize("seed", range(20))
def test_a_start_that_is_no_point_of_the_model_only_costs_width(seed, lower):
    """S9: nothing is claimed of what it cuts off."""
    model, best = random_milp(seed)
    for variable in model.component_data_objects(pyo.Var):
        variable.set_value(0.0)
    far = model.objective.expr.linear_vars[-1]
    far.set_value((best - lower - 0.7) / model.objective.expr.linear_coefs[-1], skip_validation=True)
    cheap = pyo.value(model.objective)
    assert cheap == pytest.approx(best - lower)
    session = ProofSession(model)
    result = session.solve(start=True)
    assert result.bound is None or result.bound == session.tree.bound()
    assert session.tree.bound() <= cheap + 2e-5 * (1 + abs(cheap))


def test_a_search_that_is_stopped_at_any_time_leaves_a_valid_tree(monkeypatch):
    """Every look at the clock is a second."""
    for seed in range(3):
        model, _ = random_milp(seed, binaries=12, rows=8, solved=False)
        best = ProofSession(model).solve().incumbent
        for ticks in range(0, 90, 3):
            clock = iter(range(10**6))
            monkeypatch.setattr(proof, "perf_counter", lambda clock=clock: float(next(clock)))
            session = ProofSession(model)
            result = session.solve(time_limit=ticks + 0.5)
            assert result.status in ("time limit", "optimal")
            assert below(result.bound, best)
            assert session.tree.bound() == result.bound
            if ticks == 0:
                assert result.status == "time limit"
                assert len(session.tree.leaves) == 1
            if result.status == "optimal":
                break
        assert ticks > 9


def test_a_time_limit_is_kept():
    session = ProofSession(random_milp(0, binaries=60, continuous=20, rows=50, solved=False)[0])
    result = session.solve(time_limit=0.2)
    assert result.status == "time limit"
    assert result.seconds < 2.0
    assert session.tree.bound() == result.bound


def test_an_infeasible_model():
    model, _ = random_milp(0, solved=False)
    model.no = pyo.Constraint(expr=sum(model.s.values()) >= 6.5)
    session = ProofSession(model)
    result = session.solve()
    assert (result.status, result.bound, session.tree.bound()) == ("infeasible", None, np.inf)
    # A start cannot hide it: it stays below the cutoff, and yet no leaf holds a point.
    assert session.solve(start=True).status == "infeasible"


def test_integers_that_are_not_binary_are_refused():
    model = pyo.ConcreteModel()
    model.n = pyo.Var(domain=pyo.Integers, bounds=(0, 3))
    model.row = pyo.Constraint(expr=2 * model.n >= 3)
    model.objective = pyo.Objective(expr=model.n)
    with pytest.raises(UnsupportedError, match="binaries only"):
        ProofSession(model)


@pytest.mark.parametrize(("stop", "weight"), [(2, 3), (4, 3), (4, -8), (6, 7), (14, -4)])
def test_half_moons_without_conditional_bounds(half_moons, half_moons_hull, stop, weight):
    """The model is exact, so training attains its optimum. By linear programs alone six steps take 20 s, and eight do not end."""
    model = agtopt.compile(half_moons, "MILP", stop=stop, conditional=False)
    model.minimise(np.sign(weight) * np.eye(10)[abs(weight)])
    model.assign(half_moons_hull.attaining(abs(weight), -int(np.sign(weight)), stop))
    attained = pyo.value(model.pyomo.objective)
    session = ProofSession(model.pyomo)
    result = session.solve(120, start=True)
    assert result.status == "optimal"
    assert result.bound == pytest.approx(attained, abs=3e-5)
    assert below(result.bound, attained)
    assert len(session.tree.leaves) < 200
    assert session.tree.bound() == result.bound
    if stop < 6:
        assert result.bound == pytest.approx(ScipSession(model.pyomo).solve(start=True).bound, abs=3e-5)


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
