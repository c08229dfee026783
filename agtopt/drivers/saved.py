"""A run on disk: what it has found, beside the problem's fingerprint and its settings."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from agtopt.domains.known import Address
from agtopt.drivers.row import Row
from agtopt.drivers.settings import Settings
from agtopt.errors import InvalidInputError, MissingFileError
from agtopt.files import opened, write_arrays
from agtopt.problem import Problem
from agtopt.problem.fingerprint import mismatch

Ends = tuple[NDArray[np.float64], NDArray[np.float64]]

FORMAT = 3
"""Of the file."""


@dataclass(frozen=True, eq=False)
class Found:
    """What a run has found.

    Attributes
    ----------
    settings : Settings
    done : int
        How many of its models are solved.
    seconds : float
    rows : list of Row
    known : dict
        Bounds by address: a step and a name.
    supports : dict
        Bounds of the template's directions by step.
    """

    settings: Settings
    done: int
    seconds: float
    rows: list[Row]
    known: dict[Address, Ends]
    supports: dict[int, Ends]


class _About(BaseModel):
    """What the file says beside its arrays: known bounds and supports stand in the order of
    theirs."""

    format: int = 1
    problem: str
    settings: dict[str, Any]
    done: Annotated[int, Field(ge=0)]
    seconds: float
    rows: list[Row]
    known: list[tuple[int, str]] = []
    supports: list[int] = []


def save_found(path: str | Path, problem: Problem, found: Found) -> Path:
    """Write everything that a run has found, as an .npz file without pickle.

    Raises
    ------
    SaveError
        If it cannot be written; a file that was there before still is.
    """
    settings = found.settings.to_dict()
    directions = settings.pop("directions")
    about = {
        "format": FORMAT,
        "problem": problem.fingerprint,
        "settings": settings,
        "done": found.done,
        "known": list(found.known),
        "supports": list(found.supports),
        "seconds": found.seconds,
        "rows": [asdict(row) for row in found.rows],
    }
    arrays = {f"known_{k}": np.stack(ends) for k, ends in enumerate(found.known.values())}
    arrays |= {f"support_{t}": np.stack(ends) for t, ends in found.supports.items()}
    if directions is not None:
        arrays["directions"] = np.array(directions)
    write_arrays(path, {"about": np.array(json.dumps(about)), **arrays})
    return Path(path)


def load_found(path: str | Path, problem: Problem) -> Found:
    """Read what `save_found` wrote.

    Raises
    ------
    MissingFileError
        If the file does not exist.
    InvalidInputError
        If it was saved for another problem, or is no saved run.
    """
    if not Path(path).exists():
        raise MissingFileError(f"run: {path} does not exist")
    with opened(path, f"run: {path} is no saved run") as archive:
        about = _About.model_validate_json(archive.text("about"))
        if reason := mismatch(about.problem, problem.fingerprint):
            raise InvalidInputError(f"run: {path} cannot be continued: {reason}")
        if about.format != FORMAT:
            raise InvalidInputError(
                f"run: {path} cannot be continued: it has format {about.format}, not {FORMAT}; "
                f"start it again"
            )
        directions = (
            archive.array("directions", (None, problem.network.size)).tolist()
            if "directions" in archive.names
            else None
        )
        settings = Settings.from_dict({**about.settings, "directions": directions})
        if about.done > len(list(settings.stages(problem))):
            raise ValueError(f"{about.done} of its models are not to be solved")
        parts = [f"known_{k}" for k in range(len(about.known))] + [
            f"support_{t}" for t in about.supports
        ]
        archive.only(("about", *parts), ("directions",))
        rows = 0 if directions is None else len(directions)
        supports = {t: _ends(archive.array(f"support_{t}", (2, rows))) for t in about.supports}
        # Of other quantities only the models know the shape.
        shapes = {name: ((2, *value.shape),) for name, value in problem.state.items()}
        known: dict[Address, Ends] = {
            at: _ends(archive.array(f"known_{k}", *shapes.get(at[1], ())))
            for k, at in enumerate(about.known)
        }
    return Found(settings, about.done, about.seconds, about.rows, known, supports)


def _ends(stored: NDArray[np.float64]) -> Ends:
    lower, upper = stored
    if np.isnan(stored).any():
        raise ValueError("a bound in it is no number")
    return lower, upper
