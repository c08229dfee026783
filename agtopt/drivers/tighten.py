"""Which pre-activations optimisation-based bound tightening bounds, and what it finds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from agtopt.compiler import CompiledModel
from agtopt.domains import attains, refuse_excluded
from agtopt.domains.interval import Ends
from agtopt.domains.known import Address
from agtopt.drivers.objectives import Objective
from agtopt.drivers.row import Row
from agtopt.drivers.task import Stage, Task
from agtopt.problem import Problem
from agtopt.tolerances import ROUNDING, size_of, unit_of

GAIN = 0.01
"""Part of its width that some quantity has to lose before a further round is worth its solves."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One end of one entry of a quantity: where it is now, what training attains of it (NaN where
    nothing is known), and its unit."""

    objective: Objective
    sense: int
    known: float
    attained: float
    width: float
    unit: float


def candidates(
    model: CompiledModel, steps: range, attained: Mapping[Address, Ends], room: float = ROUNDING
) -> list[Candidate]:
    """The ends that a solve may improve, the most promising ones first.

    Left out are pre-activations whose rectifier or hinge is decided, and ends that a training run
    attains. First come those that have the shortest way to a decision.

    Raises
    ------
    SoundnessError
        If a quantity's interval excludes what training attains of it by more than `room` (S9).
    """
    candidates: list[tuple[float, Candidate]] = []
    for address, reached in attained.items():
        if address in model.quantities:
            refuse_excluded(
                f"{address[1]} in step {address[0]}",
                *model.quantities[address].ends(),
                reached,
                room,
            )
    for (t, at), quantity in model.quantities.items():
        phase, _, node = str(at).partition(".")
        if t not in steps or phase != "forward":
            continue
        low, high = (end.ravel() for end in quantity.ends())
        inner = attained.get((t, at))
        least, most = (
            (end.ravel() for end in inner)
            if inner is not None
            else (np.full(low.shape, np.nan),) * 2
        )
        kinks, varies = _kinks(model.problem, node), quantity.affine.varies.ravel()
        units = unit_of(size_of(low, high))
        for k in np.flatnonzero(varies & _matters(low, high, kinks)):
            name = f"{at}[{','.join(map(str, np.unravel_index(k, quantity.affine.shape)))}]@{t}"
            objective = Objective(name, np.array([k]), np.ones(1), (t, at))
            way = _way(float(low[k]), float(high[k]), float(least[k]), float(most[k]), kinks)
            for sense, end, best in ((-1, low[k], least[k]), (1, high[k], most[k])):
                if not attains(end, best, unit=units[k]):
                    width, unit = float(high[k] - low[k]), float(units[k])
                    candidates.append(
                        (way, Candidate(objective, sense, float(end), float(best), width, unit))
                    )
    return [candidate for _, candidate in sorted(candidates, key=lambda pair: pair[0])]


def _kinks(problem: Problem, node: str) -> tuple[float, ...] | None:
    """Where a decision falls on the output of a node; None if every part of its range matters."""
    network = problem.network
    after = [network.layer(name).kinks for name in network.graph.successors(node)] or [
        problem.training.loss.kinks
    ]
    return tuple(sorted(set(chain(*after)))) if all(after) else None


def _matters(
    low: NDArray[np.float64], high: NDArray[np.float64], kinks: tuple[float, ...] | None
) -> NDArray[np.bool_]:
    if kinks is None:
        return low < high
    return np.asarray(np.logical_or.reduce([(low < kink) & (kink < high) for kink in kinks]))


def _way(
    low: float, high: float, least: float, most: float, kinks: tuple[float, ...] | None
) -> float:
    """How far an end is from deciding, in parts of the width; beyond 1 where training attains both
    sides."""
    open_ = [kink for kink in kinks or () if not least < kink < most]
    return min(
        (min(kink - low, high - kink) / (high - low) for kink in open_ if low < kink < high),
        default=2.0,
    )


def candidate_tasks(stage: Stage, chosen: Sequence[Candidate], rigour: str) -> list[Task]:
    """What is asked of a model, which starts from the nominal run; `rigour` is that of the bounds
    that hold already."""
    nominal = stage.problem.dataset
    return [
        Task(stage, k, c.objective, c.sense, c.known, c.attained, nominal, c.unit, rigour=rigour)
        for k, c in enumerate(chosen)
    ]


def largest_gain(rows: Iterable[tuple[Task, Row]], chosen: Sequence[Candidate]) -> float:
    """The largest part of its width that one of the candidates loses; 0 where none was bounded."""
    return max(
        (task.sense * (task.known - row.bound) / chosen[task.number].width for task, row in rows),
        default=0.0,
    )


def merged_ends(
    model: CompiledModel, rows: Iterable[tuple[Task, Row]]
) -> Iterator[tuple[Address, Ends]]:
    """The bounds found, as arrays of the shape of each quantity, infinite where there is none."""
    tightened: dict[Address, Ends] = {}
    for task, row in rows:
        address = task.objective.address
        if address is not None:
            shape = model.quantities[address].affine.shape
            ends = tightened.setdefault(address, (np.full(shape, -np.inf), np.full(shape, np.inf)))
            ends[(task.sense + 1) // 2].flat[task.objective.entries] = row.bound
    yield from tightened.items()
