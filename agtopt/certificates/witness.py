"""What refutes a certificate: an admissible dataset, and an input, for which the trained model
predicts another class."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from agtopt.attacks import Attack
from agtopt.attacks.predictions import margins, predicted, predictions
from agtopt.certificates.queries import Queries
from agtopt.problem import Dataset, Problem
from agtopt.program import forward
from agtopt.training.concrete import ConcreteOperations, trajectory

Array = NDArray[np.float64]

MOST_MOVED = 64
"""Runs whose inputs are moved too: those with the least margins."""


@dataclass(frozen=True, eq=False)
class Witness:
    """An admissible change of the data, and of the input, that changes a prediction.

    Attributes
    ----------
    dataset : Dataset
    point : array, shape input_shape
        The input, within its box.
    predicted : int
        Class that the model trained on `dataset` gives it.
    """

    dataset: Dataset
    point: Array
    predicted: int

    def replay(self, problem: Problem) -> int:
        """Train on the dataset, and predict the point."""
        return int(
            predicted(problem, trajectory(problem, self.dataset)[-1], self.point[np.newaxis])[0]
        )


def find_witnesses(
    attack: Attack, queries: Queries, nominal: NDArray[np.int64]
) -> list[Witness | None]:
    """For every query the run that changes its prediction most, where one does.

    Parameters
    ----------
    attack : Attack
    queries : Queries
    nominal : array of int, shape (m,)
        Classes that are predicted on the nominal data.
    """
    problem = attack.problem
    reached = margins(problem, attack.theta, queries.points, nominal)
    best, points = reached.argmin(axis=0), queries.points
    if queries.moving:
        runs = np.unique(np.argsort(reached, axis=0)[: max(1, MOST_MOVED // len(queries))])[
            :MOST_MOVED
        ]
        best, points = _moved(problem, attack.theta[runs], queries, nominal)
        best = runs[best]
    used, place = np.unique(best, return_inverse=True)
    classes = predictions(problem, attack.theta[used], points)[place, np.arange(len(queries))]
    return [
        Witness(attack.dataset(int(best[k])), points[k], int(classes[k]))
        if classes[k] != nominal[k]
        else None
        for k in range(len(queries))
    ]


def _moved(
    problem: Problem, theta: Array, queries: Queries, nominal: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Array]:
    """The run, and the corner of the box that the margin's gradient points to, with the least
    margin of each query."""
    x = torch.tensor(
        np.broadcast_to(queries.points, (len(theta), *queries.points.shape)), requires_grad=True
    )
    ops = ConcreteOperations(problem, x, torch.zeros((len(queries), 1), dtype=torch.float64))
    tensors = {
        name: torch.tensor(value) for name, value in problem.network.unflatten(theta).items()
    }
    scores, _ = forward(ops, problem.network, tensors, x)
    picked = torch.from_numpy(np.searchsorted(np.array(problem.classes), nominal))
    if scores.shape[-1] == 1:
        margin = scores[..., 0] * (2.0 * (picked > 0) - 1.0)
    else:
        rows = torch.nn.functional.one_hot(picked, scores.shape[-1]).bool()
        margin = scores.masked_select(rows).reshape(len(theta), -1) - scores.masked_fill(
            rows, -torch.inf
        ).amax(-1)
    (slope,) = torch.autograd.grad(margin.sum(), x)
    corners = np.where(
        slope.numpy() > 0,
        queries.lowest,
        np.where(slope.numpy() < 0, queries.highest, queries.points),
    )
    every = np.arange(len(queries))
    reached = np.stack(
        [margins(problem, theta[k : k + 1], corners[k], nominal)[0] for k in range(len(theta))]
    )
    best = reached.argmin(axis=0)
    return best, corners[best, every]
