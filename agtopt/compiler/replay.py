"""What a point of a model means: the dataset that it stands for, and what real training on it
gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from agtopt.compiler.export import CONSTANT, holds_functions, write_model
from agtopt.compiler.model import CompiledModel
from agtopt.compiler.target import Target
from agtopt.errors import InvalidInputError
from agtopt.files import saving
from agtopt.problem import Dataset
from agtopt.solvers.objective import objective_unit
from agtopt.training.concrete import trajectory


@dataclass(frozen=True, eq=False)
class Replay:
    """A solver's point beside training on the data that it stands for.

    Attributes
    ----------
    target : Target
    dataset : Dataset
        The adversary's choices, binaries rounded.
    touched : array of int
        Samples that differ from the nominal data.
    admissible : bool
        Whether the perturbation model admits it; a point of a relaxation (LP, QCP) often stands for
        no admissible dataset.
    modelled : float
        The target's value at the point, in the model.
    attained : float or None
        Its value after plain SGD on the dataset; None where that is not admissible.
    violation : float
        The largest violation of a bound or constraint at the point, in its unit, relative to (1 +
        the bound).
    theta : array, shape (p,), or None
        The parameters that training gives.
    unit : float
        Of the objective in the file: what it states, times it, is the target's value.
    """

    target: Target
    dataset: Dataset
    touched: NDArray[np.int64]
    admissible: bool
    modelled: float
    attained: float | None
    violation: float
    theta: NDArray[np.float64] | None
    unit: float


def replay(model: CompiledModel, target: Target, values: Mapping[str, float]) -> Replay:
    """Give a model's variables the values of a solution file, and train on the data that they stand
    for.

    Parameters
    ----------
    model : CompiledModel
        Of the whole horizon; it gets the target's objective.
    target : Target
    values : mapping of str to float
        By the names in the file, or by Pyomo's. Variables that are missing are 0, as SCIP and CBC
        leave zeros out.

    Raises
    ------
    InvalidInputError
        If a name is not in the model (most often of another kind or problem), or the values name
        nothing of it.
    """
    target.minimise(model)
    variables = {
        variable.name: variable for variable in model.pyomo.component_data_objects(pyo.Var)
    }
    names = {} if holds_functions(model.pyomo) else _names(model.pyomo)
    named: dict[str, float] = {}
    for name, value in values.items():
        pyomo_name = names.get(name, name)
        if pyomo_name in variables:
            named[pyomo_name] = value
        elif name != CONSTANT:
            raise InvalidInputError(
                f"solution: variable {name!r} is not in the model; give the kind, objective and "
                f"options that the file was exported with"
            )
    if not named:
        raise InvalidInputError(
            "solution: it names no variable of the model; was it written for another one?"
        )
    for name, variable in variables.items():
        variable.set_value(named.get(name, _nearest_zero(variable)), skip_validation=True)
    problem, dataset = model.problem, model.dataset
    admissible = problem.perturbation.admits(problem, dataset)
    theta = trajectory(problem, dataset)[-1] if admissible else None
    terms, weights, constant = model.objective_terms
    return Replay(
        target,
        dataset,
        np.flatnonzero(dataset.changed(problem.dataset)),
        admissible,
        target.sign
        * (
            constant
            + sum(weight * variable.value for variable, weight in zip(terms, weights, strict=True))
        ),
        None if theta is None else float(target.values(problem, theta[np.newaxis])[0]),
        model.violation(),
        theta,
        objective_unit(model.pyomo.objective.expr),
    )


def _nearest_zero(variable: Any) -> float:
    """0 where the bounds allow it: a variable that is in no row stands in no file."""
    return float(
        min(
            max(0.0, -np.inf if variable.lb is None else variable.lb),
            np.inf if variable.ub is None else variable.ub,
        )
    )


def _names(model: Any) -> Mapping[str, str]:
    """The names in an LP or MPS file, which are the same."""
    with saving("a temporary file"), TemporaryDirectory() as folder:
        return write_model(model, Path(folder) / "names.lp").names
