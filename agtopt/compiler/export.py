"""Write models for other solvers."""

from pathlib import Path
from typing import Any

import pyomo.environ as pyo

from agtopt.errors import InvalidInputError, UnsupportedError

ENDINGS = (".lp", ".mps", ".nl")


def write_model(model: Any, path: Path) -> Path:
    """Write a Pyomo model with readable names.

    Parameters
    ----------
    model : pyomo ConcreteModel
    path : Path
        Ends in ``.lp``, ``.mps`` or, for every kind, ``.nl`` (AMPL); missing folders are not made.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InvalidInputError
        If the ending is another one, or the folder does not exist.
    UnsupportedError
        If the model keeps exponentials (MINLP), which only ``.nl`` holds.
    """
    if path.suffix not in ENDINGS:
        raise InvalidInputError(f"path: {path.name!r} has the ending {path.suffix!r}; allowed are {', '.join(ENDINGS)}")
    if path.suffix != ".nl" and holds_functions(model):
        raise UnsupportedError(f"path: {path.suffix} files hold no exponentials; write .nl, or export another kind than MINLP")
    if not path.parent.is_dir():
        raise InvalidInputError(f"path: the folder {str(path.parent)!r} does not exist")
    model.write(str(path), io_options={"symbolic_solver_labels": True})
    return path


def holds_functions(model: Any) -> bool:
    """Whether a constraint of a Pyomo model is no polynomial."""
    return any(row.body.polynomial_degree() is None for row in model.component_data_objects(pyo.Constraint, active=True))
