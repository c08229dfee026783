"""CROWN with interval parameters: sound, never wider than IBP, and as tight as is known to be
possible."""

from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
import torch

import agtopt
from agtopt import Add, AvgPool2d, Bounded, Conv2d, Dense, Flatten, LeakyReLU, Network, ReLU
from agtopt.intervals import crown
from agtopt.intervals.arithmetic import Range
from agtopt.intervals.crown import LinearIntervals
from agtopt.intervals.interval import IntervalOperations
from agtopt.intervals.propagation import interval_steps
from agtopt.intervals.states import tensor_ranges
from agtopt.program import forward
from agtopt.training.concrete import ConcreteOperations, trajectory
from tests.instances import corrupted
from tests.peers.workloads import workloads

WORKLOADS = workloads()


class Numbers(ConcreteOperations):
    """Plain forward passes, without a problem."""

    def __init__(self):
        self.sample_axis = 0


def weights(network_layers, rng, scale=1.0):
    return [
        scale * rng.normal(size=shape)
        for layer in network_layers
        for shape in layer.parameter_shapes().values()
    ]


def deep(rng, outputs=2):
    layers = [
        Dense(3, 5),
        ReLU(),
        Dense(5, 4, bias=False),
        LeakyReLU(0.2),
        Dense(4, 4),
        ReLU(),
        Dense(4, outputs),
    ]
    return Network.chain(layers, (3,), weights(layers, rng))


def convolutional(rng, outputs=2):
    layers = [
        Conv2d(2, 3, 2, padding=1),
        ReLU(),
        AvgPool2d(2, 1),
        Conv2d(3, 2, 2, stride=2),
        ReLU(),
        Flatten(),
        Dense(8, outputs),
    ]
    return Network.chain(layers, (2, 4, 4), weights(layers, rng))


def residual(rng, outputs=2):
    graph = nx.DiGraph()
    layers = {
        "first": Dense(3, 4),
        "bend": ReLU(),
        "inner": Dense(4, 4),
        "join": Add(),
        "curve": ReLU(),
        "last": Dense(4, outputs),
    }
    for name, layer in layers.items():
        graph.add_node(name, layer=layer)
    nx.add_path(graph, ["input", "first", "bend", "inner", "join", "curve", "last"])
    graph.add_edge("bend", "join")
    initial = {
        f"{n}_{role}": rng.normal(size=shape)
        for n, layer in layers.items()
        for role, shape in layer.parameter_shapes().items()
    }
    return Network(graph, (3,), initial)


NETWORKS = {"deep": deep, "convolutional": convolutional, "residual": residual}


def ball(network, rng, points, radius, spread):
    """Inputs and parameters as boxes around random points."""
    x = rng.normal(size=(points, *network.input_shape))
    lower = {
        name: value - spread * rng.random(value.shape) for name, value in network.initial.items()
    }
    upper = {
        name: value + spread * rng.random(value.shape) for name, value in network.initial.items()
    }
    return Range(torch.from_numpy(x - radius), torch.from_numpy(x + radius)), lower, upper


def outputs(network, x, lower, upper):
    linear, interval = LinearIntervals(), IntervalOperations()
    parameters = tensor_ranges(lower, upper)
    tight, _ = forward(linear, network, parameters, linear.trace(x, len(network.input_shape)))
    wide, _ = forward(interval, network, parameters, x)
    return tight, wide


def sampled(network, x, lower, upper, rng, corners):
    """One model and one set of inputs from the boxes; half of the time at their corners."""

    def draw(low, high):
        part = rng.integers(0, 2, low.shape) if corners else rng.random(low.shape)
        return torch.from_numpy(np.clip(low + part * (high - low), low, high))

    parameters = {name: draw(lower[name], upper[name]) for name in lower}
    point = draw(x.lower.numpy(), x.upper.numpy())
    found, _ = forward(Numbers(), network, parameters, point)
    return found


@pytest.mark.parametrize("spread", [0.0, 1e-3, 0.1, 1.0])
@pytest.mark.parametrize("radius", [0.0, 0.01, 0.5])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_model_and_input_of_the_boxes_is_inside_and_nothing_is_wider_than_ibp(
    name, radius, spread
):
    """Trap 1: the upper line of a rectifier has its offset."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        network = NETWORKS[name](rng)
        x, lower, upper = ball(network, rng, 4, radius, spread)
        tight, wide = outputs(network, x, lower, upper)
        assert bool((tight.lower >= wide.lower).all() and (tight.upper <= wide.upper).all())
        for k in range(60):
            found = sampled(network, x, lower, upper, rng, k % 2)
            assert bool((tight.lower <= found).all() and (found <= tight.upper).all()), (seed, k)


@pytest.mark.parametrize("name", NETWORKS)
def test_linear_bounds_are_tighter_for_small_boxes(name):
    rng = np.random.default_rng(0)
    network = NETWORKS[name](rng)
    tight, wide = outputs(network, *ball(network, rng, 20, 0.02, 1e-4))
    assert float((tight.upper - tight.lower).sum()) < 0.9 * float((wide.upper - wide.lower).sum())


@pytest.mark.parametrize("spread", [0.0, 1e-9, 1.0])
def test_exact_rational_arithmetic_stays_inside(spread):
    """S3: two layers with a rectifier, entries of very different size."""
    for seed in range(300):
        rng = np.random.default_rng(seed)
        layers = [Dense(2, 2), ReLU(), Dense(2, 1)]
        scale = 10.0 ** rng.integers(-6, 7)
        network = Network.chain(
            layers,
            (2,),
            [
                value * 10.0 ** rng.integers(-4, 5, value.shape)
                for value in weights(layers, rng, scale)
            ],
        )
        x, lower, upper = ball(network, rng, 1, rng.choice([0.0, 1e-8, 1.0]), spread * scale)
        tight, _ = outputs(network, x, lower, upper)
        at = {n: np.where(rng.random(v.shape) < 0.5, v, upper[n]) for n, v in lower.items()}
        point = np.where(rng.random((1, 2)) < 0.5, x.lower.numpy(), x.upper.numpy())[0]
        exact = {n: np.vectorize(Fraction, otypes=[object])(v) for n, v in at.items()}
        hidden = (
            exact["dense1_weight"] @ np.vectorize(Fraction, otypes=[object])(point)
            + exact["dense1_bias"]
        )
        out = (exact["dense2_weight"] @ np.maximum(hidden, Fraction(0)) + exact["dense2_bias"])[0]
        assert Fraction(float(tight.lower)) <= out <= Fraction(float(tight.upper)), seed


@pytest.mark.parametrize("p", [2, 1])
def test_a_ball_is_concretised_by_its_dual_norm(p):
    """One layer: the bound is exact, W x ± ε ‖W‖ of the dual norm, and far below that of the
    box."""
    rng = np.random.default_rng(1)
    network = Network.dense([6, 3, 1], seed=2)
    data = agtopt.Dataset(rng.normal(size=(5, 6)), rng.normal(size=5))
    problem = agtopt.Problem(network, data, Bounded(1, eps=0.5, p=p), agtopt.Training("squared"))
    ops = LinearIntervals()
    eps = 0.5
    point = torch.from_numpy(data.features.copy())
    found, _ = forward(
        ops,
        network,
        tensor_ranges(network.initial, network.initial),
        ops.trace(Range(point - eps, point + eps), 1, (eps, p)),
    )
    boxes, _ = forward(
        ops,
        network,
        tensor_ranges(network.initial, network.initial),
        ops.trace(Range(point - eps, point + eps), 1),
    )
    assert float((found.upper - found.lower).sum()) < 0.8 * float((boxes.upper - boxes.lower).sum())
    weight, bias = network.initial["dense1_weight"], network.initial["dense1_bias"]
    single = Network.chain([Dense(6, 3)], (6,), [weight, bias])
    first, _ = forward(
        ops,
        single,
        tensor_ranges(single.initial, single.initial),
        ops.trace(Range(point - eps, point + eps), 1, (eps, p)),
    )
    centre, reach = (
        data.features @ weight.T + bias,
        eps * np.linalg.norm(weight, ord=2 if p == 2 else np.inf, axis=1),
    )
    np.testing.assert_allclose(first.upper.numpy(), centre + reach, rtol=1e-10)
    np.testing.assert_allclose(first.lower.numpy(), centre - reach, rtol=1e-10)
    for dataset in corrupted(problem, 200):
        theta = trajectory(problem, dataset)
        for box, at in zip(interval_steps(problem, linear=True), theta[1:], strict=True):
            assert box.contains(at)


def test_chunks_change_no_bound(monkeypatch):
    rng = np.random.default_rng(3)
    network = deep(rng)
    boxes = ball(network, rng, 7, 0.1, 0.01)
    whole, _ = outputs(network, *boxes)
    monkeypatch.setattr(crown, "CHUNK", 1)
    single, _ = outputs(network, *boxes)
    torch.testing.assert_close(single.lower, whole.lower, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(single.upper, whole.upper, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("entry", [np.inf, np.nan])
def test_unknown_parameters_certify_nothing(entry):
    """Trap 3."""
    rng = np.random.default_rng(0)
    network = deep(rng)
    x, lower, upper = ball(network, rng, 2, 0.1, 0.01)
    lower["dense1_weight"][0, 0], upper["dense1_weight"][0, 0] = -entry, entry
    tight, _ = outputs(network, x, lower, upper)
    assert not bool((tight.lower > -1e6).any() and (tight.upper < 1e6).any())


def steps_of(problem, linear):
    return list(interval_steps(problem, linear=linear))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name in WORKLOADS if name not in ("reg-deep", "conv-tune")]
)
def test_no_entry_of_a_workload_is_wider_than_ibp_and_runs_stay_inside(name):
    load = WORKLOADS[name]
    wide, tight = steps_of(load.problem, False), steps_of(load.problem, True)
    for outer, inner in zip(wide, tight, strict=True):
        assert np.all(inner.lower >= outer.lower)
        assert np.all(inner.upper <= outer.upper)
    assert wide[-1].width() <= load.ibp_width * (1 + 1e-5)
    if load.crown_width is not None:
        assert tight[-1].width() <= load.crown_width
    for dataset in corrupted(load.problem, 3):
        for box, theta in zip(tight, trajectory(load.problem, dataset)[1:], strict=True):
            assert box.contains(theta)


@pytest.mark.slow
def test_the_deep_regression_is_an_order_of_magnitude_tighter_than_ibp():
    """The other implementation's IBP is 1.07 wide, its CROWN 0.081."""
    load = WORKLOADS["reg-deep"]
    wide, tight = next(interval_steps(load.problem)), steps_of(load.problem, True)
    assert tight[-1].width() <= load.crown_width
    assert np.all(tight[0].lower >= wide.lower)
    assert np.all(tight[0].upper <= wide.upper)
    for dataset in corrupted(load.problem, 1):
        for box, theta in zip(tight, trajectory(load.problem, dataset)[1:], strict=True):
            assert box.contains(theta)


@pytest.mark.parametrize("frozen", [True, False])
def test_substitution_ends_at_what_does_not_move(frozen):
    """Behind frozen layers and inputs that stay, no line goes back to the inputs; otherwise all
    do."""
    network = Network.dense([3, 6, 5, 1], seed=0)
    ends = [
        {
            name: value + side * 0.1 * (not frozen or "dense1" not in name)
            for name, value in network.initial.items()
        }
        for side in (-1, 1)
    ]
    ops = LinearIntervals()
    points = torch.ones((4, 3), dtype=torch.float64)
    output, _ = forward(
        ops, network, dict(tensor_ranges(*ends)), ops.trace(Range(points, points), 1)
    )
    pending, widths = [output], set()
    while pending:
        node = pending.pop()
        widths.add(node.lower.shape[-1])
        pending += node.origin.sources
    assert widths == ({1, 5, 6} if frozen else {1, 3, 5, 6})
