"""Attained parameters from sampled admissible datasets."""

import numpy as np

from agtopt.attacks.runs import Attack, summarised
from agtopt.problem import Problem

MOST_ENTRIES = 2**26
"""Bounds the memory of the sampled datasets and trajectories."""


def sampled_attack(problem: Problem, runs: int = 256, seed: int = 0) -> Attack:
    """Train on the nominal dataset, on each vulnerable sample changed alone, and on random admissible datasets.

    Parameters
    ----------
    problem : Problem
    runs : int
        Number of random datasets; as many again change one sample each. Fewer where memory is short.
    seed : int
    """
    data, model, loss = problem.dataset, problem.perturbation, problem.training.loss
    generator = np.random.default_rng(seed)
    touchable = model.touchable(len(data))
    entries = max(problem.network.size * (problem.steps + 1), data.features.size)
    size = min(runs if len(touchable) else 0, MOST_ENTRIES // entries)
    features, labels = model.sample(data, loss, size, generator)
    singles = touchable[:size]
    alone = np.repeat(data.features[np.newaxis], 1 + len(singles), axis=0), np.repeat(data.labels[np.newaxis], 1 + len(singles), axis=0)
    for row, sample in enumerate(singles, start=1):
        changed_features, changed_labels = model.only(int(sample)).sample(data, loss, 1, generator)
        alone[0][row], alone[1][row] = changed_features[0], changed_labels[0]
    moving = np.concatenate([alone[0], features]) if model.eps > 0 else None
    return summarised(problem, moving, np.concatenate([alone[1], labels]), exact=False)
