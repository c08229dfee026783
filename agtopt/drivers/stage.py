"""The bounds of one window: a list of independent tasks that any PEP 3148 executor can run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from agtopt.compiler import CompiledModel, Query, append_query, compile, inputs_of
from agtopt.compiler.export import holds_functions
from agtopt.domains import Interval, KnownBounds, Polytope
from agtopt.drivers.objectives import Objective
from agtopt.drivers.row import Row
from agtopt.errors import InfeasibleError, InvalidInputError, SaveError, SoundnessError
from agtopt.files import attempt, saving, write_text
from agtopt.kinds import LP, Formulation
from agtopt.names import file_name
from agtopt.problem import Dataset, Problem
from agtopt.semantics.symbolic import BranchBounds
from agtopt.solvers import PROVED, Session, SolveResult, choose, open_session
from agtopt.solvers.proof import proof_of
from agtopt.solvers.tree import Tree
from agtopt.tolerances import AGREEMENT, FEASIBILITY, INTEGRALITY, RELATIVE_GAP, outward

RELAXATION = 30.0
"""Seconds that an LP which helps another kind may take at least."""


@dataclass(frozen=True, eq=False)
class Stage:
    """The window start … stop of a problem, with all that is needed to compile it anywhere.

    Attributes
    ----------
    token : str
        Equal for equal stages: workers keep the compiled models of the stage at hand.
    domain : Interval or Polytope
        Of the state at `start`.
    proofs : Path or None
        Folder that takes the proof of every bound.
    linear_solver : str or None
        For models with binaries and without products, where `solver` names none.
    query : Query or None
        Inputs whose outputs are objectives.
    replay : bool
        Whether bounds are taken from the proofs in that folder, which are checked, instead of a solver.
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
    """

    stage: Stage
    number: int
    objective: Objective
    sense: int
    known: float
    attained: float
    dataset: Dataset


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


_TURNS = Lock()
"""Threads of one process take turns: a session holds one objective at a time, and Pyomo is not made for threads."""


@lru_cache(maxsize=4)
def _model(stage: Stage, kind: Formulation) -> CompiledModel:
    model = compile(stage.problem, kind, stage.start, stage.stop, stage.domain, stage.known.copy(), stage.conditional, stage.branches)
    if stage.query is not None:
        append_query(model, stage.query)
    model.minimise(np.zeros(stage.problem.network.size))
    return model


@lru_cache(maxsize=4)
def _session(stage: Stage, kind: Formulation) -> Session:
    model = _model(stage, kind)
    # The relaxation of every rung is linear; only the asked-for kind goes to the asked-for solver.
    name = stage.solver if kind == stage.kind else None
    if name is None and kind.binaries and not model.quadratic:
        name = stage.linear_solver
    return open_session(choose(name, model.quadratic, kind.binaries and model.decisive), model.pyomo)


def limit_for(kind: Formulation, asked: Formulation, limit: float | None) -> float | None:
    """Seconds for a solve of `kind` where `asked` has the limit: its LP gets at least `RELAXATION`, so that no kind is wider than that."""
    return limit if limit is None or kind == asked or kind.binaries or kind.bilinear else max(limit, RELAXATION)


def compiled(stage: Stage) -> CompiledModel:
    """The model of a stage, compiled once."""
    with _TURNS:
        return _model(stage, stage.kind)


def forget_models() -> None:
    """Let go of the compiled models and sessions of the last stages."""
    _session.cache_clear()
    _model.cache_clear()


def run_task(task: Task) -> Row:
    """Bound one objective.

    Nothing is solved where a training run attains the bound that is known already. A kind that stops short of its optimum is helped by its
    LP relaxation, so that it is never looser than that.

    Raises
    ------
    InfeasibleError
        If the solver calls the model infeasible: the nominal run is a feasible point (S4).
    SoundnessError
        If the bound excludes a value that a training run attains (S9); the instance is saved.
    """
    return run_tasks((task,))[0]


def run_tasks(tasks: Sequence[Task]) -> list[Row]:
    """Bound objectives of one stage, one after the other; see `run_task`."""
    with _TURNS:
        return [_run(task) for task in tasks]


def run_question(task: Task) -> Answer:
    """Bound one objective of a query, and read the incumbent; see `run_task`."""
    with _TURNS:
        row = _run(task)
        if row.incumbent is None:
            return Answer(row)
        model = _model(task.stage, task.stage.kind)
        if not _session(task.stage, task.stage.kind).load():
            return Answer(row)
        query, dataset = task.stage.query, model.dataset
        if query is None or not model.problem.perturbation.admits(model.problem, dataset):
            return Answer(row)
        inputs = np.clip(model.quantities[inputs_of(model)].affine.values(), query.lowest, query.highest)
        return Answer(row, dataset, inputs)


def lost_answer(task: Task) -> Answer:
    """What is known of a question whose worker died."""
    return Answer(lost_row(task))


def _run(task: Task) -> Row:
    stage, best = task.stage, task.known
    source, rigour, status, incumbent, seconds, building = "interval", PROVED, "attained", None, 0.0, 0.0
    for kind in dict.fromkeys((stage.kind, LP.with_segments(stage.kind.segments))):
        if status == "optimal" or closed(task, best):
            break
        began = perf_counter()
        _prepare(stage, kind)
        building += perf_counter() - began
        result = _minimised(task, kind)
        seconds += result.seconds
        if kind == stage.kind:
            status, incumbent = result.status, None if result.incumbent is None else -task.sense * result.incumbent
        if result.bound is None or np.isnan(result.bound):
            continue
        found = float(outward(-task.sense * result.bound, task.sense))
        _check_attained(task, kind, found)
        if task.sense * (best - found) > 0:
            best, source, rigour = found, str(kind), result.rigour
    return _row(task, status, incumbent, best, source, rigour, seconds, building)


def lost_row(task: Task) -> Row:
    """What is known of a task whose worker died or whose solver did not come back: the interval bound."""
    return _row(task, "lost", None, task.known, "interval", PROVED, 0.0)


def _row(
    task: Task, status: str, incumbent: float | None, bound: float, source: str, rigour: str, seconds: float, building: float = 0.0
) -> Row:
    sense = "min" if task.sense < 0 else "max"
    return Row(
        task.stage.start,
        task.stage.stop,
        task.objective.name,
        sense,
        status,
        task.attained,
        incumbent,
        bound,
        source,
        rigour,
        seconds,
        building,
    )


def closed(task: Task, bound: float) -> bool:
    """Whether a training run attains the bound, so that no solver can improve it."""
    return task.sense * (bound - task.attained) <= RELATIVE_GAP * (1.0 + abs(task.attained))


def _prepare(stage: Stage, kind: Formulation) -> None:
    """Have the model compiled and in its solver."""
    if stage.replay:
        _model(stage, kind)
    else:
        _session(stage, kind)


def _minimised(task: Task, kind: Formulation) -> SolveResult:
    model = _model(task.stage, kind)
    task.objective.minimise(model, -task.sense)
    if task.stage.replay:
        return _replayed(task, kind, model)
    session = _session(task.stage, kind)
    if kind.binaries:
        model.assign(task.dataset)
    result = session.solve(limit_for(kind, task.stage.kind, task.stage.time_limit), start=kind.binaries)
    if result.status == "infeasible":
        steps = f"{task.stage.start}…{task.stage.stop}"
        raise InfeasibleError(
            f"S4: the solver calls the {kind} of steps {steps} infeasible for {task.objective.name}, but the nominal run "
            f"satisfies it; the instance {_saved(task, kind)}"
        )
    return result if task.stage.proofs is None else _kept(task, kind, result, proof_of(session))


def _kept(task: Task, kind: Formulation, result: SolveResult, tree: Tree | None) -> SolveResult:
    """Write the proof of a bound; the bound is what the proof says when it is checked, to the last bit."""
    if tree is None:
        return result
    attempt(partial(_write_proof, tree, _proof(task, kind)))
    return _proved(tree, result.status, result.incumbent, result.seconds)


def _write_proof(tree: Tree, path: Path) -> None:
    with saving(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    tree.save(path)


def _replayed(task: Task, kind: Formulation, model: CompiledModel) -> SolveResult:
    """The bound of a kept proof; none where there is no proof.

    Raises
    ------
    InvalidInputError
        If the proof is one of another model, or broken.
    SoundnessError
        If it does not prove what it says.
    """
    path = _proof(task, kind)
    if not path.is_file():
        return SolveResult("no proof", None, None, PROVED, 0.0)
    tree = Tree.load(path)
    if not tree.matches(model.pyomo):
        raise InvalidInputError(f"proof: {path} is one of another model than this problem's")
    return _proved(tree, "replayed", None, 0.0)


def _proved(tree: Tree, status: str, incumbent: float | None, seconds: float) -> SolveResult:
    bound = tree.bound()
    return SolveResult(status, bound if np.isfinite(bound) else None, incumbent, PROVED, seconds)


def _proof(task: Task, kind: Formulation) -> Path:
    stage, side = task.stage, "min" if task.sense < 0 else "max"
    assert stage.proofs is not None
    return stage.proofs / f"{stage.start}-{stage.stop}-{str(kind).replace(':', '-')}-{file_name(task.objective.name)}-{side}.npz"


def _check_attained(task: Task, kind: Formulation, bound: float) -> None:
    if task.sense * (task.attained - bound) > AGREEMENT * (1.0 + abs(task.attained)):
        after = f" after step {task.stage.stop}" if task.objective.address is None else ""
        raise SoundnessError(
            f"S9: the {kind} bound {bound} on {task.objective.name}{after} excludes {task.attained}, "
            f"which a training run attains; the instance {_saved(task, kind)}"
        )


def _saved(task: Task, kind: Formulation) -> str:
    """Where the instance of a contradiction is to be found; a full disk does not hide the contradiction."""
    try:
        return f"is saved in {_write_instance(task, kind)}"
    except SaveError as error:
        return f"is not kept: {error}"


def _write_instance(task: Task, kind: Formulation) -> Path:
    stage = task.stage
    with saving("the instance"):
        folder = Path(mkdtemp(prefix="agtopt-unsound-"))
    options = {
        "kind": str(kind),
        "steps": [stage.start, stage.stop],
        "objective": task.objective.name,
        "sense": task.sense,
        "attained": task.attained,
        "solver": stage.solver or "default",
        "time_limit": stage.time_limit,
        "feasibility": FEASIBILITY,
        "integrality": INTEGRALITY,
        "relative_gap": RELATIVE_GAP,
        "packages": {name: version(name) for name in ("pyomo", "highspy", "pyscipopt")},
    }
    write_text(folder / "options.json", json.dumps(options, indent=2))
    model = _model(stage, kind)
    return model.write(folder / ("instance.nl" if holds_functions(model.pyomo) else "instance.mps"))
