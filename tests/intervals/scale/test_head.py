"""Layers in front of everything that is trained run once, and change no domain."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

from agtopt import (
    Add,
    Bounded,
    Conv2d,
    Dataset,
    Dense,
    Flatten,
    Network,
    Problem,
    ReLU,
    Removal,
    Substitution,
    Training,
)
from agtopt.intervals.interval import IntervalOperations
from agtopt.intervals.propagation import interval_steps
from agtopt.intervals.scale import fragments, head
from agtopt.problem.network import INPUT
from agtopt.training.concrete import trajectory
from tests.instances import corrupted

MODELS = [
    Bounded(2, eps=0.05),
    Bounded(3, nu=1, q=0),
    Bounded(eps=0.05, nu=1, q=0, n_features=1, n_labels=2),
    Bounded(9, eps=0.05),
    Removal(2),
    Substitution(2, features=(0.0, 1.0)),
]


def convolutional(model, epochs=3, frozen=("conv2d1", "conv2d2")):
    rng = np.random.default_rng(0)
    layers = [
        Conv2d(1, 2, 2),
        ReLU(),
        Conv2d(2, 2, 2),
        ReLU(),
        Flatten(),
        Dense(8, 3),
        ReLU(),
        Dense(3, 1),
    ]
    weights = [
        rng.normal(size=shape) for layer in layers for shape in layer.parameter_shapes().values()
    ]
    data = Dataset(rng.uniform(size=(9, 1, 4, 4)), rng.integers(0, 2, 9))
    training = Training(
        "binary-cross-entropy", epochs=epochs, batch_size=3, learning_rate=0.2, frozen=frozen
    )
    return Problem(Network.chain(layers, (1, 4, 4), weights), data, model, training)


@pytest.mark.parametrize("size", [1, 4, 9])
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_domains_are_the_same(monkeypatch, model, size):
    problem = convolutional(model)
    monkeypatch.setattr(fragments, "fragment_size", lambda *_: size)
    once = list(interval_steps(problem))
    monkeypatch.setattr(fragments, "head_pays", lambda *_: False)
    for found, expected in zip(once, interval_steps(problem), strict=True):
        np.testing.assert_allclose(found.lower, expected.lower, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(found.upper, expected.upper, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_training_runs_stay_inside(model):
    """S1."""
    problem = convolutional(model)
    assert problem.head == "flatten1"
    boxes = list(interval_steps(problem))
    for dataset in (problem.dataset, *corrupted(problem, 20)):
        for box, theta in zip(boxes, trajectory(problem, dataset)[1:], strict=True):
            assert np.all((box.lower[: len(theta)] <= theta) & (theta <= box.upper[: len(theta)]))


def test_convolutions_run_once_where_samples_come_again(monkeypatch):
    runs = []
    monkeypatch.setattr(
        IntervalOperations, "unfold", lambda self, *args: runs.append(1) or unfold(self, *args)
    )
    for epochs in (1, 3):
        runs.clear()
        list(interval_steps(convolutional(MODELS[0], epochs)))
        assert len(runs) == 2 * 3


unfold = IntervalOperations.unfold


def test_what_does_not_fit_is_computed_again():
    problem = convolutional(MODELS[0])
    assert head.head_pays(problem, 2, 16 * 2 * 9 * 8)
    assert not head.head_pays(problem, 2, 16 * 2 * 9 * 8 - 1)


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [
        ((), INPUT),
        (("conv2d1",), "relu1"),
        (("conv2d1", "conv2d2", "dense1"), "relu3"),
        (("dense1",), INPUT),
    ],
)
def test_the_head_ends_before_what_is_trained(frozen, expected):
    assert convolutional(MODELS[0], frozen=frozen).head == expected


def test_a_way_around_what_is_trained_is_behind_the_head():
    """The addition takes the output of a fixed layer and of a trained one."""
    layers = {"first": Dense(2, 3), "second": Dense(3, 3), "sum": Add(), "last": Dense(3, 1)}
    graph = nx.DiGraph()
    graph.add_node(INPUT)
    for name, layer in layers.items():
        graph.add_node(name, layer=layer)
    graph.add_edges_from(
        [
            (INPUT, "first"),
            ("first", "second"),
            ("first", "sum"),
            ("second", "sum"),
            ("sum", "last"),
        ]
    )
    rng = np.random.default_rng(0)
    weights = {
        f"{node}_{role}": rng.normal(size=shape)
        for node in layers
        for role, shape in layers[node].parameter_shapes().items()
    }
    data = Dataset(rng.normal(size=(6, 2)), rng.normal(size=6))
    problem = Problem(
        Network(graph, (2,), weights),
        data,
        Bounded(2, eps=0.05),
        Training("squared", epochs=3, frozen=("first",)),
    )
    assert problem.head == "first"
    assert replace(problem, training=replace(problem.training, frozen=("second",))).head == INPUT
    boxes = list(interval_steps(problem))
    for dataset in corrupted(problem, 20):
        for box, theta in zip(boxes, trajectory(problem, dataset)[1:], strict=True):
            assert box.contains(theta, 1e-12)
