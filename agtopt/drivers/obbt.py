"""Optimisation-based bound tightening (OBBT) of pre-activations (Gleixner et al., 2017): how it is
asked for."""

from dataclasses import dataclass
from typing import Any

from agtopt.arguments import typed
from agtopt.errors import InvalidInputError
from agtopt.kinds import Formulation, kind_named
from agtopt.problem.checks import whole


@typed("obbt")
@dataclass(frozen=True)
class OBBT:
    """Bound the pre-activations that decide nothing yet, by solving for their minimum and maximum.

    Parameters
    ----------
    solves : int
        Solves that each model may cost at most.
    rounds : int
        A round ends when every candidate was bounded once; each round uses the bounds of the one
        before.
    kind : str or Formulation
        ``LP``, or another kind without products. Only dual bounds count.

    Raises
    ------
    InvalidInputError
        If a number is no whole number of at least 1, or the kind keeps products.
    """

    solves: int = 1000
    rounds: int = 1
    kind: str | Formulation = "LP"

    def __post_init__(self) -> None:
        whole("obbt.solves", self.solves, 1)
        whole("obbt.rounds", self.rounds, 1)
        linear_kind("obbt.kind", self.kind)

    @property
    def formulation(self) -> Formulation:
        """The linear kind of the models that OBBT solves."""
        return linear_kind("obbt.kind", self.kind)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "solves": int(self.solves),
            "rounds": int(self.rounds),
            "kind": str(self.formulation),
        }


def linear_kind(name: str, value: str | Formulation) -> Formulation:
    """A formulation without products, for the argument `name`.

    Raises
    ------
    InvalidInputError
        If it keeps products, or is none.
    """
    kind = kind_named(value)
    if not isinstance(kind, Formulation) or kind.bilinear:
        raise InvalidInputError(f"{name}: {value!r} is not allowed; it must be LP or MILP")
    return kind
