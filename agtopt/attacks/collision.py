"""Feature collisions: poisoned samples that look like a query to the model (appendix E.2 of Sosnin
et al. 2024)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.attacks.changes import admitted
from agtopt.problem import Datasets, Dense, Problem
from agtopt.problem.perturbation.base import within_ball
from agtopt.program import forward
from agtopt.training.concrete import ConcreteOperations

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

STEPS = 20
"""Projected gradient steps; each goes a tenth of the way that is left."""


def collisions(problem: Problem, theta: Array, X: Array, rivals: Indices) -> Datasets:
    """Datasets that put n samples as close to a query as the ball or the box lets them, under the
    label of a rival class.

    Of all vulnerable samples those n are taken that come closest in the representation, which is
    what the last dense layer sees; where labels stay, samples of another class than the rival count
    as further than all others.

    Parameters
    ----------
    problem : Problem
        A classification.
    theta : array, shape (p,)
        The model whose representation counts.
    X : array, shape (m, *input_shape)
        Queries.
    rivals : array of int, shape (m,)
        Position of the class that the samples are to stand for.

    Returns
    -------
    Datasets
        One admissible dataset for each query, where one was found; none where features stay.
    """
    data, model = problem.dataset, problem.perturbation
    touchable = model.touchable(problem)
    if not model.moves_features or not len(touchable) or problem.classes is None:
        return Datasets(data, 0)
    budgets = model.budgets
    labels = np.repeat(data.labels[np.newaxis], len(X), axis=0)
    features = np.repeat(data.features[np.newaxis], len(X), axis=0)
    allowed = model.label_box(problem, problem.encode(data.labels))[1]
    for k, (x, rival) in enumerate(zip(X, rivals.tolist(), strict=True)):
        distance = _distances(
            problem,
            theta,
            _towards(problem, touchable, np.broadcast_to(x, data.features[touchable].shape)),
            x,
        )
        order = np.lexsort((distance, allowed[touchable, rival] == 0))
        chosen = touchable[order[: budgets[0]]]
        features[k, chosen] = _approached(problem, theta, chosen, x)
        relabelled = touchable[order[: budgets[1]]] if model.moves_labels else chosen[:0]
        labels[k, relabelled] = np.where(
            allowed[relabelled, rival] > 0, problem.classes[rival], data.labels[relabelled]
        )
    return admitted(
        problem, Datasets(data, len(X), features, labels if model.moves_labels else None)
    )


def _towards(problem: Problem, samples: Indices, wanted: Array) -> Array:
    """The admissible features of these samples that lie in the direction of what is wanted, as far
    as they may go."""
    model, nominal = problem.perturbation, problem.dataset.features[samples]
    low, high = model.feature_box(problem, nominal)
    return (
        np.clip(wanted, low, high)
        if model.ball is None
        else nominal + within_ball(wanted - nominal, model.ball)
    )


def _approached(problem: Problem, theta: Array, samples: Indices, x: Array) -> Array:
    """Projected gradient descent on the distance to the query in the representation, from the
    closest features; the best on the way."""
    present = _towards(
        problem, samples, np.broadcast_to(x, problem.dataset.features[samples].shape)
    )
    best, least = present, _distances(problem, theta, present, x)
    if problem.network.output == next(iter(problem.network.nodes)):
        return best
    for _ in range(STEPS):
        moving = torch.tensor(present, requires_grad=True)
        gap = _gaps(problem, theta, moving, x)
        (slope,) = torch.autograd.grad(gap.sum(), moving)
        size = (
            (slope**2)
            .reshape(len(slope), -1)
            .sum(dim=1)
            .clamp(min=1e-300)
            .reshape(-1, *(1,) * (slope.dim() - 1))
        )
        # The step that would close a tenth of the gap were it linear, in the manner of Polyak.
        step = 0.1 * gap.detach().reshape(size.shape) * slope / size
        present = _towards(problem, samples, present - step.numpy())
        distance = _distances(problem, theta, present, x)
        nearer = distance < least
        best, least = (
            np.where(nearer.reshape(-1, *(1,) * (present.ndim - 1)), present, best),
            np.minimum(distance, least),
        )
    return best


def _distances(problem: Problem, theta: Array, features: Array, x: Array) -> Array:
    gaps: Array = _gaps(problem, theta, torch.tensor(features), x).numpy()
    return gaps


def _gaps(problem: Problem, theta: Array, features: Tensor, x: Array) -> Tensor:
    """Squared distances to the query in the representation, shape (n,)."""
    both = torch.cat([features, torch.tensor(x[np.newaxis])])
    seen = _representation(problem, theta, both)
    return ((seen[:-1] - seen[-1]) ** 2).sum(dim=1)


def _representation(problem: Problem, theta: Array, x: Tensor) -> Tensor:
    """What the last dense layer sees; the input itself where there is none."""
    network = problem.network
    ops = ConcreteOperations(problem, x, torch.zeros((len(x), 1), dtype=torch.float64))
    dense = [node for node in network.nodes if isinstance(network.layer(node), Dense)]
    if not dense:
        return x.reshape(len(x), -1)
    _, saved = forward(
        ops,
        network,
        {name: ops.constant(np.array(value)) for name, value in network.unflatten(theta).items()},
        x,
    )
    seen: Tensor = saved[dense[-1]].reshape(len(x), -1)
    return seen
