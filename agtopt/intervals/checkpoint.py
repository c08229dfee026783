"""Interval propagation that is written down step by step, so that a run that was killed goes on to
the identical domain."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from agtopt.domains import Interval
from agtopt.errors import InvalidInputError
from agtopt.files import attempt, opened, saving, write_arrays
from agtopt.intervals.propagation import interval_steps
from agtopt.intervals.scale.fragments import MEMORY
from agtopt.intervals.scale.numerics import FLOAT64, Numerics
from agtopt.problem import Problem
from agtopt.problem.fingerprint import mismatch


def checkpointed_steps(
    problem: Problem,
    folder: str | Path,
    linear: bool = False,
    memory: int = MEMORY,
    numerics: Numerics = FLOAT64,
) -> Iterator[Interval]:
    """`interval_steps` of the whole run, one file per step; steps that a folder has are read
    instead.

    Parameters
    ----------
    problem : Problem
    folder : path
        Receives ``step_000001.npz``, …; made if it does not exist. A step that cannot be written is
        a `SaveWarning`.
    linear, memory, numerics
        As of `interval_steps`; a run may go on on another device.

    Yields
    ------
    Interval
        After each step.

    Raises
    ------
    InvalidInputError
        If the folder is of another problem, or of a run with other bounds, or one of its files is
        broken.
    """
    place = Path(folder)
    attempt(partial(make_folder, place))
    run = f"{problem.fingerprint} {'CROWN' if linear else 'IBP'} {memory}" + " float32" * (
        numerics.dtype != FLOAT64.dtype
    )
    done, domain = 0, None
    while done < problem.steps and (path := step_path(place, done + 1)).exists():
        domain = _read(path, run, problem)
        done += 1
        yield domain
    for box in interval_steps(
        problem, done, domain, linear=linear, memory=memory, numerics=numerics
    ):
        done += 1
        attempt(partial(_write, step_path(place, done), run, box))
        yield box


def make_folder(place: Path) -> None:
    """Make the folder that takes the steps."""
    with saving(place):
        place.mkdir(parents=True, exist_ok=True)


def step_path(place: Path, step: int) -> Path:
    """The file of a step."""
    return place / f"step_{step:06d}.npz"


def _read(path: Path, run: str, problem: Problem) -> Interval:
    with opened(path, f"checkpoint: {path} is broken; remove it") as archive:
        archive.only(("run", "lower", "upper"))
        refuse_other(path, archive.text("run"), run, problem)
        return Interval(
            *(archive.array(end, (problem.state_size,), kinds="f") for end in ("lower", "upper"))
        )


def refuse_other(path: Path, found: str, run: str, problem: Problem) -> None:
    """Raise InvalidInputError where a file is of another run."""
    if found != run:
        reason = (
            mismatch(found.partition(" ")[0], problem.fingerprint)
            or "it is of a run with other settings"
        )
        raise InvalidInputError(
            f"checkpoint: {path} cannot be continued: {reason}; give an empty folder"
        )


def _write(path: Path, run: str, box: Interval) -> None:
    write_arrays(path, {"run": np.array(run), "lower": box.lower, "upper": box.upper})
