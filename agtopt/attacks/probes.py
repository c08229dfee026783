"""A few training runs, one step at a time: what every bound is compared with where no attack is at
hand (S9)."""

from collections.abc import Callable, Iterator
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray

from agtopt.attacks.first_order import run_entries
from agtopt.problem import Datasets, Problem
from agtopt.program import train
from agtopt.training.concrete import CHUNK, AtKinks, ConcreteOperations, concrete_operations

MOST_RUNS = 8
"""The nominal run, and up to seven on random admissible data."""

MOST_TRAINING = 2**25
"""Per-sample gradient entries that they may cost beside the nominal run: a part of what intervals
cost."""


def probes(problem: Problem, seed: int = 0) -> Datasets:
    """The nominal dataset, and random admissible ones as far as time and memory allow."""
    nominal, model = Datasets(problem.dataset, 1), problem.perturbation
    widest = max(len(batch) for batch in problem.schedule) * max(
        problem.network.size, *map(prod, problem.network.shapes.values())
    )
    held = max(widest, problem.dataset.features.size)
    many = min(MOST_RUNS, MOST_TRAINING // run_entries(problem), CHUNK // held) - 1
    if many < 1 or problem.dataset.mapped or not len(model.touchable(problem)):
        return nominal
    return nominal.joined(model.sample(problem, many, np.random.default_rng(seed)))


def attained_states(
    problem: Problem,
    datasets: Datasets,
    operations: Callable[..., ConcreteOperations] = ConcreteOperations,
) -> Iterator[NDArray[np.float64]]:
    """The states (runs, s) of training on every dataset after each step; infinite or NaN where a
    run has overflowed."""
    many = len(datasets)
    state = {
        name: torch.tensor(value).expand(many, *value.shape)
        for name, value in problem.state.items()
    }
    for following in train(
        concrete_operations(problem, datasets, operations), problem, state, 0, problem.steps
    ):
        wide = {
            name: value.expand(many, *problem.state[name].shape).numpy()
            for name, value in following.items()
        }
        yield problem.flatten(wide)


def states_at_kinks(problem: Problem) -> Iterator[NDArray[np.float64]]:
    """The states (1, s) of the nominal run that takes the other derivative at every kink: S2 admits
    it, and no other run stands at that side."""
    return attained_states(problem, Datasets(problem.dataset, 1), AtKinks)
