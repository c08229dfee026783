"""Whether a point lies in an affine form, by generating the vertices that matter."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agtopt.domains.moves import Touched
from agtopt.tolerances import unit_of

Array = NDArray[np.float64]

GENERATIONS = 400
"""Vertices after which a point is no longer approached."""


class Form(Protocol):
    """What an affine domain says of itself."""

    @property
    def nominal(self) -> Array: ...
    @property
    def offset(self) -> Array: ...
    @property
    def touched(self) -> tuple[Touched, ...]: ...
    @property
    def errors(self) -> Array: ...
    @property
    def radius(self) -> Array: ...
    def form(self, rows: Array) -> tuple[Array, Array]: ...


def within_form(domain: Form, point: Array, tolerance: float) -> bool:
    """Whether a point lies in the form, with fractions of choices, up to a tolerance in every
    entry; False is proved by a direction, and True is the answer where neither is shown."""
    generated = [[np.zeros(len(point))] for _ in domain.touched]
    for _ in range(GENERATIONS):
        miss, direction = _nearest(domain, point, generated)
        if miss <= tolerance or not np.any(direction):
            return True
        reach = float(domain.form(direction[np.newaxis])[1][0])
        # The direction proves it only of a point that is farther than the tolerance along it.
        if direction @ (point - domain.nominal) > reach + tolerance * np.abs(direction).sum():
            return False
        for known, part in zip(generated, domain.touched, strict=True):
            known.append(part.best(direction))
    return True


def _nearest(domain: Form, point: Array, generated: list[list[Array]]) -> tuple[float, Array]:
    """How far the hull of the vertices found so far, with the errors, is from a point, in its
    largest entry; and the direction that proves it, zero where no solver finds one."""
    # It takes a third of a second: importing agtopt does not wait for it.
    from scipy.optimize import linprog

    p = len(point)
    vertices = [np.array(known).T for known in generated]
    weights = sum(part.shape[1] for part in vertices)
    matrix = np.hstack([*vertices, domain.errors.T, np.eye(p)])
    slack = np.full((p, 1), -1.0)
    target = point - domain.nominal - domain.offset
    radius = domain.radius
    # A solver's tolerances are absolute.
    unit = float(unit_of(max(np.abs(target).max(), np.abs(matrix[:, :-p]).max(initial=0.0))))
    matrix[:, :-p] /= unit
    target, radius = target / unit, radius / unit
    sums = np.zeros((len(vertices), matrix.shape[1] + 1))
    first = 0
    for row, part in zip(sums, vertices, strict=True):
        row[first : first + part.shape[1]] = 1.0
        first += part.shape[1]
    limits = np.concatenate([np.ones(weights), np.ones(len(domain.errors)), radius, [np.inf]])
    least = np.concatenate([np.zeros(weights), -limits[weights:-1], [0.0]])
    found = linprog(
        np.eye(len(limits))[-1],
        np.vstack([np.hstack([matrix, slack]), np.hstack([-matrix, slack])]),
        np.concatenate([target, -target]),
        sums if len(sums) else None,
        np.ones(len(sums)) if len(sums) else None,
        list(zip(least.tolist(), limits.tolist(), strict=True)),
        method="highs",
    )
    if found.status != 0 or found.fun is None:
        return np.inf, np.zeros(p)
    marginals = found.ineqlin.marginals
    return float(found.fun) * unit, np.asarray(marginals[:p] - marginals[p:])
