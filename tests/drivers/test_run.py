"""A run can be stepped by hand, saved after each model and resumed; branches make small budgets
exact."""

from dataclasses import replace

import numpy as np
import pytest

import agtopt
from agtopt import OBBT, Bounded, InvalidInputError, MissingFileError, Run, Settings
from agtopt.compiler import branches
from agtopt.compiler.branches import learn_branches
from agtopt.domains import KnownBounds
from agtopt.drivers import found, knowledge
from agtopt.drivers.knowledge import Knowledge
from agtopt.intervals.states import initial_domain
from tests.instances import random_problem


@pytest.fixture
def problem():
    return random_problem(3, 1, "hinge", "both", samples=5, steps=3, n=2)


def assert_same(first, second):
    for one, other in zip(first.states, second.states, strict=True):
        np.testing.assert_array_equal(one.lower, other.lower)
        np.testing.assert_array_equal(one.upper, other.upper)
    columns = ["start", "stop", "objective", "sense", "status", "bound", "source", "rigour"]
    assert first.table()[columns].equals(second.table()[columns])


@pytest.mark.parametrize(
    "options",
    [{}, {"window": 2, "stride": 1}, {"window": 1, "conditional": False}, {"tighten": False}],
)
def test_stepping_saving_and_resuming_give_the_domain_of_one_call(problem, options, tmp_path):
    whole = agtopt.bound(problem, "MILP", **options)
    run = Run.begin(problem, Settings("MILP", **options))
    while not run.finished:
        run.step()
        run = Run.resume(problem, run.save(tmp_path / "run.npz"))
    assert_same(run.finish(), whole)
    with pytest.raises(InvalidInputError, match="every window is solved"):
        run.step()


def test_a_run_is_constructed_of_what_is_known(problem, monkeypatch):
    """Nothing is attacked and nothing propagated by the constructor, also with a template."""
    known = Knowledge.of(problem)
    settings = Settings("LP", domain=agtopt.Polytope.octagon(problem.network.size), obbt=OBBT(3))
    for module, name in (
        (knowledge, "attack"),
        (knowledge, "interval_steps"),
        (knowledge, "attained_quantities"),
        (found, "interval_steps"),
        (agtopt.attacks.Attack, "along"),
    ):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("worked"))
    run = Run(problem, settings, known)
    assert (run.done, run.rows) == (0, [])
    for t, box in enumerate(known.boxes):
        np.testing.assert_array_equal(run.found.domain(t).lower, box.lower)
        np.testing.assert_array_equal(run.found.domain(t).upper, box.upper)


def test_a_run_that_is_cut_short_is_sound_and_says_so(problem):
    run = Run.begin(problem, Settings("LP"))
    run.step()
    reach = run.finish()
    assert reach.interrupted
    inner = agtopt.attack(problem)
    for t, box in enumerate(reach.steps):
        assert box.contains(np.stack([inner.lower[t], inner.upper[t]]), 1e-7)


def test_a_run_of_another_problem_is_refused(problem, tmp_path):
    path = Run.begin(problem, Settings("LP")).save(tmp_path / "run.npz")
    other = replace(problem, perturbation=replace(problem.perturbation, n=1))
    assert other.fingerprint != problem.fingerprint
    with pytest.raises(InvalidInputError, match="another problem"):
        Run.resume(other, path)
    with pytest.raises(MissingFileError):
        Run.resume(problem, tmp_path / "none.npz")
    for broken in (b"nothing", b"", path.read_bytes()[:-40]):
        (tmp_path / "broken.npz").write_bytes(broken)
        with pytest.raises(InvalidInputError, match="no saved run"):
            Run.resume(problem, tmp_path / "broken.npz")
    with pytest.raises(InvalidInputError, match="no saved run"):
        Run.resume(problem, tmp_path / "broken.npz")
    with pytest.raises(InvalidInputError, match="no windows"):
        Run.begin(problem, Settings("IBP"))


def test_the_fingerprint_sees_every_part_but_the_name(problem):
    data, network, training = problem.dataset, problem.network, problem.training
    moved = agtopt.Dataset(data.features + 1e-9, data.labels)
    changed = {name: value + 1e-9 for name, value in network.initial.items()}
    others = [
        replace(problem, dataset=moved),
        replace(problem, network=agtopt.Network(network.graph, network.input_shape, changed)),
        replace(problem, perturbation=replace(problem.perturbation, eps=0.2)),
        replace(problem, perturbation=agtopt.Substitution(1, features=(0.0, 1.0))),
        replace(problem, perturbation=agtopt.Substitution(1, features=(0.0, 1.0 + 1e-12))),
        replace(problem, training=agtopt.Training(training.loss, epochs=5)),
    ]
    prints = [problem.fingerprint, *(other.fingerprint for other in others)]
    assert len(set(prints)) == len(prints)
    assert replace(problem, name="other").fingerprint == problem.fingerprint


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("what", ["flips", "removal"])
def test_branches_are_the_enumerated_hull_of_linear_models(n, what):
    """Every set of touched samples is one run, so that no solver is needed, and the extreme sets
    attain the hull."""
    flips = random_problem(
        1, 1, "hinge", "flips", samples=7, steps=2, n=n, vulnerable=[0, 1, 2, 3, 4, 5]
    )
    batches = [[0, 1, 2, 3, 4], [2, 3, 4, 5, 6]]
    problem = replace(
        flips,
        perturbation=Bounded(n, nu=1, q=0) if what == "flips" else agtopt.Removal(n),
        training=agtopt.Training("hinge", batches=batches, learning_rate=0.5),
    )
    known, hull = KnownBounds(), agtopt.attack(problem)
    assert hull.exact
    learned = learn_branches(problem, known, 0, initial_domain(problem), problem.steps)
    for t in range(1, problem.steps + 1):
        ends = [
            problem.network.flatten({name: known.get((t, name))[side] for name in problem.state})
            for side in (0, 1)
        ]
        assert np.all(ends[0] <= hull.lower[t])
        assert np.all(hull.upper[t] <= ends[1])
        np.testing.assert_allclose(ends[0], hull.lower[t], rtol=0, atol=1e-5)
        np.testing.assert_allclose(ends[1], hull.upper[t], rtol=0, atol=1e-5)
    reach = agtopt.bound(problem, "LP")
    assert {row.status for row in reach.rows} == {"attained"}
    assert learned.extreme
    assert all(len(chosen) <= n for chosen in learned.extreme)


def test_chunks_of_branches_change_nothing(monkeypatch):
    problem = random_problem(5, 2, "squared", "both", samples=6, steps=2, n=1)
    found = []
    for chunk in (2**21, 1):
        monkeypatch.setattr(branches, "CHUNK", chunk)
        known = KnownBounds()
        found.append(
            (learn_branches(problem, known, 0, initial_domain(problem), problem.steps), known)
        )
    (first, one), (second, other) = found
    np.testing.assert_array_equal(first.bounds.samples, second.bounds.samples)
    np.testing.assert_allclose(first.bounds.lower, second.bounds.lower, rtol=0, atol=1e-12)
    np.testing.assert_allclose(first.bounds.upper, second.bounds.upper, rtol=0, atol=1e-12)
    for address in one:
        np.testing.assert_allclose(one.get(address), other.get(address), rtol=0, atol=1e-12)


def test_too_many_branches_are_left_to_the_solver(monkeypatch):
    problem = random_problem(5, 1, "hinge", "flips", samples=6, steps=2, n=1)
    monkeypatch.setattr(branches, "MOST_WORK", 10)
    known = KnownBounds()
    learned = learn_branches(problem, known, 0, initial_domain(problem), problem.steps)
    assert (len(learned.bounds.samples), learned.extreme, list(known)) == (0, (), [])
    inner = agtopt.attack(problem).domain
    assert agtopt.bound(problem, "LP").domain.contains(np.stack([inner.lower, inner.upper]), 1e-7)


@pytest.mark.slow
def test_two_flips_of_half_moons_are_exact_at_the_full_horizon(half_moons):
    problem = replace(half_moons, perturbation=Bounded(2, nu=1, q=0))
    hull = agtopt.attack(problem)
    assert hull.exact
    reach = agtopt.bound(problem, "MILP")
    assert hull.domain.width() <= reach.domain.width() <= 1.0001 * hull.domain.width()
