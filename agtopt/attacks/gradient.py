"""Attacks by the gradient of the trained parameters with respect to the training data."""

import numpy as np
from numpy.typing import NDArray

from agtopt.attacks.changes import admitted, kept
from agtopt.attacks.first_order import (
    best_features,
    best_labels,
    run_entries,
    slopes,
    unrolled_at_once,
)
from agtopt.problem import Datasets, Problem

Array = NDArray[np.float64]

ROUNDS = 5
"""Rounds after which the first-order choice hardly changes any more."""


def axis_directions(problem: Problem, work: int, runs: int = ROUNDS) -> Array:
    """±1 for as many parameters as `work` per-sample gradient entries allow to be attacked, spread
    evenly; shape (m, p).

    An attack in one direction costs as much as `runs` training runs.
    """
    size = problem.network.size
    entries = run_entries(problem) * 2 * runs
    chosen = np.unique(
        np.linspace(0, size - 1, max(0, min(size, work // entries))).round().astype(int)
    )
    axes = np.eye(size)[chosen]
    return np.concatenate([axes, -axes])


def gradient_attack(problem: Problem, directions: Array, rounds: int = ROUNDS) -> Datasets:
    """Datasets that push the final parameters far in given directions, by conditional-gradient
    steps through the unrolled training.

    Each round trains on the present datasets, differentiates direction · θ_T by features, labels
    and presence of every sample, and touches those n samples whose best admissible change gains
    most to first order. Every round's datasets are returned: not every step is an improvement.

    Parameters
    ----------
    problem : Problem
    directions : array, shape (m, p)
        What is to be made large.
    rounds : int

    Returns
    -------
    Datasets
        m · rounds datasets, less those that are not admissible: where more is asked of them than
        boxes and budgets say.
    """
    nothing = Datasets(problem.dataset, 0)
    if not len(problem.perturbation.touchable(problem)):
        return nothing
    step = unrolled_at_once(problem)
    parts = [
        _climbed(problem, directions[first : first + step], rounds)
        for first in range(0, len(directions), step)
    ]
    return admitted(problem, nothing.joined(*parts))


def _climbed(problem: Problem, directions: Array, rounds: int) -> Datasets:
    many, data = len(directions), problem.dataset
    datasets, present = Datasets(data, 0), Datasets(data, many)
    for _ in range(rounds):
        present = _best(problem, *slopes(problem, present, directions))
        datasets = datasets.joined(present)
    return datasets


def _best(problem: Problem, by_features: Array, by_labels: Array, by_presence: Array) -> Datasets:
    """To first order the best admissible dataset for every row of derivatives."""
    model, data = problem.perturbation, problem.dataset
    many = len(by_features)
    touchable = model.touchable(problem)
    if model.removes:
        gain = -by_presence
        chosen = touchable[np.argsort(-gain[:, touchable], axis=1)[:, : model.budget]]
        present = np.ones((many, len(data)), dtype=bool)
        np.put_along_axis(present, chosen, False, axis=1)
        return Datasets(data, many, present=present)
    moved, feature_gain = best_features(problem, by_features)
    relabelled, label_gain = best_labels(problem, by_labels)
    if moved is not None and relabelled is not None:
        # A sample that is touched for its features keeps a label whose change would lose, if it
        # may.
        stays = ((label_gain <= 0) & kept(problem)[1]).reshape(
            *label_gain.shape, *(1,) * (relabelled.ndim - 2)
        )
        relabelled, label_gain = (
            np.where(stays, data.labels, relabelled),
            np.maximum(label_gain, 0.0),
        )
    features = np.repeat(data.features[np.newaxis], many, axis=0) if moved is not None else None
    labels = np.repeat(data.labels[np.newaxis], many, axis=0) if relabelled is not None else None
    gains = (feature_gain, label_gain) if model.separate else (feature_gain + label_gain,) * 2
    for k in range(many):
        for target, values, gain, budget in zip(
            (features, labels), (moved, relabelled), gains, model.budgets, strict=True
        ):
            if target is not None and values is not None:
                chosen = touchable[np.argsort(-gain[k, touchable])[:budget]]
                target[k, chosen] = values[k, chosen]
    return Datasets(data, many, features, labels)
