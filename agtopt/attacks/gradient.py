"""Attacks by the gradient of the trained parameters with respect to the training data."""

from math import inf

import numpy as np
import torch
from numpy.typing import NDArray

from agtopt.problem import Bounded, Datasets, Problem, Removal
from agtopt.program import train
from agtopt.semantics.concrete import ConcreteOperations

Array = NDArray[np.float64]

MOST_ENTRIES = 2**25
"""Entries of per-sample gradients that one unrolled training run may keep for its derivative; directions are taken in parts."""


ROUNDS = 5
"""Rounds after which the first-order choice hardly changes any more."""


def axis_directions(problem: Problem, work: int) -> Array:
    """±1 for as many parameters as `work` per-sample gradient entries allow to be attacked, spread evenly; shape (m, p)."""
    size = problem.network.size
    entries = sum(len(batch) for batch in problem.schedule) * size * 2 * ROUNDS
    chosen = np.unique(np.linspace(0, size - 1, max(0, min(size, work // entries))).round().astype(int))
    axes = np.eye(size)[chosen]
    return np.concatenate([axes, -axes])


def gradient_attack(problem: Problem, directions: Array, rounds: int = ROUNDS) -> Datasets:
    """Datasets that push the final parameters far in given directions, by conditional-gradient steps through the unrolled training.

    Each round trains on the present datasets, differentiates direction · θ_T by features, labels and presence of every sample, and touches
    those n samples whose best admissible change gains most to first order. Every round's datasets are returned: not every step is an
    improvement.

    Parameters
    ----------
    problem : Problem
    directions : array, shape (m, p)
        What is to be made large.
    rounds : int

    Returns
    -------
    Datasets
        m · rounds admissible datasets.
    """
    nothing = Datasets(problem.dataset, 0)
    if not len(problem.perturbation.touchable(problem)):
        return nothing
    entries = sum(len(batch) for batch in problem.schedule) * problem.network.size
    step = max(1, MOST_ENTRIES // entries)
    parts = [_climbed(problem, directions[first : first + step], rounds) for first in range(0, len(directions), step)]
    return nothing.joined(*parts)


def _climbed(problem: Problem, directions: Array, rounds: int) -> Datasets:
    many, data = len(directions), problem.dataset
    found, present = Datasets(data, 0), Datasets(data, many)
    for _ in range(rounds):
        slopes = _slopes(problem, present, directions)
        present = _best(problem, *slopes)
        found = found.joined(present)
    return found


def _slopes(problem: Problem, variants: Datasets, directions: Array) -> tuple[Array, Array, Array]:
    """Derivatives of direction · θ_T by features, encoded labels and presence, one row per direction."""
    data, many = problem.dataset, len(directions)

    features = torch.tensor(_wide(variants.features, data.features, many), requires_grad=True)
    labels = torch.tensor(problem.encode(_wide(variants.labels, data.labels, many)), requires_grad=True)
    weights = torch.tensor(_wide(variants.present, data.presence(), many).astype(np.float64), requires_grad=True)
    ops = ConcreteOperations(problem, features, labels, weights)
    begin = {name: torch.tensor(value).expand(many, *value.shape) for name, value in problem.state.items()}
    *_, last = train(ops, problem, begin, 0, problem.steps)
    flat = torch.cat([last[name].reshape(many, -1) for name in problem.network.initial], dim=1)
    gradients = torch.autograd.grad((flat * torch.from_numpy(directions)).sum(), (features, labels, weights), allow_unused=True)
    found = [
        np.zeros(leaf.shape) if slope is None else np.nan_to_num(slope.numpy())
        for leaf, slope in zip((features, labels, weights), gradients, strict=True)
    ]
    return found[0], found[1], found[2]


def _best(problem: Problem, by_features: Array, by_labels: Array, by_presence: Array) -> Datasets:
    """To first order the best admissible dataset for every row of derivatives."""
    model, data = problem.perturbation, problem.dataset
    many = len(by_features)
    touchable = model.touchable(problem)
    if isinstance(model, Removal):
        gain = -by_presence
        chosen = touchable[np.argsort(-gain[:, touchable], axis=1)[:, : model.budget]]
        present = np.ones((many, len(data)), dtype=bool)
        np.put_along_axis(present, chosen, False, axis=1)
        return Datasets(data, many, present=present)
    moved, feature_gain = _best_features(problem, by_features)
    relabelled, label_gain = _best_labels(problem, by_labels)
    features = np.repeat(data.features[np.newaxis], many, axis=0) if moved is not None else None
    labels = np.repeat(data.labels[np.newaxis], many, axis=0) if relabelled is not None else None
    separate = isinstance(model, Bounded) and model.n is None
    budgets = ((model.n_features or 0), (model.n_labels or 0)) if isinstance(model, Bounded) and separate else (model.budget,) * 2
    gains = (feature_gain, label_gain) if separate else (feature_gain + label_gain,) * 2
    for k in range(many):
        for target, values, gain, budget in zip((features, labels), (moved, relabelled), gains, budgets, strict=True):
            if target is not None and values is not None:
                chosen = touchable[np.argsort(-gain[k, touchable])[:budget]]
                target[k, chosen] = values[k, chosen]
    return Datasets(data, many, features, labels)


def _best_features(problem: Problem, slope: Array) -> tuple[Array | None, Array]:
    model, nominal = problem.perturbation, problem.dataset.features
    none = np.zeros(slope.shape[:2])
    if not model.moves_features:
        return None, none
    low, high = model.feature_box(problem, nominal)
    low, high = np.where(np.isfinite(low), low, nominal - 10.0), np.where(np.isfinite(high), high, nominal + 10.0)
    best = np.where(slope > 0, high, low)
    if isinstance(model, Bounded) and model.p != inf:
        flat = slope.reshape(*slope.shape[:2], -1)
        if model.p == 2:
            unit = flat / np.maximum(np.linalg.norm(flat, axis=-1, keepdims=True), 1e-300)
        else:
            unit = np.where(np.abs(flat) == np.abs(flat).max(axis=-1, keepdims=True), np.sign(flat), 0.0)
            unit /= np.maximum(np.abs(unit).sum(axis=-1, keepdims=True), 1.0)
        best = nominal + model.eps * unit.reshape(slope.shape)
    return best, np.asarray((slope * (best - nominal)).reshape(*slope.shape[:2], -1).sum(axis=-1))


def _best_labels(problem: Problem, slope: Array) -> tuple[Array | None, Array]:
    model, nominal = problem.perturbation, problem.dataset.labels
    none = np.zeros(slope.shape[:2])
    if not model.moves_labels:
        return None, none
    encoded = problem.encode(nominal)
    low, high = model.label_box(problem, encoded)
    if problem.classes is None:
        best = np.where(slope > 0, high, low)
        return best.reshape(len(slope), *nominal.shape), np.asarray((slope * (best - encoded)).sum(axis=-1))
    gain = np.where((high > 0) & (encoded == 0), slope - (slope * encoded).sum(axis=-1, keepdims=True), -np.inf)
    place = gain.argmax(axis=-1)
    possible = np.isfinite(gain.max(axis=-1))
    return np.where(possible, np.array(problem.classes, dtype=np.float64)[place], nominal), np.where(possible, gain.max(axis=-1), 0.0)


def _wide(values: NDArray[np.generic] | None, nominal: NDArray[np.generic], many: int) -> Array:
    return np.array(np.broadcast_to(nominal, (many, *nominal.shape)) if values is None else values)
