"""AFFINE: nothing that training attains is outside, exact data give a point, and the form is as
narrow as section 7 of the formulation says."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

import agtopt
from agtopt import AFFINE, IBP, Bounded, Dataset, Network, Problem, Removal, Substitution, Training
from agtopt.attacks import attack
from agtopt.intervals.affine import affine_steps as module
from agtopt.intervals.affine.affine_steps import affine_steps
from agtopt.intervals.propagation import interval_steps
from agtopt.intervals.scale.numerics import Numerics
from agtopt.problem import Dense, Layer, ReLU
from agtopt.program.backward import backward_layer
from agtopt.program.forward import forward_layer
from agtopt.training.concrete import state_trajectory, trajectories
from tests.instances import corrupted
from tests.matrix import CELLS, cell_problem, zeroed
from tests.properties.exact_runs import wide_parameters
from tests.reference import torch_states

SINGLE = Numerics.named("float32", "cpu")


def regression(steps=4, n=2, eps=0.2, samples=64):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(samples, 4))
    y = x @ rng.normal(size=4) + 0.3 * rng.normal(size=samples)
    return Problem(
        Network.dense([4, 1], seed=0),
        Dataset(x, y),
        Bounded(n, eps=eps),
        Training("squared", epochs=steps, batch_size=samples, learning_rate=0.05),
    )


def classification(steps=8, n=2, hidden=(), rate=0.2, samples=60, model=None, **training):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(samples, 3))
    y = (x @ np.array([1.0, -1.0, 0.5]) + 0.5 * rng.normal(size=samples) > 0).astype(float)
    return Problem(
        Network.dense([3, *hidden, 1], seed=0),
        Dataset(x, y),
        model or Bounded(n, nu=1, q=0),
        Training("binary-cross-entropy", epochs=steps, learning_rate=rate, **training),
    )


def last(problem, **settings):
    *_, found = affine_steps(problem, **settings)
    return found


def attained_width(problem):
    """The hull of the nominal run and of strong attacks: the samples with the largest effect on
    each parameter, one by one."""
    single = problem.perturbation.only(*range(len(problem.dataset)))
    runs = attack(replace(problem, perturbation=single)).theta
    return float(np.ptp(runs, axis=0).sum())


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_runs_of_400_bits_lie_within_what_exact_data_give(cell):
    """S3 without any tolerance: an adversary who may do nothing leaves the rounding of training."""
    problem = zeroed(cell_problem(cell))
    size = problem.network.size
    box = last(problem).box
    low, high = box.lower[:size], box.upper[:size]
    assert np.max(high - low) < 1e-11
    exact = wide_parameters(problem, problem.dataset)
    assert all(a <= v <= b for a, v, b in zip(low, exact, high, strict=True))


def test_linear_problems_are_narrow():
    """Of a linear model the linear part is within a few per cent of what is attained."""
    problem = regression()
    assert last(problem).box.width() < 1.35 * attained_width(problem)
    assert last(problem).box.width() < 0.5 * list(interval_steps(problem))[-1].width()
    flips = classification()
    assert last(flips).box.width() < 1.15 * attained_width(flips)


def test_what_is_beyond_the_linear_part_is_of_second_order():
    widths = [last(regression(eps=eps)).box.width() / eps for eps in (1e-1, 1e-3, 1e-5)]
    assert widths[0] > widths[1] > widths[2]
    assert widths[1] - widths[2] < 0.02 * (widths[0] - widths[2])


def test_forty_steps_stay_near_what_is_attained():
    problem = classification(steps=40)
    ibp = list(interval_steps(problem))[-1].width()
    found = last(problem).box.width()
    assert found < 2.0 * attained_width(problem)
    assert ibp > 5 * found


def test_a_network_of_two_layers():
    problem = classification(steps=3, n=1, hidden=(8,))
    found, ibp = last(problem).box.width(), list(interval_steps(problem))[-1].width()
    assert found < 0.85 * ibp


@pytest.mark.parametrize(
    "changes",
    [
        {"momentum": 0.9},
        {"weight_decay": 0.3},
        {"clip": 0.3},
        {"batch_size": 16, "seed": 3},
        {"decay": 0.5, "floor": 0.1},
    ],
    ids=str,
)
@pytest.mark.parametrize("model", [Bounded(2, nu=1, q=0), Removal(2)], ids=["flips", "removal"])
def test_strong_attacks_are_within_every_step(changes, model):
    problem = classification(steps=4, model=model, **changes)
    found = attack(problem)
    domains = list(affine_steps(problem))
    for _, states in trajectories(problem, found.datasets):
        for t, domain in enumerate(domains, start=1):
            assert np.all(states[:, t] >= domain.box.lower)
            assert np.all(states[:, t] <= domain.box.upper)
            ways = states[:, t] - domain.nominal
            low, high = domain.deviation(ways)
            room = 1e-13 * (1.0 + np.abs(ways).sum(axis=1))
            assert np.all((ways * ways).sum(axis=1) <= high + room)
            assert np.all((ways * ways).sum(axis=1) >= low - room)


@pytest.mark.parametrize("cell", CELLS[::3], ids=str)
def test_training_in_float32_is_within(cell):
    problem = cell_problem(cell, eps=0.1)
    domains = list(affine_steps(problem, numerics=SINGLE))
    for dataset in (problem.dataset, *corrupted(problem, 4)):
        states = torch_states(problem, dataset, torch.float32).astype(np.float64)
        exact = state_trajectory(problem, dataset)
        for t, domain in enumerate(domains, start=1):
            assert domain.box.contains(states[t])
            assert domain.box.contains(exact[t])


@pytest.mark.parametrize("cell", CELLS[::3], ids=str)
def test_networks_that_keep_no_matrix_are_sound(cell, monkeypatch):
    monkeypatch.setattr(module, "keeps_matrix", lambda problem, memory: False)
    problem = cell_problem(cell, eps=0.1)
    domains = list(affine_steps(problem))
    for box, domain in zip(interval_steps(problem), domains, strict=True):
        assert np.all(domain.box.lower >= box.lower - 1e-9)
        assert np.all(domain.box.upper <= box.upper + 1e-9)
    for dataset in corrupted(problem, 6):
        for t, state in enumerate(state_trajectory(problem, dataset)[1:]):
            assert domains[t].box.contains(state)


def test_one_step_without_kept_directions_is_as_narrow(monkeypatch):
    """What is not kept still enters by its reach along every parameter."""
    problem = regression(steps=1)
    kept = last(problem).box.width()
    monkeypatch.setattr(module, "keeps_matrix", lambda problem, memory: False)
    assert last(problem).box.width() == pytest.approx(kept, rel=1e-9)


def test_fragments_change_nothing_but_rounding():
    problem = classification(steps=3, hidden=(8,))
    whole, parts = last(problem), last(problem, memory=120_000)
    np.testing.assert_allclose(parts.box.lower, whole.box.lower, rtol=0, atol=1e-9)
    np.testing.assert_allclose(parts.box.upper, whole.box.upper, rtol=0, atol=1e-9)


def test_steps_go_on_from_any_domain():
    problem = classification(steps=5)
    whole = list(affine_steps(problem))
    rest = list(affine_steps(problem, 3, whole[2]))
    assert np.array_equal(rest[-1].box.lower, whole[-1].box.lower)
    assert np.array_equal(rest[-1].box.upper, whole[-1].box.upper)


def test_a_run_that_overflows_ends_in_the_whole_line_and_never_in_nan():
    problem = regression(steps=4)
    wild = replace(problem, training=Training("squared", epochs=4, learning_rate=1e200))
    for domain in affine_steps(wild):
        assert not np.isnan(domain.box.lower).any()
        assert not np.isnan(domain.box.upper).any()
    assert domain.box.width() == np.inf


@dataclass(frozen=True)
class Doubled(Layer):
    """a = 2 z, from outside; its backward pass is its own."""


@forward_layer.register
def _(layer: Doubled, ops, place, parameters, value):
    return ops.scale(2.0, value), None


@backward_layer.register
def _(layer: Doubled, ops, place, parameters, saved, delta):
    return ops.scale(2.0, delta)


def test_a_layer_from_outside_has_a_linear_part():
    problem = classification(steps=3, n=1, hidden=(4,))
    rng = np.random.default_rng(0)
    parts = [Dense(3, 4), ReLU(), Doubled(), Dense(4, 1)]
    initial = [
        0.4 * rng.normal(size=shape) for part in parts for shape in part.parameter_shapes().values()
    ]
    outside = replace(problem, network=Network.chain(parts, (3,), initial))
    reach = agtopt.bound(outside, AFFINE)
    ibp = agtopt.bound(outside, IBP)
    assert reach.domain.width() < 0.95 * ibp.domain.width()
    for dataset in corrupted(outside, 10):
        for t, state in enumerate(state_trajectory(outside, dataset)):
            assert reach.states[t].contains(state)


def test_the_result_holds_the_form_of_the_parameters():
    problem = classification(steps=3, momentum=0.5)
    reach = agtopt.bound(problem, AFFINE)
    assert len(reach.affine) == problem.network.size
    assert len(reach.affines) == problem.steps + 1
    assert reach.affine.contains(state_trajectory(problem)[-1][: problem.network.size])
    assert agtopt.bound(problem, IBP).affine is None


def in_order(values, rate, kind):
    """θ after a step on gradients −values, which are added up one after the other."""
    total = kind(0)
    for value in values.ravel():
        total = kind(total - kind(value))
    return float(kind(0) - kind(rate) * kind(total / kind(len(values))))


@pytest.mark.parametrize(
    ("kind", "many"), [(np.float32, 64), (np.float32, 512), (np.float64, 40_000)]
)
def test_sums_over_a_batch_pay_for_the_size_of_a_replacement(kind, many):
    """S3: every other sample is half a unit of the last place of the one that is replaced."""
    features = np.full((many, 1), float(kind(0.51 * float(np.spacing(kind(1000.0))))))
    features[0] = 0.0
    problem = Problem(
        Network.chain([Dense(1, 1, False)], (1,), [np.zeros((1, 1))]),
        Dataset(features, np.ones(many)),
        Substitution(1, vulnerable=[0], features=(1000.0, 1000.0), labels=[1]),
        Training("hinge", learning_rate=0.5),
    )
    (domain,) = affine_steps(problem, numerics=Numerics(getattr(torch, kind.__name__)))
    features[0] = 1000.0
    reached = in_order(features, 0.5, kind)
    assert domain.box.contains([reached], 0.0)
    assert reached - domain.nominal[0] <= domain.deviation(np.ones((1, 1)))[1][0]


@pytest.mark.parametrize("loss", ["hinge", "multi-hinge"])
def test_gradients_that_no_feature_moves_need_no_direction(loss, monkeypatch):
    """Only the bias is trained, and directions are not kept."""
    monkeypatch.setattr("agtopt.intervals.affine.touching.COLUMNS", 0)
    rng = np.random.default_rng(0)
    problem = Problem(
        Network.dense([2, 1 if loss == "hinge" else 3]),
        Dataset(rng.normal(size=(5, 2)), [1, -1, 1, -1, 1] if loss == "hinge" else [0, 1, 2, 0, 1]),
        Bounded(n=1, eps=0.1),
        Training(loss, frozen=["dense1_weight"]),
    )
    assert np.isfinite(last(problem).box.width())
