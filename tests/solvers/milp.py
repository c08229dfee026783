"""Small mixed-binary programs, and their optima by enumeration."""

from itertools import product

import numpy as np
import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression
from scipy.optimize import linprog

_KNOWN = {}


def random_milp(seed, binaries=6, continuous=4, rows=6, reach=2.0, solved=True):
    """A feasible mixed-binary program with ≤, ≥, = and two-sided rows, a feasible point as its
    values, and its optimum by brute force."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(rows, binaries + continuous)).round(2)
    a[rng.random(a.shape) < 0.2] = 0.0
    a[:, 0] += a[:, 0] == 0.0
    inside = np.concatenate([rng.integers(0, 2, binaries), rng.uniform(-1, 1, continuous).round(2)])
    c = rng.normal(size=binaries + continuous)
    low, high = sides(rng, a @ inside)
    model = pyo.ConcreteModel()
    model.s = pyo.Var(range(binaries), domain=pyo.Binary)
    model.x = pyo.Var(range(continuous), bounds=(-reach, reach))
    every = [*model.s.values(), *model.x.values()]
    for variable, value in zip(every, inside, strict=True):
        variable.set_value(float(value))
    model.rows = pyo.Constraint(
        range(rows), rule={k: row(a[k], every, low[k], high[k]) for k in range(rows)}
    )
    model.objective = pyo.Objective(
        expr=LinearExpression(constant=0.7, linear_coefs=c.tolist(), linear_vars=every)
    )
    if solved and (key := (seed, binaries, continuous, rows, reach)) not in _KNOWN:
        _KNOWN[key] = 0.7 + enumerated(a, low, high, c, binaries, reach)
    return model, _KNOWN[key] if solved else None


def sides(rng, values):
    """Two ends for each row around the values of a point; one equation at most."""
    rows = len(values)
    high, low = values + 0.3 * rng.random(rows), values - 0.3 * rng.random(rows)
    kinds = rng.choice(["up", "up", "down", "both", "equal"], rows)
    kinds[np.flatnonzero(kinds == "equal")[1:]] = "both"
    low[kinds == "equal"] = high[kinds == "equal"] = values[kinds == "equal"]
    low[kinds == "up"], high[kinds == "down"] = -np.inf, np.inf
    return low, high


def row(coefficients, every, low, high):
    body = sum(float(u) * v for u, v in zip(coefficients, every, strict=True))
    if low == high:
        return body == float(high)
    return pyo.inequality(
        *(None if np.isinf(low) else float(low), body, None if np.isinf(high) else float(high))
    )


def enumerated(a, low, high, c, binaries, reach):
    """The optimum by one linear program for each value of the binaries."""
    best, up, down = np.inf, np.isfinite(high), np.isfinite(low)
    matrix = np.concatenate([a[up], -a[down]])
    for choice in product((0.0, 1.0), repeat=binaries):
        chosen = np.array(choice)
        side = np.concatenate([high[up], -low[down]]) - matrix[:, :binaries] @ chosen
        found = linprog(
            c[binaries:], matrix[:, binaries:], side, bounds=[(-reach, reach)] * (len(c) - binaries)
        )
        if found.status == 0:
            best = min(best, found.fun + c[:binaries] @ chosen)
    return best
