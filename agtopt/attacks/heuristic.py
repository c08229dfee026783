"""Attained parameters from sampled admissible datasets."""

import numpy as np

from agtopt.attacks.runs import Attack, summarised
from agtopt.problem import Datasets, Problem

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
    data, model = problem.dataset, problem.perturbation
    generator = np.random.default_rng(seed)
    touchable = model.touchable(problem)
    entries = max(problem.state_size * (problem.steps + 1), data.features.size)
    size = min(runs if len(touchable) else 0, MOST_ENTRIES // entries)
    alone = [model.only(int(sample)).sample(problem, 1, generator) for sample in touchable[:size]]
    variants = Datasets(data, 1).joined(*alone, model.sample(problem, size, generator))
    return summarised(problem, variants, exact=False)
