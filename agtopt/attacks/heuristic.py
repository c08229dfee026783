"""Attained parameters from sampled admissible datasets."""

from collections.abc import Sequence

import numpy as np

from agtopt.attacks.gradient import axis_directions, gradient_attack
from agtopt.attacks.greedy import WORK, greedy_attack, worthwhile_runs
from agtopt.attacks.runs import Attack, summarised
from agtopt.problem import Datasets, Problem

MOST_ENTRIES = 2**26
"""Bounds the memory of the sampled datasets and trajectories."""

MOST_TRAINING = 2**30
"""Per-sample gradient entries that the attacks by gradient may cost: some seconds."""


def sampled_attack(problem: Problem, runs: int = 256, seed: int = 0) -> Attack:
    """Train on the nominal dataset, on each vulnerable sample changed alone, and on random
    admissible datasets.

    Parameters
    ----------
    problem : Problem
    runs : int
        Number of random datasets; as many again change one sample each. Fewer where memory is
        short.
    seed : int
    """
    data, model = problem.dataset, problem.perturbation
    generator = np.random.default_rng(seed)
    touchable = model.touchable(problem)
    entries = max(problem.state_size * (problem.steps + 1), data.features.size)
    size = min(runs if len(touchable) else 0, MOST_ENTRIES // entries)
    alone = touching(problem, [(sample,) for sample in touchable[:size].tolist()], generator)
    return summarised(
        problem,
        Datasets(data, 1).joined(alone, model.sample(problem, size, generator)),
        exact=False,
    )


def heuristic_attack(problem: Problem, seed: int = 0) -> Attack:
    """`sampled_attack`, and `gradient_attack` and `greedy_attack` on both ends of as many
    parameters as each can attack in some seconds."""
    sampled = sampled_attack(problem, seed=seed)
    climbed = gradient_attack(problem, axis_directions(problem, MOST_TRAINING))
    greedy = greedy_attack(problem, axis_directions(problem, WORK, worthwhile_runs(problem)), WORK)
    return summarised(problem, sampled.datasets.joined(climbed, greedy), exact=False)


def extended_attack(attack: Attack, chosen: Sequence[tuple[int, ...]], seed: int = 0) -> Attack:
    """An attack with further datasets, each of which touches exactly the samples of one of the sets
    `chosen`."""
    more = touching(attack.problem, chosen, np.random.default_rng(seed))
    return summarised(attack.problem, attack.datasets.joined(more), exact=False)


def touching(
    problem: Problem, chosen: Sequence[tuple[int, ...]], generator: np.random.Generator
) -> Datasets:
    """One random admissible dataset for each set of samples, which touches exactly those."""
    drawn = [
        problem.perturbation.only(*samples).sample(problem, 1, generator) for samples in chosen
    ]
    return Datasets(problem.dataset, 0).joined(*drawn)
