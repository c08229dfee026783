"""Attacks by gradient: admissible, stronger than chance, and right where the best dataset is known."""

from dataclasses import replace

import numpy as np
import pytest

import agtopt
from agtopt import Bounded, Dataset, Network, Problem, Removal, Substitution, Training
from agtopt.attacks import gradient_attack, sampled_attack
from agtopt.attacks.gradient import axis_directions
from agtopt.attacks.runs import summarised
from agtopt.problem import Datasets

LOSSES = (("squared", 2), ("binary-cross-entropy", 1), ("cross-entropy", 3), ("hinge", 1), ("multi-hinge", 3))


def problem(loss, outputs, model, samples=10):
    rng = np.random.default_rng(0)
    classes = Training(loss).loss.classes(outputs)
    labels = rng.choice(classes, samples) if classes else rng.normal(size=(samples, outputs))
    data = Dataset(rng.normal(size=(samples, 3)), labels)
    return Problem(Network.dense([3, 4, outputs], seed=1), data, model(classes), Training(loss, epochs=3, learning_rate=0.2))


MODELS = {
    "box": lambda classes: Bounded(2, eps=0.1),
    "l2": lambda classes: Bounded(2, eps=0.2, p=2, vulnerable=[0, 1, 2]),
    "l1": lambda classes: Bounded(2, eps=0.2, p=1),
    "labels": lambda classes: Bounded(2, nu=1 if classes else 0.1, q=0 if classes else np.inf),
    "separate": lambda classes: Bounded(n_features=2, n_labels=1, eps=0.1, nu=1 if classes else 0.1, q=0 if classes else np.inf),
    "removal": lambda classes: Removal(2),
    "substitution": lambda classes: Substitution(2, features=(-1, 1), labels=None if classes else (-1, 1)),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("loss", "outputs"), LOSSES)
def test_attacks_are_admissible_and_hold_against_chance(loss, outputs, name):
    instance = problem(loss, outputs, MODELS[name])
    directions = axis_directions(instance, 2**30)
    assert len(directions) == 2 * instance.network.size
    found = gradient_attack(instance, directions, rounds=4)
    assert len(found) == 4 * len(directions)
    assert all(instance.perturbation.admits(instance, dataset) for dataset in found)
    climbed = summarised(instance, Datasets(instance.dataset, 1).joined(found), exact=False)
    # Where the loss has kinks its derivative sees one side only.
    least = 0.99 if loss in ("squared", "binary-cross-entropy") else 0.8
    assert climbed.domain.width() >= least * sampled_attack(instance, len(found)).domain.width()
    box = agtopt.bound(instance, "CROWN").domain
    assert box.contains(np.stack([climbed.domain.lower, climbed.domain.upper]))


def test_the_best_removal_of_a_linear_model_is_found():
    rng = np.random.default_rng(1)
    data = Dataset(rng.normal(size=(9, 2)), rng.normal(size=9))
    instance = Problem(Network.dense([2, 1], seed=0), data, Removal(1), Training("squared", learning_rate=0.1))
    hull = agtopt.attack(instance)
    assert hull.exact
    found = summarised(instance, gradient_attack(instance, axis_directions(instance, 2**30)), exact=False)
    np.testing.assert_allclose(found.domain.lower, hull.domain.lower, atol=1e-12)
    np.testing.assert_allclose(found.domain.upper, hull.domain.upper, atol=1e-12)


def test_without_an_adversary_there_is_no_attack():
    instance = problem("squared", 2, lambda classes: Bounded(0))
    assert len(gradient_attack(instance, np.eye(instance.network.size))) == 0
    assert agtopt.attack(instance).runs == 1


def test_work_limits_the_directions():
    instance = problem("squared", 2, MODELS["box"])
    assert len(axis_directions(instance, 0)) == 0
    few = axis_directions(replace(instance, name="other"), 3 * 10 * 3 * instance.network.size * 10)
    assert 0 < len(few) < 2 * instance.network.size
