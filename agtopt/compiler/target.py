"""What a model file asks for: the least or greatest value of a weighted sum of trained parameters,
or of outputs of the trained network."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.arguments import typed
from agtopt.compiler.model import CompiledModel
from agtopt.compiler.query import Query, append_query, outputs_of
from agtopt.errors import InvalidInputError
from agtopt.names import checked, file_name
from agtopt.problem import Problem
from agtopt.problem.checks import instance
from agtopt.training.concrete import outputs

Array = NDArray[np.float64]
SENSES = {"min": 1.0, "max": -1.0}


@dataclass(frozen=True, eq=False)
class Target:
    """The least (``min``) or greatest (``max``) value of direction · θ_T, or with a query of
    direction · outputs.

    Make one with `parameter_target`, `direction_target` or `output_target`.

    Attributes
    ----------
    name : str
        As tables and file names show it.
    direction : array, shape (p,), or (m · outputs,) with a query
    sense : str
        ``min`` or ``max``; a file always minimises, for ``max`` the negative.
    query : Query or None
        m inputs of the trained network.

    Raises
    ------
    InvalidInputError
        If the sense is not ``min`` or ``max``, or the name is no text.
    """

    name: str
    direction: Array
    sense: str = "min"
    query: Query | None = None

    def __post_init__(self) -> None:
        checked("target.name", self.name)
        if self.sense not in SENSES:
            raise InvalidInputError(f"sense: {self.sense!r} is not allowed; it must be min or max")

    @property
    def sign(self) -> float:
        """1 for ``min``, −1 for ``max``: what direction · … is multiplied with before it is
        minimised."""
        return SENSES[self.sense]

    def minimise(self, model: CompiledModel) -> None:
        """Make this the objective of a model, and write its query if the model has none yet.

        Raises
        ------
        InvalidInputError
            If nothing of it varies in the model, or it does not fit.
        """
        if self.query is not None and outputs_of(model) not in model.quantities:
            append_query(model, self.query)
        address = None if self.query is None else outputs_of(model)
        model.minimise(self.sign * self.direction, address)
        if not model.objective_terms[0]:
            raise InvalidInputError(
                f"objective: {self.name} does not vary: no admissible change of the data moves it"
            )

    def ends(self, model: CompiledModel) -> tuple[float, float]:
        """The interval bounds of direction · … that a model was built with; its query must have
        been written."""
        if self.query is None:
            size, box = model.problem.network.size, model.steps[-1]
            low, high = box.lower[:size], box.upper[:size]
        else:
            low, high = (end.reshape(-1) for end in model.quantities[outputs_of(model)].ends())
        weights, up = self.direction, self.direction > 0
        return float(weights @ np.where(up, low, high)), float(weights @ np.where(up, high, low))

    def values(self, problem: Problem, theta: Array) -> Array:
        """direction · … of trained parameters (runs, p), shape (runs,)."""
        reached = (
            theta
            if self.query is None
            else outputs(problem, theta, self.query.lowest).reshape(len(theta), -1)
        )
        return np.asarray(reached @ self.direction)

    @property
    def slug(self) -> str:
        """The name without characters that file names or shells take amiss."""
        return re.sub(r"[\[\],]+", "_", file_name(self.name)).strip("_")


@typed()
def parameter_target(problem: Problem, name: str, sense: str = "min") -> Target:
    """One parameter of θ_T.

    Parameters
    ----------
    problem : Problem
    name : str
        One of ``problem.network.parameter_names``.
    sense : str
        ``min`` or ``max``.

    Returns
    -------
    Target

    Raises
    ------
    InvalidInputError
        If there is no such parameter, or the sense is not ``min`` or ``max``.
    """
    return direction_target(problem, {name: 1.0}, sense, name)


@typed()
def direction_target(
    problem: Problem,
    direction: ArrayLike | Mapping[str, float],
    sense: str = "min",
    name: str = "direction",
) -> Target:
    """A weighted sum of the parameters of θ_T.

    Parameters
    ----------
    problem : Problem
    direction : array_like, shape (p,), or mapping
        The weights, or some of them by the names in ``problem.network.parameter_names``.
    sense, name : str

    Returns
    -------
    Target

    Raises
    ------
    InvalidInputError
        If a name is unknown, or the weights are not p finite numbers, not all zero.
    """
    instance("problem", problem, Problem)
    names = problem.network.parameter_names
    if isinstance(direction, Mapping):
        weights = np.zeros(len(names))
        for parameter, weight in direction.items():
            if parameter not in names:
                raise InvalidInputError(
                    f"parameter: {parameter!r} does not exist; allowed are {', '.join(names[:4])}, "
                    f"…"
                )
            weights[names.index(parameter)] = weight
    else:
        weights = np.asarray(direction, dtype=np.float64)
    return Target(name, _checked(weights, (len(names),)), sense)


@typed()
def output_target(
    problem: Problem,
    point: ArrayLike,
    weights: ArrayLike | None = None,
    sense: str = "min",
    name: str = "output[0]",
) -> Target:
    """An output of the trained network at one input, or a weighted sum of its outputs.

    Parameters
    ----------
    problem : Problem
    point : array_like, shape input_shape
    weights : array_like, shape (outputs,), optional
        The first output by default; (…, 1, …, −1, …) is the margin between two classes.
    sense, name : str

    Returns
    -------
    Target

    Raises
    ------
    InvalidInputError
        If the point or the weights do not fit the network.
    """
    instance("problem", problem, Problem)
    network, x = problem.network, np.asarray(point, dtype=np.float64)
    if x.shape != network.input_shape or not np.isfinite(x).all():
        raise InvalidInputError(
            f"point: shape {x.shape} does not fit; it must be {network.input_shape}, of finite "
            f"numbers"
        )
    chosen = (
        np.eye(network.outputs)[0] if weights is None else np.asarray(weights, dtype=np.float64)
    )
    return Target(
        name, _checked(chosen, (network.outputs,)), sense, Query(x[np.newaxis], x[np.newaxis])
    )


def all_targets(model: CompiledModel, names: tuple[str, ...] | None = None) -> list[Target]:
    """The minimum and the maximum of every parameter that varies, or of those named."""
    problem = model.problem
    every = problem.network.parameter_names
    moving = (
        [name for name, moves in zip(every, model.moving, strict=True) if moves]
        if names is None
        else names
    )
    make = partial(parameter_target, problem)
    return [make(name, sense) for name in moving for sense in SENSES]


def _checked(weights: Array, shape: tuple[int, ...]) -> Array:
    if weights.shape != shape:
        raise InvalidInputError(
            f"direction: shape {weights.shape} does not fit; it must be {shape}"
        )
    if not np.isfinite(weights).all() or not weights.any():
        raise InvalidInputError("direction: the weights must be finite numbers, not all zero")
    return weights
