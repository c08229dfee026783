"""Refutations are real training runs, and moving inputs stay in their boxes."""

from dataclasses import replace

import numpy as np
import pytest

import agtopt
from agtopt import InvalidInputError, SoundnessError
from agtopt.attacks.predictions import predictions
from agtopt.certificates.queries import Queries
from agtopt.certificates.scores import score_bounds
from agtopt.domains import Interval, Polytope, sample
from agtopt.drivers import Reach
from agtopt.training.concrete import outputs, trajectory
from tests.conftest import MODELS
from tests.instances import random_problem


@pytest.mark.parametrize(
    "name", ["half-moons", "flips-cross-entropy", "removal-hinge", "separate-bce"]
)
@pytest.mark.parametrize("eps", [0.0, 0.3])
def test_every_witness_replays(name, eps):
    problem = agtopt.load(MODELS / name)
    runs, x = (
        agtopt.attack(problem),
        np.random.default_rng(0).normal(size=(30, *problem.network.input_shape)),
    )
    found = agtopt.certify(agtopt.bound(problem, "IBP"), x, eps=eps, attack=runs)
    for k, witness in enumerate(found.witnesses):
        if witness is not None:
            assert problem.perturbation.admits(problem, witness.dataset)
            assert np.all(np.abs(witness.point - x[k]) <= eps * (1 + 1e-9))
            assert witness.replay(problem) == witness.predicted != found.nominal[k]
    if eps == 0.0:
        classes = predictions(problem, runs.theta, x)
        np.testing.assert_array_equal(found.refuted, (classes != found.nominal).any(axis=0))


def test_moving_inputs_refute_more(half_moons, half_moons_reach, half_moons_hull):
    x = half_moons.dataset.features
    counts = [
        agtopt.certify(half_moons_reach, x, eps=eps, attack=half_moons_hull).refuted.sum()
        for eps in (0.0, 0.1, 0.5)
    ]
    assert counts[0] < counts[1] < counts[2]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("polytope", [False, True])
def test_scores_of_moving_inputs_hold_all_inputs_and_parameters(seed, polytope):
    problem = random_problem(seed, 2, "squared", "both")
    box, generator = agtopt.bound(problem, "IBP").domain, np.random.default_rng(seed)
    size = problem.network.size
    rows = generator.normal(size=(3, size))
    inside = sample(box, 200, seed=seed)
    domain = (
        Polytope(rows, (inside @ rows.T).min(axis=0), (inside @ rows.T).max(axis=0), box)
        if polytope
        else box
    )
    low = generator.normal(size=(5, *problem.network.input_shape))
    high = low + generator.uniform(0, 0.5, size=low.shape)
    lower, upper = score_bounds(problem.network, domain, low, highest=high)
    for _ in range(20):
        z = outputs(problem, inside, generator.uniform(low, high))
        assert np.all((lower <= z) & (z <= upper))


def test_a_run_that_changes_a_certified_prediction_raises(half_moons, half_moons_hull):
    """S9: a domain that misses an admissible run is found out."""
    narrow = Reach(half_moons, agtopt.IBP, (Interval.point(trajectory(half_moons)[-1]),), (), 0.0)
    with pytest.raises(SoundnessError, match="S9"):
        agtopt.certify(narrow, half_moons.dataset.features, attack=half_moons_hull)


def test_an_attack_on_another_problem_is_refused(half_moons, half_moons_reach):
    other = replace(half_moons, perturbation=agtopt.Removal(n=1))
    with pytest.raises(InvalidInputError, match="another problem"):
        agtopt.certify(half_moons_reach, half_moons.dataset.features, attack=agtopt.attack(other))


def test_explicit_bounds_of_inputs(half_moons, half_moons_reach):
    x = half_moons.dataset.features[:5]
    ball = agtopt.certify(half_moons_reach, x, eps=0.05)
    given = agtopt.certify(half_moons_reach, x, eps=(x - 0.05, x + 0.05))
    np.testing.assert_allclose(given.lower, ball.lower, atol=1e-9)
    pixels = Queries.of(half_moons, np.zeros_like(x), None, (0.0, 1.0))
    assert pixels.moving
    np.testing.assert_array_equal(pixels.highest, 1.0)


@pytest.mark.parametrize(
    ("eps", "words"),
    [
        (-0.1, "eps"),
        ("a", "eps"),
        (float("nan"), "eps"),
        ((0.0,), "list of 2"),
        ((5.0, 6.0), "outside"),
        ((np.zeros(3), np.ones(3)), "do not fit"),
    ],
)
def test_bad_eps(half_moons, half_moons_reach, eps, words):
    with pytest.raises(InvalidInputError, match=words):
        agtopt.certify(half_moons_reach, half_moons.dataset.features, eps=eps)
