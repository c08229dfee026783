"""Where an encoding writes: the one way in which affine expressions become Pyomo variables and
constraints."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import ArrayLike, NDArray
from pyomo.core.expr.relational_expr import (
    EqualityExpression,
    InequalityExpression,
    RangedExpression,
)

from agtopt.formulation.affine import AffineArray
from agtopt.formulation.naming import add_component
from agtopt.tolerances import outward, size_of, unit_of

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ROUNDING = "rounding"
"""The suffix of a model that holds the room of its equations."""

WRITING = 8
"""Roundings of a row beside those of its body: its side, and a difference of the two."""

IN_UNITS = "_in_units"
"""Ends the name of a Var that has units: the name without it is an Expression, the same quantity in
its natural scale."""

UNITS = "unit"
"""The suffix of a model that holds the units of its variables, where they have any."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """How the values of new variables follow from earlier ones in a real training run."""

    target: AffineArray
    where: Mask
    compute: Callable[[], Array]

    def run(self) -> None:
        """Set the variables to the values that training gives them."""
        for variable, value in zip(*self.target.shares(self.compute()), strict=True):
            variable.set_value(value, skip_validation=True)


@dataclass(frozen=True)
class Site:
    """Where an encoding writes: a Pyomo block, the stem of its names and the keys of its first
    axis.

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

    def assign(self, target: AffineArray, where: Mask, compute: Callable[[], Array]) -> None:
        """Record how training gives values to the variables `target` (one per entry of the mask
        `where`)."""
        if where.any():
            self.replay.append(Assignment(target, where, compute))

    def named(self, name: str) -> "Site":
        """The same place under another name."""
        return replace(self, name=name)

    def keys(self, where: Mask) -> list[Any]:
        """Index of every entry in the mask, in row-major order; a single number for one axis."""
        indices = np.argwhere(where)
        if self.samples is not None and len(indices):
            indices[:, 0] = np.asarray(self.samples)[indices[:, 0]]
        if indices.shape[1] == 1:
            flat: list[Any] = indices[:, 0].tolist()
            return flat
        return [tuple(key) for key in indices.tolist()]

    def variables(
        self,
        suffix: str,
        lower: ArrayLike,
        upper: ArrayLike,
        where: Mask,
        binary: bool = False,
        otherwise: AffineArray | ArrayLike = 0.0,
    ) -> AffineArray:
        """A new indexed Var over the entries in the mask `where`; the other entries are the numbers
        `otherwise`.

        Where its size asks for a unit (`unit_of`), the variable is in that, and an Expression has
        its name and its natural scale.
        """
        objects, sizes = np.empty(where.shape, dtype=object), np.zeros(where.shape)
        units = np.ones(where.shape)
        if where.any():
            low, high = (
                np.broadcast_to(np.asarray(end, dtype=np.float64), where.shape)[where]
                for end in (lower, upper)
            )
            units[where] = unit = unit_of(size_of(low, high))
            low, high = low / unit, high / unit
            sizes[where] = size_of(low, high)
            component = pyo.Var(self.keys(where), domain=pyo.Binary if binary else pyo.Reals)
            scaled = bool(np.any(unit != 1.0))
            add_component(self.block, self.name + suffix + IN_UNITS * scaled, component)
            for variable, least, most in zip(
                component.values(), low.tolist(), high.tolist(), strict=True
            ):
                variable.setlb(least)
                variable.setub(most)
            objects[where] = list(component.values())
            if scaled:
                component.doc = f"{self.name}{suffix} in units of {_powers(unit)}"
                model = self.block.model()
                if model.component(UNITS) is None:
                    model.add_component(UNITS, pyo.Suffix(direction=pyo.Suffix.LOCAL))
                model.component(UNITS).update(zip(component.values(), unit.tolist(), strict=True))
                self.named(self.name + suffix).name_expressions(
                    AffineArray.single(objects, units, sizes, where), where
                )
        return AffineArray.single(objects, units, sizes, where, otherwise)

    def name_expressions(self, body: AffineArray, where: Mask) -> None:
        """A new indexed Expression over the entries in the mask `where`: a name to browse by,
        without a variable."""
        if where.any():
            chosen = dict(zip(self.keys(where), body[where].expressions(), strict=True))
            add_component(self.block, self.name, pyo.Expression(list(chosen), rule=chosen))

    def rows(
        self,
        suffix: str,
        body: AffineArray,
        where: Mask,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        margin: bool = False,
    ) -> None:
        """A new indexed Constraint over the entries in the mask `where`: body ≥ lower, body ≤
        upper, or, with both, body = lower.

        Each has the room that a training run needs: an inequality is moved outward by it, that of
        an equation is kept for proofs. A row is divided by its unit, that of its largest term,
        which changes nothing of what it says. What solvers leave out of it is paid for on both
        sides. With a `margin` its side is moved outward by that of a solver's tolerance in that
        unit (S9).
        """
        if not where.any():
            return
        # A unit is that of what is left once terms have cancelled.
        wide = body.broadcast(where.shape)[where].merged()
        unit = unit_of(wide.largest)
        chosen, slack = (replace(wide, constant=np.zeros(len(unit))) * (1.0 / unit)).without_dust()
        equation = lower is not None and upper is not None
        sides: list[list[float]] = []
        for end, sense in ((lower, -1), (upper, 1)):
            if end is None:
                continue
            given = np.broadcast_to(np.asarray(end, dtype=np.float64), where.shape)[where]
            moved = outward(given, sense, unit) if margin else given
            # The constant goes to the right-hand side: writers and readers agree on it there.
            side = (moved - wide.constant) / unit
            rounding = chosen.loosened(np.abs(moved) / unit, WRITING).room
            room = np.where(slack > 0.0, slack + rounding, 0.0) if equation else slack + rounding
            sides.append((side + sense * room).tolist())
        bodies = chosen.expressions()
        if not equation:
            relations = [
                InequalityExpression((body, side) if lower is None else (side, body), False)
                for body, side in zip(bodies, sides[0], strict=True)
            ]
        else:
            relations = [
                EqualityExpression((body, least))
                if least == most
                else RangedExpression((least, body, most), False)
                for body, least, most in zip(bodies, *sides, strict=True)
            ]
        self.constrain(suffix, self.keys(where), relations, rounding if equation else None)

    def constrain(
        self, suffix: str, keys: list[Any], relations: list[Any], room: Array | None = None
    ) -> None:
        """A new indexed Constraint from one relation per key; `room` is by how much a training run
        may miss each."""
        component = pyo.Constraint(keys, rule=dict(zip(keys, relations, strict=True)))
        add_component(self.block, self.name + suffix, component)
        if room is not None:
            model = self.block.model()
            if model.component(ROUNDING) is None:
                model.add_component(
                    ROUNDING, pyo.Suffix(direction=pyo.Suffix.LOCAL, datatype=pyo.Suffix.FLOAT)
                )
            model.component(ROUNDING).update(zip(component.values(), room.tolist(), strict=True))


def _powers(units: Array) -> str:
    """Powers of two in words."""
    exponents = np.unique(np.frexp(units)[1] - 1)
    words = [f"2^{exponent}" for exponent in exponents.tolist()]
    return words[0] if len(words) == 1 else f"{words[0]} … {words[-1]}, each entry in its own"
