"""Any solver of Pyomo's ``contrib.solver`` family."""

from math import isfinite
from typing import Any

from pyomo.contrib.solver.common.factory import SolverFactory
from pyomo.contrib.solver.common.results import TerminationCondition

from agtopt.errors import SolverUnavailableError
from agtopt.solvers.objective import divided, objective_unit
from agtopt.solvers.registry import Solver
from agtopt.solvers.result import TOLERANCE, SolveResult
from agtopt.tolerances import RELATIVE_GAP

STATUS = {
    TerminationCondition.convergenceCriteriaSatisfied: "optimal",
    TerminationCondition.maxTimeLimit: "time limit",
    TerminationCondition.provenInfeasible: "infeasible",
    TerminationCondition.infeasibleOrUnbounded: "infeasible",
    TerminationCondition.interrupted: "interrupted",
}


class PyomoSession:
    """A model in the hands of a ``contrib.solver`` interface; see `backend.Session`.

    Starts are not passed on: interfaces differ in what they take, and one was wrong with them (S9, docs/decisions.md).
    """

    def __init__(self, solver: Solver, model: Any) -> None:
        self.solver, self.model = solver, model
        self.interface, self.results = SolverFactory(solver.interface), None

    def solve(self, time_limit: float | None = None, start: bool = False) -> SolveResult:
        options: dict[str, Any] = {"load_solutions": False, "raise_exception_on_nonoptimal_result": False, "threads": 1}
        if "rel_gap" in self.interface.config:
            options["rel_gap"] = RELATIVE_GAP
        if time_limit is not None:
            options["time_limit"] = time_limit
        objective, natural = self.model.objective, self.model.objective.expr
        unit = objective_unit(natural)
        try:
            objective.set_value(divided(natural, unit))
            results = self.interface.solve(self.model, **options)
        except Exception as error:  # a foreign program: whatever it raises, the user learns which solver failed and why
            if "size-limited" in str(error):
                reason = f"the model is too large for this licence of {self.solver.name!r}; use scip or highs"
            else:
                reason = f"{self.solver.name!r} failed: {error}"
            raise SolverUnavailableError(f"solver: {reason}") from error
        finally:
            objective.set_value(natural)
        self.results = results
        status = STATUS.get(results.termination_condition, results.termination_condition.name)
        if status == "interrupted":
            raise KeyboardInterrupt
        bound, incumbent = results.objective_bound, results.incumbent_objective
        return SolveResult(
            status,
            bound * unit if bound is not None and isfinite(bound) else None,
            None if incumbent is None else incumbent * unit,
            TOLERANCE,
            float(results.timing_info.wall_time),
        )

    def load(self) -> bool:
        if self.results is None or self.results.incumbent_objective is None:
            return False
        self.results.solution_loader.load_vars()
        return True
