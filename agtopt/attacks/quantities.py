"""What training attains of pre-activations, on given datasets."""

from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from agtopt.domains.interval import Ends
from agtopt.domains.known import Address
from agtopt.problem import Datasets, Problem
from agtopt.training.concrete import ConcreteOperations, trajectories


def attained_quantities(problem: Problem, datasets: Datasets) -> dict[Address, Ends]:
    """The smallest and largest value of every quantity that has a name, over real training runs.

    Nothing is known where samples are replaced: what a replaced sample attains belongs to a ghost
    of the model.

    Returns
    -------
    dict
        From (step, name), e.g. ``(3, "forward.dense1")``, to two arrays (b, *shape), one row per
        sample of the batch.
    """
    extremes: dict[Address, Ends] = {}
    if not problem.perturbation.replaces:
        for _ in trajectories(problem, datasets, partial(_Recording, extremes)):
            pass
    return extremes


class _Recording(ConcreteOperations):
    """Training that keeps the extremes of what it names, over the leading axis of variants."""

    def __init__(self, found: dict[Address, Ends], *arguments: Any) -> None:
        super().__init__(*arguments)
        self.found = found

    def begin(self, t: int) -> tuple[Tensor, Tensor]:
        self.t = t
        return super().begin(t)

    def define(self, value: Tensor, at: str) -> Tensor:
        low, high = value.amin(0).numpy(), value.amax(0).numpy()
        before = self.found.get((self.t, at), (low, high))
        self.found[self.t, at] = np.minimum(before[0], low), np.maximum(before[1], high)
        return value
