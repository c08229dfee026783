"""A row with products, as a solver sees it: equal products are added up before any of them is
judged."""

from math import isfinite, prod
from typing import Any

import numpy as np
from pyomo.environ import inequality

from agtopt.errors import UnsupportedError
from agtopt.formulation.affine import AffineArray
from agtopt.tolerances import SMALLEST_COEFFICIENT, UNIT_ROUNDOFF

Term = tuple[float, tuple[Any, ...], float]
"""A coefficient, its variables and the largest absolute value of their product."""


class Polynomial:
    """A sum of numbers, variables and products of two variables, written term by term."""

    def __init__(self) -> None:
        self.terms: dict[tuple[int, ...], Term] = {}

    def add(self, factor: float, *affines: AffineArray) -> None:
        """Add factor · Π affines, each of one entry, shape ()."""
        products: list[Term] = [(factor, (), 1.0)]
        for affine in affines:
            products = [
                (a * b, u + v, x * y) for a, u, x in products for b, v, y in _terms_of(affine)
            ]
        for coefficient, variables, size in products:
            ordered = tuple(sorted(map(id, variables)))
            before, kept, _ = self.terms.get(ordered, (0.0, variables, size))
            self.terms[ordered] = before + coefficient, kept, size

    def vanishing(self) -> Any:
        """The relation that the sum is 0, but for what solvers leave out of it (S9)."""
        body, change = self._written()
        return inequality(-change, body, change) if change else body == 0.0

    def at_most_zero(self) -> Any:
        """The relation that the sum is at most 0, but for what solvers leave out of it (S9)."""
        body, change = self._written()
        return body <= change

    def _written(self) -> tuple[Any, float]:
        """The expression without the coefficients that solvers ignore, and by how much it may
        change for it."""
        body: Any = 0.0
        change = 0.0
        for coefficient, variables, size in self.terms.values():
            if variables and (abs(coefficient) <= SMALLEST_COEFFICIENT or size == 0.0):
                change += abs(coefficient) * size if coefficient else 0.0
            else:
                body = body + prod(variables, start=coefficient)
        if not isfinite(change):
            raise UnsupportedError(
                "a variable without bounds has a coefficient so small that solvers leave it out; "
                "give it bounds"
            )
        # Rounded up, whatever the order of the sums.
        return body, change * (1.0 + (len(self.terms) + 4) * UNIT_ROUNDOFF)


def _terms_of(affine: AffineArray) -> list[Term]:
    present = np.flatnonzero(affine.coefficients != 0.0)
    columns = (affine.coefficients, affine.variables, affine.sizes)
    terms: list[Term] = [
        (coefficient, (variable,), size)
        for coefficient, variable, size in zip(
            *(column[present].tolist() for column in columns), strict=True
        )
    ]
    constant = float(affine.constant)
    return [*terms, (constant, (), 1.0)] if constant else terms
