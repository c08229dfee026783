"""Options that several commands share."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from agtopt.drivers import OBBT, processes
from agtopt.errors import InvalidInputError, MissingFileError
from agtopt.kinds import KINDS
from agtopt.readers import read_arrays
from agtopt.report.tables import table_path
from agtopt.solvers import SOLVERS

Folder = Annotated[Path, typer.Argument(help="Folder with problem.toml and arrays.npz.")]
Kind = Annotated[
    str,
    typer.Option(
        help=f"One of {', '.join(KINDS)}, or auto; a formulation with its segments as e.g. MILP:8."
    ),
]
Window = Annotated[int | None, typer.Option(help="Steps per model; the full horizon by default.")]
SolverName = Annotated[
    str | None,
    typer.Option(help=f"{', '.join(SOLVERS)} or an interface of Pyomo's contrib.solver."),
]
TimeLimit = Annotated[
    float | None, typer.Option(help="Seconds per solve; the dual bound reached by then is used.")
]
Conditional = Annotated[
    bool, typer.Option(help="Whether cuts tie quantities to the adversary's selectors.")
]
Tightening = Annotated[
    int,
    typer.Option(
        min=0, help="Solves per model that tighten undecided pre-activations first (OBBT)."
    ),
]
Memory = Annotated[
    float | None,
    typer.Option(help="GiB that one model may take; three quarters of what is free by default."),
]
Workers = Annotated[int, typer.Option(help="Processes that solve side by side.", min=1)]
Separator = Annotated[
    str,
    typer.Option(
        help="Of the CSV file, e.g. ';' or a tab; with a blank behind it where the file has one."
    ),
]
Decimal = Annotated[str, typer.Option(help="Decimal sign of the CSV file: . or ,")]
Encoding = Annotated[str, typer.Option(help="Of the CSV file, e.g. latin-1, cp1252 or utf-16.")]


def writable(path: Path | None) -> Path | None:
    """A file whose folder exists."""
    if path is not None and not path.parent.is_dir():
        raise InvalidInputError(f"output: the folder {str(path.parent)!r} does not exist")
    return path


def _table_file(path: Path | None) -> Path | None:
    return None if path is None else table_path(path)


Output = Annotated[
    Path | None,
    typer.Option(
        help="Also write the table to this file; ends in .csv, .json, .md or .tex.",
        callback=_table_file,
    ),
]


@contextmanager
def running(workers: int) -> Iterator[Executor | None]:
    """An executor of so many processes; none for one."""
    if workers == 1:
        yield None
        return
    with processes(workers) as pool:
        yield pool


def tightening(solves: int) -> OBBT | None:
    """OBBT of so many solves; none for none."""
    return OBBT(solves) if solves else None


def read_points(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Arrays X and, if there, y of an .npz file."""
    if not path.exists():
        raise MissingFileError(f"points: {path} does not exist")
    arrays = read_arrays(path, "X", "y")
    if "X" not in arrays:
        raise InvalidInputError(f"points: {path} has no array 'X'")
    return arrays["X"], arrays.get("y")
