"""Attacks by gradient: admissible, stronger than chance, and right where the best dataset is
known."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import agtopt
from agtopt import Bounded, Dataset, Network, Problem, Removal, Substitution, Training
from agtopt.attacks import gradient_attack, greedy_attack, sampled_attack
from agtopt.attacks.first_order import best_features
from agtopt.attacks.gradient import axis_directions
from agtopt.attacks.runs import summarised
from agtopt.problem import Datasets, Moving

LOSSES = (
    ("squared", 2),
    ("binary-cross-entropy", 1),
    ("cross-entropy", 3),
    ("hinge", 1),
    ("multi-hinge", 3),
)


def problem(loss, outputs, model, samples=10):
    rng = np.random.default_rng(0)
    classes = Training(loss).loss.classes(outputs)
    labels = rng.choice(classes, samples) if classes else rng.normal(size=(samples, outputs))
    data = Dataset(rng.normal(size=(samples, 3)), labels)
    return Problem(
        Network.dense([3, 4, outputs], seed=1),
        data,
        model(classes),
        Training(loss, epochs=3, learning_rate=0.2),
    )


MODELS = {
    "box": lambda classes: Bounded(2, eps=0.1),
    "l2": lambda classes: Bounded(2, eps=0.2, p=2, vulnerable=[0, 1, 2]),
    "l1": lambda classes: Bounded(2, eps=0.2, p=1),
    "labels": lambda classes: Bounded(2, nu=1 if classes else 0.1, q=0 if classes else np.inf),
    "separate": lambda classes: Bounded(
        n_features=2, n_labels=1, eps=0.1, nu=1 if classes else 0.1, q=0 if classes else np.inf
    ),
    "removal": lambda classes: Removal(2),
    "substitution": lambda classes: Substitution(
        2, features=(-1, 1), labels=None if classes else (-1, 1)
    ),
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
    instance = Problem(
        Network.dense([2, 1], seed=0), data, Removal(1), Training("squared", learning_rate=0.1)
    )
    hull = agtopt.attack(instance)
    assert hull.exact
    found = summarised(
        instance, gradient_attack(instance, axis_directions(instance, 2**30)), exact=False
    )
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


@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize("size", [0.0, 5e-324, 1e-200, 1.0, 1e200])
def test_the_steepest_point_is_in_the_ball_however_flat_the_slope(p, size):
    """Squares of tiny slopes are 0: the point was once 1e100 radii away."""
    instance = problem("hinge", 1, lambda classes: Bounded(2, eps=0.5, p=p))
    slope = size * np.random.default_rng(0).uniform(-1, 1, (3, *instance.dataset.features.shape))
    features, _ = best_features(instance, slope)
    reach = np.linalg.norm(features - instance.dataset.features, ord=p, axis=-1)
    assert reach.max() <= 0.5 * (1 + 1e-12)
    if size > 1e-300:
        np.testing.assert_allclose(reach, 0.5)


def test_a_substitute_beyond_which_there_is_nothing_is_tried_within_its_box():
    base = problem("hinge", 1, lambda classes: Bounded(1), samples=4)
    model = Substitution(1, features=(-np.inf, -50.0))
    instance = replace(base, perturbation=model, training=replace(base.training, clip=1.0))
    for sign in (-1.0, 1.0):
        features, _ = best_features(instance, np.full((1, *base.dataset.features.shape), sign))
        assert features.max() <= -50.0


@dataclass(frozen=True)
class OneCoordinate(Moving):
    """Of a touched sample one feature moves, and not several: less than its box says."""

    @property
    def moves_features(self):
        return True

    def feature_box(self, instance, features):
        return features - 0.2, features + 0.2

    def admits(self, instance, other, tolerance=1e-9):
        moved = np.abs(other.features - instance.dataset.features)
        small = moved.max() <= 0.2 + tolerance and ((moved > 0).sum(axis=1) <= 1).all()
        return (
            small
            and np.array_equal(other.labels, instance.dataset.labels)
            and self.same_places(instance, other)
        )

    def sample(self, instance, size, generator):
        features = np.repeat(instance.dataset.features[np.newaxis], size, axis=0)
        features[
            np.arange(size),
            generator.integers(0, features.shape[1], size),
            generator.integers(0, 3, size),
        ] += 0.2
        return Datasets(instance.dataset, size, features)

    def describe(self):
        return "one feature of a sample moves"


def test_no_attack_goes_beyond_what_a_model_from_outside_admits():
    """Boxes and budgets need not be all that it asks for: what is attained would be what nobody may
    do."""
    instance = problem("squared", 1, lambda classes: OneCoordinate(1), samples=5)
    directions = np.random.default_rng(0).normal(size=(4, instance.network.size))
    for found in (
        gradient_attack(instance, directions),
        greedy_attack(instance, directions),
        agtopt.attack(instance).datasets,
    ):
        assert all(instance.perturbation.admits(instance, dataset) for dataset in found)
    assert agtopt.bound(instance, "IBP").domain.contains(agtopt.attack(instance).theta)
