"""What one solve contributed."""

from collections.abc import Iterable
from dataclasses import dataclass

from agtopt.solvers import PROVED, TOLERANCE, Status


def rigour_of(rows: Iterable["Row"]) -> str:
    """``proved`` where every bound is."""
    return PROVED if all(row.rigour == PROVED for row in rows) else TOLERANCE


def stopped(rows: Iterable["Row"]) -> int:
    """How many bounds were stopped at their time limit."""
    return sum(row.status == Status.TIME_LIMIT for row in rows)


@dataclass(frozen=True)
class Row:
    """One bound that was asked of a solver.

    Attributes
    ----------
    start, stop : int
        The window.
    objective : str
        A parameter, ``direction[k]`` of the template, or with its step a pre-activation that was
        tightened.
    sense : str
        ``min`` or ``max``.
    status : Status
    attained : float
        The best value of any training run that was tried; NaN where none is known.
    incumbent : float or None
        Objective of the solver's best point; never used as a bound.
    bound : float
        The bound that holds.
    source : str
        Where the bound is from: ``interval``, ``LP`` (the relaxation) or the kind itself.
    rigour : str
        ``proved`` or ``solver tolerance``.
    seconds : float
        Of the solver.
    building : float
        Seconds for what this solve was the first to need: the compiled model, and its way into the
        solver.
    """

    start: int
    stop: int
    objective: str
    sense: str
    status: Status
    attained: float
    incumbent: float | None
    bound: float
    source: str
    rigour: str
    seconds: float
    building: float = 0.0
