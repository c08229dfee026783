"""Scores over polytopes: within those over the box, around every model of the domain, and exact
where the output is affine."""

from fractions import Fraction

import numpy as np
import pytest
import torch

import agtopt
from agtopt import (
    Bounded,
    Dataset,
    Dense,
    Interval,
    Network,
    Polytope,
    Problem,
    ReLU,
    SoundnessError,
    Training,
)
from agtopt.certificates import scores
from agtopt.certificates.scores import score_bounds
from agtopt.domains import sample
from agtopt.drivers import Reach
from tests.conftest import MODELS
from tests.instances import torch_model
from tests.matrix import network_of

LAYERS = ("linear", "unbiased", "rectified", "leaky", "convolution", "pool", "residual")


def outputs(network, theta, points):
    """Outputs of plain torch, (runs, m, outputs)."""
    model, found = torch_model(network), []
    for row in theta:
        with torch.no_grad():
            for name, tensor in model.tensors().items():
                tensor.copy_(torch.tensor(network.unflatten(row)[name]))
            found.append(model(torch.tensor(points)).numpy())
    return np.stack(found)


def around(centre, spread, rng, fixed=()):
    """A polytope with an interior: a box around `centre`, and slabs in random directions that cut
    off most of it."""
    width = spread * rng.uniform(0.5, 1.0, len(centre))
    width[list(fixed)] = 0.0
    box = Interval(centre - width, centre + rng.uniform(0.5, 1.0) * width)
    rows = rng.normal(size=(2 * len(centre), len(centre)))
    thick = 0.15 * np.abs(rows) @ width
    return Polytope(rows, rows @ centre - thick, rows @ centre + rng.uniform(0.2, 1.0) * thick, box)


def tensor_places(network, *names):
    """Positions of tensors among the parameters."""
    return [k for k, name in enumerate(network.parameter_names) if name.split("[")[0] in names]


def inside(bounds, values):
    low, high = bounds
    return np.all((low <= values) & (values <= high))


PAIRS = np.array([[1.0, -1.0, 0.0], [1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("spread", [0.01, 0.6])
def test_every_model_of_a_polytope_scores_within_its_bounds_which_lie_within_those_of_its_box(
    layers, spread
):
    """S1, S3, S6."""
    rng = np.random.default_rng([*map(ord, layers), int(100 * spread)])
    network = network_of(layers, 3, rng)
    polytope = around(network.flatten(network.initial), spread, rng)
    points = rng.normal(size=(4, *network.input_shape))
    z = outputs(network, sample(polytope, 120, seed=1), points)
    gains = []
    for rows in (None, PAIRS):
        found, box = (
            score_bounds(network, polytope, points, rows),
            score_bounds(network, polytope.box, points, rows),
        )
        assert inside(found, z if rows is None else z @ rows.T)
        assert np.all(box[0] <= found[0])
        assert np.all(found[1] <= box[1])
        gains.append(np.mean((found[1] - found[0]) / (box[1] - box[0])))
    assert max(gains) < 0.95 or spread > 0.5


@pytest.mark.parametrize(
    ("layers", "fixed"),
    [
        ("linear", ()),
        ("rectified", ("dense1_weight", "dense1_bias")),
        ("leaky", ("dense1_weight", "dense1_bias")),
        ("convolution", ("conv2d1_weight", "conv2d1_bias")),
        ("pool", ("dense1_weight", "dense1_bias")),
        ("pool", ("conv2d1_weight", "conv2d1_bias")),
        ("residual", ("dense1_weight", "dense1_bias", "dense3_weight", "dense3_bias")),
    ],
)
def test_bounds_are_attained_where_the_output_is_affine(layers, fixed):
    """The optimum of a linear program over the gradients of autograd, by another solver, on a
    polytope without a box that matters."""
    from scipy.optimize import linprog

    rng = np.random.default_rng([*map(ord, layers), len(fixed)])
    network = network_of(layers, 3, rng)
    centre = network.flatten(network.initial)
    places = tensor_places(network, *fixed)
    assert len(places) == sum(network.initial[name].size for name in fixed)
    polytope = around(centre, 0.3, rng, places)
    points = rng.normal(size=(2, *network.input_shape))
    model = torch_model(network)
    for rows in (np.eye(3), PAIRS):
        found = score_bounds(network, polytope, points, rows)
        for m, point in enumerate(points):
            for k, row in enumerate(rows):
                score = model(torch.tensor(point[np.newaxis]))[0] @ torch.tensor(row)
                model.zero_grad()
                score.backward()
                slope = network.flatten(
                    {name: tensor.grad.numpy() for name, tensor in model.tensors().items()}
                )
                slope[places] = 0.0
                for sense, end in ((1, found[0]), (-1, found[1])):
                    best = linprog(
                        sense * slope,
                        np.concatenate([polytope.directions, -polytope.directions]),
                        np.concatenate([polytope.upper, -polytope.lower]),
                        bounds=np.stack([polytope.box.lower, polytope.box.upper], axis=1),
                        method="highs-ipm",
                    )
                    expected = score.item() - slope @ centre + sense * best.fun
                    assert end[m, k] == pytest.approx(expected, abs=1e-7)


def linear(weights, bias=None):
    """A network of one layer with the given weights, (outputs, inputs)."""
    weights = np.array(weights, dtype=float)
    outputs, inputs = weights.shape
    return Network.chain(
        [Dense(inputs, outputs, bias is not None)],
        (inputs,),
        [weights] if bias is None else [weights, bias],
    )


def problem_of(network, loss="hinge"):
    """A problem whose training leaves the network nearly as it is."""
    labels = [1.0, -1.0] if loss == "hinge" else [0.0, 1.0]
    data = Dataset(np.ones((2, *network.input_shape)), labels)
    return Problem(
        network, data, Bounded(1, nu=1, q=0), Training(loss, epochs=1, learning_rate=1e-9)
    )


def reached(problem, domain):
    box = domain.box if isinstance(domain, Polytope) else domain
    box = (
        Interval(np.full(len(domain), -np.inf), np.full(len(domain), np.inf))
        if box is None
        else box
    )
    return Reach(
        problem,
        agtopt.LP,
        (box,),
        (),
        0.0,
        polytopes=(domain,) if isinstance(domain, Polytope) else (),
    )


def test_a_polytope_certifies_what_its_box_cannot():
    problem = problem_of(linear([[0.5, 0.5]]))
    box = Interval([-1, -1], [1, 1])
    polytope = Polytope([[1, 1]], lower=0.25, box=box)
    points = np.array([[1.0, 1.0], [1.0, -1.0], [2.0, 1.9], [-1.0, -1.0]])
    found, boxed = (
        agtopt.certify(reached(problem, polytope), points),
        agtopt.certify(reached(problem, box), points),
    )
    assert not boxed.stable.any()
    # The corners of the polytope: (1, 1), (1, -3/4), (-3/4, 1).
    np.testing.assert_allclose(found.lower[:, 0], [0.25, -1.75, 2 * -0.75 + 1.9, -2], atol=1e-12)
    np.testing.assert_allclose(found.upper[:, 0], [2, 1.75, 3.9, -0.25], atol=1e-12)
    assert found.stable.tolist() == [True, False, True, True]
    assert found.nominal[[0, 2, 3]].tolist() == [1, 1, -1]
    assert found.problem is problem


def test_the_box_of_the_last_step_is_used_too():
    """S6: a polytope may come without a box, or with one that is wider."""
    problem = problem_of(linear([[0.5, 0.5]]))
    for box in (None, Interval([-9, -9], [9, 9])):
        reach = Reach(
            problem,
            agtopt.LP,
            (Interval([-1, -1], [1, 1]),),
            (),
            0.0,
            polytopes=(Polytope([[1, 1]], lower=0.25, box=box),),
        )
        found = agtopt.certify(reach, [[2.0, 1.9]])
        np.testing.assert_allclose([found.lower[0, 0], found.upper[0, 0]], [0.4, 3.9], atol=1e-12)


def test_margins_certify_over_a_polytope_where_outputs_overlap():
    """Section 6: differences are bounded directly, by linear programs."""
    problem = problem_of(linear([[0.5], [-0.5], [0.0]]), "cross-entropy")
    box = Interval([-1, -1, -1], [1, 1, 1])
    polytope = Polytope([[1, -1, 0], [1, 0, -1]], lower=[0.5, 0.25], box=box)
    found = agtopt.certify(reached(problem, polytope), [[1.0], [-1.0]])
    assert found.lower[0, 0] < found.upper[0, 1:].min()
    assert found.reachable.tolist() == [[True, False, False], [False, True, True]]
    assert found.stable.tolist() == [True, False]
    assert agtopt.certify(reached(problem, box), [[1.0], [-1.0]]).reachable.all()


def test_margins_certify_over_a_box_where_outputs_overlap():
    """z = (h, h − 1, h + 1) of one hidden h: the classes move together."""
    for layers in ([Dense(1, 1), Dense(1, 3)], [Dense(1, 1), ReLU(), Dense(1, 3)]):
        network = Network.chain(layers, (1,), [[[1.0]], [0.0], np.ones((3, 1)), [0.0, -1.0, 1.0]])
        problem = problem_of(network, "cross-entropy")
        theta = network.flatten(network.initial)
        low, high = theta.copy(), theta.copy()
        low[:2], high[:2] = [-2, -1], [2, 1]
        found = agtopt.certify(reached(problem, Interval(low, high)), [[1.0], [2.0]])
        assert np.all(found.lower[:, 2] < found.upper[:, 1])
        assert found.reachable.tolist() == [[False, False, True]] * 2
        assert found.stable.all()


def test_a_class_is_out_if_any_other_beats_it():
    """Not only the nominal one: classes 0 and 1 are open, and 2 always loses to 1."""
    problem = problem_of(linear([[0.5], [0.2], [0.0]]), "cross-entropy")
    polytope = Polytope([[0, 1, -1]], lower=0.1, box=Interval([-1, -1, -1], [1, 1, 1]))
    found = agtopt.certify(reached(problem, polytope), [[1.0]])
    assert found.nominal[0] == 0
    assert found.reachable.tolist() == [[True, True, False]]


def test_a_margin_of_zero_is_no_win():
    """Trap 7: equal rows of weights tie, over a box of points and over a polytope."""
    problem = problem_of(linear([[0.5], [0.5]]), "cross-entropy")
    point = Interval.point([0.5, 0.5])
    line = Polytope([[1, -1]], 0.0, 0.0, Interval([-1, -1], [1, 1]))
    for domain in (point, line):
        found = agtopt.certify(reached(problem, domain), [[1.0], [-3.0]])
        assert found.reachable.all()
        assert not found.stable.any()


def test_the_sums_of_a_framework_are_covered():
    """S3: the exact score is 100 all over the polytope, and every framework that sums from the left
    finds 0."""
    theta = np.array([1e16, *[1.0] * 100, -1e16])
    reach = np.array([1e16, *[2.0] * 100, 1e16])
    problem = problem_of(linear([theta]))
    polytope = Polytope(np.ones((1, 102)), 100.0, 100.0, Interval(-reach, reach))
    assert sum(map(Fraction, theta)) == 100
    assert sum(theta.tolist()) == 0.0
    found = agtopt.certify(reached(problem, polytope), np.ones((1, 102)))
    assert found.lower[0, 0] <= 0.0
    assert not found.stable.any()


def test_what_is_not_affine_is_covered():
    """S1: w₂ · max(0, w₁) over [1, 3]² is from 1 to 9, and its linear part around the centre from 0
    to 8."""
    network = Network.chain(
        [Dense(1, 1, False), ReLU(), Dense(1, 1, False)], (1,), [[[2.0]], [[2.0]]]
    )
    polytope = Polytope([[1, 1]], 2.0, 6.0, Interval([1, 1], [3, 3]))
    low, high = score_bounds(network, polytope, np.array([[1.0]]))
    np.testing.assert_allclose([low[0, 0], high[0, 0]], [1, 9], rtol=1e-12)
    # Without its far corners, where gradients within 2 ± 1 are known: at most 4 + 2 (w₁ + w₂ − 4) +
    # |w₁ − 2| + |w₂ − 2|.
    low, high = score_bounds(
        network, Polytope([[1, 1]], 3.5, 4.5, Interval([1, 1], [3, 3])), np.array([[1.0]])
    )
    np.testing.assert_allclose([low[0, 0], high[0, 0]], [1, 7], rtol=1e-12)
    assert low[0, 0] <= 1.0 * 2.5 < 2.25**2 <= high[0, 0]
    rng = np.random.default_rng(0)
    for layers in LAYERS[1:]:
        network = network_of(layers, 3, rng)
        theta = network.flatten(network.initial)
        box = Interval(theta - 0.5, theta + 0.5)
        points = rng.normal(size=(3, *network.input_shape))
        z = outputs(network, rng.choice([-0.5, 0.5], (300, len(theta))) + theta, points)
        assert inside(score_bounds(network, Polytope(np.ones((1, len(theta))), box=box), points), z)


def test_exact_scores_lie_within_the_bounds():
    """S3: in rational arithmetic, at the corners of a polytope that cuts two corners off its
    box."""
    rng = np.random.default_rng(0)
    for _ in range(40):
        centre, width = rng.normal(size=2) * 10.0 ** rng.integers(-3, 4), rng.uniform(0.1, 1.0, 2)
        box, cut = Interval(centre - width, centre + width), rng.uniform(0.1, 0.9) * width.sum()
        polytope = Polytope([[1, 1]], centre.sum() - cut, centre.sum() + cut, box)
        point = rng.normal(size=(1, 2))
        low, high = score_bounds(linear([[0.0, 0.0]]), polytope, point)
        ends = [[Fraction(end) for end in pair] for pair in zip(box.lower, box.upper, strict=True)]
        sides = Fraction(polytope.lower[0]), Fraction(polytope.upper[0])
        corners = [(a, b) for a in ends[0] for b in ends[1] if sides[0] <= a + b <= sides[1]]
        corners += [
            (a, side - a) for a in ends[0] for side in sides if ends[1][0] <= side - a <= ends[1][1]
        ]
        corners += [
            (side - b, b) for b in ends[1] for side in sides if ends[0][0] <= side - b <= ends[0][1]
        ]
        assert len(corners) in (4, 5, 6)
        values = [Fraction(point[0, 0]) * a + Fraction(point[0, 1]) * b for a, b in corners]
        assert Fraction(low[0, 0]) <= min(values)
        assert max(values) <= Fraction(high[0, 0])
        assert (
            high[0, 0] - low[0, 0]
            <= float(max(values) - min(values)) * (1 + 1e-9) + 1e-12 * np.abs(centre).sum()
        )


@pytest.mark.parametrize(
    "polytope",
    [
        Polytope([[1, 1, 0]], lower=0.25),
        Polytope([[1, 1, 0]], lower=0.25, box=Interval([-1, -1, -1], [1, np.inf, 1])),
        Polytope([[1, 1, 0]], lower=0.25, box=Interval([-1.7e308] * 3, [1.7e308] * 3)),
    ],
)
def test_what_is_unbounded_certifies_nothing(polytope):
    """Trap 3."""
    for network, loss in (
        (linear([[0.5, 0.5, 0.0]]), "hinge"),
        (linear([[0.5], [0.5], [0.0]]), "cross-entropy"),
    ):
        points = np.random.default_rng(0).normal(size=(5, *network.input_shape))
        found = agtopt.certify(reached(problem_of(network, loss), polytope), points)
        assert not found.stable.any()
        assert found.reachable.all()
        assert not np.isnan([found.lower, found.upper]).any()


def test_numbers_that_overflow_are_nothing_known():
    """Trap 3: gradients of a wide box of two layers are infinite, and no linear program has such a
    cost."""
    network = network_of("rectified", 2, np.random.default_rng(0))
    box = Interval(np.full(network.size, -1e300), np.full(network.size, 1e300))
    low, high = score_bounds(
        network, Polytope(np.eye(network.size)[:1], box=box), np.full((2, 2), 1e10)
    )
    assert np.all(low == -np.inf)
    assert np.all(high == np.inf)


def test_an_empty_polytope_raises():
    """S6: rows that contradict each other are found where they decide a score."""
    empty = Polytope([[1, 1]], lower=5.0, box=Interval([-1, -1], [1, 1]))
    with pytest.raises(SoundnessError, match="S6"):
        score_bounds(linear([[0.5, 0.5]]), empty, np.array([[1.0, 1.0]]))


def test_parameters_that_do_not_move_at_all():
    network = network_of("rectified", 2, np.random.default_rng(0))
    theta = network.flatten(network.initial)
    polytope = Polytope(np.ones((1, len(theta))), box=Interval.point(theta))
    points = np.random.default_rng(1).normal(size=(3, 2))
    found = score_bounds(network, polytope, points)
    assert inside(found, outputs(network, theta[np.newaxis], points))
    assert np.max(found[1] - found[0]) < 1e-12


def test_chunks_change_nothing(monkeypatch):
    rng = np.random.default_rng(5)
    network = network_of("rectified", 3, rng)
    polytope = around(network.flatten(network.initial), 0.1, rng)
    points = rng.normal(size=(5, 2))
    cases = [(domain, rows) for domain in (polytope, polytope.box) for rows in (None, PAIRS)]
    whole = [score_bounds(network, domain, points, rows) for domain, rows in cases]
    monkeypatch.setattr(scores, "CHUNK", 30)
    for (domain, rows), expected in zip(cases, whole, strict=True):
        np.testing.assert_allclose(
            score_bounds(network, domain, points, rows), expected, rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("name", ["flips-cross-entropy", "removal-hinge"])
def test_bounds_of_a_template_hold_every_enumerated_run(name):
    """S1, S8: domains from `agtopt.bound`, models from enumeration."""
    problem = agtopt.load(MODELS / name)
    network, inner = problem.network, agtopt.attack(problem)
    assert inner.exact
    template = Polytope.octagon(network.size, [(k, k + 1) for k in range(0, network.size - 1, 2)])
    reach = agtopt.bound(problem, "LP", 1, domain=template)
    assert isinstance(reach.domain, Polytope)
    boxed = Reach(problem, reach.method, reach.states, (), 0.0)
    points = np.concatenate(
        [problem.dataset.features, np.random.default_rng(0).normal(size=(10, *network.input_shape))]
    )
    found, wider = agtopt.certify(reach, points), agtopt.certify(boxed, points)
    z = outputs(network, inner.theta, points)
    assert inside((found.lower, found.upper), z)
    winners = z.argmax(axis=2) if network.outputs > 1 else (z[..., 0] > 0).astype(int)
    for k in range(len(points)):
        assert found.reachable[k, winners[:, k]].all()
    assert np.all(found.reachable <= wider.reachable)
    assert np.all(wider.stable <= found.stable)
    assert (found.upper - found.lower).sum() < 0.999 * (wider.upper - wider.lower).sum()


def test_frozen_layers_in_front_cost_no_tightness():
    """What neither inputs nor parameters move is a box of its own: bounds are those of the other
    layers on its outputs."""
    rng = np.random.default_rng(0)
    network = Network.dense([3, 6, 5, 1], seed=1)
    points = rng.normal(size=(7, 3))
    moving = {
        name: 0.05 * rng.random(value.shape) * (name[:6] in ("dense2", "dense3"))
        for name, value in network.initial.items()
    }
    low, high = (
        network.flatten({name: network.initial[name] + side * moving[name] for name in moving})
        for side in (-1, 1)
    )
    lower, upper = score_bounds(network, Interval(low, high), points)
    hidden = np.maximum(
        points @ network.initial["dense1_weight"].T + network.initial["dense1_bias"], 0.0
    )
    tail = Network.chain(
        [network.layer(node) for node in network.nodes[2:]],
        (6,),
        [network.initial[name] for name in list(network.initial)[2:]],
    )
    first = network.initial["dense1_weight"].size + 6
    alone = score_bounds(tail, Interval(low[first:], high[first:]), hidden)
    np.testing.assert_allclose([lower, upper], alone, rtol=1e-11)
    for _ in range(200):
        tensors = network.unflatten(rng.uniform(low, high))
        z = points
        for k in (1, 2, 3):
            z = (z if k == 1 else np.maximum(z, 0.0)) @ tensors[f"dense{k}_weight"].T + tensors[
                f"dense{k}_bias"
            ]
        assert (lower <= z).all()
        assert (z <= upper).all()
