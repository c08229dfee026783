"""Datasets whose neighbours can be enumerated, and the two moons of Sosnin et al. 2025."""

import numpy as np
from sklearn.datasets import make_moons

from agtopt import Dataset, Network, Problem, Substitution, Training

UNIVERSE = [((x,), y) for x in (-1.0, 1.0) for y in (0.0, 1.0)]
"""Every sample that a dataset of the enumeration may hold."""


def small(rows, **training):
    """Five samples, each any point of the box [−1, 1] with any label."""
    features, labels = (np.array(column) for column in zip(*rows, strict=True))
    common = {"epochs": 3, "learning_rate": 0.25, **training}
    return Problem(
        Network.dense([1, 1], seed=3),
        Dataset(features, labels),
        Substitution(1, features=(-1.0, 1.0)),
        Training("binary-cross-entropy", **common),
    )


def cubic(points):
    a, b = points.T
    return np.stack([a, b, a * a, a * b, b * b, a**3, a * a * b, a * b * b, b**3], axis=1)


def moons(perturbation, loss="binary-cross-entropy", **training):
    """The instances of Figures 7 and 12 of Sosnin et al. 2025 (table 4)."""
    features, labels = make_moons(3000, noise=0.1, random_state=0)
    labels = labels if loss == "binary-cross-entropy" else 2 * labels - 1
    return Problem(
        Network.dense([9, 1], seed=0),
        Dataset(cubic(features), labels.astype(float)),
        perturbation,
        Training(loss, **training),
    )


def grid(many=24):
    a, b = np.meshgrid(np.linspace(-1.5, 2.5, many), np.linspace(-1.2, 1.7, many))
    return cubic(np.stack([a.ravel(), b.ravel()], axis=1))
