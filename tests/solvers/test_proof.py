"""Our own branch and bound: right against brute force and other solvers, and sound whatever its
adviser, its start and its clock say."""

import numpy as np
import pyomo.environ as pyo
import pytest
from pyomo.core.expr.numeric_expr import LinearExpression

import agtopt
from agtopt import SoundnessError, UnsupportedError
from agtopt.attacks.runs import Attack
from agtopt.formulation import relu
from agtopt.solvers import proof
from agtopt.solvers.highs import Arrays, HighsSession
from agtopt.solvers.proof import ProofSession
from agtopt.solvers.scip import ScipSession
from agtopt.solvers.tree import Checker
from agtopt.symbolic import operations
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
    negative = LinearExpression(
        linear_coefs=[-c for c in original.linear_coefs], linear_vars=original.linear_vars
    )
    for expression in (original, negative, original):
        model.objective.set_value(expression)
        found.append(session.solve().bound)
        assert session.tree.matches(model)
        assert (
            found[-1]
            == session.tree.bound()
            == pytest.approx(ProofSession(model).solve().bound, abs=1e-4)
        )
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

        return (
            highspy.HighsModelStatus.kInfeasible
            if self.rng.random() < 0.2
            else highspy.HighsModelStatus.kOptimal
        )

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
    far.set_value(
        (best - lower - 0.7) / model.objective.expr.linear_coefs[-1], skip_validation=True
    )
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
    """The model is exact, so training attains its optimum. By linear programs alone six steps take
    20 s, and eight do not end."""
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
        assert result.bound == pytest.approx(
            ScipSession(model.pyomo).solve(start=True).bound, abs=3e-5
        )


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


@pytest.fixture(scope="module")
def clipped():
    """A removal moves θ[1] from −4.9 to −5.5; gradients of 1e-3 beside a clip of 100 lose six
    digits where the two are added."""
    features = np.array(
        [
            [1.24068202e-03],
            [-1.56761454e-03],
            [-6.37244517e-04],
            [-7.55039781e-04],
            [8.73208041e-05],
        ]
    )
    return agtopt.Problem(
        network=agtopt.Network.dense([1, 1], seed=65),
        dataset=agtopt.Dataset(features, np.array([0.0, 1.0, 0.0, 0.0, 0.0])),
        perturbation=agtopt.Removal(n=1),
        training=agtopt.Training(
            "binary-cross-entropy",
            batch_size=2,
            drop_last=True,
            learning_rate=10.0,
            clip=100.0,
            weight_decay=0.01,
        ),
    )


def there_and_back(site, value, low, high, bound, binaries):
    """The truncation with κ added and taken away again, as it was written once."""
    upper, _ = relu(
        site.named(f"{site.name}_lower"), value + bound, low + bound, high + bound, binaries
    )
    least, most = np.maximum(low, -bound), np.maximum(high, -bound)
    lower, _ = relu(
        site.named(f"{site.name}_upper"),
        (upper - 2.0 * bound) * -1.0,
        bound - most,
        bound - least,
        binaries,
    )
    return lower * -1.0 + bound


def proved_ends(problem, runs: Attack):
    """Proved bound, least value of any run and status, for each end of each parameter."""
    model, found = agtopt.compile(problem, "MILP", conditional=False), []
    session = ProofSession(model.pyomo)
    for weights in (*np.eye(problem.network.size), *-np.eye(problem.network.size)):
        model.minimise(weights)
        result = session.solve()
        found.append((session.tree.bound(), float((runs.theta @ weights).min()), result.status))
    return found


@pytest.mark.parametrize(
    "clip", [operations.clip, there_and_back], ids=["clip", "κ there and back"]
)
def test_digits_that_constants_absorb_cost_no_run(clipped, clip, monkeypatch):
    """S5: rows know what they have lost. Rows that were taken for exact "proved" 0.73555 and
    −5.3115 here, or that there is no run."""
    monkeypatch.setattr(operations, "clip", clip)
    runs = agtopt.attack(clipped)
    assert runs.exact
    for bound, best, status in proved_ends(clipped, runs):
        assert status == "optimal"
        assert best - 3e-5 * (1 + abs(best)) <= bound <= best
    monkeypatch.setattr(
        Arrays, "true_sides", property(lambda self: (self.row_lower, self.row_upper))
    )
    exact = proved_ends(clipped, runs)
    assert any(bound > best + 1e-3 for bound, best, _ in exact) == (clip is there_and_back)


def test_a_certificate_in_which_the_attack_at_hand_lacks_the_run(clipped):
    """Five predictions that one removal changes were certified."""
    full = agtopt.attack(clipped)
    nominal = Attack(clipped, False, full.extremes, full.theta[:1], full.datasets.part(0, 1))
    points = np.linspace(-7.45, -6.2, 26)[:, np.newaxis]
    reach = agtopt.bound(clipped, "IBP")
    found = agtopt.certify_end_to_end(
        reach, points, method="MILP", conditional=False, attack=nominal, rigour="proved"
    )
    assert found.rigour == "proved"
    changed = (
        (full.theta[:, :1] * points.T + full.theta[:, 1:] > 0) != found.nominal.astype(bool)
    ).any(axis=0)
    assert changed.any()
    assert not (found.stable & changed).any()


class Pruner(Checker):
    """Calls a node empty whose propagation fixes a selector."""

    def entered(self, parent, split):
        found = super().entered(parent, split)
        return None if split is not None else found


class Boaster(Checker):
    """Proves too much."""

    def bound(self, leaf, box):
        return super().bound(leaf, box) + 1.0


@pytest.mark.parametrize("liar", [Pruner, Boaster])
def test_what_a_known_run_contradicts_raises(clipped, liar, monkeypatch):
    """S9: the start is a run that satisfies every row; without one there is nothing to compare
    with."""
    model = agtopt.compile(clipped, "MILP", conditional=False)
    session, runs = ProofSession(model.pyomo), agtopt.attack(clipped)
    monkeypatch.setattr(proof, "Checker", liar)
    for k in range(2):
        model.minimise(np.eye(2)[k])
        model.assign(runs.datasets[int(runs.theta[:, k].argmin())])
        assert session.arrays.satisfied(
            np.array([variable.value for variable in session.arrays.columns])
        )
        with pytest.raises(SoundnessError, match="S9"):
            session.solve(start=True)


def test_a_point_is_in_the_model_or_not():
    model, _ = random_milp(3)
    arrays = Arrays.of(model)
    point = np.array([variable.value for variable in arrays.columns])
    assert arrays.satisfied(point)
    for k in range(len(point)):
        for step in (-1e-6, 1e-6) if arrays.integer[k] else (-5.0, 5.0):
            assert not arrays.satisfied(point + step * np.eye(len(point))[k])


def test_an_objective_that_was_rounded_is_lowered_by_its_room():
    """A bound of what is written is one of what is meant."""
    problem = random_problem(2, 1, "hinge", "flips", samples=5, steps=2, n=1)
    model = agtopt.compile(problem, "MILP")
    model.minimise(np.full(problem.network.size, 1.0 / 3.0))
    assert -1e-13 < model.objective_terms[2] < 0.0
    model.minimise(np.eye(problem.network.size)[0])
    assert model.objective_terms[2] == 0.0
