"""Greedy attacks: admissible, exact where one change or one step decides, and stronger than
chance."""

from dataclasses import replace

import numpy as np
import pytest

import agtopt
from agtopt import Bounded, Dataset, Network, Problem, Removal, Substitution, Training
from agtopt.attacks import greedy, greedy_attack, heuristic_attack
from agtopt.attacks.runs import summarised
from agtopt.problem import Datasets
from agtopt.training.concrete import trajectories

LOSSES = (
    ("squared", 2),
    ("squared", 1),
    ("binary-cross-entropy", 1),
    ("cross-entropy", 3),
    ("hinge", 1),
    ("multi-hinge", 3),
)


def problem(loss, outputs, model, samples=8, hidden=(3,), seed=0, clip=None):
    rng = np.random.default_rng(seed)
    classes = Training(loss).loss.classes(outputs)
    labels = rng.choice(classes, samples) if classes else rng.normal(size=(samples, outputs))
    data = Dataset(rng.normal(size=(samples, 2)), labels)
    training = Training(loss, epochs=2, batch_size=5, learning_rate=0.3, seed=2, clip=clip)
    return Problem(Network.dense([2, *hidden, outputs], seed=1), data, model(classes), training)


def one_step(loss, labels, features, model, **training):
    """A linear model that starts at zero."""
    network = Network.dense([features.shape[1], 1])
    network = replace(
        network, initial={name: np.zeros_like(value) for name, value in network.initial.items()}
    )
    return Problem(
        network,
        Dataset(features, labels),
        model,
        Training(loss, **{"learning_rate": 0.5, **training}),
    )


def axes(instance):
    return np.concatenate([np.eye(instance.network.size), -np.eye(instance.network.size)])


def trained(instance, datasets):
    """Final parameters, shape (D, p)."""
    return np.concatenate(
        [states[:, -1, : instance.network.size] for _, states in trajectories(instance, datasets)]
    )


def pushed(instance, datasets, directions):
    """How far the dataset of each direction pushes it beyond the nominal one."""
    moved = trained(instance, datasets) - trained(instance, Datasets(instance.dataset, 1))
    return (moved * directions).sum(axis=1)


def flip(classes):
    return {"nu": 1, "q": 0} if classes else {"nu": 0.3}


MODELS = {
    "box": lambda classes: Bounded(2, eps=0.2),
    "l2 of few": lambda classes: Bounded(2, eps=0.3, p=2, vulnerable=[0, 3, 4]),
    "l1": lambda classes: Bounded(2, eps=0.3, p=1),
    "labels": lambda classes: Bounded(3, **flip(classes)),
    "labels of few": lambda classes: Bounded(3, **flip(classes), vulnerable=[5, 1]),
    "one flip": lambda classes: (
        Bounded(3, nu=1, q=0, flips=[classes[:2]]) if classes else Bounded(8, nu=0.1)
    ),
    "both": lambda classes: Bounded(2, eps=0.2, p=2, **flip(classes)),
    "both, one flip": lambda classes: (
        Bounded(2, eps=0.2, nu=1, q=0, flips=[classes[:2]]) if classes else Bounded(0)
    ),
    "separate": lambda classes: Bounded(n_features=2, n_labels=1, eps=0.2, **flip(classes)),
    "separate of few": lambda classes: Bounded(
        n_features=1, n_labels=3, eps=0.2, **flip(classes), vulnerable=[2, 6, 7]
    ),
    "separate, no features": lambda classes: Bounded(
        n_features=0, n_labels=2, eps=0.2, **flip(classes)
    ),
    "removal": lambda classes: Removal(2),
    "removal of few": lambda classes: Removal(2, vulnerable=[3, 1, 7]),
    "substitution": lambda classes: Substitution(
        2, features=(-1, 1), labels=None if classes else (-1, 1)
    ),
    "substitution elsewhere": lambda classes: Substitution(
        2, features=(3, [4, 5]), labels=classes[:1] if classes else (7, 8)
    ),
    "substitution of few": lambda classes: Substitution(
        2, features=(-9, 9), labels=classes[1:] if classes else (0, 0), vulnerable=[0, 1]
    ),
    "substitution by anything": lambda classes: Substitution(
        2, labels=None if classes else (-1, 1)
    ),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("loss", "outputs"), LOSSES)
def test_datasets_are_admissible_and_better_than_the_nominal_one(loss, outputs, name):
    instance = problem(loss, outputs, MODELS[name], clip=0.5 if "anything" in name else None)
    if loss == "squared" and outputs == 1:
        instance = replace(
            instance, dataset=Dataset(instance.dataset.features, instance.dataset.labels[:, 0])
        )
    directions = np.concatenate(
        [axes(instance), np.random.default_rng(1).normal(size=(3, instance.network.size))]
    )
    for work in (greedy.WORK, 0):
        found = greedy_attack(instance, directions, work)
        if not len(instance.perturbation.touchable(instance)):
            assert len(found) == 0
            continue
        assert len(found) == len(directions)
        assert all(instance.perturbation.admits(instance, dataset) for dataset in found)
        push = pushed(instance, found, directions)
        assert np.all(push >= -1e-12)
        assert work == 0 or push.max() > 1e-6


FINITE = {
    "flips": (("hinge", 1), lambda classes: Bounded(1, nu=1, q=0)),
    "flips of few": (
        ("binary-cross-entropy", 1),
        lambda classes: Bounded(1, nu=1, q=0, vulnerable=[4, 0, 2]),
    ),
    "flips of many classes": (("cross-entropy", 3), lambda classes: Bounded(1, nu=1, q=0)),
    "some flips": (
        ("multi-hinge", 3),
        lambda classes: Bounded(1, nu=1, q=0, flips=[(0, 2), (1, 0), (1, 2)]),
    ),
    "own budget": (
        ("cross-entropy", 3),
        lambda classes: Bounded(n_features=0, n_labels=1, nu=1, q=0),
    ),
    "removal": (("hinge", 1), lambda classes: Removal(1)),
    "removal of few": (("squared", 2), lambda classes: Removal(1, vulnerable=[0, 1, 5])),
}


@pytest.mark.parametrize("hidden", [(), (3,)])
@pytest.mark.parametrize("name", FINITE)
def test_one_change_is_enumerated(name, hidden):
    loss, model = FINITE[name]
    instance = problem(*loss, model, hidden=hidden)
    hull = agtopt.attack(instance)
    found = summarised(instance, greedy_attack(instance, axes(instance)), exact=False)
    assert hull.exact
    np.testing.assert_allclose(found.domain.lower, hull.domain.lower, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.domain.upper, hull.domain.upper, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "model", [lambda n: Bounded(n, nu=1, q=0), lambda n: Removal(n)], ids=["flips", "removal"]
)
def test_more_changes_are_better_than_one_and_than_chance(model, seed, n):
    instance = problem("hinge", 1, lambda classes: model(n), samples=10, hidden=(), seed=seed)
    directions = axes(instance)
    push = pushed(instance, greedy_attack(instance, directions), directions)
    alone = replace(instance, perturbation=model(1))
    single, every = (
        summarised(one, one.perturbation.enumerate(one), exact=True) for one in (alone, instance)
    )
    nominal = trained(instance, Datasets(instance.dataset, 1))[0]
    best, most = (
        np.concatenate([a.domain.upper - nominal, nominal - a.domain.lower])
        for a in (single, every)
    )
    assert np.all(push >= best - 1e-12)
    assert push.sum() > 1.1 * best.sum()
    assert np.all(push <= most + 1e-12)
    random = instance.perturbation.sample(instance, len(directions), np.random.default_rng(seed))
    assert push.sum() >= ((trained(instance, random) - nominal) @ directions.T).max(axis=0).sum()


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("work", [greedy.WORK, 0])
def test_labels_of_one_linear_step_are_best_whatever_is_tried(work, n):
    """θ_1 is linear in the labels, so the first-order choice is the best one: y_i moves weight j by
    2 α ν |x_ij| / N."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(7, 2))
    instance = one_step("squared", rng.normal(size=7), features, Bounded(n, nu=0.3))
    inputs = np.abs(np.column_stack([features, np.ones(7)]))
    expected = 2 * 0.5 * 0.3 / 7 * np.sort(inputs, axis=0)[::-1][:n].sum(axis=0)
    directions = axes(instance)
    push = pushed(instance, greedy_attack(instance, directions, work), directions)
    np.testing.assert_allclose(push, np.tile(expected, 2), rtol=1e-12)


@pytest.mark.parametrize("separate", [False, True])
def test_a_flip_turns_the_best_move_of_the_features_round(separate):
    """Hinge at zero: every sample adds α y x / N to the weights."""
    rng = np.random.default_rng(2)
    features, labels = rng.normal(size=(9, 2)), rng.choice([-1.0, 1.0], 9)
    budget = {"n_features": 1, "n_labels": 1} if separate else {"n": 1}
    instance = one_step("hinge", labels, features, Bounded(**budget, eps=0.1, nu=1, q=0))
    added = labels[:, np.newaxis] * features
    flipped = np.concatenate([(-2 * added).max(axis=0), (2 * added).max(axis=0)])
    directions = np.concatenate([np.eye(3)[:2], -np.eye(3)[:2]])
    # One by one, as directions share what they find.
    push = [
        pushed(instance, greedy_attack(instance, one[np.newaxis]), one[np.newaxis])[0]
        for one in directions
    ]
    np.testing.assert_allclose(push, 0.5 / 9 * (flipped + 0.1), rtol=1e-12)


@pytest.mark.parametrize("model", [Bounded(1, nu=1, q=0), Removal(1)], ids=["flips", "removal"])
def test_one_step_of_hinge_needs_one_try(model):
    """First-order gains are in the order of the true ones."""
    rng = np.random.default_rng(5)
    instance = one_step("hinge", rng.choice([-1.0, 1.0], 8), rng.normal(size=(8, 2)), model)
    hull, nominal = (
        agtopt.attack(instance).domain,
        trained(instance, Datasets(instance.dataset, 1))[0],
    )
    push = [
        pushed(instance, greedy_attack(instance, one[np.newaxis], work=0), one[np.newaxis])[0]
        for one in axes(instance)
    ]
    np.testing.assert_allclose(
        push, np.concatenate([hull.upper - nominal, nominal - hull.lower]), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("n", [2, 9])
def test_changes_that_hurt_are_left(n):
    rng = np.random.default_rng(6)
    features, labels = rng.normal(size=(9, 2)), rng.choice([-1.0, 1.0], 9)
    instance = one_step("hinge", labels, features, Bounded(n, nu=1, q=0))
    added = np.concatenate(
        [labels[:, np.newaxis] * features, -labels[:, np.newaxis] * features], axis=1
    )
    directions = np.concatenate([np.eye(3)[:2], -np.eye(3)[:2]])
    push = pushed(instance, greedy_attack(instance, directions), directions)
    np.testing.assert_allclose(
        push, 0.5 / 9 * np.maximum(-2 * np.sort(added, axis=0)[:n], 0).sum(axis=0), rtol=1e-12
    )


def test_separate_budgets_are_both_spent():
    rng = np.random.default_rng(3)
    features, labels = rng.normal(size=(9, 2)), rng.choice([-1.0, 1.0], 9)
    instance = one_step(
        "hinge", labels, features, Bounded(n_features=3, n_labels=2, eps=0.1, nu=1, q=0)
    )
    added = np.concatenate(
        [labels[:, np.newaxis] * features, -labels[:, np.newaxis] * features], axis=1
    )
    directions = np.concatenate([np.eye(3)[:2], -np.eye(3)[:2]])
    push = pushed(instance, greedy_attack(instance, directions), directions)
    np.testing.assert_allclose(
        push, 0.5 / 9 * (-2 * np.sort(added, axis=0)[:2].sum(axis=0) + 0.3), rtol=1e-12
    )


@pytest.fixture
def runs(monkeypatch):
    """The numbers of training runs, call by call."""
    made = []

    def counted(problem, datasets):
        made.append(len(datasets))
        return trajectories(problem, datasets)

    monkeypatch.setattr(greedy, "trajectories", counted)
    return made


def test_the_same_dataset_is_trained_on_once(runs):
    instance = problem("hinge", 1, lambda classes: Bounded(1, nu=1, q=0))
    greedy_attack(instance, axes(instance))
    assert runs == [1, 8]


def test_it_ends_when_nothing_helps(runs):
    instance = problem("hinge", 1, lambda classes: Bounded(5, nu=1, q=0))
    found = greedy_attack(instance, np.zeros((2, instance.network.size)))
    assert runs == [1, 8]
    assert not any(dataset.changed(instance.dataset).any() for dataset in found)


@pytest.mark.parametrize("tried", [1, 3, 6])
def test_work_limits_what_is_trained(runs, tried):
    instance = problem(
        "cross-entropy", 3, lambda classes: Bounded(2, eps=0.1, nu=1, q=0), samples=10
    )
    entries = 2 * 10 * instance.network.size
    directions = np.random.default_rng(0).normal(size=(4, instance.network.size))
    greedy_attack(instance, directions, work=2 * 4 * (greedy.DIFFERENTIATION + tried) * entries)
    assert sum(runs) <= 1 + 2 * 4 * tried
    assert 1 < runs[1] <= 4 * tried


def test_memory_limits_change_nothing(monkeypatch):
    instance = problem("multi-hinge", 3, lambda classes: Bounded(2, eps=0.1, nu=1, q=0))
    directions = axes(instance)
    whole = greedy_attack(instance, directions)
    monkeypatch.setattr(greedy, "MOST_DATA", 3 * instance.dataset.features.size)
    monkeypatch.setattr("agtopt.attacks.first_order.MOST_ENTRIES", 5 * 16 * instance.network.size)
    parts = greedy_attack(instance, directions)
    np.testing.assert_allclose(
        pushed(instance, parts, directions), pushed(instance, whole, directions), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(
    "model", [Bounded(0), Bounded(2), Removal(2, vulnerable=[]), Bounded(2, eps=0.1, vulnerable=[])]
)
def test_without_an_adversary_there_is_no_attack(model):
    instance = problem("squared", 2, lambda classes: model)
    assert len(greedy_attack(instance, axes(instance))) == 0
    assert heuristic_attack(instance).runs == 1


def test_without_directions_there_is_no_attack():
    instance = problem("squared", 2, lambda classes: Bounded(1, eps=0.1))
    assert len(greedy_attack(instance, np.empty((0, instance.network.size)))) == 0


def test_a_diverging_run_is_not_passed_over():
    """The nominal labels fit, so that only a change makes training diverge."""
    instance = one_step(
        "squared", np.zeros(4), np.ones((4, 1)), Bounded(2, nu=0.1), epochs=5, learning_rate=1e200
    )
    found = greedy_attack(instance, np.eye(2))
    with pytest.raises(agtopt.InvalidInputError, match="diverge"):
        summarised(instance, found, exact=False)


def test_the_heuristic_attack_is_as_far_as_greed():
    instance = problem("hinge", 1, lambda classes: Bounded(3, nu=1, q=0), samples=40)
    alone = summarised(instance, greedy_attack(instance, axes(instance)), exact=False).domain
    assert heuristic_attack(instance).domain.contains(np.stack([alone.lower, alone.upper]), 1e-12)
