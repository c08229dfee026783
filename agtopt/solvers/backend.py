"""One way to use any solver: open a session on a model, then minimise its objective as often as
wanted."""

from typing import Any, Protocol

from agtopt.solvers.checked import CheckedSession
from agtopt.solvers.highs import HighsSession
from agtopt.solvers.proof import ProofSession
from agtopt.solvers.pyomo_session import PyomoSession
from agtopt.solvers.registry import Solver
from agtopt.solvers.result import SolveResult
from agtopt.solvers.scip import ScipSession


class Session(Protocol):
    """A model that was handed to a solver once."""

    def solve(self, time_limit: float | None = None, start: bool = False) -> SolveResult:
        """Minimise the model's present objective, which must be linear.

        Parameters
        ----------
        time_limit : float or None
            Seconds for this solve; the bound reached by then is returned.
        start : bool
            Whether the variables' values are a feasible point to start from.
        """
        ...

    def load(self) -> bool:
        """Give the model's variables the values of the best point of the last solve; False where
        none was found."""
        ...


def open_session(solver: Solver, model: Any) -> Session:
    """Hand a Pyomo model to a solver.

    HiGHS is wrong on about one small mixed-integer model in a hundred, and nothing in its answer
    says on which (docs/decisions.md): with binaries SCIP has to agree.
    """
    if solver.name == "highs":
        highs = HighsSession(model)
        if not highs.arrays.integer.any():
            return highs
        return CheckedSession(model, {"highs": highs, "scip": ScipSession(model)})
    if solver.name == "proof":
        return ProofSession(model)
    return ScipSession(model) if solver.name == "scip" else PyomoSession(solver, model)
