"""Arrays of affine expressions, and the one way in which they become Pyomo variables and constraints."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import ArrayLike, NDArray
from pyomo.core.expr.numeric_expr import LinearExpression, MonomialTermExpression
from pyomo.core.expr.relational_expr import EqualityExpression, InequalityExpression

from agtopt.formulation.naming import add_component
from agtopt.tolerances import SMALLEST_COEFFICIENT, UNIT_ROUNDOFF

Array = NDArray[np.float64]
Objects = NDArray[np.object_]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Affine:
    """An array of affine expressions: constant + Σ_k coefficients[…, k] · variables[…, k].

    Parameters
    ----------
    constant : array, shape S
    coefficients : array, shape S + (K,)
        A zero coefficient marks an absent term.
    variables : object array, shape S + (K,)
        Pyomo variables; anything where the coefficient is zero.
    """

    constant: Array
    coefficients: Array
    variables: Objects

    @classmethod
    def known(cls, values: ArrayLike) -> "Affine":
        """An array of numbers."""
        constant = np.asarray(values, dtype=np.float64)
        return cls(constant, np.zeros((*constant.shape, 0)), np.empty((*constant.shape, 0), dtype=object))

    @classmethod
    def single(cls, variables: Objects, where: Mask | None = None, otherwise: ArrayLike = 0.0) -> "Affine":
        """One variable per entry; entries outside the mask `where` are the numbers `otherwise`."""
        present = np.ones(variables.shape) if where is None else where.astype(np.float64)
        constant = np.where(present > 0, 0.0, otherwise)
        return cls(constant, present[..., np.newaxis], variables[..., np.newaxis])

    @property
    def shape(self) -> tuple[int, ...]:
        return self.constant.shape

    @property
    def varies(self) -> Mask:
        """Which entries hold a variable."""
        result: Mask = np.any(self.coefficients != 0.0, axis=-1)
        return result

    def map(self, apply: Callable[[Any, int], Any]) -> "Affine":
        """Rearrange entries: `apply(array, extra)` acts on all but the last `extra` axes."""
        return Affine(apply(self.constant, 0), apply(self.coefficients, 1), apply(self.variables, 1))

    def __getitem__(self, index: Any) -> "Affine":
        return self.map(lambda array, extra: array[index])

    def reshape(self, *shape: int) -> "Affine":
        """The same entries in another shape."""
        resolved = self.constant.reshape(shape).shape
        return self.map(lambda array, extra: array.reshape(*resolved, *array.shape[array.ndim - extra :]))

    def broadcast(self, shape: tuple[int, ...]) -> "Affine":
        """The same entries, repeated to `shape`."""
        if self.constant.shape == shape:
            return self
        return self.map(lambda array, extra: np.broadcast_to(array, (*shape, *array.shape[array.ndim - extra :])))

    def __add__(self, other: "Affine | Array | float") -> "Affine":
        if not isinstance(other, Affine):
            return self + Affine.known(other)
        shape = np.broadcast_shapes(self.shape, other.shape)
        first, second = self.broadcast(shape), other.broadcast(shape)
        return Affine(
            first.constant + second.constant,
            np.concatenate([first.coefficients, second.coefficients], axis=-1),
            np.concatenate([first.variables, second.variables], axis=-1),
        )

    def __mul__(self, factor: Array | float) -> "Affine":
        """Product with numbers, entry by entry."""
        factors = np.asarray(factor, dtype=np.float64)
        wide = self.broadcast(np.broadcast_shapes(self.shape, factors.shape))
        return Affine(wide.constant * factors, wide.coefficients * factors[..., np.newaxis], wide.variables)

    __rmul__ = __mul__

    def __neg__(self) -> "Affine":
        return self * -1.0

    def __sub__(self, other: "Affine | Array | float") -> "Affine":
        return self + (-other)

    def __rsub__(self, other: Array | float) -> "Affine":
        return -self + other

    def total(self, axes: int) -> "Affine":
        """Sum over the last `axes` axes."""
        if axes == 0:
            return self
        shape = self.shape[: len(self.shape) - axes]
        terms = int(np.prod(self.shape[len(shape) :])) * self.coefficients.shape[-1]
        return Affine(
            self.constant.sum(axis=tuple(range(-axes, 0))),
            self.coefficients.reshape(*shape, terms),
            self.variables.reshape(*shape, terms),
        )

    def without_dust(self) -> "tuple[Affine, Array]":
        """The expressions without the coefficients that solvers ignore, and by how much each may change for it (S9); shape (rows,)."""
        dust = (self.coefficients != 0.0) & (np.abs(self.coefficients) < SMALLEST_COEFFICIENT)
        slack = np.zeros(len(self.constant))
        for row, term in np.argwhere(dust):
            variable = self.variables[row, term]
            slack[row] += abs(self.coefficients[row, term]) * max(abs(variable.lb), abs(variable.ub))
        return (Affine(self.constant, np.where(dust, 0.0, self.coefficients), self.variables) if dust.any() else self), slack

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
        start, found = 0, []
        for constant, end in zip(self.constant.ravel().tolist(), ends, strict=True):
            found.append(LinearExpression([constant, *terms[start:end]] if constant else terms[start:end]))
            start = end
        return found


@dataclass(frozen=True, eq=False)
class Assignment:
    """How the values of new variables follow from earlier ones in a real training run."""

    target: Affine
    where: Mask
    compute: Callable[[], Array]

    def run(self) -> None:
        """Set the variables to the values that training gives them."""
        found = self.compute()[self.where].tolist()
        for variable, value in zip(self.target.variables[..., 0][self.where], found, strict=True):
            variable.set_value(value, skip_validation=True)


@dataclass(frozen=True)
class Site:
    """Where an encoding writes: a Pyomo block, the stem of its names and the keys of its first axis.

    Parameters
    ----------
    block : pyomo Block
    name : str
        Stem of every component written here, e.g. ``"relu1"``.
    samples : sequence of int or None
        Dataset indices that key the first axis; None counts it from 0.
    replay : list of Assignment
        Collects, in order, how every variable follows from the data (the fixed-input oracle).
    """

    block: Any
    name: str
    samples: Sequence[int] | NDArray[np.int64] | None = None
    replay: list[Assignment] = field(default_factory=list)

    def assign(self, target: Affine, where: Mask, compute: Callable[[], Array]) -> None:
        """Record how training gives values to the variables `target` (one per entry of the mask `where`)."""
        if where.any():
            self.replay.append(Assignment(target, where, compute))

    def named(self, name: str) -> "Site":
        """The same place under another name."""
        return replace(self, name=name)

    def keys(self, where: Mask) -> list[Any]:
        """Index of every entry in the mask, in row-major order; a single number for one axis."""
        found = np.argwhere(where)
        if self.samples is not None and len(found):
            found[:, 0] = np.asarray(self.samples)[found[:, 0]]
        if found.shape[1] == 1:
            flat: list[Any] = found[:, 0].tolist()
            return flat
        return [tuple(key) for key in found.tolist()]

    def variables(
        self, suffix: str, lower: ArrayLike, upper: ArrayLike, where: Mask, binary: bool = False, otherwise: ArrayLike = 0.0
    ) -> Affine:
        """A new indexed Var over the entries in the mask `where`; the other entries are the numbers `otherwise`."""
        objects = np.empty(where.shape, dtype=object)
        if where.any():
            low, high = (np.broadcast_to(end, where.shape)[where].tolist() for end in (lower, upper))
            component = pyo.Var(self.keys(where), domain=pyo.Binary if binary else pyo.Reals)
            add_component(self.block, self.name + suffix, component)
            for variable, least, most in zip(component.values(), low, high, strict=True):
                variable.setlb(least)
                variable.setub(most)
            objects[where] = list(component.values())
        return Affine.single(objects, where, otherwise)

    def name_expressions(self, body: Affine, where: Mask) -> None:
        """A new indexed Expression over the entries in the mask `where`: a name to browse by, without a variable."""
        if where.any():
            chosen = dict(zip(self.keys(where), body[where].expressions(), strict=True))
            add_component(self.block, self.name, pyo.Expression(list(chosen), rule=chosen))

    def rows(self, suffix: str, body: Affine, where: Mask, lower: ArrayLike | None = None, upper: ArrayLike | None = None) -> None:
        """A new indexed Constraint over the entries in the mask `where`: body ≥ lower, body ≤ upper, or, with both, body = lower."""
        if not where.any():
            return
        wide = body.broadcast(where.shape)
        chosen = Affine(np.zeros(int(where.sum())), wide.coefficients[where], wide.variables[where])
        # The constant goes to the right-hand side: writers and readers agree on it there.
        sides = [
            None
            if end is None
            else (np.broadcast_to(np.asarray(end, dtype=np.float64), where.shape)[where] - wide.constant[where]).tolist()
            for end in (lower, upper)
        ]
        if sides[0] is None or sides[1] is None:
            chosen, slack = chosen.without_dust()
            # S3: a constant of the size of a big-M has absorbed the digits of smaller ones.
            end = np.broadcast_to(np.asarray(upper if lower is None else lower, dtype=np.float64), where.shape)[where]
            slack = slack + 8.0 * UNIT_ROUNDOFF * (np.abs(end) + np.abs(wide.constant[where]))
            sides = [
                None if side is None else (np.array(side) + sign * slack).tolist() for sign, side in zip((-1.0, 1.0), sides, strict=True)
            ]
        bodies = chosen.expressions()
        if sides[0] is None:
            relations = [InequalityExpression((body, side), False) for body, side in zip(bodies, sides[1] or (), strict=True)]
        elif sides[1] is None:
            relations = [InequalityExpression((side, body), False) for body, side in zip(bodies, sides[0], strict=True)]
        else:
            relations = [EqualityExpression((body, side)) for body, side in zip(bodies, sides[0], strict=True)]
        self.constrain(suffix, self.keys(where), relations)

    def constrain(self, suffix: str, keys: list[Any], relations: list[Any]) -> None:
        """A new indexed Constraint from one relation per key."""
        add_component(self.block, self.name + suffix, pyo.Constraint(keys, rule=dict(zip(keys, relations, strict=True))))
