"""The program asks every semantics for the same operations, and says so where a part has no
meaning."""

from dataclasses import dataclass

import numpy as np
import pytest

from agtopt import Dataset, Dense, Network, Problem, UnsupportedError
from agtopt.intervals.propagation import (
    BranchIntervals,
    BudgetedIntervals,
    CrownBranches,
    CrownIntervals,
)
from agtopt.problem import Bounded, Layer, Loss, Training
from agtopt.program import Arithmetic, Operations, forward, train
from agtopt.symbolic.counting import CountingOperations
from agtopt.symbolic.operations import SymbolicOperations
from agtopt.training.concrete import ConcreteOperations, trajectory
from tests.instances import random_problem

VERBS = [
    name
    for protocol in (Arithmetic, Operations)
    for name in vars(protocol)
    if not name.startswith("_")
]


@pytest.mark.parametrize(
    "semantics",
    [
        ConcreteOperations,
        BudgetedIntervals,
        BranchIntervals,
        CrownIntervals,
        CrownBranches,
        SymbolicOperations,
        CountingOperations,
    ],
)
@pytest.mark.parametrize("verb", VERBS)
def test_every_semantics_has_every_operation(semantics, verb):
    assert callable(getattr(semantics, verb))


@dataclass(frozen=True)
class Mystery(Layer):
    """A layer without behaviour."""


@dataclass(frozen=True)
class Riddle(Loss):
    """A loss without a gradient."""

    name = "riddle"


def test_a_layer_or_loss_without_meaning_is_unsupported():
    network = Network.chain([Mystery(), Dense(1, 1)], (1,), [np.ones((1, 1)), np.zeros(1)])
    with pytest.raises(UnsupportedError, match=r"mystery1.*Mystery.*forward_layer"):
        forward(None, network, {}, None)
    problem = Problem(
        Network.dense([1, 1]),
        Dataset(np.zeros((2, 1)), np.zeros(2)),
        Bounded(0),
        Training(Riddle()),
    )
    with pytest.raises(UnsupportedError, match=r"Riddle.*loss_gradient"):
        trajectory(problem)


def test_train_yields_one_state_per_step_and_can_start_anywhere():
    import torch

    problem = random_problem(3, 2, "squared", "labels", steps=3)
    data = problem.dataset
    labels = problem.encode(data.labels)
    ops = ConcreteOperations(
        problem, torch.from_numpy(np.array(data.features)), torch.from_numpy(np.array(labels))
    )
    theta = trajectory(problem)
    begin = {
        name: torch.from_numpy(value) for name, value in problem.network.unflatten(theta[1]).items()
    }
    states = list(train(ops, problem, begin, 1, 3))
    assert len(states) == 2
    np.testing.assert_allclose(
        problem.network.flatten({k: v.numpy() for k, v in states[-1].items()}), theta[3], atol=1e-12
    )
