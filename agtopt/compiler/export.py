"""Write models for other solvers, and what their names in the file stand for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyomo.environ as pyo

from agtopt.errors import InvalidInputError, UnsupportedError
from agtopt.files import replaced
from agtopt.formulation.site import UNITS
from agtopt.solvers.objective import divided, objective_unit

CONSTANT = "ONE_VAR_CONSTANT"
"""The variable that stands for 1 in LP and MPS files of Pyomo, where an objective has a
constant."""

ENDINGS = (".lp", ".mps", ".nl", ".gms")
WITH_FUNCTIONS = (".nl", ".gms")
"""Formats that hold exponentials."""


@dataclass(frozen=True)
class Written:
    """A model file.

    Attributes
    ----------
    path : Path
    names : mapping of str to str
        Names of variables and constraints in the file, with those of Pyomo: ``c_u_<name>_`` and
        ``c_l_<name>_`` are sides of one row.
    unit : float
        Of the objective: what the file states, times it, is what is minimised.
    """

    path: Path
    names: Mapping[str, str]
    unit: float


def write_model(model: Any, path: Path) -> Written:
    """Write a Pyomo model with readable names, its objective in the unit of that.

    Parameters
    ----------
    model : pyomo ConcreteModel
    path : Path
        Ends in ``.lp`` or ``.mps`` (free format; products as ``QCMATRIX``), or, for every kind, in
        ``.nl`` (AMPL, with the names in ``.row`` and ``.col`` beside it) or ``.gms`` (GAMS);
        missing folders are not made.

    Raises
    ------
    InvalidInputError
        If the ending is another one, or the folder does not exist.
    UnsupportedError
        If the model keeps exponentials (MINLP), which ``.lp`` and ``.mps`` do not hold.
    SaveError
        If it cannot be written.
    """
    check_path(path)
    if path.suffix not in WITH_FUNCTIONS and holds_functions(model):
        raise UnsupportedError(
            f"path: {path.suffix} files hold no exponentials; write {' or '.join(WITH_FUNCTIONS)}, "
            f"or export another kind than MINLP"
        )
    with replaced(path) as part:
        with _objective_in_units(model) as unit:
            _, token = model.write(str(part), io_options={"symbolic_solver_labels": True})
        symbols = model.solutions.symbol_map.pop(token)
        _mend(part)
    names = {symbol: component.name for symbol, component in symbols.bySymbol.items()}
    names.pop(CONSTANT, None)
    return Written(path, names, unit)


def check_path(path: Path) -> None:
    """Refuse a path that no model can be written to."""
    if path.suffix not in ENDINGS:
        raise InvalidInputError(
            f"path: {path.name!r} has the ending {path.suffix!r}; allowed are {', '.join(ENDINGS)}"
        )
    if not path.parent.is_dir():
        raise InvalidInputError(f"path: the folder {str(path.parent)!r} does not exist")


def _mend(path: Path) -> None:
    """What programs cannot read of Pyomo's files."""
    if path.suffix == ".lp":
        # SCIP 10 reads "x^2" and no "x ^ 2".
        path.write_text(path.read_text().replace(" ^ 2", "^2"))
    elif path.suffix == ".mps":
        # GLPK 5 knows no OBJSENSE section; to minimise is the default of the format.
        path.write_text(path.read_text().replace("OBJSENSE\n MIN\n", "", 1))


def holds_functions(model: Any) -> bool:
    """Whether a constraint of a Pyomo model is no polynomial."""
    return any(
        row.body.polynomial_degree() is None
        for row in model.component_data_objects(pyo.Constraint, active=True)
    )


def units_of(model: Any) -> Mapping[str, float]:
    """The variables of a Pyomo model that have a unit of their own, by name."""
    suffix = model.component(UNITS)
    return {} if suffix is None else {variable.name: unit for variable, unit in suffix.items()}


@contextmanager
def _objective_in_units(model: Any) -> Iterator[float]:
    """The unit of the objective, which is divided by it meanwhile; one that is not linear has
    none."""
    active = list(model.component_data_objects(pyo.Objective, active=True))
    objective = (
        active[0] if len(active) == 1 and active[0].expr.polynomial_degree() in (0, 1) else None
    )
    unit = 1.0 if objective is None else objective_unit(objective.expr)
    if objective is None or unit == 1.0:
        yield unit
        return
    natural = objective.expr
    objective.set_value(divided(natural, unit))
    try:
        yield unit
    finally:
        objective.set_value(natural)
