"""What attacks on a trained model aim at: its margins and losses, and their derivatives by the
parameters."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.problem import Problem
from agtopt.problem.loss import (
    BinaryCrossEntropy,
    CrossEntropy,
    Hinge,
    Loss,
    MultiHinge,
    SquaredError,
)
from agtopt.program import backward, forward, loss_gradient
from agtopt.training.concrete import ConcreteOperations, outputs
from agtopt.verbs import unregistered, verb

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def predictions(problem: Problem, theta: Array, X: Array) -> Indices:
    """Classes that models (runs, p) predict, shape (runs, m)."""
    return np.asarray(
        np.array(problem.classes)[predicted_classes(outputs(problem, theta, X))], dtype=np.int64
    )


def predicted_classes(scores: Array) -> Indices:
    """Positions of the classes that outputs (…, outputs) predict."""
    # One score decides between two classes by its sign.
    place = scores[..., 0] > 0 if scores.shape[-1] == 1 else scores.argmax(axis=-1)
    return np.asarray(place, dtype=np.int64)


def predicted(problem: Problem, theta: Array, X: Array) -> Indices:
    """Classes that one model (p,) predicts, shape (m,)."""
    return np.asarray(predictions(problem, theta[np.newaxis], X)[0])


def margins(problem: Problem, theta: Array, X: Array, classes: Indices) -> Array:
    """By how much a class wins at each query, (runs, m); negative where another one does.

    Parameters
    ----------
    problem : Problem
    theta : array, shape (runs, p)
    X : array, shape (m, *input_shape)
    classes : array of int, shape (m,)
        Class labels.
    """
    scores, own = outputs(problem, theta, X), np.searchsorted(np.array(problem.classes), classes)
    if problem.network.outputs == 1:
        return np.asarray(scores[..., 0] * np.where(own > 0, 1.0, -1.0))
    wins = np.eye(problem.network.outputs, dtype=bool)[own]
    others = np.where(wins, -np.inf, scores).max(axis=-1)
    return np.asarray(np.where(wins, scores, 0.0).sum(axis=-1) - others)


def score_gradients(problem: Problem, theta: Array, X: Array, rows: Array) -> tuple[Array, Array]:
    """Values and derivatives by θ of row · f(x; θ), each at its own model.

    Parameters
    ----------
    problem : Problem
    theta : array, shape (m, p)
    X : array, shape (m, *input_shape)
    rows : array, shape (m, outputs)

    Returns
    -------
    values : array, shape (m,)
    gradients : array, shape (m, p)
    """
    z, gradients = _derivatives(problem, theta, X[:, np.newaxis], rows[:, np.newaxis])
    return np.asarray((z[:, 0].numpy() * rows).sum(axis=1)), gradients[:, 0]


def loss_direction(problem: Problem, theta: Array, X: Array, labels: Array) -> Array:
    """Derivative by θ of the mean loss of one model, shape (1, p), from encoded labels (m, outputs
    or classes)."""
    slopes = _derivatives(problem, theta, X, None, labels)[1]
    return np.asarray(slopes.mean(axis=0, keepdims=True))


def mean_losses(problem: Problem, theta: Array, X: Array, labels: Array) -> Array:
    """Mean loss of every model, shape (runs,), from encoded labels (m, outputs or classes)."""
    z = torch.from_numpy(outputs(problem, theta, X))
    losses: Array = loss_values(problem.training.loss, z, torch.tensor(labels)).mean(dim=-1).numpy()
    return losses


@verb
def loss_values(loss: Loss, z: Tensor, y: Tensor) -> Tensor:
    """Losses (…, m) for outputs z (…, m, outputs) and encoded labels y (m, outputs or classes)
    (register a function per loss)."""
    raise unregistered("training.loss", loss, loss_values, "A loss")


@loss_values.register
def _(loss: SquaredError, z: Tensor, y: Tensor) -> Tensor:
    return ((z - y) ** 2).sum(dim=-1)


@loss_values.register
def _(loss: Hinge, z: Tensor, y: Tensor) -> Tensor:
    return (1.0 - (y[:, 1] - y[:, 0]) * z[..., 0]).clamp(min=0.0)


@loss_values.register
def _(loss: BinaryCrossEntropy, z: Tensor, y: Tensor) -> Tensor:
    # torch's softplus is cut off at 20, and softplus(z) − y z cancels.
    return torch.logaddexp(z.new_zeros(()), (1.0 - 2.0 * y[:, 1]) * z[..., 0])


@loss_values.register
def _(loss: CrossEntropy, z: Tensor, y: Tensor) -> Tensor:
    return (z - (z * y).sum(dim=-1, keepdim=True)).logsumexp(dim=-1)


@loss_values.register
def _(loss: MultiHinge, z: Tensor, y: Tensor) -> Tensor:
    own = (z * y).sum(dim=-1, keepdim=True)
    return ((1.0 - own + z).clamp(min=0.0) * (1.0 - y)).mean(dim=-1)


def _derivatives(
    problem: Problem, theta: Array, X: Array, rows: Array | None, labels: Array | None = None
) -> tuple[Tensor, Array]:
    """Outputs, and derivatives by θ of row · output, or without rows of the loss."""
    network, x = problem.network, torch.tensor(X)
    ops = ConcreteOperations(problem, x, x)
    parameters = {
        name: ops.constant(np.array(value)) for name, value in network.unflatten(theta).items()
    }
    z, saved = forward(ops, network, parameters, x)
    if rows is not None:
        delta = ops.constant(np.array(rows))
    else:
        delta = loss_gradient(
            problem.training.loss, ops, z, ops.constant(np.array(labels)), network.outputs
        )
    slopes = backward(ops, network, parameters, saved, delta, problem.trained)
    still = {
        name: np.zeros((*z.shape[:-1], *value.shape))
        for name, value in network.initial.items()
        if name not in slopes
    }
    return z, network.flatten({**{name: value.numpy() for name, value in slopes.items()}, **still})
