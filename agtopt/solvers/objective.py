"""The unit in which solvers minimise an objective."""

from typing import Any

from pyomo.core.expr.numeric_expr import LinearExpression
from pyomo.repn import generate_standard_repn

from agtopt.tolerances import unit_of


def objective_unit(expression: Any) -> float:
    """The unit of a linear objective: that of its largest term (`unit_of`).

    Every session minimises the objective divided by it, so that tolerances mean the same of small
    and large ones, and multiplies what it finds: margins of a bound are relative to this unit (S9).
    """
    terms = generate_standard_repn(expression, compute_values=True)
    sizes = [
        abs(coefficient) * max(abs(end) for end in _ends(variable))
        for coefficient, variable in zip(terms.linear_coefs, terms.linear_vars, strict=True)
    ]
    return float(unit_of(max(sizes, default=0.0)))


def divided(expression: Any, unit: float) -> LinearExpression:
    """A linear expression in that unit."""
    terms = generate_standard_repn(expression, compute_values=True)
    return LinearExpression(
        constant=float(terms.constant) / unit,
        linear_coefs=[float(coefficient) / unit for coefficient in terms.linear_coefs],
        linear_vars=list(terms.linear_vars),
    )


def _ends(variable: Any) -> tuple[float, float]:
    if variable.fixed:
        return variable.value, variable.value
    return (-float("inf") if variable.lb is None else variable.lb), (
        float("inf") if variable.ub is None else variable.ub
    )
