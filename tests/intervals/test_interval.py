"""S2 at kinks, trap 3 of diverged intervals, and the two interval semantics."""

import numpy as np
import pytest
import torch

import agtopt
from agtopt import Dataset, Network, Problem, Training
from agtopt.intervals.arithmetic import Range
from agtopt.intervals.interval import IntervalOperations
from agtopt.intervals.propagation import branch_steps, interval_steps
from agtopt.training.concrete import state_trajectory, trajectory
from tests.instances import COMBINATIONS, corrupted, random_problem
from tests.matrix import CELLS, cell_problem
from tests.reference import torch_states


def range_of(low, high):
    return Range(
        torch.tensor([low], dtype=torch.float64), torch.tensor([high], dtype=torch.float64)
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 0.0, (0, 1)),
        (-0.0, 0.0, (0, 1)),
        (0.0, 1.0, (0, 1)),
        (-1.0, 0.0, (0, 1)),
        (-1.0, 1.0, (0, 1)),
        (1e-300, 1.0, (1, 1)),
        (-1.0, -5e-324, (0, 0)),
        (np.nan, np.nan, (0, 1)),
        (-np.inf, np.inf, (0, 1)),
    ],
)
def test_kinks_and_nan_leave_both_slopes(low, high, expected):
    """S2, trap 6."""
    ops = IntervalOperations()
    slope = ops.rectify(range_of(low, high))[1].numbers()
    active = ops.positive(range_of(low, high), range_of(0.0, 1.0))
    assert (slope.lower.item(), slope.upper.item()) == expected
    assert (active.lower.item(), active.upper.item()) == (0, expected[1])
    assert ops.positive(range_of(low, high), range_of(0.0, 0.0)).upper.item() == 0


def at_kink(loss):
    """θ₀ = 0, so that ReLU pre-activations (or with weight 1 the hinge margin) are exactly at the
    kink."""
    if loss == "hinge":
        network = Network.chain([agtopt.Dense(1, 1)], (1,), [[[1.0]], [0.0]])
        return Problem(
            network,
            Dataset([[1.0], [2.0]], [1, 1]),
            agtopt.Bounded(1, nu=1, q=0),
            Training("hinge", learning_rate=1.0),
        )
    network = Network.chain(
        [agtopt.Dense(1, 1), agtopt.ReLU(), agtopt.Dense(1, 1)],
        (1,),
        [[[0.0]], [0.0], [[1.0]], [0.0]],
    )
    return Problem(
        network,
        Dataset([[1.0], [2.0]], [3.0, 4.0]),
        agtopt.Bounded(0),
        Training("squared", learning_rate=0.5),
    )


@pytest.mark.parametrize("kind", ["IBP", "LP", "QCP", "MILP", "MIQCP"])
@pytest.mark.parametrize("loss", ["hinge", "squared"])
def test_both_one_sided_derivatives_are_admitted(loss, kind):
    """S2: a framework may take either slope at zero."""
    problem = at_kink(loss)
    box = agtopt.bound(problem, kind).domain
    if loss == "hinge":  # sample 0 sits at margin 0: its gradient −x may count or not
        assert box.contains([[1.0, 0.0], [1.5, 0.5]], 1e-9)
    else:  # slope 0: only the last bias moves; slope 1: the first layer moves too
        assert box.contains([[0.0, 0.0, 1.0, 3.5], [0.5 * (3 * 1 + 4 * 2), 3.5, 1.0, 3.5]], 1e-9)


@pytest.mark.parametrize("rate", [1e80, 1e200])
def test_a_diverged_interval_is_the_whole_line(rate):
    """Trap 3: no NaN, no reversed ends."""
    problem = Problem(
        Network.dense([2, 3, 1], seed=0),
        Dataset([[1.0, 2.0], [-3.0, 4.0]], [1.0, -1.0]),
        agtopt.Bounded(1, eps=0.1),
        Training("squared", epochs=6, learning_rate=rate),
    )
    for box in interval_steps(problem):
        assert not np.isnan(box.lower).any()
        assert not np.isnan(box.upper).any()
    # A neuron that is off for every sample does not move, whatever the others do.
    still = np.isclose(box.lower, box.upper)
    assert not still.all()
    assert np.all(still | (box.lower == -np.inf))
    assert np.all(still | (box.upper == np.inf))
    certificates = agtopt.certify(agtopt.bound(problem, "IBP"), [[0.0, 1.0]])
    assert (certificates.lower, certificates.upper) == (-np.inf, np.inf)


@pytest.mark.parametrize(("depth", "loss", "reach"), COMBINATIONS)
def test_branches_hold_the_runs_that_touch_one_sample(depth, loss, reach):
    problem = random_problem(7, depth, loss, reach, n=1)
    samples = problem.perturbation.touchable(problem)
    touched = np.zeros((1 + len(samples), len(problem.dataset)), dtype=bool)
    touched[1 + np.arange(len(samples)), samples] = True
    ends = list(branch_steps(problem, touched))
    for dataset in (problem.dataset, *corrupted(problem, 30)):
        moved = dataset.changed(problem.dataset)
        (row,) = np.flatnonzero((touched == moved).all(axis=1))
        for (lower, upper), theta in zip(ends, trajectory(problem, dataset)[1:], strict=True):
            assert np.all((lower[row] <= theta) & (theta <= upper[row]))


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_branches_hold_the_runs_of_the_matrix(cell):
    """State by state, velocities too; every set of touched samples has a branch of its own."""
    problem = cell_problem(cell, eps=0.1)
    datasets = [problem.dataset, *corrupted(problem, 10)]
    touched = np.stack([dataset.changed(problem.dataset) for dataset in datasets])
    for t, (lower, upper) in enumerate(branch_steps(problem, touched), start=1):
        for row, dataset in enumerate(datasets):
            for state in (state_trajectory(problem, dataset)[t], torch_states(problem, dataset)[t]):
                assert np.all((lower[row] <= state) & (state <= upper[row]))


def test_a_window_continues_where_the_run_stood(flips):
    boxes = list(interval_steps(flips))
    (last,) = interval_steps(flips, flips.steps - 1, boxes[-2])
    np.testing.assert_array_equal(last.lower, boxes[-1].lower)
    np.testing.assert_array_equal(last.upper, boxes[-1].upper)


def test_a_product_has_the_same_bits_wherever_numpy_put_its_factors():
    """MKL rounds by the alignment of memory, and views of arrays lose theirs on the way to a
    worker; proofs are replayed elsewhere too."""
    ops, rng = IntervalOperations(), np.random.default_rng(0)
    left, right = rng.normal(size=(1, 9)), rng.normal(size=(4, 9))

    def placed(values, offset):
        memory = np.empty(values.size * 8 + 128, dtype=np.uint8)
        start = -memory.ctypes.data % 64 + offset
        view = memory[start : start + values.size * 8].view(np.float64).reshape(values.shape)
        view[...] = values
        return ops.constant(view)

    found = [
        ops.contract("ni,oi->no", placed(left, a), placed(right, b)) for a in (0, 8) for b in (0, 8)
    ]
    for value in found[1:]:
        assert torch.equal(value.lower, found[0].lower)
        assert torch.equal(value.upper, found[0].upper)
