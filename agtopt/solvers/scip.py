"""SCIP, handed a model once; branches on the adversary's selectors first."""

from math import isfinite
from time import perf_counter
from typing import Any
from warnings import warn

import pyomo.environ as pyo
import pyscipopt
from pyomo.common.collections import ComponentMap
from pyomo.common.numeric_types import native_numeric_types
from pyomo.core.expr.visitor import StreamBasedExpressionVisitor
from pyomo.repn import generate_standard_repn
from pyscipopt.scip import PY_SCIP_PARAMSETTING as SCIP_PARAMSETTING

from agtopt.solvers.objective import divided, objective_unit
from agtopt.solvers.result import TOLERANCE, SolveResult
from agtopt.solvers.status import Status, translated
from agtopt.tolerances import FEASIBILITY, RELATIVE_GAP

COMMON: dict[str, Any] = {
    "limits/gap": RELATIVE_GAP,
    "numerics/feastol": FEASIBILITY,
    "misc/usesymmetry": 0,
    "misc/transsolsorig": False,
    "misc/allowstrongdualreds": False,
    "misc/allowweakdualreds": False,
    "presolving/donotaggr": True,
    "presolving/donotmultaggr": True,
    "parallel/maxnthreads": 1,
    "lp/threads": 1,
}
"""Dual reductions are off: with them and a start, SCIP 10 called a bound optimal that was 2.4e-4
too tight. Nothing is aggregated: bounds that leave no room then met only up to rounding, and a
model whose data is fixed at a corner was infeasible. These switches cure what was seen and prove
nothing (S9; docs/solver-faults.md)."""

TREE: dict[str, Any] = {
    "numerics/boundstreps": 1e-4,
    "nodeselection/dfs/stdpriority": 1_000_000,
    "branching/mostinf/priority": 1_000_000,
    "conflict/enable": False,
    **{
        f"propagating/{name}/freq": -1
        for name in ("vbounds", "redcost", "rootredcost", "genvbounds", "obbt", "symmetry")
    },
}
"""For linear models with selectors: once those are fixed, propagation fixes the run, so a plain
depth-first tree over them beats presolve, cuts and heuristics about tenfold
(docs/decisions/0050-selectors-first.md).
Bounds that are passed on in small steps keep θ tight."""


STATUS = {
    "optimal": Status.OPTIMAL,
    "gaplimit": Status.OPTIMAL,
    "timelimit": Status.TIME_LIMIT,
    **dict.fromkeys(
        ("nodelimit", "totalnodelimit", "stallnodelimit", "memlimit", "restartlimit"),
        Status.OTHER_LIMIT,
    ),
    **dict.fromkeys(("primallimit", "duallimit", "sollimit", "bestsollimit"), Status.OTHER_LIMIT),
    "infeasible": Status.INFEASIBLE,
    "unbounded": Status.UNBOUNDED,
    "inforunbd": Status.INFEASIBLE_OR_UNBOUNDED,
    "userinterrupt": Status.INTERRUPTED,
    "unknown": Status.FAILED,
}


class _Functions(StreamBasedExpressionVisitor):  # type: ignore[misc]
    """Exponentials, logarithms, sums and products of Pyomo as expressions of SCIP."""

    def __init__(self, variables: dict[int, tuple[Any, Any]]) -> None:
        super().__init__()
        self.variables = variables

    def exitNode(self, node: Any, values: list[Any]) -> Any:  # noqa: N802  (Pyomo's name)
        if node.__class__ in native_numeric_types:
            return node
        if not node.is_expression_type():
            return float(node.value) if node.fixed else self.variables[id(node)][1]
        name = node.getname()
        if name in ("exp", "log"):
            return getattr(pyscipopt, name)(values[0])
        return node._apply_operation(values)


class ScipSession:
    """A linear or quadratic model in the hands of SCIP; see `session.Session`."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._hand_over()

    def _hand_over(self) -> None:
        model = self.model
        self.scip = pyscipopt.Model()
        self.scip.hideOutput()
        suffix = model.component("priority")
        priorities = ComponentMap() if suffix is None else suffix
        selected = False
        self.variables: dict[int, tuple[Any, Any]] = {}
        for variable in model.component_data_objects(pyo.Var):
            kind = "B" if variable.is_binary() else "C"
            added = self.scip.addVar(name=variable.name, lb=variable.lb, ub=variable.ub, vtype=kind)
            self.variables[id(variable)] = (variable, added)
            if variable.is_binary() and variable in priorities:
                self.scip.chgVarBranchPriority(added, priorities[variable])
                selected = True
        linear = True
        for row in model.component_data_objects(pyo.Constraint, active=True):
            body, degree = self._expression(row.body)
            linear = linear and degree <= 1
            lower, upper = pyo.value(row.lower), pyo.value(row.upper)
            if lower == upper:
                self.scip.addCons(body == lower)
                continue
            if lower is not None:
                self.scip.addCons(body >= lower)
            if upper is not None:
                self.scip.addCons(body <= upper)
        self._set_options(linear, tree=linear and selected)

    def _set_options(self, linear: bool, tree: bool) -> None:
        # Only the dual bound counts, starts come from attacks, and the NLP heuristics have
        # corrupted memory (docs/solver-faults.md).
        self.scip.setHeuristics(SCIP_PARAMSETTING.OFF)
        if tree or not linear:
            # Presolve called bounds of small MIQCPs optimal that were up to 2.2 too tight (S9;
            # docs/solver-faults.md).
            self.scip.setPresolve(SCIP_PARAMSETTING.OFF)
        if tree:
            self.scip.setSeparating(SCIP_PARAMSETTING.OFF)
        for name, value in {**COMMON, **(TREE if tree else {})}.items():
            self.scip.setParam(name, value)

    def _expression(self, body: Any) -> tuple[Any, int]:
        parts = generate_standard_repn(body, compute_values=True, quadratic=True)
        terms = [
            coefficient * self.variables[id(variable)][1]
            for coefficient, variable in zip(parts.linear_coefs, parts.linear_vars, strict=True)
        ]
        terms += [
            coefficient * self.variables[id(first)][1] * self.variables[id(second)][1]
            for coefficient, (first, second) in zip(
                parts.quadratic_coefs, parts.quadratic_vars, strict=True
            )
        ]
        if parts.nonlinear_expr is not None:
            terms.append(_Functions(self.variables).walk_expression(parts.nonlinear_expr))
        return pyscipopt.quicksum(terms) + parts.constant, 1 if parts.is_linear() else 2

    def solve(self, time_limit: float | None = None, start: bool = False) -> SolveResult:
        unit = objective_unit(self.model.objective.expr)
        self._prepare(self._expression(divided(self.model.objective.expr, unit))[0], time_limit)
        if start:
            solution = self.scip.createSol()
            for variable, added in self.variables.values():
                self.scip.setSolVal(solution, added, variable.value)
            self.scip.addSol(solution)
        began = perf_counter()
        status = self._optimised()
        seconds = perf_counter() - began
        if status == Status.LOST:
            return SolveResult(status, None, None, TOLERANCE, seconds)
        if status == Status.INFEASIBLE_OR_UNBOUNDED:
            # Without an objective nothing is unbounded.
            self._prepare(pyscipopt.quicksum([]), time_limit)
            status = self._optimised()
            return SolveResult(
                Status.UNBOUNDED if status == Status.OPTIMAL else status,
                None,
                None,
                TOLERANCE,
                seconds,
            )
        bound = self.scip.getDualbound()
        known = isfinite(bound) and abs(bound) < self.scip.infinity()
        incumbent = (
            self.scip.getObjVal() * unit
            if self.scip.getNSols() and status != Status.UNBOUNDED
            else None
        )
        return SolveResult(status, bound * unit if known else None, incumbent, TOLERANCE, seconds)

    def _prepare(self, objective: Any, time_limit: float | None) -> None:
        self.scip.freeTransform()
        self.scip.setObjective(objective, "minimize")
        self.scip.setParam("limits/time", 1e20 if time_limit is None else time_limit)

    def _optimised(self) -> Status:
        try:
            self.scip.optimizeNogil()
        # Its errors have no class of their own ("error in LP solver!"), and what it held is of no
        # use after one.
        except Exception as error:
            warn(f"solver: 'scip' broke off: {error}", stacklevel=2)
            self._hand_over()
            return Status.LOST
        status = translated(STATUS, self.scip.getStatus(), "scip")
        if status == Status.INTERRUPTED:
            raise KeyboardInterrupt
        return status

    def load(self) -> bool:
        if not self.scip.getNSols():
            return False
        for variable, added in self.variables.values():
            variable.set_value(self.scip.getVal(added), skip_validation=True)
        return True
