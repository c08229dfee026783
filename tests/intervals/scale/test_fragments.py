"""Batches in fragments: the domains of whole batches to rounding, all training runs inside, memory
set by the budget."""

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from agtopt import (
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
from agtopt.intervals.aggregation import TouchedMean
from agtopt.intervals.arithmetic import Range, both
from agtopt.intervals.propagation import BudgetedIntervals, CrownIntervals, interval_steps
from agtopt.intervals.scale import fragments, kernels
from agtopt.intervals.scale.blocks import Outer, blocks
from agtopt.intervals.scale.fragments import fragment_size
from agtopt.intervals.scale.products import Mirror
from agtopt.intervals.states import flat_ranges, initial_domain, state_ranges
from agtopt.problem.network import INPUT
from agtopt.program import train
from agtopt.training.concrete import trajectory
from tests.instances import corrupted
from tests.intervals.exact import assert_encloses, exact, in_float32, tensor_range, wider
from tests.matrix import CELLS, cell_problem


def problem_of(model, seed=0, loss="squared", clip=None, momentum=0.0, samples=23):
    rng = np.random.default_rng(seed)
    network = Network.dense([3, 5, 4, 2 if loss == "cross-entropy" else 1], seed=seed)
    x = rng.normal(size=(samples, 3))
    y = rng.integers(0, 2, samples) if loss == "cross-entropy" else rng.normal(size=samples)
    training = Training(
        loss, epochs=2, batch_size=19, learning_rate=0.1, clip=clip, momentum=momentum
    )
    return Problem(network, Dataset(x, y), model, training)


PROBLEMS = {
    "features": problem_of(Bounded(4, eps=0.05)),
    "labels": problem_of(Bounded(3, nu=1, q=0), loss="cross-entropy"),
    "separate": problem_of(Bounded(eps=0.05, nu=0.2, n_features=2, n_labels=3)),
    "some": problem_of(Bounded(4, [1, 2, 5, 20, 22], eps=0.1), clip=0.3),
    "all": problem_of(Bounded(23, eps=0.05, nu=1, q=0), loss="cross-entropy"),
    "all of some": problem_of(
        Bounded(eps=0.05, nu=0.2, n_features=3, n_labels=4, vulnerable=[1, 2, 20])
    ),
    "removal": problem_of(Removal(3, list(range(12))), clip=0.5, momentum=0.5),
    "substitution": problem_of(
        Substitution(2, features=([-2.0] * 3, [2.0] * 3), labels=(-1.0, 1.0)), clip=0.3
    ),
}


@pytest.fixture(params=["compiled", "torch"])
def loops(request, monkeypatch):
    """On a processor, and as on another device or where ends are not finite."""
    if request.param == "torch":
        monkeypatch.setattr(kernels, "suits", lambda *_: False)


def eager_steps(problem, linear):
    """Whole batches, with the gradient of every sample multiplied out."""
    ops = (CrownIntervals if linear else BudgetedIntervals)(problem)
    for state in train(
        ops, problem, state_ranges(problem, initial_domain(problem)), 0, problem.steps
    ):
        yield flat_ranges(problem, state)


@pytest.mark.usefixtures("loops")
@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("size", [1, 7, 19])
@pytest.mark.parametrize("name", PROBLEMS)
def test_fragments_of_any_size_give_the_same_domains(monkeypatch, name, size, linear):
    problem = PROBLEMS[name]
    monkeypatch.setattr(fragments, "fragment_size", lambda *_: size)
    monkeypatch.setattr(fragments, "BLOCK", 3 * size)
    for box, (lower, upper) in zip(
        interval_steps(problem, linear=linear), eager_steps(problem, linear), strict=True
    ):
        np.testing.assert_allclose(box.lower, lower, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(box.upper, upper, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("loops")
@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize("name", PROBLEMS)
def test_training_runs_stay_inside(monkeypatch, name, size):
    """S1."""
    problem = PROBLEMS[name]
    monkeypatch.setattr(fragments, "fragment_size", lambda *_: size)
    boxes = list(interval_steps(problem))
    for dataset in (problem.dataset, *corrupted(problem, 50)):
        for box, theta in zip(boxes, trajectory(problem, dataset)[1:], strict=True):
            assert np.all((box.lower[: len(theta)] <= theta) & (theta <= box.upper[: len(theta)]))


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_training_runs_of_the_matrix_stay_inside(monkeypatch, cell):
    problem = cell_problem(cell, eps=0.1)
    monkeypatch.setattr(fragments, "fragment_size", lambda *_: 2)
    boxes = list(interval_steps(problem, linear=True))
    for dataset in corrupted(problem, 10):
        for box, theta in zip(boxes, trajectory(problem, dataset)[1:], strict=True):
            assert np.all((box.lower[: len(theta)] <= theta) & (theta <= box.upper[: len(theta)]))


@pytest.mark.parametrize("size", [1, 4, 9])
def test_convolutions_come_in_fragments_too(monkeypatch, size):
    rng = np.random.default_rng(1)
    layers = [Conv2d(1, 2, 2), ReLU(), Flatten(), Dense(18, 3), ReLU(), Dense(3, 1)]
    weights = [
        rng.normal(size=shape) for layer in layers for shape in layer.parameter_shapes().values()
    ]
    data = Dataset(rng.normal(size=(9, 1, 4, 4)), rng.integers(0, 2, 9))
    problem = Problem(
        Network.chain(layers, (1, 4, 4), weights),
        data,
        Bounded(2, eps=0.02),
        Training("binary-cross-entropy", epochs=2),
    )
    monkeypatch.setattr(fragments, "fragment_size", lambda *_: size)
    for box, (lower, upper) in zip(
        interval_steps(problem), eager_steps(problem, False), strict=True
    ):
        np.testing.assert_allclose(box.lower, lower, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(box.upper, upper, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("loops")
@pytest.mark.parametrize("spread", [3, 145])
@pytest.mark.parametrize("bound", [np.inf, 0.5])
@pytest.mark.parametrize("inputs", ["point", "any", "nonnegative", "narrow"])
@pytest.mark.parametrize("delta", ["point", "any", "nonnegative"])
def test_products_of_blocks_are_exact_but_for_one_rounding(delta, inputs, bound, spread):
    """S3: tallies have room for it."""
    rng = np.random.default_rng(spread)
    for _ in range(50):
        factors = (
            tensor_range(rng, (2, 3), delta, spread),
            tensor_range(rng, (2, 4), inputs, spread),
        )
        ends = [np.empty((3, 4, 2)) for _ in range(2)]
        sizes = np.empty((3, 4))
        totals = [np.empty((3, 4)) for _ in range(2)]
        for index, block in blocks(Outer(*factors, bound), -3, int(rng.integers(1, 13)), Mirror()):
            total, (found,) = block.sums(), block.ends()
            ends[0][index], ends[1][index], sizes[index] = -found[1], found[0], block.magnitude
            totals[0][index], totals[1][index] = -total[1], total[0]
        exact_factors = [exact(value) for value in factors]
        for o, i, n in np.ndindex(3, 4, 2):
            for value, clipped in zip(
                (end[o, i, n] for end in ends), corners(*exact_factors, o, i, n, bound), strict=True
            ):
                assert abs(Fraction(float(value)) - clipped) <= abs(clipped) * Fraction(
                    2.0**-53
                ) + Fraction(5e-324)
        largest = np.maximum(np.abs(ends[0]), np.abs(ends[1])).sum(-1)
        assert np.all(sizes * (1.0 + 1e-12) + 1e-300 >= largest)
        for end, total in zip(ends, totals, strict=True):
            np.testing.assert_allclose(
                total, end.sum(-1), rtol=0.0, atol=1e-14 * sizes.max() + 1e-300
            )


def corners(first, second, o, i, n, bound):
    """The exact ends of one product, clipped."""
    (al, au), (bl, bu) = first, second
    found = [a[n, o] * b[n, i] for a in (al, au) for b in (bl, bu)]
    return [
        extreme if bound == np.inf else min(max(extreme, -Fraction(bound)), Fraction(bound))
        for extreme in (min(found), max(found))
    ]


@pytest.mark.usefixtures("loops")
@pytest.mark.parametrize("spread", [3, 145])
@pytest.mark.parametrize("bound", [np.inf, 0.5])
@pytest.mark.parametrize(
    "forms",
    [("any", "point"), ("any", "nonnegative"), ("narrow", "narrow"), ("any", "any")],
    ids="x".join,
)
@pytest.mark.parametrize("shared", [False, True], ids=["both moved", "labels moved"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_direction_of_a_batch_in_fragments_holds_the_exact_one(
    dtype, shared, forms, bound, spread
):
    """S3, Theorem 9: products, selection and sums together; clean factors in one form, touched ones
    any that hold them."""
    rng, batch, budget, shorten = (
        np.random.default_rng(spread),
        5,
        2,
        {torch.float64: lambda value: value, torch.float32: in_float32}[dtype],
    )
    for case in range(20):  # every cut of the batch with every size of blocks
        clean = [shorten(tensor_range(rng, (batch, 2), form, spread)) for form in forms]
        touched = [
            shorten(wider(rng, clean[0], spread)),
            clean[1] if shared else shorten(wider(rng, clean[1], spread)),
        ]
        stacked = [
            Range(*(torch.stack(ends) for ends in zip(*pair, strict=True)))
            for pair in zip(clean, touched, strict=True)
        ]
        if shared:
            stacked[1] = clean[1]
        tallies, found = {}, Range(torch.empty(2, 2, dtype=dtype), torch.empty(2, 2, dtype=dtype))
        cut = case % batch
        for rows in filter(len, (np.arange(cut), np.arange(cut, batch))):
            part = Outer(
                *(both(value, lambda end, rows=rows: end[..., rows, :]) for value in stacked), bound
            )
            for index, block in blocks(part, -3, case % 4 + 1, Mirror()):
                tallies.setdefault(str(index), (index, TouchedMean(batch, budget)))[1].add(
                    block, rows
                )
        for index, tally in tallies.values():
            found.lower[index], found.upper[index] = tally.result()
        exact_clean, exact_touched = (
            [exact(value) for value in factors] for factors in (clean, touched)
        )
        low, high = {}, {}
        for o, i in np.ndindex(2, 2):
            before, after = (
                [corners(*factors, o, i, n, bound) for n in range(batch)]
                for factors in (exact_clean, exact_touched)
            )
            falls, rises = zip(
                *((a[0] - b[0], b[1] - a[1]) for a, b in zip(before, after, strict=True)),
                strict=True,
            )
            low[o, i] = (sum(a[0] for a in before) - sum(sorted(falls)[-budget:])) / batch
            high[o, i] = (sum(a[1] for a in before) + sum(sorted(rises)[-budget:])) / batch
        assert_encloses(found, low, high, case)


@pytest.mark.parametrize("bound", [np.inf, 0.5])
@pytest.mark.parametrize("inputs", [-1.0, 0.5], ids=["any", "nonnegative"])
@pytest.mark.parametrize("place", range(4))
def test_what_is_unknown_of_a_sample_as_it_stands_is_not_multiplied_by_loops(place, inputs, bound):
    """Trap 3: also where all ends of touched samples are known."""
    ends = [torch.full((2, 3, 1), value, dtype=torch.float64) for value in (-1.0, 1.0, inputs, 2.0)]
    ends[place][0, 1] = np.nan
    tally = TouchedMean(3, 1)
    for _, block in blocks(Outer(Range(*ends[:2]), Range(*ends[2:]), bound), -3, 1, Mirror()):
        assert not block.finite
        tally.add(block, np.arange(3))
    found = tally.result()
    assert not found.lower.item() > -bound
    assert not found.upper.item() < bound


def test_a_diverged_factor_leaves_the_whole_line():
    """Trap 3."""
    problem = replace(
        PROBLEMS["features"],
        training=Training("squared", epochs=6, batch_size=19, learning_rate=1e150),
    )
    *_, box = interval_steps(problem)
    assert np.all(box.lower == -np.inf)
    assert np.all(box.upper == np.inf)


def test_the_budget_of_memory_sets_the_fragments():
    problem = PROBLEMS["features"]
    assert fragment_size(problem, 0, 2, INPUT) == 1
    assert fragment_size(problem, 2**30, 2, INPUT) == 19
    few, many = (fragment_size(problem, memory, 2, INPUT) for memory in (10_000, 20_000))
    assert 1 < few < many < 19


PEAK = """
import resource
import numpy as np
from agtopt import Bounded, Dataset, Network, Problem, Training
from agtopt.intervals.propagation import interval_steps

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

rng = np.random.default_rng(0)
data = Dataset(rng.normal(size=({samples}, 4)), rng.normal(size={samples}))
network, training = Network.dense([4, 100, 95, 1], seed=0), Training("squared", learning_rate=0.01)
problem = Problem(network, data, Bounded(100, eps=0.01), training)
before = peak()
list(interval_steps(problem))
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("samples", [10_000, 100_000])
def test_memory_is_set_by_the_budget_and_not_by_the_batch(samples):
    """10,191 parameters; the gradients of 100,000 samples would take 30 GiB. Kilobytes, beside what
    the problem itself takes."""
    run = subprocess.run(
        [sys.executable, "-c", PEAK.format(samples=samples)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(run.stdout) < 2**19
