"""Any solver of Pyomo's ``contrib.solver`` family."""

from math import isfinite
from typing import Any

from pyomo.contrib.solver.common.factory import SolverFactory
from pyomo.contrib.solver.common.results import TerminationCondition

from agtopt.errors import SolverUnavailableError
from agtopt.solvers.objective import divided, objective_unit
from agtopt.solvers.result import TOLERANCE, SolveResult
from agtopt.solvers.status import Status, translated
from agtopt.tolerances import RELATIVE_GAP

ENDS = TerminationCondition
STATUS = {
    ENDS.convergenceCriteriaSatisfied: Status.OPTIMAL,
    ENDS.maxTimeLimit: Status.TIME_LIMIT,
    ENDS.iterationLimit: Status.OTHER_LIMIT,
    ENDS.objectiveLimit: Status.OTHER_LIMIT,
    ENDS.provenInfeasible: Status.INFEASIBLE,
    ENDS.unbounded: Status.UNBOUNDED,
    ENDS.infeasibleOrUnbounded: Status.INFEASIBLE_OR_UNBOUNDED,
    ENDS.interrupted: Status.INTERRUPTED,
    ENDS.emptyModel: Status.FAILED,
    ENDS.error: Status.FAILED,
    ENDS.licensingProblems: Status.FAILED,
    ENDS.locallyInfeasible: Status.FAILED,
    ENDS.minStepLength: Status.FAILED,
    ENDS.unknown: Status.FAILED,
}


class PyomoSession:
    """A model in the hands of a ``contrib.solver`` interface; see `session.Session`.

    Starts are not passed on: interfaces differ in what they take, and one was wrong with them (S9,
    docs/solver-faults.md).

    Parameters
    ----------
    name : str
        Of the solver, in messages.
    interface : str
        Its name in the factory.
    model : ConcreteModel
    """

    def __init__(self, name: str, interface: str, model: Any) -> None:
        self.name = name
        self.model = model
        self.interface: Any = SolverFactory(interface)
        self.results: Any = None

    def solve(self, time_limit: float | None = None, start: bool = False) -> SolveResult:
        objective, natural = self.model.objective, self.model.objective.expr
        unit = objective_unit(natural)
        try:
            objective.set_value(divided(natural, unit))
            results = self._solved(time_limit)
        finally:
            objective.set_value(natural)
        status = self._status()
        bound, incumbent, seconds = (
            results.objective_bound,
            results.incumbent_objective,
            float(results.timing_info.wall_time),
        )
        if status == Status.INFEASIBLE_OR_UNBOUNDED:
            status, bound, incumbent = self._told_apart(time_limit), None, None
        bound = bound * unit if bound is not None and isfinite(bound) else None
        return SolveResult(
            status, bound, None if incumbent is None else incumbent * unit, TOLERANCE, seconds
        )

    def load(self) -> bool:
        if self.results is None or self.results.incumbent_objective is None:
            return False
        self.results.solution_loader.load_vars()
        return True

    def _told_apart(self, time_limit: float | None) -> Status:
        """Without an objective nothing is unbounded."""
        objective = self.model.objective
        expression = objective.expr
        try:
            objective.set_value(0.0)
            self._solved(time_limit)
        finally:
            objective.set_value(expression)
        status = self._status()
        return Status.UNBOUNDED if status == Status.OPTIMAL else status

    def _status(self) -> Status:
        """Of the last solve.

        Raises
        ------
        KeyboardInterrupt
            If it was interrupted.
        """
        status = translated(STATUS, self.results.termination_condition, self.name)
        if status == Status.INTERRUPTED:
            raise KeyboardInterrupt
        return status

    def _solved(self, time_limit: float | None) -> Any:
        options: dict[str, Any] = {
            "load_solutions": False,
            "raise_exception_on_nonoptimal_result": False,
            "threads": 1,
        }
        if "rel_gap" in self.interface.config:
            options["rel_gap"] = RELATIVE_GAP
        if time_limit is not None:
            options["time_limit"] = time_limit
        try:
            self.results = self.interface.solve(self.model, **options)
        # A foreign program: whatever it raises, the user learns which solver failed and why.
        except Exception as error:
            if "size-limited" in str(error):
                reason = (
                    f"the model is too large for this licence of {self.name!r}; use scip or highs"
                )
            else:
                reason = f"{self.name!r} failed: {error}"
            raise SolverUnavailableError(f"solver: {reason}") from error
        return self.results
