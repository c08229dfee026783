"""What one solve returns; the incumbent is not a bound, so the two have separate fields."""

from dataclasses import dataclass

from agtopt.solvers.status import Status

PROVED = "proved"
TOLERANCE = "solver tolerance"


@dataclass(frozen=True)
class SolveResult:
    """Outcome of one minimisation.

    Attributes
    ----------
    status : Status
    bound : float or None
        Dual bound: no feasible point has a smaller objective (S4). None if the solver gave none.
    incumbent : float or None
        Objective of the best point found; never used as a bound.
    rigour : str
        ``proved`` for a bound, or an empty model, that follows from dual values by outward-rounded
        arithmetic (S5), else ``solver tolerance``.
    seconds : float
        Wall-clock time of the solve.
    """

    status: Status
    bound: float | None
    incumbent: float | None
    rigour: str
    seconds: float
