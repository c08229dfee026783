"""The mixed-integer domain: exact where choices are fixed, within what intervals say, never against
a real training run."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import agtopt
from agtopt import InvalidInputError, SoundnessError, UnsupportedError
from agtopt.attacks.predictions import predicted, predictions
from agtopt.attacks.runs import summarised
from agtopt.certificates import certify_end_to_end, certify_together
from agtopt.certificates.end_to_end import _questions
from agtopt.compiler import Query, append_query, flips_of, inputs_of, outputs_of
from agtopt.domains import sample
from agtopt.drivers import processes, stage
from agtopt.problem import Datasets
from agtopt.solvers import PROVED, SolveResult, choose, open_session
from agtopt.training.concrete import outputs, trajectory
from tests.conftest import MODELS
from tests.instances import random_problem, with_reach

NAMES = [
    "half-moons",
    "tiny-mlp",
    "flips-cross-entropy",
    "removal-hinge",
    "substitution-clip",
    "residual-momentum",
    "l2-squared",
    "conv-frozen",
]


def points(problem, many, seed=0):
    return np.random.default_rng(seed).normal(size=(many, *problem.network.input_shape))


def queried(problem, kind, x, eps=0.0, count=False):
    model = agtopt.compile(problem, kind)
    nominal = (
        np.searchsorted(problem.classes, predicted(problem, trajectory(problem)[-1], x))
        if count
        else None
    )
    append_query(model, Query(x - eps, x + eps, nominal))
    return model


def least(model, direction, address):
    model.minimise(direction, address)
    session = open_session(choose(None, model.quadratic, model.kind.binaries), model.pyomo)
    return session.solve(60.0), session


@pytest.mark.parametrize("name", NAMES)
def test_with_fixed_choices_a_query_returns_the_outputs_of_the_trained_network(name):
    """The fixed-input oracle."""
    problem = agtopt.load(MODELS / name)
    x, model = points(problem, 2), None
    attacked = agtopt.attack(problem).datasets[-1]
    model = queried(problem, "MILP", x)
    model.fix(attacked)
    expected = outputs(problem, trajectory(problem, attacked)[-1:], x)[0].ravel()
    for k in range(len(expected)):
        for sign in (1.0, -1.0):
            result, _ = least(model, sign * np.eye(len(expected))[k], outputs_of(model))
            # McCormick envelopes keep what they relax also once the choices are fixed.
            assert result.bound <= sign * expected[k] + 1e-5
            if name in ("half-moons", "removal-hinge"):
                assert result.bound == pytest.approx(sign * expected[k], abs=1e-5)


@pytest.mark.parametrize("p", [1, 2])
def test_a_ball_of_no_radius_is_no_ball(p):
    """The dataset of an incumbent was NaN: its features were divided by a radius and a distance of
    0."""
    base = with_reach(
        random_problem(3, 1, "hinge", "flips", samples=6, steps=2, n=2, vulnerable=[]),
        vulnerable=None,
    )
    x = points(base, 6)
    nothing = summarised(base, Datasets(base.dataset, 1), exact=False)
    plain, found = (
        certify_end_to_end(
            agtopt.bound(problem, "IBP"), x, attack=replace(nothing, problem=problem)
        )
        for problem in (base, with_reach(base, p=p))
    )
    assert found.rows
    assert found.verdicts == plain.verdicts
    assert any(found.witnesses)
    for witness in filter(None, found.witnesses):
        assert base.perturbation.admits(base, witness.dataset)
        np.testing.assert_array_equal(witness.dataset.features, base.dataset.features)


@pytest.mark.parametrize("eps", [0.0, 0.1])
@pytest.mark.parametrize("name", NAMES)
def test_every_attacked_run_satisfies_the_rows_of_a_query(name, eps):
    problem = agtopt.load(MODELS / name)
    model = queried(problem, "MIQCP", points(problem, 3), eps, count=problem.classes is not None)
    datasets = agtopt.attack(problem).datasets
    for k in range(0, len(datasets), max(1, len(datasets) // 7)):
        assert model.replay_error(datasets[k]) < 1e-7
        values = model.quantities[outputs_of(model)].affine.values()
        x = model.quantities[inputs_of(model)].affine.values()
        np.testing.assert_allclose(
            values, outputs(problem, trajectory(problem, datasets[k])[-1:], x)[0], atol=1e-9
        )
        if problem.classes is not None:
            low = model.quantities[flips_of(model)].affine.values()
            nominal = predictions(problem, trajectory(problem)[-1:], x)[0]
            changed = predictions(problem, trajectory(problem, datasets[k])[-1:], x)[0] != nominal
            assert np.all(low >= changed - 1e-9)


@pytest.fixture(scope="module")
def grid():
    a, b = (
        axis.ravel() for axis in np.meshgrid(np.linspace(-1.5, 2.5, 8), np.linspace(-1.0, 1.5, 8))
    )
    return np.stack([a, b, a * a, a * b, b * b, a**3, a * a * b, a * b * b, b**3], axis=1)


def test_half_moons_is_decided_everywhere(half_moons, half_moons_reach, half_moons_hull, grid):
    """Strictly more than the box certifies; no enumerated model disagrees; what is refused has a
    witness that replays."""
    box = agtopt.certify(half_moons_reach, grid)
    found = certify_end_to_end(half_moons_reach, grid, attack=half_moons_hull)
    classes = predictions(half_moons, half_moons_hull.theta, grid)
    agreed = (classes == classes[0]).all(axis=0)
    assert box.stable.sum() < found.stable.sum()
    np.testing.assert_array_equal(found.stable, agreed)
    assert set(found.verdicts) == {"certified", "refuted"}
    for k in np.flatnonzero(found.refuted):
        witness = found.witnesses[k]
        assert half_moons.perturbation.admits(half_moons, witness.dataset)
        assert witness.replay(half_moons) == witness.predicted != found.nominal[k]
    assert {row.status for row in found.rows} == {"optimal"}


def test_the_incumbent_gives_the_worst_dataset(half_moons, half_moons_reach, half_moons_hull, grid):
    """Without attacks: the solver finds what changes a prediction."""
    nominal_only = agtopt.attacks.sampled_attack(half_moons, runs=0)
    full = certify_end_to_end(half_moons_reach, grid, attack=half_moons_hull)
    place = np.flatnonzero(full.refuted)[:6]
    found = certify_end_to_end(half_moons_reach, grid[place], attack=nominal_only)
    assert found.verdicts == ["refuted"] * len(place)
    for k, witness in enumerate(found.witnesses):
        assert witness.replay(half_moons) != found.nominal[k]


@pytest.mark.parametrize(
    "name", ["removal-hinge", "flips-limited-multi-hinge", "substitution-clip", "separate-bce"]
)
def test_kinds_are_nested_and_intervals_are_outside(name):
    problem = agtopt.load(MODELS / name)
    reach, runs, x = agtopt.bound(problem, "IBP"), agtopt.attack(problem), points(problem, 12)
    plain = agtopt.certify(reach, x, attack=runs)
    verdicts = [
        certify_end_to_end(reach, x, method=kind, attack=runs, time_limit=20.0)
        for kind in ("LP", "MILP")
    ]
    for looser, tighter in zip((plain, verdicts[0]), verdicts, strict=True):
        assert np.all(tighter.reachable <= looser.reachable)
        assert np.all(looser.stable <= tighter.stable)
        assert np.all(looser.lower <= tighter.lower + 1e-6)
        assert np.all(tighter.upper <= looser.upper + 1e-6)
    classes = predictions(problem, runs.theta, x)
    for k, found in enumerate(verdicts[1].reachable):
        assert set(classes[:, k]) <= set(np.array(problem.classes)[found])


@pytest.mark.parametrize(
    ("name", "method"),
    [("removal-hinge", "MILP"), ("separate-bce", "LP"), ("substitution-clip", "MILP")],
)
def test_the_more_steps_are_in_the_model_the_more_is_certified(name, method):
    """From the forward pass alone over the final domain to the whole run (S7); no attacked run is
    ever excluded (S1)."""
    problem = agtopt.load(MODELS / name)
    reach, runs, x = agtopt.bound(problem, "IBP"), agtopt.attack(problem), points(problem, 25)
    found = [agtopt.certify(reach, x, attack=runs)]
    for first in (problem.steps, problem.steps - 1, 0):
        found.append(
            certify_end_to_end(reach, x, method=method, first=first, attack=runs, time_limit=20.0)
        )
        assert all(row.start == first for row in found[-1].rows)
    for fewer, more in pairwise(found):
        assert np.all(fewer.stable <= more.stable)
    classes = predictions(problem, runs.theta, x)
    for k in np.flatnonzero(found[-1].stable):
        assert set(classes[:, k]) == {found[-1].nominal[k]}


def test_a_model_without_training_is_the_forward_pass_over_its_domain():
    """A MIQCP over a polytope or box of the parameters of a network with rectifiers, against
    samples of it."""
    problem = agtopt.load(MODELS / "residual-momentum")
    problem = replace(problem, training=replace(problem.training, momentum=0.0))
    reach, x = agtopt.bound(problem, "IBP"), points(problem, 2)
    model = agtopt.compile(problem, "MIQCP", problem.steps, problem.steps, reach.steps[-1])
    append_query(model, Query(x, x))
    seen = outputs(problem, sample(reach.steps[-1], 300, seed=0), x)[..., 0]
    assert model.replay_error(agtopt.attack(problem).datasets[-1]) < 1e-7
    for k in range(2):
        low, _ = least(model, np.eye(2)[k], outputs_of(model))
        high, _ = least(model, -np.eye(2)[k], outputs_of(model))
        assert low.bound <= seen[:, k].min()
        assert seen[:, k].max() <= -high.bound
        box = agtopt.certify(reach, x)
        assert box.lower[k, 0] - 1e-6 <= low.bound
        assert -high.bound <= box.upper[k, 0] + 1e-6


def test_moving_inputs_have_models_of_their_own():
    problem = agtopt.load(MODELS / "removal-hinge")
    reach, runs, x = agtopt.bound(problem, "LP"), agtopt.attack(problem), points(problem, 10)
    still, moved = (
        certify_end_to_end(reach, x, eps=eps, attack=runs, time_limit=20.0) for eps in (0.0, 0.2)
    )
    assert np.all(moved.stable <= still.stable)
    assert moved.stable.sum() < still.stable.sum()
    for k in np.flatnonzero(moved.refuted):
        witness = moved.witnesses[k]
        assert np.all(np.abs(witness.point - x[k]) <= 0.2 + 1e-12)
        assert witness.replay(problem) != moved.nominal[k]


@pytest.mark.parametrize("name", ["half-moons", "removal-hinge", "flips-limited-multi-hinge"])
def test_one_adversary_changes_no_more_than_is_certified_together(name):
    problem = agtopt.load(MODELS / name)
    reach, runs = agtopt.bound(problem, "LP"), agtopt.attack(problem)
    x = problem.dataset.features[:25]
    together = certify_together(reach, x, attack=runs)
    changed = predictions(problem, runs.theta, x) != predictions(
        problem, trajectory(problem)[-1:], x
    )
    assert together.bound >= together.attained >= changed.sum(axis=1).max()
    again = predictions(problem, trajectory(problem, together.dataset)[-1:], x) != predictions(
        problem, trajectory(problem)[-1:], x
    )
    assert again.sum() == together.attained
    if runs.exact and name != "flips-limited-multi-hinge":
        assert together.bound == changed.sum(axis=1).max()
    relaxed = certify_together(reach, x, attack=runs, method="LP")
    assert relaxed.bound >= together.bound
    assert relaxed.rigour == PROVED


def test_nothing_is_asked_where_all_is_certified():
    problem = agtopt.load(MODELS / "substitution-clip")
    reach = agtopt.bound(problem, "LP")
    x = points(problem, 30)
    certified = x[agtopt.certify(reach, x).stable]
    assert certify_together(reach, certified).bound == 0
    assert certify_end_to_end(reach, certified).rows == ()


def test_questions_begin_with_what_the_form_knows():
    """Fewer are asked than over its box, and each begins with a margin that is no less."""
    problem = agtopt.load(MODELS / "flips-cross-entropy")
    reach, x = agtopt.bound(problem, "AFFINE"), points(problem, 60)
    over = [
        {
            (question.point, question.rival): question.known
            for question in _questions(kind, agtopt.certify(kind, x))
        }
        for kind in (reach, replace(reach, affines=()))
    ]
    form, box = over
    assert set(form) < set(box)
    assert all(form[place] >= box[place] for place in form)
    assert any(form[place] > box[place] for place in form)


def test_proved_and_in_processes():
    problem = agtopt.load(MODELS / "removal-hinge")
    reach, runs, x = agtopt.bound(problem, "IBP"), agtopt.attack(problem), points(problem, 20)
    proved = certify_end_to_end(reach, x, attack=runs, rigour=PROVED)
    assert proved.rigour == PROVED
    assert {row.rigour for row in proved.rows} == {PROVED}
    with processes(2) as pool:
        apart = certify_end_to_end(reach, x, attack=runs, executor=pool)
    here = certify_end_to_end(reach, x, attack=runs)
    assert apart.verdicts == here.verdicts == proved.verdicts


def test_a_lying_solver_is_caught(monkeypatch):
    """S9: the bound excludes a margin that a training run attains."""
    problem = agtopt.load(MODELS / "removal-hinge")
    reach, x = agtopt.bound(problem, "IBP"), points(problem, 20)

    class Liar:
        def solve(self, time_limit=None, start=False):
            return SolveResult("optimal", 1e3, 1e3, PROVED, 0.0)

    monkeypatch.setattr(stage, "open_session", lambda solver, model: Liar())
    with pytest.raises(SoundnessError, match="S9"):
        certify_end_to_end(reach, x)


def test_misuse(half_moons, half_moons_reach):
    regression = agtopt.bound(agtopt.load(MODELS / "l2-squared"), "IBP")
    with pytest.raises(UnsupportedError, match="predicts no class"):
        certify_end_to_end(regression, np.zeros((1, *regression.problem.network.input_shape)))
    with pytest.raises(InvalidInputError, match="method"):
        certify_end_to_end(half_moons_reach, half_moons.dataset.features[:1], method="IBP")
    with pytest.raises(InvalidInputError, match="first"):
        certify_end_to_end(half_moons_reach, half_moons.dataset.features[:1], first=99)
    early = agtopt.compile(half_moons, "LP", stop=2)
    x = half_moons.dataset.features[:1]
    with pytest.raises(InvalidInputError, match="stops after step 2"):
        append_query(early, Query(x, x))
    whole = agtopt.compile(half_moons, "LP")
    append_query(whole, Query(x, x))
    with pytest.raises(InvalidInputError, match="has one already"):
        append_query(whole, Query(x, x))
