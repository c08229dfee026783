"""What is asked of a model: a window with all that is needed to compile it, and one bound of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agtopt.compiler import Query
from agtopt.domains import Interval, KnownBounds, Polytope
from agtopt.drivers.models import Models
from agtopt.drivers.objectives import Objective
from agtopt.drivers.row import Row
from agtopt.kinds import Formulation
from agtopt.problem import Dataset, Problem
from agtopt.solvers import PROVED
from agtopt.symbolic.branches import BranchBounds

NOMINAL = -1
"""Number of the nominal run where it is none of an attack."""


@dataclass(frozen=True, eq=False)
class Stage:
    """The window start … stop of a problem, with all that is needed to compile it anywhere.

    Attributes
    ----------
    token : str
        Equal for equal stages, also in a worker: what compiled models are kept by.
    domain : Interval or Polytope
        Of the state at `start`.
    proofs : Path or None
        Folder that takes the proof of every bound.
    models : Models
        Who keeps the compiled models.
    linear_solver : str or None
        For models with binaries and without products, where `solver` names none.
    query : Query or None
        Inputs whose outputs are objectives.
    replay : bool
        Whether bounds are taken from the proofs in that folder, which are checked, instead of a
        solver.
    """

    token: str
    problem: Problem
    kind: Formulation
    start: int
    stop: int
    domain: Interval | Polytope
    known: KnownBounds
    conditional: bool
    branches: BranchBounds
    solver: str | None
    time_limit: float | None
    models: Models
    proofs: Path | None = None
    linear_solver: str | None = None
    query: Query | None = None
    replay: bool = False

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
