"""Interval propagation that is written down step by step, so that a run that was killed goes on to the identical domain."""

import os
from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from agtopt.domains import Interval
from agtopt.errors import InvalidInputError
from agtopt.problem import Problem
from agtopt.problem.fingerprint import mismatch
from agtopt.semantics.fragments import MEMORY
from agtopt.semantics.numerics import FLOAT64, Numerics
from agtopt.semantics.propagation import interval_steps


def checkpointed_steps(
    problem: Problem, folder: str | Path, linear: bool = False, memory: int = MEMORY, numerics: Numerics = FLOAT64
) -> Iterator[Interval]:
    """`interval_steps` of the whole run, one file per step; steps that a folder has are read instead.

    Parameters
    ----------
    problem : Problem
    folder : path
        Receives ``step_000001.npz``, …; made if it does not exist.
    linear, memory, numerics
        As of `interval_steps`; a run may go on on another device.

    Yields
    ------
    Interval
        After each step.

    Raises
    ------
    InvalidInputError
        If the folder is of another problem, or of a run with other bounds, or one of its files is broken.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    run = f"{problem.fingerprint} {'CROWN' if linear else 'IBP'} {memory}" + " float32" * (numerics.dtype != FLOAT64.dtype)
    done, domain = 0, None
    while done < problem.steps and (path := _path(place, done + 1)).exists():
        domain = _read(path, run, problem)
        done += 1
        yield domain
    for box in interval_steps(problem, done, domain, linear=linear, memory=memory, numerics=numerics):
        done += 1
        _write(_path(place, done), run, box)
        yield box


def _path(place: Path, step: int) -> Path:
    return place / f"step_{step:06d}.npz"


def _read(path: Path, run: str, problem: Problem) -> Interval:
    try:
        with np.load(path) as stored:
            found, lower, upper = str(stored["run"]), stored["lower"], stored["upper"]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InvalidInputError(f"checkpoint: {path} is broken ({error}); remove it") from None
    if found != run:
        reason = mismatch(found.partition(" ")[0], problem.fingerprint) or "it is of a run with other settings"
        raise InvalidInputError(f"checkpoint: {path} cannot be continued: {reason}; give an empty folder")
    return Interval(lower, upper)


def _write(path: Path, run: str, box: Interval) -> None:
    # A file is either whole or not there, whenever the process is killed.
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    with unfinished.open("wb") as file:
        np.savez(file, run=np.array(run), lower=box.lower, upper=box.upper)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
