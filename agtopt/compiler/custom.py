"""The dual bound of an objective that a user gave a model."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression
from pyomo.repn import generate_standard_repn

from agtopt.compiler.attained import Written, compared_bound
from agtopt.errors import InvalidInputError
from agtopt.problem import Dataset
from agtopt.solvers import Solver, SolveResult, open_session
from agtopt.solvers.objective import objective_unit
from agtopt.tolerances import outward

OWN = "objective"
"""Where sessions look for what they minimise."""


def bound_objective(
    compiled: Written, solver: Solver, time_limit: float | None, datasets: Iterable[Dataset]
) -> SolveResult:
    """Bound the one active objective of a model, and load the best point that was found; the model
    is left as it was.

    Raises
    ------
    InvalidInputError
        If there is none, there are several, or it is not linear.
    SoundnessError
        If the bound excludes what training on one of the datasets attains (S9).
    """
    model = compiled.pyomo
    objective = _the_objective(model)
    direction = compiled.direction(objective)
    linear, sign = _linear(objective), -1.0 if objective.sense == pyo.maximize else 1.0
    with _minimising(model, objective, linear, sign) as own:
        session = open_session(solver, model)
        result = session.solve(time_limit)
        session.load()
        unit = objective_unit(own.expr)
        moved = replace(
            result, bound=None if result.bound is None else float(outward(result.bound, -1, unit))
        )
        result = compared_bound(compiled, moved, datasets, solver, unit, direction)
    bound = None if result.bound is None else sign * result.bound
    return replace(
        result, bound=bound, incumbent=None if result.incumbent is None else sign * result.incumbent
    )


def _the_objective(model: Any) -> Any:
    active = list(model.component_data_objects(pyo.Objective, active=True))
    if len(active) != 1:
        names = ", ".join(each.name for each in active) or "none"
        raise InvalidInputError(
            f"objective: exactly one must be active, not {len(active)} ({names}); use "
            f".deactivate() or minimise()"
        )
    return active[0]


def _linear(objective: Any) -> LinearExpression:
    form = generate_standard_repn(objective.expr, quadratic=False)
    if not form.is_linear():
        raise InvalidInputError(
            f"objective: {objective.name!r} is not linear, so no solver's bound of it is trusted; "
            f"add a variable t and a constraint "
            "t >= expression (<= to maximise) to the model, and minimise t: a kind with products "
            "then proves it with SCIP or Gurobi"
        )
    return LinearExpression(
        constant=float(form.constant),
        linear_coefs=[float(c) for c in form.linear_coefs],
        linear_vars=list(form.linear_vars),
    )


@contextmanager
def _minimising(model: Any, objective: Any, linear: LinearExpression, sign: float) -> Iterator[Any]:
    # To minimise always: dual bounds of maximisations were wrong in past solvers
    # (docs/solver-faults.md).
    own = model.component(OWN)
    if own is not None and own.ctype is not pyo.Objective:
        raise InvalidInputError(
            f"model: {OWN!r} must name an objective, as sessions minimise it; rename your "
            f"{own.ctype.__name__}"
        )
    fresh = own is None
    if fresh:
        own = model.objective = pyo.Objective(expr=0.0)
    before = own.expr, own.sense, own.active
    objective.deactivate()
    own.activate()
    own.sense = pyo.minimize
    own.set_value(
        LinearExpression(
            constant=sign * linear.constant,
            linear_coefs=[sign * c for c in linear.linear_coefs],
            linear_vars=linear.linear_vars,
        )
    )
    try:
        yield own
    finally:
        own.set_value(before[0])
        own.sense = before[1]
        if fresh:
            model.del_component(own)
        elif not before[2]:
            own.deactivate()
        objective.activate()
