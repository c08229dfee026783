"""A run on disk: what it has found, beside the problem's fingerprint and its settings."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from agtopt.domains import KnownBounds
from agtopt.domains.interval import Ends
from agtopt.drivers.found import Found
from agtopt.drivers.row import Row
from agtopt.drivers.settings import Settings
from agtopt.errors import InvalidInputError, MissingFileError
from agtopt.files import opened, write_arrays
from agtopt.problem import Problem
from agtopt.problem.fingerprint import mismatch

FORMAT = 3
"""The format of the file; another one is refused."""


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


def save_found(path: str | Path, settings: Settings, found: Found) -> Path:
    """Write everything that a run has found, as an .npz file without pickle.

    Raises
    ------
    SaveError
        If it cannot be written; a file that was there before still is.
    """
    plain = settings.to_dict()
    directions = plain.pop("directions")
    about = {
        "format": FORMAT,
        "problem": found.problem.fingerprint,
        "settings": plain,
        "done": found.done,
        "known": list(found.known),
        "supports": list(found.supports),
        "seconds": found.seconds,
        "rows": [asdict(row) for row in found.rows],
    }
    arrays = {f"known_{k}": np.stack(ends) for k, (_, ends) in enumerate(found.known.items())}
    arrays |= {f"support_{t}": np.stack(ends) for t, ends in found.supports.items()}
    if directions is not None:
        arrays["directions"] = np.array(directions)
    write_arrays(path, {"about": np.array(json.dumps(about)), **arrays})
    return Path(path)


def load_found(path: str | Path, problem: Problem) -> tuple[Settings, Found]:
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
        known = KnownBounds()
        for k, at in enumerate(about.known):
            known.shrink(at, *_ends(archive.array(f"known_{k}", *shapes.get(at[1], ()))))
    found = Found(problem, settings.domain, about.done, about.seconds, about.rows, known, supports)
    return settings, found


def _ends(stored: NDArray[np.float64]) -> Ends:
    lower, upper = stored
    if np.isnan(stored).any():
        raise ValueError("a bound in it is no number")
    return lower, upper
