r"""Arrays of affine expressions, and the one way in which they become Pyomo variables and constraints.

**Rounding (S5).** A row is written with rounded numbers: a mean has the factor 1/b, coefficients are products, constants are sums. The
values that a training run gives the variables miss the row a little, and a proof that took the row for exact would lose that run. Every
expression therefore knows by how much a run may miss it. `size` is the sum of the magnitudes of all terms that went into it, at the
bounds of their variables; terms that cancel stay in it. `roundings` is how often any of them was rounded. A run, in exact arithmetic or
as a framework evaluates it in float64, is off by at most `room` = γ(roundings) · size (Higham, 2002, section 3.1; twice, once for our
numbers and once for those of the framework). A new variable *is* the value of the run, so errors do not add up from row to row.

Inequalities are moved outward by their room. Equations stay equations, because solvers do better with them. Their rooms are kept in the
suffix `ROUNDING` of the model, and whatever proves a bound reads them as two-sided rows that are wider by it (`solvers.highs.Arrays`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import ArrayLike, NDArray
from pyomo.core.expr.numeric_expr import LinearExpression, MonomialTermExpression
from pyomo.core.expr.relational_expr import EqualityExpression, InequalityExpression

from agtopt.tolerances import DOUBLE, SMALLEST_COEFFICIENT

Array = NDArray[np.float64]
Objects = NDArray[np.object_]
Mask = NDArray[np.bool_]

ROUNDING = "rounding"
"""The suffix of a model that holds the room of its equations."""

WRITING = 8
"""Roundings of a row beside those of its body: its side, and a difference of the two."""


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
    size : array, shape S
        At least the sum of the magnitudes of all terms, those that have cancelled included.
    roundings : int
        How often a term was rounded, at most.
    """

    constant: Array
    coefficients: Array
    variables: Objects
    size: Array
    roundings: int = 0

    @classmethod
    def known(cls, values: ArrayLike, error: ArrayLike = 0.0) -> "Affine":
        """An array of numbers, each off by at most `error`."""
        constant = np.asarray(values, dtype=np.float64)
        size = np.abs(constant) + np.asarray(error) / DOUBLE.unit
        empty = np.empty((*constant.shape, 0), dtype=object)
        return cls(constant, np.zeros(empty.shape), empty, size, int(np.any(error)))

    @classmethod
    def single(cls, variables: Objects, size: Array, where: Mask, otherwise: "Affine | ArrayLike" = 0.0) -> "Affine":
        """One variable per entry, of that magnitude at most; entries outside the mask `where` are the numbers `otherwise`."""
        rest = (otherwise if isinstance(otherwise, Affine) else cls.known(otherwise)).broadcast(where.shape)
        present = where.astype(np.float64)
        return cls(
            np.where(where, 0.0, rest.constant),
            present[..., np.newaxis],
            variables[..., np.newaxis],
            np.where(where, size, rest.size),
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
    def room(self) -> Array:
        """By how much the value that a training run gives an entry may differ from the expression, shape S."""
        return self.size * DOUBLE.accumulated(self.roundings)

    def loosened(self, size: Array | float, roundings: int) -> "Affine":
        """The same expressions with further terms of that size that have cancelled, and further roundings."""
        return replace(self, size=self.size + size, roundings=self.roundings + roundings)

    def within(self, low: Array, high: Array) -> "Affine":
        """The same expressions; the true values of their numbers are known to lie in [low, high], which bounds their errors."""
        if not self.roundings:
            return self
        error = np.maximum(np.maximum(self.constant - low, high - self.constant), 0.0)
        size = np.abs(self.constant) + error / (self.roundings * DOUBLE.unit)
        return replace(self, size=np.where(self.varies, self.size, np.minimum(self.size, size)))

    def map(self, apply: Callable[[Any, int], Any]) -> "Affine":
        """Rearrange entries: `apply(array, extra)` acts on all but the last `extra` axes."""
        return Affine(apply(self.constant, 0), apply(self.coefficients, 1), apply(self.variables, 1), apply(self.size, 0), self.roundings)

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
            first.size + second.size,
            max(first.roundings, second.roundings) + 1,
        )

    def __mul__(self, factor: Array | float) -> "Affine":
        """Product with numbers, entry by entry; these may have been rounded themselves, unless they are powers of two."""
        factors = np.asarray(factor, dtype=np.float64)
        wide = self.broadcast(np.broadcast_shapes(self.shape, factors.shape))
        mantissas = np.abs(np.frexp(factors)[0])
        exact = bool(np.all((mantissas == 0.5) | (mantissas == 0.0)))
        return Affine(
            wide.constant * factors,
            wide.coefficients * factors[..., np.newaxis],
            wide.variables,
            # What underflows is off by less than a rounding of the smallest normal number.
            np.where(factors == 0.0, 0.0, wide.size) * np.abs(factors) + np.where(factors == 0.0, 0.0, DOUBLE.normal),
            wide.roundings + (0 if exact else 2),
        )

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
        shape, last = self.shape[: len(self.shape) - axes], tuple(range(-axes, 0))
        entries = int(np.prod(self.shape[len(shape) :]))
        terms = entries * self.coefficients.shape[-1]
        return Affine(
            self.constant.sum(axis=last),
            self.coefficients.reshape(*shape, terms),
            self.variables.reshape(*shape, terms),
            self.size.sum(axis=last),
            self.roundings + max(entries - 1, 0),
        )

    def without_dust(self) -> "tuple[Affine, Array]":
        """The expressions without the coefficients that solvers ignore, and by how much each may change for it (S9); shape (rows,)."""
        dust = (self.coefficients != 0.0) & (np.abs(self.coefficients) < SMALLEST_COEFFICIENT)
        slack = np.zeros(len(self.constant))
        for row, term in np.argwhere(dust):
            variable = self.variables[row, term]
            slack[row] += abs(self.coefficients[row, term]) * max(abs(variable.lb), abs(variable.ub))
        return (replace(self, coefficients=np.where(dust, 0.0, self.coefficients)) if dust.any() else self), slack

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
        self, suffix: str, lower: ArrayLike, upper: ArrayLike, where: Mask, binary: bool = False, otherwise: Affine | ArrayLike = 0.0
    ) -> Affine:
        """A new indexed Var over the entries in the mask `where`; the other entries are the numbers `otherwise`."""
        objects = np.empty(where.shape, dtype=object)
        lows, highs = (np.broadcast_to(np.asarray(end, dtype=np.float64), where.shape) for end in (lower, upper))
        if where.any():
            low, high = lows[where].tolist(), highs[where].tolist()
            component = pyo.Var(self.keys(where), domain=pyo.Binary if binary else pyo.Reals)
            setattr(self.block, self.name + suffix, component)
            for variable, least, most in zip(component.values(), low, high, strict=True):
                variable.setlb(least)
                variable.setub(most)
            objects[where] = list(component.values())
        return Affine.single(objects, np.maximum(np.abs(lows), np.abs(highs)), where, otherwise)

    def name_expressions(self, body: Affine, where: Mask) -> None:
        """A new indexed Expression over the entries in the mask `where`: a name to browse by, without a variable."""
        if where.any():
            chosen = dict(zip(self.keys(where), body[where].expressions(), strict=True))
            setattr(self.block, self.name, pyo.Expression(list(chosen), rule=chosen))

    def rows(self, suffix: str, body: Affine, where: Mask, lower: ArrayLike | None = None, upper: ArrayLike | None = None) -> None:
        """A new indexed Constraint over the entries in the mask `where`: body ≥ lower, body ≤ upper, or, with both, body = lower.

        Each has the room that a training run needs: an inequality is moved outward by it, that of an equation is kept for proofs.
        """
        if not where.any():
            return
        wide = body.broadcast(where.shape)[where]
        chosen, dust = (wide, 0.0) if lower is not None and upper is not None else wide.without_dust()
        end = np.broadcast_to(np.asarray(upper if lower is None else lower, dtype=np.float64), where.shape)[where]
        # Pyomo adds up the coefficients of a variable that occurs more than once.
        room = dust + chosen.loosened(np.abs(end), WRITING + chosen.coefficients.shape[-1]).room
        # The constant goes to the right-hand side: writers and readers agree on it there.
        bodies = replace(chosen, constant=np.zeros(len(end))).expressions()
        side, keys = end - wide.constant, self.keys(where)
        if lower is not None and upper is not None:
            self.constrain(suffix, keys, [EqualityExpression(pair) for pair in zip(bodies, side.tolist(), strict=True)], room)
        elif lower is None:
            pairs = zip(bodies, (side + room).tolist(), strict=True)
            self.constrain(suffix, keys, [InequalityExpression(pair, False) for pair in pairs])
        else:
            pairs = zip((side - room).tolist(), bodies, strict=True)
            self.constrain(suffix, keys, [InequalityExpression(pair, False) for pair in pairs])

    def constrain(self, suffix: str, keys: list[Any], relations: list[Any], room: Array | None = None) -> None:
        """A new indexed Constraint from one relation per key; `room` is by how much a training run may miss each."""
        component = pyo.Constraint(keys, rule=dict(zip(keys, relations, strict=True)))
        setattr(self.block, self.name + suffix, component)
        if room is not None:
            model = self.block.model()
            if model.component(ROUNDING) is None:
                model.add_component(ROUNDING, pyo.Suffix(direction=pyo.Suffix.LOCAL, datatype=pyo.Suffix.FLOAT))
            model.component(ROUNDING).update(zip(component.values(), room.tolist(), strict=True))
