"""A folder that holds the finished cells of a comparison, and what is found of those under way."""

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from agtopt.attacks import Attack
from agtopt.compiler import Size
from agtopt.domains import Interval, refuse_excluded
from agtopt.drivers import Reach
from agtopt.drivers.row import Row
from agtopt.errors import InvalidInputError, MissingFileError
from agtopt.files import attempt, opened, saving, write_arrays
from agtopt.report.cells import Cell, Outcome
from agtopt.tolerances import AGREEMENT


class _About(BaseModel):
    """What a file says beside the ends of its boxes."""

    key: str
    seconds: float
    size: Size | None
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Store:
    """One .npz file, without pickle, per finished cell.

    Attributes
    ----------
    folder : Path
    """

    folder: Path

    @classmethod
    def at(cls, folder: str | Path) -> "Store":
        """A folder, made where it is missing.

        Raises
        ------
        MissingFileError
            If the folder above it does not exist.
        InvalidInputError
            If it is a file.
        """
        place = Path(folder).absolute()
        if not place.parent.is_dir():
            raise MissingFileError(f"resume: the folder {str(place.parent)!r} does not exist")
        if place.exists() and not place.is_dir():
            raise InvalidInputError(
                f"resume: {str(folder)!r} is a file; it must be a folder, new or from an earlier "
                f"comparison"
            )
        attempt(partial(_make, place))
        return cls(place)

    def checkpoint(self, cell: Cell) -> Path:
        """Where a cell under way keeps what it has found."""
        return self.folder / f"{cell.key}.run.npz"

    def keep(self, cell: Cell, outcome: Outcome) -> None:
        """Write a finished cell; others are not kept, and one that cannot be written is a
        `SaveWarning`."""
        reach = outcome.reach
        if reach is None or not outcome.finished:
            return
        about = {
            "key": cell.key,
            "seconds": reach.seconds,
            "size": None if outcome.size is None else asdict(outcome.size),
            "rows": [asdict(row) for row in reach.rows],
        }
        ends = {
            side: np.stack([getattr(state, side) for state in reach.states])
            for side in ("lower", "upper")
        }
        if attempt(
            partial(
                write_arrays,
                self._file(cell),
                {"about": np.array(json.dumps(about)), **ends},
                compressed=True,
            )
        ):
            self.checkpoint(cell).unlink(missing_ok=True)

    def find(self, cell: Cell, inner: Attack) -> Outcome | None:
        """The outcome of a cell that is finished, compared once more with what training attains.

        Raises
        ------
        InvalidInputError
            If its file is broken.
        SoundnessError
            If its domain excludes an attained run (S9).
        """
        path = self._file(cell)
        if not path.exists():
            return None
        shape = (cell.problem.steps + 1, cell.problem.state_size)
        with opened(
            path, f"resume: {path} is no finished cell; remove it, and it is solved again"
        ) as archive:
            archive.only(("about", "lower", "upper"))
            about = _About.model_validate_json(archive.text("about"))
            if about.key != cell.key:
                raise ValueError("it holds another cell")
            lower, upper = (archive.array(end, shape, kinds="f") for end in ("lower", "upper"))
            states = tuple(Interval(low, high) for low, high in zip(lower, upper, strict=True))
            reach = Reach(
                cell.problem, cell.method, states, about.rows, about.seconds, settings=cell.settings
            )
        for t, box in enumerate(reach.steps):
            words = f"the domain after step {t} in {path} (remove the file)"
            refuse_excluded(
                words, box.lower, box.upper, [inner.lower[t], inner.upper[t]], AGREEMENT
            )
        return Outcome(reach, about.size)

    def _file(self, cell: Cell) -> Path:
        return self.folder / f"{cell.key}.npz"


def _make(folder: Path) -> None:
    with saving(folder):
        folder.mkdir(exist_ok=True)
