"""The bounds of one window: a list of independent tasks that any PEP 3148 executor can run."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock
from time import perf_counter

import numpy as np

from agtopt.compiler import CompiledModel, append_query, compile, inputs_of
from agtopt.domains import attains
from agtopt.drivers.contradiction import check_found, check_known, check_run, saved_instance
from agtopt.drivers.row import Row
from agtopt.drivers.task import NOMINAL, Answer, Stage, Task, limit_for
from agtopt.errors import InfeasibleError, InvalidInputError
from agtopt.files import attempt, saving
from agtopt.kinds import LP, Formulation
from agtopt.names import file_name
from agtopt.solvers import PROVED, TOLERANCE, Session, SolveResult, Status, choose, open_session
from agtopt.solvers.objective import objective_unit
from agtopt.solvers.proof import proof_of
from agtopt.solvers.tree import Tree
from agtopt.tolerances import outward

_TURNS = Lock()
"""Threads of one process take turns: a session holds one objective at a time, and Pyomo is not made
for threads."""


@lru_cache(maxsize=4)
def _model(stage: Stage, kind: Formulation) -> CompiledModel:
    model = compile(
        stage.problem,
        kind,
        stage.start,
        stage.stop,
        stage.domain,
        stage.known.copy(),
        stage.settings.conditional,
        stage.branches,
    )
    if stage.query is not None:
        append_query(model, stage.query)
    model.minimise(np.zeros(stage.problem.network.size))
    return model


@lru_cache(maxsize=4)
def _held(stage: Stage, kind: Formulation) -> set[int]:
    """The runs that the model is known to hold."""
    return set()


@lru_cache(maxsize=4)
def _session(stage: Stage, kind: Formulation) -> Session:
    model = _model(stage, kind)
    # The relaxation of every rung is linear; only the asked-for kind goes to the asked-for solver.
    name = stage.solver if kind == stage.kind else None
    if name is None and kind.binaries and not model.quadratic:
        name = stage.linear_solver
    return open_session(choose(name, model.quadratic, kind.binaries), model.pyomo)


def compiled(stage: Stage) -> CompiledModel:
    """The model of a stage, compiled once."""
    with _TURNS:
        return _model(stage, stage.kind)


def forget_models() -> None:
    """Let go of the compiled models and sessions of the last stages, between two tasks: a session
    that is opened anew in the middle of one would hold another objective."""
    with _TURNS:
        for kept in (_session, _model, _held):
            kept.cache_clear()


def run_task(task: Task) -> Row:
    """Bound one objective.

    Nothing is solved where a training run attains the bound that is known already. A kind that
    stops short of its optimum is helped by its LP relaxation, so that it is never looser than that.

    Raises
    ------
    InfeasibleError
        If the model does not hold a training run, or is proved to hold none (S4, S9); the instance
        is saved.
    SoundnessError
        If a bound, whatever made it, excludes a value that a training run attains (S9).
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
        inputs = np.clip(
            model.quantities[inputs_of(model)].affine.values(), query.lowest, query.highest
        )
        return Answer(row, dataset, inputs)


def lost_answer(task: Task) -> Answer:
    """What is known of a question whose worker died."""
    return Answer(lost_row(task))


def _run(task: Task) -> Row:
    stage, best = task.stage, task.known
    check_known(task)
    source, rigour, status, incumbent, seconds, building = (
        "interval",
        task.rigour,
        Status.ATTAINED,
        None,
        0.0,
        0.0,
    )
    for kind in dict.fromkeys((stage.kind, LP.with_segments(stage.kind.segments))):
        if status == Status.OPTIMAL or closed(task, best):
            break
        began = perf_counter()
        _prepare(stage, kind)
        building += perf_counter() - began
        result = _minimised(task, kind)
        seconds += result.seconds
        if kind == stage.kind:
            status, incumbent = (
                result.status,
                None if result.incumbent is None else -task.sense * result.incumbent,
            )
        if result.bound is None or np.isnan(result.bound):
            continue
        unit = objective_unit(_model(stage, kind).pyomo.objective.expr)
        found = float(outward(-task.sense * result.bound, task.sense, unit))
        check_found(task, found, result.rigour, _model(stage, kind))
        if task.sense * (best - found) > 0:
            best, source, rigour = (
                found,
                str(kind),
                TOLERANCE if TOLERANCE in (task.rigour, result.rigour) else PROVED,
            )
    return _row(task, status, incumbent, best, source, rigour, seconds, building)


def lost_row(task: Task) -> Row:
    """What is known of a task whose worker died or whose solver did not come back: the interval
    bound."""
    return _row(task, Status.LOST, None, task.known, "interval", task.rigour, 0.0)


def _row(
    task: Task,
    status: Status,
    incumbent: float | None,
    bound: float,
    source: str,
    rigour: str,
    seconds: float,
    building: float = 0.0,
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
    return bool(attains(bound, task.attained, unit=task.unit))


def _prepare(stage: Stage, kind: Formulation) -> None:
    """Have the model compiled and in its solver."""
    if stage.replay:
        _model(stage, kind)
    else:
        _session(stage, kind)


def _minimised(task: Task, kind: Formulation) -> SolveResult:
    model = _model(task.stage, kind)
    task.objective.minimise(model, -task.sense)
    for run, dataset in {NOMINAL: model.problem.dataset, task.run: task.dataset}.items():
        if run not in _held(task.stage, kind):
            check_run(task, dataset, model)
            _held(task.stage, kind).add(run)
    if task.stage.replay:
        return _replayed(task, kind, model)
    session = _session(task.stage, kind)
    if kind.binaries:
        model.assign(task.dataset)
    result = session.solve(
        limit_for(kind, task.stage.kind, task.stage.time_limit), start=kind.binaries
    )
    if result.status == Status.INFEASIBLE:
        if result.rigour == PROVED:
            steps = f"{task.stage.start}…{task.stage.stop}"
            raise InfeasibleError(
                f"S4: the {kind} of steps {steps} is proved to be empty, but the nominal run "
                f"satisfies it; "
                f"the instance {saved_instance(task, model)}"
            )
        return replace(result, status=Status.CALLED_INFEASIBLE, bound=None)
    return result if task.stage.proofs is None else _kept(task, kind, result, proof_of(session))


def _kept(task: Task, kind: Formulation, result: SolveResult, tree: Tree | None) -> SolveResult:
    """Write the proof of a bound; the bound is what the proof says when it is checked, to the last
    bit."""
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
        return SolveResult(Status.NO_PROOF, None, None, PROVED, 0.0)
    tree = Tree.load(path)
    if not tree.matches(model.pyomo):
        raise InvalidInputError(f"proof: {path} is one of another model than this problem's")
    return _proved(tree, Status.REPLAYED, None, 0.0)


def _proved(tree: Tree, status: Status, incumbent: float | None, seconds: float) -> SolveResult:
    bound = tree.bound()
    return SolveResult(status, bound if np.isfinite(bound) else None, incumbent, PROVED, seconds)


def _proof(task: Task, kind: Formulation) -> Path:
    stage, side = task.stage, "min" if task.sense < 0 else "max"
    assert stage.proofs is not None
    words = str(kind).replace(":", "-"), file_name(task.objective.name), side
    return stage.proofs / f"{stage.start}-{stage.stop}-{'-'.join(words)}.npz"
