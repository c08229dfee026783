"""By how much the current values of a model's variables miss its bounds and rows."""

from collections.abc import Iterable
from typing import Any

import pyomo.environ as pyo


def violation(variables: Iterable[Any], rows: Iterable[Any]) -> float:
    """The largest violation of a bound or an active constraint, relative to (1 + the bound)."""
    worst = 0.0
    for variable in variables:
        worst = max(worst, _excess(variable.value, variable.lb, variable.ub))
    for row in rows:
        if row.active:
            worst = max(worst, _excess(pyo.value(row.body), pyo.value(row.lower), pyo.value(row.upper)))
    return worst


def _excess(value: float, lower: float | None, upper: float | None) -> float:
    below = 0.0 if lower is None else (lower - value) / (1.0 + abs(lower))
    above = 0.0 if upper is None else (value - upper) / (1.0 + abs(upper))
    return max(below, above, 0.0)
