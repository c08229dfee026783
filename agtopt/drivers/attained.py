"""Propagated domains beside training runs: none leaves one out (S9)."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from agtopt.attacks import Attack, Extremes, attained_states, probes, states_at_kinks
from agtopt.attacks.changes import rows
from agtopt.domains import Interval, refuse_excluded
from agtopt.problem import Problem
from agtopt.symbolic.branches import BranchBounds
from agtopt.tolerances import ROUNDING
from agtopt.training.concrete import trajectories

Array = NDArray[np.float64]

MOST_RUNS = 64
"""Training runs that branches are compared with."""

MOST_ENTRIES = 2**24
"""Entries of their states over all steps; fewer runs where networks are large."""


def compared(
    problem: Problem, boxes: Iterable[Interval], room: float = ROUNDING
) -> Iterator[Interval]:
    """The boxes of the state after each step, once each holds the nominal run, at both sides of its
    kinks, and those on some random admissible data.

    Raises
    ------
    SoundnessError
        If one does not.
    """
    runs = attained_states(problem, probes(problem)), states_at_kinks(problem)
    for t, (box, *every) in enumerate(zip(boxes, *runs, strict=True), start=1):
        for states in every:
            refuse_excluded(f"the box after step {t}", box.lower, box.upper, states, room)
        yield box


def check_steps(
    extremes: Extremes,
    states: Iterable[Interval],
    problem: Problem,
    supports: Mapping[int, tuple[Array, Array]] = MappingProxyType({}),
    room: float = ROUNDING,
) -> None:
    """Compare the boxes at steps 0 … T, and the support values at some, with the extremes of
    parameters and directions, and with the nominal run at the other side of its kinks.

    Raises
    ------
    SoundnessError
        If one excludes what is attained.
    """
    size = problem.network.size
    begin = problem.flatten(problem.state)[np.newaxis]
    for t, (box, other) in enumerate(
        zip(states, chain([begin], states_at_kinks(problem)), strict=True)
    ):
        refuse_excluded(f"the box after step {t}", box.lower, box.upper, other, room)
        reached = np.stack([extremes.lower[t], extremes.upper[t]])
        refuse_excluded(
            f"the box after step {t}", box.lower[:size], box.upper[:size], reached[:, :size], room
        )
        if t in supports:
            refuse_excluded(f"the directions after step {t}", *supports[t], reached[:, size:], room)


def check_branches(
    problem: Problem, branches: BranchBounds, attack: Attack, start: int, room: float = ROUNDING
) -> None:
    """Compare every branch of the steps from `start` on with the runs of an attack that lie in it.

    Raises
    ------
    SoundnessError
        If one leaves out a run.
    """
    if not len(branches.samples):
        return
    chosen = attack.leading(
        max(1, min(MOST_RUNS, MOST_ENTRIES // (problem.state_size * (problem.steps + 1))))
    )
    data, steps = rows(attack.datasets, chosen), slice(start + 1, start + 1 + len(branches.lower))
    for first, states in trajectories(problem, data):
        for run, reached in enumerate(states, start=first):
            touched = np.flatnonzero(data[run].changed(problem.dataset))
            place = (
                np.flatnonzero(np.isin(branches.samples, touched)) + 1
                if len(touched)
                else np.array([0])
            )
            if len(touched) < 2 and len(place):
                words = (
                    "the branch in which "
                    f"{f'sample {touched[0]}' if len(touched) else 'no sample'} is touched"
                )
                refuse_excluded(
                    words,
                    branches.lower[:, place[0]],
                    branches.upper[:, place[0]],
                    reached[np.newaxis, steps],
                    room,
                )
