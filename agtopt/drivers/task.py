"""What is asked of a model: a window with all that is needed to compile it, and one bound of it."""

from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from agtopt.compiler import Query
from agtopt.domains import Interval, KnownBounds, Polytope
from agtopt.drivers.models import Models
from agtopt.drivers.objectives import Objective
from agtopt.drivers.row import Row
from agtopt.drivers.settings import Settings
from agtopt.kinds import Formulation
from agtopt.problem import Dataset, Problem
from agtopt.solvers import PROVED
from agtopt.symbolic.branches import BranchBounds

NOMINAL = -1
"""Number of the nominal run where it is none of an attack."""

RELAXATION = 30.0
"""Seconds that an LP which helps another kind may take at least."""

COMPILING = 120.0
"""Seconds that building the models of one task may take."""


def limit_for(kind: Formulation, asked: Formulation, limit: float | None) -> float | None:
    """Seconds for a solve of `kind` where `asked` has the limit: its LP gets at least `RELAXATION`,
    so that no kind is wider than that."""
    return (
        limit
        if limit is None or kind == asked or kind.binaries or kind.bilinear
        else max(limit, RELAXATION)
    )


def patience(settings: Settings, solves: int = 1) -> float | None:
    """Seconds without a sign of life after which a task of so many solves counts as lost: those of
    the kind by a solver and by the one that checks it, of its relaxation, and of building both.
    None waits for ever."""
    limit = settings.time_limit
    return None if limit is None else 3.0 * limit * solves + RELAXATION + COMPILING


@dataclass(frozen=True, eq=False)
class Stage:
    """The window start … stop of a problem, with all that is needed to compile it anywhere.

    Attributes
    ----------
    problem : Problem
    settings : Settings
    kind : Formulation
        That of the settings, or one that only tightens.
    start, stop : int
    domain : Interval or Polytope
        Of the state at `start`.
    known : KnownBounds
    branches : BranchBounds
    models : Models
        Who keeps the compiled models.
    linear_solver : str or None
        For models with binaries and without products, where the settings name no solver.
    query : Query or None
        Inputs whose outputs are objectives.
    replay : bool
        Whether bounds are taken from the kept proofs, which are checked, instead of a solver.
    token : str
        Equal for equal stages, also in a worker: what compiled models are kept by.
    """

    problem: Problem
    settings: Settings
    kind: Formulation
    start: int
    stop: int
    domain: Interval | Polytope
    known: KnownBounds
    branches: BranchBounds
    models: Models
    linear_solver: str | None = None
    query: Query | None = None
    replay: bool = False
    token: str = field(default_factory=lambda: uuid4().hex)

    @property
    def solver(self) -> str | None:
        """The solver by name; None leaves the choice to the model."""
        return self.settings.chosen

    @property
    def time_limit(self) -> float | None:
        """Seconds for one solve."""
        return limit_for(self.kind, self.settings.kind, self.settings.time_limit)

    @property
    def proofs(self) -> Path | None:
        """Folder that takes the proof of every bound."""
        return None if self.settings.proofs is None else Path(self.settings.proofs)

    def __hash__(self) -> int:
        return hash(self.token)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stage) and self.token == other.token


@dataclass(frozen=True, eq=False)
class Task:
    """One bound of one stage: the smallest (sense −1) or largest (+1) value of an objective.

    Attributes
    ----------
    number : int
        Position among the objectives of the stage.
    known : float
        The bound that holds before any solve.
    attained : float
        The best value of any training run; NaN where none is known.
    dataset : Dataset
        The data of that run: the solver's start.
    unit : float
        That of what is bounded (`tolerances.unit_of`): gaps are relative to it.
    run : int
        Its number among those of an attack.
    rigour : str
        Of the bound that holds already.
    """

    stage: Stage
    number: int
    objective: Objective
    sense: int
    known: float
    attained: float
    dataset: Dataset
    unit: float
    run: int = NOMINAL
    rigour: str = PROVED


@dataclass(frozen=True, eq=False)
class Answer:
    """A bound, and what a solver says of how to come near it.

    Attributes
    ----------
    row : Row
    dataset : Dataset or None
        The adversary's choices at the incumbent, where these are admissible.
    inputs : array, shape (m, *input_shape), or None
        The inputs of the query there.
    """

    row: Row
    dataset: Dataset | None = None
    inputs: NDArray[np.float64] | None = None
