"""The size of a model: counted, and predicted without building it (Table 1 of Sosnin et al.
2025)."""

from dataclasses import dataclass
from math import inf
from typing import Any

import pyomo.environ as pyo

from agtopt.kinds import Formulation
from agtopt.problem import Problem
from agtopt.symbolic.counting import count_steps


@dataclass(frozen=True)
class Size:
    """How many variables and constraints a model has, without fixed variables."""

    binaries: int
    continuous: int
    linear: int
    quadratic: int


def predicted_size(
    problem: Problem, kind: Formulation, start: int = 0, stop: int | None = None
) -> Size:
    """The largest size that a model of the steps start … stop−1 can have, without building it.

    It is reached where no bound decides an indicator, without the cuts of conditional bounds (at
    most two rows per gradient entry and parameter more).
    """
    counts = count_steps(problem, kind, start, problem.steps if stop is None else stop)
    return Size(counts.binaries, counts.continuous, counts.linear, counts.quadratic)


PER_COMPONENT, PER_ENTRY = 1024, 2048
"""Bytes of a variable or row in Pyomo and in a solver, and of an entry of a per-sample gradient: 1
to 1.7 times what was measured."""


def predicted_memory(
    problem: Problem, kind: Formulation, start: int = 0, stop: int | None = None, most: float = inf
) -> float:
    """Bytes that a model of the steps start … stop−1 takes with its solver session, at most and
    about.

    Counting takes memory itself: beyond `most` it is left out, and what is returned is only known
    to be more than that.
    """
    last = problem.steps if stop is None else stop
    entries = float(
        PER_ENTRY * sum(len(batch) for batch in problem.schedule[start:last]) * problem.network.size
    )
    if entries > most:
        return entries
    size = predicted_size(problem, kind, start, last)
    return entries + PER_COMPONENT * (
        size.binaries + size.continuous + size.linear + size.quadratic
    )


def counted_size(model: Any) -> Size:
    """Count the variables and constraints of a Pyomo model."""
    binaries = continuous = linear = quadratic = 0
    for variable in model.component_data_objects(pyo.Var):
        if variable.is_binary():
            binaries += 1
        else:
            continuous += 1
    for row in model.component_data_objects(pyo.Constraint, active=True):
        if row.body.polynomial_degree() in (0, 1):
            linear += 1
        else:
            quadratic += 1
    return Size(binaries, continuous, linear, quadratic)
