"""AFFINE that is written down step by step, so that a run that was killed goes on to the identical
domain."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from agtopt.domains import Affine
from agtopt.domains.affine import read_affine
from agtopt.files import attempt, opened, write_arrays
from agtopt.intervals.affine.affine_steps import affine_steps
from agtopt.intervals.checkpoint import make_folder, refuse_other, step_path
from agtopt.intervals.scale.fragments import MEMORY
from agtopt.intervals.scale.numerics import FLOAT64, Numerics
from agtopt.problem import Problem


def checkpointed_affine(
    problem: Problem,
    folder: str | Path,
    memory: int = MEMORY,
    numerics: Numerics = FLOAT64,
) -> Iterator[Affine]:
    """`affine_steps` of the whole run, one file per step; steps that a folder has are read
    instead.

    Parameters, results and errors are those of `checkpointed_steps`.
    """
    place = Path(folder)
    attempt(partial(make_folder, place))
    run = f"{problem.fingerprint} AFFINE {memory}" + " float32" * (numerics.dtype != FLOAT64.dtype)
    done, domain = 0, None
    while done < problem.steps and (path := step_path(place, done + 1)).exists():
        domain = _read(path, run, problem)
        done += 1
        yield domain
    for found in affine_steps(problem, done, domain, memory=memory, numerics=numerics):
        done += 1
        attempt(partial(_write, step_path(place, done), run, found))
        yield found


def _read(path: Path, run: str, problem: Problem) -> Affine:
    with opened(path, f"checkpoint: {path} is broken; remove it") as archive:
        refuse_other(path, archive.text("run"), run, problem)
        found = read_affine(archive, ("run",))
        if len(found) != problem.state_size:
            raise ValueError(f"it has {len(found)} entries, and the state {problem.state_size}")
        return found


def _write(path: Path, run: str, domain: Affine) -> None:
    write_arrays(path, {"run": np.array(run), **domain.arrays()})
