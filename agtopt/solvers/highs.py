"""HiGHS through its own arrays: the model is handed over once, then only the objective changes."""

from dataclasses import dataclass
from math import isfinite
from time import perf_counter
from typing import Any

import highspy
import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
from scipy.sparse import csc_matrix, hstack

from agtopt.domains.safe_bound import safe_bound, shifted
from agtopt.errors import InvalidInputError, SolverUnavailableError
from agtopt.formulation.site import ROUNDING
from agtopt.solvers.objective import objective_unit
from agtopt.solvers.result import PROVED, TOLERANCE, SolveResult
from agtopt.solvers.status import Status, translated
from agtopt.tolerances import DOUBLE, FEASIBILITY, MIXED_FEASIBILITY, RELATIVE_GAP

Array = NDArray[np.float64]

OPTIONS: dict[str, Any] = {
    "output_flag": False,
    "threads": 1,
    "mip_rel_gap": RELATIVE_GAP,
    "primal_feasibility_tolerance": FEASIBILITY,
    "dual_feasibility_tolerance": FEASIBILITY,
    "mip_feasibility_tolerance": MIXED_FEASIBILITY,
}


@dataclass(frozen=True, eq=False)
class Arrays:
    """A linear model as arrays: min cost·x, row_lower ≤ matrix x ≤ row_upper, lower ≤ x ≤ upper,
    some x integer.

    The rows are what a solver gets. A training run misses each by at most `room`, so a proof reads
    them as `true_sides`.
    """

    matrix: csc_matrix
    row_lower: Array
    row_upper: Array
    room: Array
    lower: Array
    upper: Array
    integer: NDArray[np.bool_]
    columns: list[Any]

    @property
    def true_sides(self) -> tuple[Array, Array]:
        """The sides of the rows, moved outward by their room."""
        moves, low, high = self.room > 0.0, self.row_lower - self.room, self.row_upper + self.room
        return np.where(moves, np.nextafter(low, -np.inf), low), np.where(
            moves, np.nextafter(high, np.inf), high
        )

    def satisfied(self, point: Array) -> bool:
        """Whether a point is in the model, but for the rounding of this very check."""
        (low, high), magnitude = self.true_sides, abs(self.matrix)
        value, size = self.matrix @ point, magnitude @ np.abs(point)
        error = DOUBLE.accumulated(len(point)) * size
        return bool(
            np.all((low <= value + error) & (value - error <= high))
            and np.all((self.lower <= point) & (point <= self.upper))
            and np.all(point[self.integer] == np.round(point[self.integer]))
        )

    @classmethod
    def of(cls, model: Any) -> "Arrays":
        """Read a Pyomo model.

        Raises
        ------
        SolverUnavailableError
            If the model has a product of variables: HiGHS would answer "optimal" with a wrong
            bound.
        """
        # The objective's variables would come first: columns must not depend on it.
        objectives = list(model.component_data_objects(pyo.Objective, active=True))
        for objective in objectives:
            objective.deactivate()
        try:
            form = LinearStandardFormCompiler().write(model, mixed_form=True)
        except Exception as error:
            if "nonlinear" not in str(error).lower():
                raise
            raise SolverUnavailableError(
                "solver: 'highs' cannot prove bounds of a model with products of continuous "
                "variables; use scip or gurobi"
            ) from error
        finally:
            for objective in objectives:
                objective.activate()
        kinds = np.array([row.bound_type for row in form.rows])
        held = {id(variable) for variable in form.columns}
        free = [
            v for v in model.component_data_objects(pyo.Var) if id(v) not in held and not v.fixed
        ]
        columns, rows, rooms = [*form.columns, *free], len(form.rows), model.component(ROUNDING)
        return cls(
            csc_matrix(hstack([form.A, csc_matrix((rows, len(free)))])),
            np.where(kinds <= 0, form.rhs, -np.inf),
            np.where(kinds >= 0, form.rhs, np.inf),
            np.array(
                [0.0 if rooms is None else rooms.get(row.constraint, 0.0) for row in form.rows]
            ),
            np.array([-np.inf if v.lb is None else v.lb for v in columns]),
            np.array([np.inf if v.ub is None else v.ub for v in columns]),
            np.array([v.is_integer() for v in columns], dtype=bool),
            columns,
        )

    def objective(self, model: Any) -> tuple[Array, float]:
        """Cost vector and constant of the model's present linear objective."""
        position = {id(variable): k for k, variable in enumerate(self.columns)}
        expression = model.objective.expr
        cost = np.zeros(len(self.columns))
        for variable, coefficient in zip(
            expression.linear_vars, expression.linear_coefs, strict=True
        ):
            if id(variable) not in position:
                raise InvalidInputError(
                    f"objective: variable {variable.name} occurs in no constraint of the model "
                    f"that was handed over"
                )
            cost[position[id(variable)]] += coefficient
        return cost, float(expression.constant)

    def highs_lp(self) -> highspy.HighsLp:
        """The same model as HiGHS takes it."""
        lp = highspy.HighsLp()
        lp.num_row_, lp.num_col_ = self.matrix.shape
        lp.col_cost_ = np.zeros(lp.num_col_)
        lp.col_lower_ = self.lower
        lp.col_upper_ = self.upper
        lp.row_lower_ = self.row_lower
        lp.row_upper_ = self.row_upper
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = self.matrix.indptr
        lp.a_matrix_.index_ = self.matrix.indices
        lp.a_matrix_.value_ = self.matrix.data
        if self.integer.any():
            types = highspy.HighsVarType
            lp.integrality_ = [
                types.kInteger if flag else types.kContinuous for flag in self.integer
            ]
        return lp


PRIMAL = {"solver": "simplex", "simplex_strategy": 4}
"""Where only the objective changes, a feasible basis stays feasible: the primal simplex method goes
on from there."""
CHOOSE = {"solver": "simplex", "simplex_strategy": 0}
INTERIOR = {"solver": "ipm", "run_crossover": "off"}
"""Interior points have duals too, which is all that a bound needs (S5)."""
ITERATIONS = 10
"""Of a simplex method, per row: both were seen to cycle for ever. The next method then starts from
nothing; no clock decides."""


# Its type stub lacks one of its members.
ENDS: Any = highspy.HighsModelStatus
STATUS = {
    ENDS.kOptimal: Status.OPTIMAL,
    ENDS.kModelEmpty: Status.OPTIMAL,
    ENDS.kTimeLimit: Status.TIME_LIMIT,
    **dict.fromkeys(
        (ENDS.kIterationLimit, ENDS.kSolutionLimit, ENDS.kMemoryLimit, ENDS.kObjectiveBound),
        Status.OTHER_LIMIT,
    ),
    ENDS.kObjectiveTarget: Status.OTHER_LIMIT,
    ENDS.kInfeasible: Status.INFEASIBLE,
    ENDS.kUnbounded: Status.UNBOUNDED,
    ENDS.kUnboundedOrInfeasible: Status.INFEASIBLE_OR_UNBOUNDED,
    **dict.fromkeys((ENDS.kInterrupt, ENDS.kHighsInterrupt), Status.INTERRUPTED),
    **dict.fromkeys(
        (ENDS.kNotset, ENDS.kUnknown, ENDS.kModelError, ENDS.kLoadError), Status.FAILED
    ),
    **dict.fromkeys((ENDS.kPresolveError, ENDS.kSolveError, ENDS.kPostsolveError), Status.FAILED),
}


class HighsSession:
    """A linear model in the hands of HiGHS; see `session.Session`."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.arrays = Arrays.of(model)
        self.highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        for name, value in OPTIONS.items():
            self.highs.setOptionValue(name, value)
        # Presolve of mixed-integer models called bounds optimal that exclude admissible runs by up
        # to 0.13 (docs/solver-faults.md); linear programs are proved by their duals.
        self.presolve = "off" if self.arrays.integer.any() else "choose"
        self.highs.setOptionValue("presolve", self.presolve)
        self.highs.HandleKeyboardInterrupt = True
        self.basis: Any = None
        self.duals: NDArray[np.float64] | None = None
        # HiGHS refuses coefficients above 1e15; of a model that it does not hold it knows no bound
        # (S4).
        self.refused = self.highs.passModel(self.arrays.highs_lp()) == highspy.HighsStatus.kError

    def solve(self, time_limit: float | None = None, start: bool = False) -> SolveResult:
        if self.refused:
            return SolveResult(Status.REFUSED, None, None, TOLERANCE, 0.0)
        cost, constant = self.arrays.objective(self.model)
        unit = objective_unit(self.model.objective.expr)
        self._restart(time_limit)
        self.highs.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost / unit)
        # For linear programs HiGHS counts the time of all runs of one object, for mixed-integer
        # ones that of the last.
        spent = 0.0 if self.arrays.integer.any() else self.highs.getRunTime()
        self.highs.setOptionValue(
            "time_limit", highspy.kHighsInf if time_limit is None else spent + time_limit
        )
        if start and self.arrays.integer.any():
            solution = highspy.HighsSolution()
            solution.col_value = [variable.value for variable in self.arrays.columns]
            self.highs.setSolution(solution)
        began = perf_counter()
        status = self._optimised()
        seconds = perf_counter() - began
        if status == Status.INFEASIBLE_OR_UNBOUNDED:
            # Without an objective nothing is unbounded.
            self.highs.changeColsCost(
                len(cost), np.arange(len(cost), dtype=np.int32), np.zeros(len(cost))
            )
            status = self._optimised()
            return SolveResult(
                Status.UNBOUNDED if status == Status.OPTIMAL else status,
                None,
                None,
                TOLERANCE,
                seconds,
            )
        info = self.highs.getInfo()
        feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        incumbent = info.objective_function_value * unit + constant if feasible else None
        if self.arrays.integer.any():
            bound, rigour = (
                info.mip_dual_bound * unit
                if status in (Status.OPTIMAL, Status.TIME_LIMIT)
                else -np.inf,
                TOLERANCE,
            )
        else:
            a = self.arrays
            duals = np.array(self.highs.getSolution().row_dual) * unit
            self.duals = duals if len(duals) == a.matrix.shape[0] else None
            proved = (
                -np.inf
                if self.duals is None
                else safe_bound(cost, a.matrix, *a.true_sides, a.lower, a.upper, duals)
            )
            bound, rigour = (
                proved,
                PROVED if isfinite(proved) and status != Status.INFEASIBLE else TOLERANCE,
            )
        return SolveResult(
            status,
            shifted(bound, constant) if isfinite(bound) else None,
            incumbent,
            rigour,
            seconds,
        )

    def load(self) -> bool:
        if (
            self.highs.getInfo().primal_solution_status
            != highspy.SolutionStatus.kSolutionStatusFeasible
        ):
            return False
        for variable, value in zip(
            self.arrays.columns, self.highs.getSolution().col_value, strict=True
        ):
            variable.set_value(value, skip_validation=True)
        return True

    def _restart(self, time_limit: float | None) -> None:
        """Forget earlier objectives, so that a bound depends on no order; linear programs start
        from the same feasible basis every time."""
        self.highs.clearSolver()
        if self.arrays.integer.any():
            return
        if self.basis is None:
            columns = len(self.arrays.columns)
            self.highs.changeColsCost(
                columns, np.arange(columns, dtype=np.int32), np.zeros(columns)
            )
            self.highs.setOptionValue(
                "time_limit",
                highspy.kHighsInf if time_limit is None else self.highs.getRunTime() + time_limit,
            )
            self._solve_by(CHOOSE, PRIMAL)
            self.basis = self.highs.getBasis()
            self.highs.clearSolver()
        if self.basis.valid:
            self.highs.setBasis(self.basis)

    def _solve_by(self, *methods: dict[str, Any]) -> None:
        """Solve a linear program by the first of the methods that ends."""
        self.highs.setOptionValue(
            "simplex_iteration_limit", ITERATIONS * self.arrays.matrix.shape[0]
        )
        for which, method in enumerate(methods):
            if which:
                self.highs.clearSolver()
            for name, value in method.items():
                self.highs.setOptionValue(name, value)
            self.highs.solve()
            if self.highs.getModelStatus() != highspy.HighsModelStatus.kIterationLimit:
                return

    def _optimised(self) -> Status:
        status = self._ended()
        if status in (Status.INFEASIBLE, Status.FAILED) and self.presolve != "off":
            # Presolve called models infeasible that a training run satisfies to the last bit
            # (docs/solver-faults.md).
            self.highs.setOptionValue("presolve", "off")
            self.highs.clearSolver()
            status = self._ended()
            self.highs.setOptionValue("presolve", self.presolve)
        return status

    def _ended(self) -> Status:
        if self.arrays.integer.any():
            self.highs.solve()
        else:
            self._solve_by(
                *[PRIMAL] * (self.basis is not None and self.basis.valid), CHOOSE, PRIMAL, INTERIOR
            )
        status = translated(STATUS, self.highs.getModelStatus(), "highs")
        if status == Status.INTERRUPTED:
            raise KeyboardInterrupt
        # Seen: no point left but the start, which presolve had cut off.
        cut_off = self.arrays.integer.any() and self.highs.getInfo().mip_dual_bound == np.inf
        return Status.INFEASIBLE if status == Status.OPTIMAL and cut_off else status
