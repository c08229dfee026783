"""Write models for other solvers."""

from pathlib import Path
from typing import Any

from agtopt.errors import InvalidInputError

FORMATS = {".lp": "lp", ".mps": "mps"}


def write_model(model: Any, path: Path) -> Path:
    """Write a Pyomo model with readable names.

    Parameters
    ----------
    model : pyomo ConcreteModel
    path : Path
        Ends in ``.lp`` or ``.mps``; missing folders are not made.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InvalidInputError
        If the ending is another one, or the folder does not exist.
    """
    if path.suffix.lower() not in FORMATS:
        raise InvalidInputError(f"path: {path.name!r} has the ending {path.suffix!r}; allowed are {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise InvalidInputError(f"path: the folder {str(path.parent)!r} does not exist")
    model.write(str(path), format=FORMATS[path.suffix.lower()], io_options={"symbolic_solver_labels": True})
    return path
