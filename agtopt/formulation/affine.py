r"""Arrays of affine expressions, and what is known of their rounding.

**Rounding (S5).** A row is written with rounded numbers: a mean has the factor 1/b, coefficients
are products, constants are sums. The values that a training run gives the variables miss the row a
little, and a proof that took the row for exact would lose that run. Every expression therefore
knows by how much a run may miss it. `magnitude` is the sum of the magnitudes of all terms that went
into it, at the bounds of their variables; terms that cancel stay in it. `roundings` is how often
any of them was rounded. A run, in exact arithmetic or as a framework evaluates it in float64, is
off by at most `room` = γ(roundings) · magnitude (Higham, 2002, section 3.1; twice, once for our
numbers and once for those of the framework). A new variable *is* the value of the run, so errors do
not add up from row to row.

Inequalities are moved outward by their room. Equations stay equations, because solvers do better
with them. Their rooms are kept in the suffix `site.ROUNDING` of the model, and whatever proves a
bound reads them as two-sided rows that are wider by it (`solvers.highs.Arrays`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyomo.core.expr.numeric_expr import LinearExpression, MonomialTermExpression

from agtopt.errors import UnsupportedError
from agtopt.tolerances import DOUBLE, SMALLEST_COEFFICIENT, UNIT_ROUNDOFF

Array = NDArray[np.float64]
Objects = NDArray[np.object_]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class AffineArray:
    """An array of affine expressions: constant + Σ_k coefficients[…, k] · variables[…, k].

    Parameters
    ----------
    constant : array, shape S
    coefficients : array, shape S + (K,)
        A zero coefficient marks an absent term.
    variables : object array, shape S + (K,)
        Pyomo variables, each in its own unit, which is in the coefficient; anything where the
        coefficient is zero.
    sizes : array, shape S + (K,)
        The largest absolute value of each variable.
    magnitude : array, shape S
        At least the sum of the magnitudes of all terms, those that have cancelled included.
    roundings : int
        How often a term was rounded, at most.
    """

    constant: Array
    coefficients: Array
    variables: Objects
    sizes: Array
    magnitude: Array
    roundings: int = 0

    @classmethod
    def known(cls, values: ArrayLike, error: ArrayLike = 0.0) -> "AffineArray":
        """An array of numbers, each off by at most `error`."""
        constant = np.asarray(values, dtype=np.float64)
        magnitude = np.abs(constant) + np.asarray(error) / DOUBLE.unit
        none = np.zeros((*constant.shape, 0))
        return cls(
            constant, none, np.empty(none.shape, dtype=object), none, magnitude, int(np.any(error))
        )

    @classmethod
    def single(
        cls,
        variables: Objects,
        units: Array,
        sizes: Array,
        where: Mask,
        otherwise: "AffineArray | ArrayLike" = 0.0,
    ) -> "AffineArray":
        """One variable per entry, in its unit and of its size in that; entries outside the mask
        `where` are the numbers `otherwise`."""
        rest = (
            otherwise if isinstance(otherwise, AffineArray) else cls.known(otherwise)
        ).broadcast(where.shape)
        coefficients = np.where(where, units, 0.0)
        return cls(
            np.where(where, 0.0, rest.constant),
            coefficients[..., np.newaxis],
            variables[..., np.newaxis],
            sizes[..., np.newaxis],
            np.where(where, units * sizes, rest.magnitude),
            0 if where.all() else rest.roundings,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        return self.constant.shape

    @property
    def varies(self) -> Mask:
        """Which entries hold a variable."""
        result: Mask = np.any(self.coefficients != 0.0, axis=-1)
        return result

    @property
    def largest(self) -> Array:
        """The size of the largest term of each entry, constants apart; shape S."""
        result: Array = (
            np.abs(self.coefficients) * np.where(self.coefficients != 0.0, self.sizes, 0.0)
        ).max(axis=-1, initial=0.0)
        return result

    @property
    def room(self) -> Array:
        """By how much the value that a training run gives an entry may differ from the expression,
        shape S."""
        return self.magnitude * DOUBLE.accumulated(self.roundings)

    def loosened(self, magnitude: Array | float, roundings: int) -> "AffineArray":
        """The same expressions with further terms of that magnitude that have cancelled, and
        further roundings."""
        return replace(
            self, magnitude=self.magnitude + magnitude, roundings=self.roundings + roundings
        )

    def within(self, low: Array, high: Array) -> "AffineArray":
        """The same expressions; the true values of their numbers are known to lie in [low, high],
        which bounds their errors."""
        if not self.roundings:
            return self
        error = np.maximum(np.maximum(self.constant - low, high - self.constant), 0.0)
        magnitude = np.abs(self.constant) + error / (self.roundings * DOUBLE.unit)
        return replace(
            self,
            magnitude=np.where(self.varies, self.magnitude, np.minimum(self.magnitude, magnitude)),
        )

    def map(self, apply: Callable[[Any, int], Any]) -> "AffineArray":
        """Rearrange entries: `apply(array, extra)` acts on all but the last `extra` axes."""
        constant, magnitude = (apply(array, 0) for array in (self.constant, self.magnitude))
        coefficients, variables, sizes = (
            apply(array, 1) for array in (self.coefficients, self.variables, self.sizes)
        )
        return AffineArray(constant, coefficients, variables, sizes, magnitude, self.roundings)

    def __getitem__(self, index: Any) -> "AffineArray":
        return self.map(lambda array, extra: array[index])

    def reshape(self, *shape: int) -> "AffineArray":
        """The same entries in another shape."""
        resolved = self.constant.reshape(shape).shape
        return self.map(
            lambda array, extra: array.reshape(*resolved, *array.shape[array.ndim - extra :])
        )

    def broadcast(self, shape: tuple[int, ...]) -> "AffineArray":
        """The same entries, repeated to `shape`."""
        if self.constant.shape == shape:
            return self
        return self.map(
            lambda array, extra: np.broadcast_to(
                array, (*shape, *array.shape[array.ndim - extra :])
            )
        )

    def __add__(self, other: "AffineArray | Array | float") -> "AffineArray":
        if not isinstance(other, AffineArray):
            return self + AffineArray.known(other)
        shape = np.broadcast_shapes(self.shape, other.shape)
        first, second = self.broadcast(shape), other.broadcast(shape)
        return AffineArray(
            first.constant + second.constant,
            np.concatenate([first.coefficients, second.coefficients], axis=-1),
            np.concatenate([first.variables, second.variables], axis=-1),
            np.concatenate([first.sizes, second.sizes], axis=-1),
            first.magnitude + second.magnitude,
            max(first.roundings, second.roundings) + 1,
        )

    def __mul__(self, factor: Array | float) -> "AffineArray":
        """Product with numbers, entry by entry; these may have been rounded themselves, unless they
        are powers of two."""
        factors = np.asarray(factor, dtype=np.float64)
        wide = self.broadcast(np.broadcast_shapes(self.shape, factors.shape))
        mantissas = np.abs(np.frexp(factors)[0])
        exact = bool(np.all((mantissas == 0.5) | (mantissas == 0.0)))
        return AffineArray(
            wide.constant * factors,
            wide.coefficients * factors[..., np.newaxis],
            wide.variables,
            wide.sizes,
            # What underflows is off by less than a rounding of the smallest normal number.
            np.where(factors == 0.0, 0.0, wide.magnitude) * np.abs(factors)
            + np.where(factors == 0.0, 0.0, DOUBLE.normal),
            wide.roundings + (0 if exact else 2),
        )

    __rmul__ = __mul__

    def __neg__(self) -> "AffineArray":
        return self * -1.0

    def __sub__(self, other: "AffineArray | Array | float") -> "AffineArray":
        return self + (-other)

    def __rsub__(self, other: Array | float) -> "AffineArray":
        return -self + other

    def total(self, axes: int) -> "AffineArray":
        """Sum over the last `axes` axes."""
        if axes == 0:
            return self
        shape, last = self.shape[: len(self.shape) - axes], tuple(range(-axes, 0))
        entries = int(np.prod(self.shape[len(shape) :]))
        terms = entries * self.coefficients.shape[-1]
        return AffineArray(
            self.constant.sum(axis=last),
            self.coefficients.reshape(*shape, terms),
            self.variables.reshape(*shape, terms),
            self.sizes.reshape(*shape, terms),
            self.magnitude.sum(axis=last),
            self.roundings + max(entries - 1, 0),
        )

    def merged(self) -> "AffineArray":
        """The same expressions with each variable once, where it first occurs, its coefficients
        added up: what a solver sees and judges."""
        terms = self.coefficients.shape[-1]
        coefficients = self.coefficients.reshape(-1, terms)
        present = coefficients != 0.0
        names = np.zeros(coefficients.shape, dtype=np.int64)
        variables = self.variables.reshape(coefficients.shape)[present].tolist()
        names[present] = np.fromiter(map(id, variables), np.int64, len(variables))
        order = np.argsort(names, axis=1, kind="stable")
        names = np.take_along_axis(names, order, axis=1)
        again = np.zeros(names.shape, dtype=bool)
        again[:, 1:] = (names[:, 1:] == names[:, :-1]) & (names[:, 1:] != 0)
        if not again.any():
            return self
        first = np.maximum.accumulate(np.where(again, 0, np.arange(terms)), axis=1)
        places = np.take_along_axis(order, first, axis=1)
        totals = np.zeros(coefficients.shape)
        rows = np.broadcast_to(np.arange(len(order))[:, np.newaxis], order.shape)
        np.add.at(totals, (rows, places), np.take_along_axis(coefficients, order, axis=1))
        most = int((np.arange(terms) - first).max())
        return replace(
            self,
            coefficients=totals.reshape(self.coefficients.shape),
            roundings=self.roundings + most,
        )

    def without_dust(self) -> "tuple[AffineArray, Array]":
        """The expressions without the coefficients that solvers ignore, and by how much each may
        change for it (S9); shape S. Each variable occurs once in what is returned.

        Raises
        ------
        UnsupportedError
            If a variable with such a coefficient is unbounded.
        """
        once = self.merged()
        dust = (once.coefficients != 0.0) & (
            (np.abs(once.coefficients) <= SMALLEST_COEFFICIENT) | (once.sizes == 0.0)
        )
        if not dust.any():
            return once, np.zeros(self.shape)
        change = (np.abs(once.coefficients) * np.where(dust, once.sizes, 0.0)).sum(axis=-1)
        if not np.isfinite(change).all():
            raise UnsupportedError(
                "a variable without bounds has a coefficient so small that solvers leave it out; "
                "give it bounds"
            )
        # Rounded up, whatever the order of the sum.
        change *= 1.0 + (once.coefficients.shape[-1] + 4) * UNIT_ROUNDOFF
        return replace(once, coefficients=np.where(dust, 0.0, once.coefficients)), change

    def shares(self, values: Array) -> "tuple[list[Any], list[float]]":
        """The variables of an array of single ones, and what each is, in its unit, where the array
        has these values."""
        where = self.varies
        return self.variables[..., 0][where].tolist(), (
            values[where] / self.coefficients[..., 0][where]
        ).tolist()

    def values(self) -> Array:
        """Current values, read from the variables."""
        current = np.zeros(self.coefficients.shape)
        present = self.coefficients != 0.0
        current[present] = [variable.value for variable in self.variables[present]]
        result: Array = self.constant + (self.coefficients * current).sum(axis=-1)
        return result

    def expressions(self) -> list[LinearExpression]:
        """One Pyomo expression per entry, in row-major order."""
        rows = self.coefficients.reshape(self.constant.size, self.coefficients.shape[-1])
        names = self.variables.reshape(rows.shape)
        kept = rows != 0.0
        ends = np.cumsum(kept.sum(axis=1)).tolist()
        terms = [
            variable if coefficient == 1.0 else MonomialTermExpression((coefficient, variable))
            for coefficient, variable in zip(rows[kept].tolist(), names[kept].tolist(), strict=True)
        ]
        start, expressions = 0, []
        for constant, end in zip(self.constant.ravel().tolist(), ends, strict=True):
            expressions.append(
                LinearExpression([constant, *terms[start:end]] if constant else terms[start:end])
            )
            start = end
        return expressions
