"""Attacks on predictions and losses: admissible, replayed by torch itself, as good as enumeration
where that is possible."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import agtopt
from agtopt import (
    Bounded,
    Dataset,
    InvalidInputError,
    Network,
    Problem,
    Removal,
    Substitution,
    Training,
)
from agtopt.attacks import collisions, enumerate_hull, loss_attack, prediction_attack
from agtopt.attacks.predictions import loss_values, margins, score_gradients
from agtopt.problem.loss import loss_named
from tests.attacks.test_gradient import LOSSES, MODELS, problem
from tests.instances import torch_model, torch_sgd
from tests.reference import torch_losses

WORK = 2**18


def queries(many=6, seed=3):
    return np.random.default_rng(seed).normal(size=(many, 3))


def scores(network, theta, X):
    model = torch_model(network)
    torch.nn.utils.vector_to_parameters(torch.tensor(theta), model.parameters())
    return model(torch.tensor(X)).detach().numpy()


def lead(instance, theta, X, classes):
    """By how much each class wins, written apart from the package."""
    z = scores(instance.network, theta, X)
    if z.shape[1] == 1:
        return z[:, 0] * np.where(classes > 0, 1, -1)
    return np.array([row[c] - max(np.delete(row, c)) for row, c in zip(z, classes, strict=True)])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("loss", "outputs"), [pair for pair in LOSSES if pair[0] != "squared"])
def test_witnesses_are_admissible_and_flip_the_prediction_by_torch(loss, outputs, name):
    instance, X = problem(loss, outputs, MODELS[name]), queries()
    found = prediction_attack(instance, X, work=WORK)
    nominal = lead(instance, torch_sgd(instance)[-1], X, found.classes)
    assert np.all(nominal > 0)
    assert np.all(found.margins <= nominal + 1e-12)
    assert np.array_equal(found.flipped, found.margins < 0)
    assert all(instance.perturbation.admits(instance, dataset) for dataset in found.attack.datasets)
    certified = agtopt.certify(agtopt.bound(instance, "CROWN"), X)
    assert not (certified.stable & found.flipped).any()
    for k in range(len(X)):
        reached = lead(
            instance,
            torch_sgd(instance, found.witness(k))[-1],
            X[k : k + 1],
            found.classes[k : k + 1],
        )[0]
        assert reached == pytest.approx(found.margins[k], abs=1e-9)
        assert found.replay(k) == pytest.approx(found.margins[k], abs=1e-9)


@pytest.mark.parametrize(("loss", "outputs"), [("binary-cross-entropy", 1), ("cross-entropy", 3)])
@pytest.mark.parametrize("model", [Bounded(2, nu=1, q=0), Removal(2)])
def test_on_a_linear_model_it_is_nearly_as_good_as_enumeration(model, loss, outputs):
    rng = np.random.default_rng(4)
    features = rng.normal(size=(25, 2))
    labels = (features[:, 0] > 0).astype(float) + (features[:, 1] > 0.7) * (outputs > 2)
    instance = Problem(
        Network.dense([2, outputs], seed=1),
        Dataset(features, np.minimum(labels, 2)),
        model,
        Training(loss, epochs=4, learning_rate=0.5),
    )
    X = rng.normal(size=(30, 2))
    found, hull = prediction_attack(instance, X, seed=1), enumerate_hull(instance)
    exact = margins(instance, hull.theta, X, found.classes).min(axis=0)
    assert np.all(found.margins >= exact - 1e-12)
    assert np.mean(found.margins <= exact + 1e-9) > 0.9
    assert np.array_equal(found.flipped, exact < 0)
    assert 0 < found.flipped.sum() < len(X)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("loss", "outputs"), LOSSES)
def test_a_loss_attack_worsens_the_loss_and_can_be_replayed(loss, outputs, name):
    instance, X = problem(loss, outputs, MODELS[name]), queries()
    rng = np.random.default_rng(0)
    y = (
        rng.choice(instance.classes, len(X)).astype(float)
        if instance.classes
        else rng.normal(size=(len(X), outputs))
    )
    found = loss_attack(instance, X, y, work=WORK)
    assert all(instance.perturbation.admits(instance, dataset) for dataset in found.attack.datasets)
    assert found.worst > found.nominal
    for dataset, expected in ((None, found.nominal), (found.witness(), found.worst)):
        z = torch.tensor(scores(instance.network, torch_sgd(instance, dataset)[-1], X))
        assert float(torch_losses(loss, z, torch.tensor(y)).mean()) == pytest.approx(
            expected, rel=1e-9
        )


def test_the_loss_attack_finds_the_worst_removal():
    rng = np.random.default_rng(1)
    data = Dataset(rng.normal(size=(40, 2)), rng.normal(size=40))
    instance = Problem(
        Network.dense([2, 1], seed=0),
        data,
        Removal(2),
        Training("squared", epochs=2, learning_rate=0.1),
    )
    found = loss_attack(instance, data.features, data.labels)
    hull = enumerate_hull(instance)
    z = data.features @ hull.theta[:, :2].T + hull.theta[:, 2]
    assert found.worst == pytest.approx(
        ((z - data.labels[:, None]) ** 2).mean(axis=0).max(), rel=1e-9
    )


@pytest.mark.parametrize("name", [loss for loss, _ in LOSSES])
def test_loss_values_are_those_of_torch(name):
    rng = np.random.default_rng(2)
    outputs = dict(LOSSES)[name]
    instance = problem(name, outputs, MODELS["labels"])
    y = (
        rng.choice(instance.classes, 7).astype(float)
        if instance.classes
        else rng.normal(size=(7, outputs))
    )
    z = torch.tensor(3 * rng.normal(size=(7, outputs)))
    found = loss_values(loss_named(name), z, torch.tensor(instance.encode(y)))
    np.testing.assert_allclose(found, torch_losses(name, z, torch.tensor(y)), atol=1e-12)


def test_score_gradients_are_those_of_autograd():
    instance, X = problem("cross-entropy", 3, MODELS["labels"]), queries(4)
    rows = np.random.default_rng(0).normal(size=(4, 3))
    theta = np.random.default_rng(1).normal(size=(4, instance.network.size))
    values, gradients = score_gradients(instance, theta, X, rows)
    for k in range(4):
        model = torch_model(instance.network)
        torch.nn.utils.vector_to_parameters(torch.tensor(theta[k]), model.parameters())
        value = model(torch.tensor(X[k : k + 1]))[0] @ torch.tensor(rows[k])
        expected = torch.cat(
            [slope.ravel() for slope in torch.autograd.grad(value, list(model.parameters()))]
        )
        assert values[k] == pytest.approx(value.item(), abs=1e-12)
        np.testing.assert_allclose(gradients[k], expected, atol=1e-12)


@pytest.mark.parametrize("p", [np.inf, 2, 1])
def test_collisions_come_closer_to_the_query_within_the_ball(p):
    instance = problem("cross-entropy", 3, lambda classes: Bounded(2, eps=0.8, p=p, nu=1, q=0))
    X, theta = queries(5), torch_sgd(instance)[-1]
    rivals = np.array([0, 1, 2, 0, 1])
    found = collisions(instance, theta, X, rivals)
    weight = instance.network.unflatten(theta)

    def seen(x):
        return np.maximum(x @ weight["dense1_weight"].T + weight["dense1_bias"], 0.0)

    gains = []
    for dataset, x, rival in zip(found, X, rivals, strict=True):
        assert instance.perturbation.admits(instance, dataset)
        moved = np.flatnonzero((dataset.features != instance.dataset.features).any(axis=1))
        assert 0 < len(moved) <= 2
        assert set(dataset.labels[moved]) == {rival}
        before, after = (
            np.sum((seen(data.features[moved]) - seen(x)) ** 2, axis=1)
            for data in (instance.dataset, dataset)
        )
        assert np.all(after <= before + 1e-12)
        gains.append(before - after)
    assert np.concatenate(gains).max() > 0.1


def test_collisions_descend_in_the_representation_beyond_what_inputs_show(monkeypatch):
    instance = problem("cross-entropy", 3, lambda classes: Bounded(3, eps=0.3))
    X, theta, rivals = queries(8), torch_sgd(instance)[-1], np.arange(8) % 3
    weight = instance.network.unflatten(theta)

    def gaps():
        seen = [
            np.maximum(points @ weight["dense1_weight"].T + weight["dense1_bias"], 0.0)
            for points in (moved.features, X)
        ]
        return np.sum((seen[0] - seen[1][:, np.newaxis]) ** 2, axis=-1).min(axis=1)

    moved = collisions(instance, theta, X, rivals)
    descended = gaps()
    monkeypatch.setattr("agtopt.attacks.collision.STEPS", 0)
    moved = collisions(instance, theta, X, rivals)
    assert np.all(descended <= gaps() + 1e-12)
    assert np.any(descended < 0.99 * gaps())


def test_a_substitute_is_the_query_itself():
    instance = problem("hinge", 1, lambda classes: Substitution(2, features=(-5, 5)))
    X = queries(3)
    for dataset, x in zip(
        collisions(instance, torch_sgd(instance)[-1], X, np.array([0, 1, 0])), X, strict=True
    ):
        assert (dataset.features == x).all(axis=1).sum() == 2
        assert instance.perturbation.admits(instance, dataset)


def test_limited_work_still_attacks_the_weakest_query_and_evaluates_all():
    instance = problem("hinge", 1, lambda classes: Removal(4), samples=40)
    X = queries(30)
    few, full = prediction_attack(instance, X, work=1), prediction_attack(instance, X)
    assert len(few.attack.datasets) < len(full.attack.datasets)
    assert few.margins.shape == (30,)
    assert np.all(full.margins <= few.margins + 1e-12)
    lost = few.margins - full.margins
    weakest = lead(instance, torch_sgd(instance)[-1], X, full.classes).argmin()
    assert lost[weakest] < 0.2 * np.median(lost)


def test_given_classes_are_attacked_instead_of_the_predicted_ones():
    instance, X = problem("cross-entropy", 3, MODELS["labels"]), queries()
    found = prediction_attack(instance, X, np.zeros(len(X)), work=WORK)
    assert set(found.classes) == {0}
    nominal = lead(instance, torch_sgd(instance)[-1], X, found.classes)
    assert np.array_equal(found.flipped | (nominal >= 0), np.ones(len(X), dtype=bool))


def test_without_an_adversary_nothing_flips():
    instance = problem("hinge", 1, lambda classes: Bounded(0, nu=1, q=0))
    found = prediction_attack(instance, queries())
    assert not found.flipped.any()
    assert found.attack.runs == 1
    assert loss_attack(instance, queries(), np.ones(6)).worst == pytest.approx(
        loss_attack(instance, queries(), np.ones(6)).nominal
    )


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        (np.zeros((2, 2)), [1, 1], "X"),
        (np.zeros((0, 3)), [], "X"),
        (np.zeros((2, 3)), [1], "y"),
        (np.zeros((1, 3)), [0], "labels"),
    ],
)
def test_misfits_are_named(X, y, words):
    instance = problem("hinge", 1, MODELS["labels"])
    for attack in (prediction_attack, loss_attack):
        with pytest.raises(InvalidInputError, match=words):
            attack(instance, X, y)


def test_a_regression_has_no_prediction_to_flip():
    instance = problem("squared", 2, MODELS["labels"])
    with pytest.raises(InvalidInputError, match="loss_attack"):
        prediction_attack(instance, queries())
    with pytest.raises(InvalidInputError, match="k"):
        prediction_attack(problem("hinge", 1, MODELS["labels"]), queries(), work=1).witness(-1)
    diverging = replace(
        problem("hinge", 1, MODELS["labels"]),
        training=Training("hinge", epochs=9, learning_rate=1e200),
    )
    with pytest.raises(InvalidInputError, match="diverge"):
        prediction_attack(diverging, queries(), work=1)
