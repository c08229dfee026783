"""The result of a driver: a domain, the domains of every step, and one row per solve."""

from dataclasses import asdict, dataclass, fields
from functools import cached_property

import pandas as pd

from agtopt.domains import Affine, Interval, KnownBounds, Polytope
from agtopt.drivers.row import Row, rigour_of, stopped
from agtopt.drivers.settings import Settings
from agtopt.intervals.scale.numerics import FLOAT64, SINGLE, Numerics
from agtopt.kinds import Formulation, Propagation
from agtopt.problem import Problem

FLOAT32, PARTS, SAMPLES = "in float32", "in parts", "by samples"
"""How a domain was found, where `Reach.route` names more than the kind."""


@dataclass(frozen=True, eq=False)
class Reach:
    """A valid parameter-space domain of a problem, and how it was found.

    Attributes
    ----------
    problem : Problem
    method : Formulation or Propagation
    states : tuple of Interval
        Valid domains of the state at steps 0 … T (`Problem.flatten`: the parameters, then with
        momentum the velocities).
    rows : tuple of Row
        One per bound that was asked for.
    seconds : float
        Wall-clock time of the whole call.
    interrupted : bool
        Whether the call was cut short; the domains hold all the same (S1).
    polytopes : tuple of Polytope or None
        Polytope domains of θ_0 … θ_T where a template was bounded, None elsewhere; empty without a
        template.
    settings : Settings or None
        How a formulation was solved; None where intervals were propagated, or parts or samples
        bounded apart.
    affines : tuple of Affine or None
        Affine domains of the state at steps 0 … T by AFFINE: of the last step, and of those before
        it that memory holds; empty otherwise.
    variant : str
        ``in float32``, ``in parts`` or ``by samples``; empty where `bound` found the domain in
        float64.
    """

    problem: Problem
    method: Formulation | Propagation
    states: tuple[Interval, ...]
    rows: tuple[Row, ...]
    seconds: float
    interrupted: bool = False
    polytopes: tuple[Polytope | None, ...] = ()
    settings: Settings | None = None
    variant: str = ""
    affines: tuple[Affine | None, ...] = ()

    @property
    def route(self) -> str:
        """How the domain was found, in words: the method and its variant."""
        return f"{self.method} {self.variant}".strip()

    @property
    def numerics(self) -> Numerics:
        """The format in which training runs, and the trained models predict."""
        return SINGLE if self.variant == FLOAT32 else FLOAT64

    @cached_property
    def steps(self) -> tuple[Interval, ...]:
        """Boxes of θ_0 … θ_T."""
        size = self.problem.network.size
        return tuple(Interval(state.lower[:size], state.upper[:size]) for state in self.states)

    @property
    def known(self) -> KnownBounds:
        """The boxes of all states as bounds for `agtopt.compile`."""
        bounds = KnownBounds()
        for t, state in enumerate(self.states):
            lower, upper = self.problem.unflatten(state.lower), self.problem.unflatten(state.upper)
            for tensor in self.problem.state:
                bounds.shrink((t, tensor), lower[tensor], upper[tensor])
        return bounds

    @property
    def domain(self) -> Interval | Polytope:
        """The domain of the final parameters: a polytope if a template was given."""
        return (self.polytopes[-1] if self.polytopes else None) or self.steps[-1]

    @property
    def affine(self) -> Affine | None:
        """The affine domain of the final parameters; None where AFFINE was not propagated."""
        last = self.affines[-1] if self.affines else None
        return None if last is None else last.first(self.problem.network.size)

    @property
    def rigour(self) -> str:
        """``proved``, or ``solver tolerance`` where a bound rests on a solver's word."""
        return rigour_of(self.rows)

    @property
    def stopped(self) -> int:
        """How many bounds were stopped at their time limit: they hold, and longer limits may
        tighten them."""
        return stopped(self.rows)

    def table(self) -> pd.DataFrame:
        """One row per bound, with the gap: by how much it exceeds what is attained (two-sided
        result)."""
        names = [field.name for field in fields(Row)]
        frame = pd.DataFrame([asdict(row) for row in self.rows], columns=names)
        frame.insert(names.index("bound") + 1, "gap", (frame["bound"] - frame["attained"]).abs())
        return frame
