"""Scores over an affine domain: around every model of it, within those over its box, and exact
where the output is affine."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from agtopt import Dense, Interval, Network, ReLU
from agtopt.certificates.scores import score_bounds
from agtopt.domains import Affine, Balls, Boxes, Choices, Touched
from agtopt.intervals.affine import scores as module
from agtopt.intervals.affine.deviation import Deviation
from agtopt.intervals.affine.scores import SymbolOperations, affine_scores
from agtopt.intervals.arithmetic import Range
from tests.instances import torch_model
from tests.matrix import network_of

LAYERS = ("linear", "unbiased", "rectified", "leaky", "convolution", "pool", "residual")
PAIRS = np.array([[1.0, -1.0, 0.0], [1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])


def outputs(network, thetas, points):
    """Of plain torch, (runs, m, outputs); a run has inputs of its own."""
    model, found = torch_model(network), []
    for theta, x in zip(thetas, points, strict=True):
        with torch.no_grad():
            for name, tensor in model.tensors().items():
                tensor.copy_(torch.tensor(network.unflatten(theta)[name]))
            found.append(model(torch.tensor(x)).numpy())
    return np.stack(found)


def around(network, spread, rng, fixed=()):
    """A form whose parts move parameters together: of 6 samples, at most 2 are touched."""
    p = network.size
    keep = np.ones(p)
    keep[list(fixed)] = 0.0
    flips = Choices(spread * rng.normal(size=(6, 2, p)) * keep)
    moved = Balls(
        spread * rng.normal(size=(6, 3, p)) * keep, 0.5, float(rng.choice([1, 2, np.inf]))
    )
    boxes = Boxes(spread * rng.normal(size=(6, 1, p)) * keep, -0.3, 0.6)
    form = Affine(
        network.flatten(network.initial),
        0.2 * spread * rng.normal(size=p) * keep,
        (Touched(2, np.arange(6), (flips, moved)), Touched(1, np.arange(6), (boxes,))),
        0.1 * spread * rng.normal(size=(4, p)) * keep,
        0.02 * spread * rng.random(p) * keep,
        Interval(np.full(p, -50.0), np.full(p, 50.0)),
    )
    return replace(form, box=form.to_box())


def inside(bounds, values):
    low, high = bounds
    return np.all((low <= values) & (values <= high))


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("spread", [0.003, 0.05, 0.5])
@pytest.mark.parametrize("eps", [0.0, 0.05])
def test_every_model_of_the_form_scores_within_its_bounds_which_lie_within_those_of_its_box(
    layers, spread, eps
):
    """S1, S3, S6; also where inputs move."""
    rng = np.random.default_rng([*map(ord, layers), int(1000 * spread)])
    network = network_of(layers, 3, rng)
    domain = around(network, spread, rng)
    points = rng.normal(size=(4, *network.input_shape))
    thetas = domain.sample(150, 1)
    seen = points + eps * rng.choice([-1.0, 0.3, 1.0], size=(150, *points.shape))
    z, gains = outputs(network, thetas, seen), []
    for rows in (None, PAIRS):
        ends = points - eps * 1.0000001, rows, points + eps * 1.0000001
        found, box = (score_bounds(network, kind, *ends) for kind in (domain, domain.box))
        assert inside(found, z if rows is None else z @ rows.T)
        assert np.all(box[0] <= found[0])
        assert np.all(found[1] <= box[1])
        gains.append(np.mean((found[1] - found[0]) / (box[1] - box[0])))
    assert max(gains) < 0.9 or spread > 0.01


def test_bounds_of_an_affine_output_are_its_support():
    """Against exact arithmetic: no less, and no more but for rounding (S3)."""
    rng = np.random.default_rng(7)
    network = Network.chain([Dense(2, 1)], (2,), [rng.normal(size=(1, 2)), rng.normal(size=1)])
    flips = rng.normal(size=(5, 1, 3))
    nominal = network.flatten(network.initial)
    wide = Interval(nominal - 100.0, nominal + 100.0)
    nothing = np.zeros(3)
    touched = (Touched(2, np.arange(5), (Choices(flips),)),)
    domain = Affine(nominal, nothing, touched, np.zeros((0, 3)), nothing, wide)
    point = rng.normal(size=2)
    row = [*map(Fraction, point), Fraction(1)]
    gains = sorted(
        sum(a * Fraction(v) for a, v in zip(row, flip[0], strict=True)) for flip in flips
    )
    value = sum(a * Fraction(v) for a, v in zip(row, nominal, strict=True))
    most = value + sum(max(gain, 0) for gain in gains[-2:])
    least = value + sum(min(gain, 0) for gain in gains[:2])
    low, high = score_bounds(network, domain, point[np.newaxis])
    assert Fraction(low[0, 0]) <= least
    assert Fraction(high[0, 0]) >= most
    # The box about which products are taken is wide.
    assert low[0, 0] >= float(least) - 1e-10
    assert high[0, 0] <= float(most) + 1e-10


@pytest.mark.parametrize("layers", LAYERS)
def test_layers_whose_backward_pass_is_unknown_have_the_same_bounds(layers, monkeypatch):
    rng = np.random.default_rng([*map(ord, layers)])
    network = network_of(layers, 3, rng)
    first = [k for k, name in enumerate(network.parameter_names) if "bias" in name]
    domain = around(network, 0.05, rng, first[:1])
    x = torch.tensor(rng.normal(size=(4, *network.input_shape)))
    found = affine_scores(network, domain, Range(x, x), PAIRS)
    monkeypatch.setattr(module, "adjoint", lambda network: False)
    for end, other in zip(found, affine_scores(network, domain, Range(x, x), PAIRS), strict=True):
        torch.testing.assert_close(end, other, rtol=1e-10, atol=1e-10)


def test_a_point_is_the_nominal_run():
    rng = np.random.default_rng(0)
    for layers in LAYERS:
        network = network_of(layers, 3, rng)
        theta = network.flatten(network.initial)
        points = rng.normal(size=(3, *network.input_shape))
        z = outputs(network, [theta], [points])[0]
        low, high = score_bounds(network, Affine.of_box(theta, Interval.point(theta)), points)
        assert inside((low, high), z)
        assert np.max(high - low) < 1e-12


def test_units_beyond_any_number_leave_the_box():
    network = Network.chain(
        [Dense(1, 1, bias=False), ReLU(), Dense(1, 1, bias=False)], (1,), [[[1e200]], [[1e200]]]
    )
    theta = network.flatten(network.initial)
    box = Interval(theta - 1e199, theta + 1e199)
    domain = Affine.of_box(theta, box)
    found, known = (score_bounds(network, kind, np.array([[1.0]])) for kind in (domain, box))
    assert np.array_equal(found, known)
    whole = Interval(np.full(2, -np.inf), np.full(2, np.inf))
    low, high = score_bounds(network, Affine.of_box(theta, whole), np.array([[1.0]]))
    assert low[0, 0] == -np.inf
    assert high[0, 0] == np.inf


@pytest.mark.parametrize("spread", [0.1, 0.6])
@pytest.mark.parametrize("seed", range(4))
def test_the_corners_of_a_box_are_within_what_the_form_alone_says(spread, seed):
    """Where products of deviations and units whose side is not known are at their worst."""
    rng = np.random.default_rng(seed)
    parts = [Dense(1, 2, bias=False), ReLU(), Dense(2, 2, bias=False), ReLU(), Dense(2, 1)]
    shapes = [shape for part in parts for shape in part.parameter_shapes().values()]
    network = Network.chain(parts, (1,), [rng.uniform(-1, 1, shape) for shape in shapes])
    nominal, p = network.flatten(network.initial), network.size
    signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * p)).reshape(p, -1).T
    thetas = nominal + spread * signs
    box = Interval(thetas.min(axis=0), thetas.max(axis=0))
    x = torch.tensor(rng.normal(size=(3, 1)))
    low, high = affine_scores(network, Affine.of_box(nominal, box), Range(x, x), np.eye(1))
    z = outputs(network, thetas, np.broadcast_to(x.numpy(), (len(thetas), 3, 1)))
    assert inside((low.numpy(), high.numpy()), z)


def test_what_a_rectifier_leaves_over_is_reached_and_never_passed():
    """Its chord, on every side of the kink."""
    rng = np.random.default_rng(0)
    z, low, high = rng.normal(size=200), -rng.random(200) * 2.0, rng.random(200) * 2.0
    ops = SymbolOperations(200)
    ends = (torch.tensor(part) for part in (z, low, high, np.maximum(-low, high)))
    ops.rectify(Deviation.linear(*ends))
    slope, (middle, radius) = ops.slopes[0].numpy(), ops.symbols[0]
    v = low + (high - low) * np.linspace(0.0, 1.0, 2001)[:, np.newaxis]
    rest = np.maximum(z + v, 0.0) - np.maximum(z, 0.0) - slope * v - middle.numpy()
    # Where the side is known nothing is left over but the rounding of this line.
    assert np.all(np.abs(rest) <= radius.numpy() + 1e-15)
    assert np.all(np.abs(rest).max(axis=0) >= 0.99 * radius.numpy() - 1e-14)
    assert np.all((slope == 0) == (z + high <= 0))
