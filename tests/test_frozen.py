"""What a problem was made of cannot be edited under its fingerprint, nor can its copies'."""

import copy
import dataclasses
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import networkx as nx
import numpy as np
import pytest

import agtopt
from agtopt import Bounded, Dataset, Network, Problem, Removal, Substitution, Training
from agtopt.frozen import ReadOnly, frozen
from agtopt.problem import Layer, Loss, Moving
from agtopt.program.backward import backward_layer
from agtopt.program.forward import forward_layer
from tests.conftest import MODELS

X = np.array([[1.0, 2.0], [2.0, 1.0], [-1.0, -1.5], [-2.0, -1.0]])
Y = np.array([1.0, 1.0, -1.0, -1.0])


@dataclass(frozen=True)
class Gains(Layer):
    """A layer with an array of its own, as a user may write it."""

    gains: object = field(default_factory=lambda: [np.ones(1)])


@forward_layer.register
def _(layer: Gains, ops, place, parameters, value):
    return ops.scale(1.0, value), None


@backward_layer.register
def _(layer: Gains, ops, place, parameters, saved, delta):
    return ops.scale(1.0, delta)


@dataclass(frozen=True)
class Weighted(Loss):
    name = "weighted"
    weights: object = field(default_factory=lambda: {"low": np.ones(2), "high": {1, 2}})


@dataclass(frozen=True)
class Within(Moving):
    reach: object = field(default_factory=lambda: np.full(2, 0.1))

    @property
    def moves_features(self):
        return True

    def feature_box(self, problem, features):
        return features - self.reach, features + self.reach

    def admits(self, problem, other, tolerance=1e-9):
        return True

    def sample(self, problem, size, generator):
        raise NotImplementedError

    def describe(self):
        return "within"


def problem(perturbation=None, training=None, layers=()):
    network = Network.chain([agtopt.Dense(2, 1), *layers], (2,), [np.ones((1, 2)), np.zeros(1)])
    training = training or Training("hinge", epochs=2, batch_size=2, momentum=0.9, seed=1)
    return Problem(network, Dataset(X, Y), perturbation or Bounded(1, eps=0.1), training)


def mapped(folder):
    np.save(folder / "x.npy", X)
    features = np.load(folder / "x.npy", mmap_mode="r")
    return dataclasses.replace(problem(), dataset=Dataset(features, Y))


PROBLEMS = {
    "bounded": problem,
    "batches": lambda: problem(training=Training("hinge", batches=[[0, 1], [3, 2]], epochs=2)),
    "substitution": lambda: problem(Substitution(1, features=(-3.0 * np.ones(2), [3.0, 3.0]))),
    "removal": lambda: problem(Removal(1, vulnerable=[0, 1])),
    "own adversary": lambda: problem(Within(1)),
    "own loss": lambda: problem(training=Training(Weighted(), epochs=1)),
    "own layer": lambda: problem(layers=[Gains()]),
    "conv": lambda: agtopt.load(MODELS / "conv-frozen"),
}
COPIES = {
    "made": lambda made: made,
    "pickled": lambda made: pickle.loads(pickle.dumps(made)),
    "copied": copy.deepcopy,
    "replaced": dataclasses.replace,
}


def complete(thing):
    """Fill every cached property, so that the walk sees it."""
    for kind in type(thing).__mro__:
        for name, value in vars(kind).items():
            if isinstance(value, cached_property):
                getattr(thing, name)
    return thing


def writable(value, place="problem"):
    """Every place below a value that takes another one."""
    if isinstance(value, np.ndarray):
        while isinstance(value, np.ndarray):
            if value.flags.writeable:
                yield place
            value = value.base
    elif value is None or isinstance(value, (str, int, float, np.generic)):
        return
    elif isinstance(value, nx.DiGraph):
        yield from writable(value.graph, f"{place}.graph")
        yield from writable(value._node, f"{place}.nodes")
        for source, node, data in value.edges(data=True):
            yield from writable(data, f"{place}.edges[{source}, {node}]")
        with pytest.raises(nx.NetworkXError):
            value.add_node("surplus")
    elif isinstance(value, tuple):
        for index, entry in enumerate(value):
            yield from writable(entry, f"{place}[{index}]")
    elif isinstance(value, frozenset):
        return
    elif isinstance(value, Mapping):
        if hasattr(value, "__setitem__") or hasattr(value, "update"):
            yield place
        for key, entry in value.items():
            yield from writable(entry, f"{place}[{key!r}]")
    elif dataclasses.is_dataclass(value):
        for name, entry in vars(complete(value)).items():
            try:
                setattr(value, name, entry)
            except dataclasses.FrozenInstanceError:
                pass
            else:
                yield f"{place}.{name}"
            yield from writable(entry, f"{place}.{name}")
    else:
        yield f"{place}, a {type(value).__name__}"


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("name", PROBLEMS)
def test_nothing_in_a_problem_can_be_edited(name, how):
    made = complete(PROBLEMS[name]())
    found = COPIES[how](made)
    assert list(writable(found)) == []
    assert dataclasses.replace(found).fingerprint == made.fingerprint


@pytest.mark.parametrize("how", COPIES)
def test_nor_in_one_whose_features_are_on_disk(how, tmp_path):
    made = mapped(tmp_path)
    found = COPIES[how](made)
    assert found.dataset.mapped == (how in ("made", "replaced"))
    assert list(writable(found)) == []
    assert found.fingerprint == made.fingerprint == problem().fingerprint
    np.testing.assert_array_equal(
        agtopt.bound(found, "IBP").domain.lower, agtopt.bound(made, "IBP").domain.lower
    )


@pytest.mark.parametrize("mode", ["r+", "c"])
def test_a_mapped_array_that_can_be_written_is_refused(mode, tmp_path):
    np.save(tmp_path / "x.npy", X)
    features = np.load(tmp_path / "x.npy", mmap_mode=mode)
    with pytest.raises(agtopt.InvalidInputError, match='open it with mmap_mode="r"'):
        Dataset(features, Y)
    features.setflags(write=False)
    with pytest.raises(agtopt.InvalidInputError, match='open it with mmap_mode="r"'):
        Dataset(features, Y)
    assert not Dataset(np.array(features), Y).mapped


def test_what_the_caller_still_holds_is_not_what_the_problem_holds():
    ends, gains, weights = np.full(2, 3.0), [np.ones(1)], {"low": np.ones(2)}
    made = problem(Within(1, reach=ends), Training(Weighted(weights)), [Gains(gains)])
    told = made.fingerprint
    ends[:], gains[0][:], weights["low"][:] = 9.0, 9.0, 9.0
    gains.append(np.ones(1))
    assert dataclasses.replace(made).fingerprint == told
    assert made.perturbation.reach[0] == 3.0
    assert made.network.layer("gains1").gains[0][0] == 1.0


def test_layers_of_a_graph_that_is_edited_later_stay():
    graph = nx.DiGraph()
    graph.add_node("dense", layer=agtopt.Dense(2, 1))
    graph.add_edge("input", "dense")
    network = Network(graph, (2,), {"dense_weight": np.ones((1, 2)), "dense_bias": [0.0]})
    graph.nodes["dense"]["layer"] = agtopt.ReLU()
    assert network.layer("dense") == agtopt.Dense(2, 1)
    again = Network(network.graph, network.input_shape, network.initial)
    assert again.layer("dense") == network.layer("dense")
    assert list(network.graph.copy().nodes) == list(graph)


class Pair(NamedTuple):
    first: object
    second: object


def test_values_are_kept_where_nothing_can_be_written():
    settled = (1, "a", ReadOnly({"b": frozen(np.ones(2))}), Pair(1, (2,)), frozenset({3}))
    assert frozen(settled) is settled
    made = frozen({"a": [np.ones(2), {1}], "pair": Pair([1], 2)})
    assert isinstance(made["a"], tuple)
    assert made["a"][1] == frozenset({1})
    assert made["pair"] == Pair((1,), 2)
    assert made["pair"].first == (1,)
    view = np.ones((2, 2))[0]
    view.setflags(write=False)
    assert frozen(view) is not view


def test_a_read_only_mapping_is_a_mapping():
    made = ReadOnly({"a": 1})
    assert made == {"a": 1}
    assert {**made, "b": 2} == {"a": 1, "b": 2}
    assert repr(made) == "{'a': 1}"
    assert pickle.loads(pickle.dumps(made)) == made
    assert copy.deepcopy(made) == made
    with pytest.raises(TypeError):
        made["a"] = 2
    made.copy()["a"] = 2
    assert made["a"] == 1


def test_no_array_of_a_problem_can_be_made_writable_again():
    problem = agtopt.load(MODELS / "substitution-clip")
    for array in (
        problem.dataset.features,
        problem.dataset.labels,
        problem.initial,
        problem.network.initial["dense1_weight"],
        *problem.schedule,
    ):
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.setflags(write=True)
