"""By how much the current values of a model's variables miss its bounds and rows."""

from collections.abc import Iterable
from typing import Any

import pyomo.environ as pyo

from agtopt.solvers.objective import objective_unit


def violation(variables: Iterable[Any], rows: Iterable[Any]) -> float:
    """The largest violation of a bound or an active constraint, relative to (its unit + the
    bound)."""
    worst = 0.0
    for variable in variables:
        worst = max(worst, _excess(variable.value, variable.lb, variable.ub, 1.0))
    for row in rows:
        if row.active:
            ends = pyo.value(row.body), pyo.value(row.lower), pyo.value(row.upper)
            # Rows of ours are in their units; one of a user's may be in any scale.
            if _excess(*ends, 1.0) > 0.0:
                worst = max(
                    worst,
                    _excess(
                        *ends,
                        objective_unit(row.body) if row.body.polynomial_degree() in (0, 1) else 1.0,
                    ),
                )
    return worst


def _excess(value: float, lower: float | None, upper: float | None, unit: float) -> float:
    below = 0.0 if lower is None else (lower - value) / (unit + abs(lower))
    above = 0.0 if upper is None else (value - upper) / (unit + abs(upper))
    return max(below, above, 0.0)
