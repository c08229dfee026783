"""The linear part of a step: second derivatives of chains as products of matrices, and by
autograd."""

import numpy as np
import pytest
import torch

from agtopt import Bounded, Dataset, Network, Problem, Training
from agtopt.intervals.affine.curvature import chain_of
from agtopt.intervals.affine.deviation import Deviation
from agtopt.intervals.affine.operations import DeviationOperations
from agtopt.intervals.affine.tangent import Linearised
from agtopt.program import gradients
from agtopt.tolerances import DOUBLE
from tests.matrix import CELLS, cell_problem


def linearised(problem):
    """The first batch at θ₀, whose slopes are those of the nominal run."""
    ops = DeviationOperations(DOUBLE)
    batch = problem.schedule[0]
    x = torch.tensor(problem.dataset.features[batch])
    y = torch.tensor(problem.encode(problem.dataset.labels[batch]))
    tensors = {name: torch.tensor(value) for name, value in problem.network.initial.items()}
    values = {name: Deviation.known(value) for name, value in tensors.items()}
    known = Deviation.known(x), Deviation.known(y)
    gradients(ops, problem, values, *known, problem.trained)
    return Linearised(problem, ops.slopes, tensors, x, y)


@pytest.mark.parametrize("sizes", [[3, 1], [3, 4, 1], [2, 4, 3, 2], [2, 3, 4, 3, 1]], ids=str)
@pytest.mark.parametrize("frozen", [(), ("dense1",)], ids=["all", "without the first"])
def test_chains_have_the_hessian_of_autograd(sizes, frozen):
    if len(sizes) == 2 and frozen:
        frozen = ("dense1_bias",)
    rng = np.random.default_rng(0)
    data = Dataset(rng.normal(size=(6, sizes[0])), rng.normal(size=(6, sizes[-1])))
    problem = Problem(
        Network.dense(sizes, seed=1), data, Bounded(1, eps=0.1), Training("squared", frozen=frozen)
    )
    linear = linearised(problem)
    assert chain_of(problem, linear.saved) is not None
    x, y = torch.tensor(data.features), torch.tensor(data.labels)

    def loss(vector):
        tensors = linear.parameters | linear.moved(vector)
        value = x
        for k in range(1, len(sizes)):
            value = value @ tensors[f"dense{k}_weight"].mT + tensors[f"dense{k}_bias"]
            value = value.relu() if k < len(sizes) - 1 else value
        return ((value - y) ** 2).sum()

    start = torch.cat([value.reshape(-1) for value in linear.trained.values()])
    expected = torch.autograd.functional.hessian(loss, start)
    torch.testing.assert_close(linear.hessian(None), expected)


@pytest.mark.parametrize("cell", CELLS[::4], ids=str)
def test_the_matrix_and_pushed_columns_agree(cell):
    problem = cell_problem(cell)
    linear = linearised(problem)
    size = sum(value.numel() for value in linear.trained.values())
    columns = torch.tensor(np.random.default_rng(0).normal(size=(3, size)))
    whole = linear.hessian(None)
    torch.testing.assert_close(columns @ whole, linear.hessian(columns))
    pushed = linear._pushed(lambda moved: linear.gradients(moved, linear.x).sum(0), columns)
    torch.testing.assert_close(columns @ whole, pushed)
