"""Networks, schedules and label encodings, each against torch or a loop."""

import networkx as nx
import numpy as np
import pytest
import torch

import agtopt
from agtopt import (
    Bounded,
    Dataset,
    Dense,
    Flatten,
    InvalidInputError,
    Network,
    Problem,
    ReLU,
    Training,
)
from agtopt.training.concrete import trajectory
from tests.instances import random_problem, torch_model, torch_sgd


@pytest.mark.parametrize("bias", [True, False])
def test_from_torch_keeps_the_order_and_the_outputs_of_torch(bias):
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(4, 3, bias=bias),
        torch.nn.ReLU(),
        torch.nn.Linear(3, 2, bias=bias),
    ).double()
    network = Network.from_torch(module)
    flat = torch.nn.utils.parameters_to_vector(module.parameters()).detach().numpy()
    np.testing.assert_array_equal(network.flatten(network.initial), flat)
    assert network.size == len(network.parameter_names) == len(flat)
    x = torch.randn(5, 4, dtype=torch.float64)
    np.testing.assert_array_equal(torch_model(network)(x).detach(), module(x).detach())
    assert network.nodes == ("flatten1", "dense1", "relu1", "dense2")


def test_images_are_flattened_as_torch_flattens_them():
    rng = np.random.default_rng(0)
    network = Network.chain([Flatten(), Dense(6, 1)], (2, 3), [rng.normal(size=(1, 6)), [0.5]])
    problem = Problem(
        network,
        Dataset(rng.normal(size=(4, 2, 3)), rng.normal(size=4)),
        Bounded(1, eps=0.1),
        Training("squared", epochs=2),
    )
    np.testing.assert_allclose(trajectory(problem), torch_sgd(problem), atol=1e-12)
    model = agtopt.compile(problem, "MIQCP")
    assert model.replay_error() <= 1e-9
    assert agtopt.bound(problem, "LP").domain.contains(torch_sgd(problem)[-1])


def test_parameter_names_index_the_flat_vector():
    network = Network.dense([2, 3, 1], seed=1)
    assert network.parameter_names[:3] == (
        "dense1_weight[0,0]",
        "dense1_weight[0,1]",
        "dense1_weight[1,0]",
    )
    assert network.parameter_names[-1] == "dense2_bias[0]"
    theta = np.arange(2 * network.size, dtype=float).reshape(2, -1)
    tensors = network.unflatten(theta)
    assert tensors["dense1_weight"].shape == (2, 3, 2)
    np.testing.assert_array_equal(network.flatten(tensors), theta)
    assert (
        tensors["dense1_weight"][1, 2, 1]
        == theta[1, network.parameter_names.index("dense1_weight[2,1]")]
    )


def test_dense_is_drawn_like_torch_linear_and_reproducible():
    first, second, other = (Network.dense([50, 20, 2], seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(first.flatten(first.initial), second.flatten(second.initial))
    assert np.any(first.flatten(first.initial) != other.flatten(other.initial))
    assert 0.9 / np.sqrt(50) < np.abs(first.initial["dense1_weight"]).max() <= 1 / np.sqrt(50)
    assert isinstance(first.layer("relu1"), ReLU)
    assert first.outputs == 2


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        (Training("hinge"), [[0, 1, 2, 3, 4]]),
        (Training("hinge", epochs=2, batch_size=2), [[0, 1], [2, 3], [4]] * 2),
        (Training("hinge", batch_size=2, drop_last=True), [[0, 1], [2, 3]]),
        (Training("hinge", batch_size=5, drop_last=True), [[0, 1, 2, 3, 4]]),
        (Training("hinge", epochs=2, batches=[[3, 0], [1]]), [[3, 0], [1]] * 2),
    ],
)
def test_schedule(training, expected):
    assert [step.tolist() for step in training.schedule(5)] == expected


def test_a_seed_shuffles_every_epoch_anew_and_reproducibly():
    training = Training("hinge", epochs=3, batch_size=4, seed=1)
    first, second = training.schedule(10), training.schedule(10)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    epochs = [np.concatenate(first[3 * k : 3 * k + 3]) for k in range(3)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert [len(step) for step in first] == [4, 4, 2] * 3


def test_learning_rates_decay_by_epoch():
    training = Training("hinge", epochs=3, batch_size=5, learning_rate=1.0, decay=0.5)
    np.testing.assert_allclose(
        training.learning_rates(len(training.schedule(10))), np.repeat([1, 1 / 1.5, 1 / 2], 2)
    )


def problem_with(loss, labels, outputs=1):
    data = Dataset(np.zeros((len(labels), 2)), labels)
    return Problem(Network.dense([2, outputs]), data, Bounded(0), Training(loss))


def test_classes_are_encoded_as_indicators_behind_any_leading_axes():
    hinge = problem_with("hinge", [1.0, -1.0])
    np.testing.assert_array_equal(hinge.encode(hinge.dataset.labels), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(
        hinge.encode(np.ones((3, 2))), np.broadcast_to([0.0, 1.0], (3, 2, 2))
    )
    binary = problem_with("binary-cross-entropy", [1, 0, 1])
    np.testing.assert_array_equal(binary.encode(binary.dataset.labels), [[0, 1], [1, 0], [0, 1]])
    for loss in ("cross-entropy", "multi-hinge"):
        many = problem_with(loss, [2, 0], outputs=3)
        assert many.classes == (0, 1, 2)
        np.testing.assert_array_equal(many.encode(many.dataset.labels), [[0, 0, 1], [1, 0, 0]])


def test_targets_are_encoded_as_they_are():
    flat, wide = (
        problem_with("squared", [0.5, 1.5]),
        problem_with("squared", [[0.5, 2.0], [1.5, 3.0]], outputs=2),
    )
    assert flat.encode(np.zeros((4, 2))).shape == (4, 2, 1)
    np.testing.assert_array_equal(wide.encode(wide.dataset.labels), wide.dataset.labels)
    assert flat.classes is wide.classes is None


@pytest.mark.parametrize("shape", [(1,), (1, 1)])
def test_a_dataset_of_one_sample(shape):
    """Trap 7: one row is not squeezed."""
    problem = Problem(
        Network.dense([2, 1]),
        Dataset([[1.0, 2.0]], np.full(shape, 3.0)),
        Bounded(1, eps=0.1),
        Training("squared", epochs=2),
    )
    np.testing.assert_allclose(trajectory(problem), torch_sgd(problem), atol=1e-12)
    assert agtopt.bound(problem, "LP").domain.contains(torch_sgd(problem)[-1])
    assert agtopt.attack(problem).domain.contains(torch_sgd(problem)[-1], 1e-12)


def test_data_is_copied_and_cannot_be_changed():
    features, labels = np.zeros((2, 1)), np.zeros(2)
    dataset = Dataset(features, labels)
    features[0] = 7.0
    assert dataset.features[0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        dataset.features[0, 0] = 1.0


def test_describe_names_sizes_loss_and_adversary():
    text = random_problem(2, 2, "hinge", "both", samples=5, n=2).describe()
    for words in (
        "2-1",
        "5 samples",
        "hinge loss",
        "at most 2 samples",
        "features ±0.05",
        "label flips",
    ):
        assert words in text


def test_no_layer_is_named_like_a_tensor_of_another():
    """Freezing the one would freeze the other."""
    graph = nx.DiGraph()
    graph.add_node("input")
    graph.add_node("d_weight", layer=Dense(2, 2))
    graph.add_node("d", layer=Dense(2, 1))
    nx.add_path(graph, ["input", "d_weight", "d"])
    tensors = {"d_weight_weight": (2, 2), "d_weight_bias": 2, "d_weight": (1, 2), "d_bias": 1}
    initial = {name: np.zeros(shape) for name, shape in tensors.items()}
    with pytest.raises(InvalidInputError, match="'d_weight' is the name of a layer and"):
        Network(graph, (2,), initial)
