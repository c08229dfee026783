"""What small changes of the training data do to the trained parameters, to first order."""

import numpy as np
import torch
from numpy.typing import NDArray

from agtopt.problem import Datasets, Problem
from agtopt.program import train
from agtopt.training.concrete import ConcreteOperations

Array = NDArray[np.float64]

MOST_ENTRIES = 2**25
"""Entries of per-sample gradients that unrolled training runs may keep for their derivative;
directions are taken in parts."""


FAR = 10.0
"""How far from a sample, or from a finite end of its box, features are tried where the box is
unbounded (units of the features)."""


def run_entries(problem: Problem) -> int:
    """Per-sample gradient entries of one training run: what attacks count as work."""
    return sum(len(batch) for batch in problem.schedule) * problem.network.size


def unrolled_at_once(problem: Problem) -> int:
    """Number of training runs that `slopes` may be given at once; at least 1."""
    return max(1, MOST_ENTRIES // run_entries(problem))


def slopes(problem: Problem, variants: Datasets, directions: Array) -> tuple[Array, Array, Array]:
    """Derivatives of direction · θ_T by features, encoded labels and presence.

    Parameters
    ----------
    problem : Problem
    variants : Datasets
        m datasets: where the derivatives are taken.
    directions : array, shape (m, p)
        One for each of the datasets.

    Returns
    -------
    by_features, by_labels, by_presence : array, shapes (m, N, …), (m, N, outputs or classes), (m,
    N)
        0 where training does not depend on it, or the derivative is not finite.
    """
    data, many = problem.dataset, len(directions)

    features = torch.tensor(_wide(variants.features, data.features, many), requires_grad=True)
    labels = torch.tensor(
        problem.encode(_wide(variants.labels, data.labels, many)), requires_grad=True
    )
    weights = torch.tensor(
        _wide(variants.present, data.presence(), many).astype(np.float64), requires_grad=True
    )
    ops = ConcreteOperations(problem, features, labels, weights)
    begin = {
        name: torch.tensor(value).expand(many, *value.shape)
        for name, value in problem.state.items()
    }
    *_, last = train(ops, problem, begin, 0, problem.steps)
    flat = torch.cat([last[name].reshape(many, -1) for name in problem.network.initial], dim=1)
    gradients = torch.autograd.grad(
        (flat * torch.from_numpy(directions)).sum(), (features, labels, weights), allow_unused=True
    )
    slopes = [
        np.zeros(leaf.shape) if slope is None else np.nan_to_num(slope.numpy())
        for leaf, slope in zip((features, labels, weights), gradients, strict=True)
    ]
    return slopes[0], slopes[1], slopes[2]


def best_features(problem: Problem, slope: Array) -> tuple[Array | None, Array]:
    """For every sample the admissible features that gain most to first order, and their gain.

    Parameters
    ----------
    problem : Problem
    slope : array, shape (m, N, …)

    Returns
    -------
    features : array, shape (m, N, …), or None where the features stay
        An end of every interval of the box, or the point of the ball's boundary along the slope.
    gain : array, shape (m, N)
    """
    model, nominal = problem.perturbation, problem.dataset.features
    none = np.zeros(slope.shape[:2])
    if not model.moves_features:
        return None, none
    low, high = model.feature_box(problem, nominal)
    low, high = (
        np.where(np.isfinite(low), low, np.minimum(nominal, high) - FAR),
        np.where(np.isfinite(high), high, np.maximum(nominal, low) + FAR),
    )
    best = np.where(slope > 0, high, low)
    if model.ball is not None:
        radius, p = model.ball
        best = nominal + radius * _steepest(slope.reshape(*slope.shape[:2], -1), p).reshape(
            slope.shape
        )
    return best, np.asarray((slope * (best - nominal)).reshape(*slope.shape[:2], -1).sum(axis=-1))


def _steepest(slope: Array, p: float) -> Array:
    """The points of the unit ball of the norm 1 or 2 that a slope (…, d) is largest at; 0 where it
    is flat."""
    largest = np.abs(slope).max(axis=-1, keepdims=True)
    # Divided by its largest entry first: squares of tiny slopes would be 0.
    scaled = np.divide(slope, largest, out=np.zeros_like(slope), where=largest > 0)
    points = scaled if p == 2 else np.where(np.abs(scaled) == 1.0, scaled, 0.0)
    return np.asarray(
        points / np.maximum(np.linalg.norm(points, ord=p, axis=-1, keepdims=True), 1.0)
    )


def flip_gains(problem: Problem, slope: Array) -> Array:
    """What a flip to each class gains to first order, shape (m, N, classes); −∞ for the own class
    and those not allowed."""
    encoded = problem.encode(problem.dataset.labels)
    _, high = problem.perturbation.label_box(problem, encoded)
    return np.where(
        (high > 0) & (encoded == 0), slope - (slope * encoded).sum(axis=-1, keepdims=True), -np.inf
    )


def best_labels(problem: Problem, slope: Array) -> tuple[Array | None, Array]:
    """For every sample the other admissible label that gains most to first order, and its gain.

    Parameters
    ----------
    problem : Problem
    slope : array, shape (m, N, outputs or classes)

    Returns
    -------
    labels : array, shape (m, N) or (m, N, outputs), or None where the labels stay
        The sample's own where no other is admissible.
    gain : array, shape (m, N)
    """
    model, nominal = problem.perturbation, problem.dataset.labels
    none = np.zeros(slope.shape[:2])
    if not model.moves_labels:
        return None, none
    if problem.classes is None:
        encoded = problem.encode(nominal)
        low, high = model.label_box(problem, encoded)
        best = np.where(slope > 0, high, low)
        return best.reshape(len(slope), *nominal.shape), np.asarray(
            (slope * (best - encoded)).sum(axis=-1)
        )
    gain = flip_gains(problem, slope)
    place = gain.argmax(axis=-1)
    possible = np.isfinite(gain.max(axis=-1))
    return np.where(
        possible, np.array(problem.classes, dtype=np.float64)[place], nominal
    ), np.where(possible, gain.max(axis=-1), 0.0)


def _wide(values: NDArray[np.generic] | None, nominal: NDArray[np.generic], many: int) -> Array:
    return np.array(np.broadcast_to(nominal, (many, *nominal.shape)) if values is None else values)
