"""A user's bound on a compiled model beside training runs: each is a feasible point, unless the
user's own rows leave it out (S4, S9)."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from math import inf
from typing import Any, Protocol

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from agtopt.attacks import Attack, probes
from agtopt.compiler.violation import violation
from agtopt.domains import excluded
from agtopt.errors import InfeasibleError, InvalidInputError, SoundnessError
from agtopt.problem import Dataset, Problem
from agtopt.problem.checks import instance
from agtopt.solvers import PROVED, Solver, SolveResult, Status, open_session
from agtopt.tolerances import AGREEMENT, FEASIBILITY, ROUNDING
from agtopt.training.concrete import trajectory

MOST_RUNS = 16
"""Runs of an attack that a bound is compared with: each is a pass through all rows."""


class Written(Protocol):
    """A compiled model, as far as its bound is compared with runs; see `CompiledModel`."""

    problem: Problem
    stop: int
    pyomo: Any
    written: list[Any]

    def assign(self, dataset: Dataset) -> None:
        """Give every variable the value that training on a dataset gives it."""
        ...

    def violation(self) -> float:
        """The largest violation of a bound or constraint at the current values."""
        ...

    def direction(self, objective: Any) -> NDArray[np.float64] | None:
        """The direction of the final parameters that an objective minimises, if it is one."""
        ...


def leading_datasets(problem: Problem, attack: Attack | None) -> Iterator[Dataset]:
    """The nominal dataset, some random ones, and those of an attack that attain most.

    Raises
    ------
    InvalidInputError
        If the attack is one on another problem.
    """
    if attack is not None:
        instance("attack", attack, Attack)
        if attack.problem.fingerprint != problem.fingerprint:
            raise InvalidInputError(
                "attack: it is one on another problem; take agtopt.attack(model.problem)"
            )
    leading = (
        []
        if attack is None
        else [attack.dataset(run) for run in attack.leading(MOST_RUNS).tolist()]
    )
    return chain(probes(problem), leading)


def compared_bound(
    model: Written,
    result: SolveResult,
    datasets: Iterable[Dataset],
    solver: Solver,
    unit: float,
    direction: NDArray[np.float64] | None,
) -> SolveResult:
    """What was found of the model's objective, to minimise, once it excludes no run; the variables
    keep their values.

    `unit` is that of the objective, `direction` that of the final parameters which it minimises, if
    it is one.

    Raises
    ------
    InfeasibleError
        If the rows that `compile` wrote do not hold a run, or what a run satisfies is proved to be
        empty.
    SoundnessError
        If the bound excludes what a run attains.
    """
    with _values_kept(model.pyomo):
        for dataset in datasets:
            value = _attained(model, dataset, solver)
            if value is None:
                continue
            value = min(value, _trained(model, dataset, direction))
            if result.status == Status.INFEASIBLE:
                if result.rigour == PROVED:
                    raise InfeasibleError(
                        "S4: the model is proved to be empty, but a training run satisfies it and "
                        "every row of your own"
                    )
                return replace(result, status=Status.CALLED_INFEASIBLE, bound=None)
            room = ROUNDING if result.rigour == PROVED else AGREEMENT
            if result.bound is not None and excluded(result.bound, value, -1, room, unit):
                raise SoundnessError(
                    f"S9: the bound {result.bound} of the objective excludes {value}, which a "
                    f"training run attains (to minimise)"
                )
    return result


def _attained(model: Written, dataset: Dataset, solver: Solver) -> float | None:
    """The objective at a run; None where a row of the user's leaves the run out."""
    every = list(model.pyomo.component_data_objects(pyo.Var))
    for variable in every:
        variable.set_value(None, skip_validation=True)
    model.assign(dataset)
    own = [variable for variable in every if variable.value is not None]
    if violation(own, chain.from_iterable(rows.values() for rows in model.written)) > AGREEMENT:
        raise InfeasibleError("S9: the compiled model does not hold an admissible training run")
    if len(own) < len(every):
        return _best_of_rest(model, own, solver)
    return float(pyo.value(model.pyomo.objective)) if model.violation() <= AGREEMENT else None


def _trained(model: Written, dataset: Dataset, direction: NDArray[np.float64] | None) -> float:
    """The objective at the parameters of plain training, which knows nothing of the model; infinite
    where it is no direction of them, or rows of the user's may leave the run out."""
    rows = sum(1 for _ in model.pyomo.component_data_objects(pyo.Constraint, active=True))
    if direction is None or rows > sum(map(len, model.written)):
        return inf
    return float(direction @ trajectory(model.problem, dataset)[model.stop])


def _best_of_rest(model: Written, own: list[Any], solver: Solver) -> float | None:
    """The best value of the objective over the user's variables, while those of the run stand still
    up to a solver's tolerance."""
    ends = [(variable, variable.lb, variable.ub) for variable in own]
    try:
        for variable in own:
            value = round(variable.value) if variable.is_integer() else variable.value
            room = 0.0 if variable.is_integer() else FEASIBILITY * (1.0 + abs(value))
            variable.setlb(value - room)
            variable.setub(value + room)
        solved = open_session(solver, model.pyomo).solve()
    finally:
        for variable, low, high in ends:
            variable.setlb(low)
            variable.setub(high)
    return None if solved.status != Status.OPTIMAL or solved.incumbent is None else solved.incumbent


@contextmanager
def _values_kept(model: Any) -> Iterator[None]:
    kept = [(variable, variable.value) for variable in model.component_data_objects(pyo.Var)]
    try:
        yield
    finally:
        for variable, value in kept:
            variable.set_value(value, skip_validation=True)
