"""What trained models say of points beside the bounds of it: none is left out (S9)."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from agtopt.attacks.predictions import loss_values, predicted_classes
from agtopt.certificates.losses import LossBounds
from agtopt.certificates.points import PointCertificates
from agtopt.certificates.queries import Queries
from agtopt.domains import refuse_excluded
from agtopt.drivers.contradiction import room_of
from agtopt.errors import SoundnessError
from agtopt.problem import Problem
from agtopt.training.concrete import outputs

Array = NDArray[np.float64]

CHUNK = 2**22
"""Outputs held at once; it bounds memory and changes no result."""


def check_outputs(found: PointCertificates, theta: Array) -> None:
    """Compare the bounds of outputs, and the classes that are ruled out, with models (runs, p) at
    the points themselves.

    Raises
    ------
    SoundnessError
        If a model is outside a bound, or predicts a class that none is said to.
    """
    problem, queries = found.problem, found.queries
    for scores in _scores(problem, theta, queries):
        refuse_excluded(
            "the outputs of points", found.lower, found.upper, scores, room_of(found.rigour)
        )
        if found.reachable is not None:
            places = predicted_classes(scores)
            ruled_out = ~found.reachable[np.arange(len(queries)), places]
            if ruled_out.any():
                k = int(np.argwhere(ruled_out)[0, 1])
                raise SoundnessError(
                    f"S9: the class that a training run predicts for point {k} is said to be out "
                    f"of reach"
                )


def check_losses(
    problem: Problem, queries: Queries, losses: LossBounds, theta: Array, rigour: str
) -> None:
    """Compare bounds of the loss at labelled points with models (runs, p) at the points themselves.

    Raises
    ------
    SoundnessError
        If a model is outside a bound.
    """
    assert queries.labels is not None
    labels = torch.tensor(problem.encode(queries.labels))
    for scores in _scores(problem, theta, queries):
        values = loss_values(problem.training.loss, torch.from_numpy(scores), labels).numpy()
        refuse_excluded("the losses of points", losses.lower, losses.upper, values, room_of(rigour))


def _scores(problem: Problem, theta: Array, queries: Queries) -> Iterator[Array]:
    step = max(1, CHUNK // (len(queries) * problem.network.outputs))
    for first in range(0, len(theta), step):
        yield outputs(problem, theta[first : first + step], queries.points)
