"""The bounds of one window: a list of independent tasks that any PEP 3148 executor can run."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
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


class Built:
    """A stage by one kind: its model, its session and the runs that the model is known to hold.

    Model and session are made when they are first asked for: proofs are replayed without a session.
    """

    def __init__(self, stage: Stage, kind: Formulation) -> None:
        self.stage = stage
        self.kind = kind
        self.holds = set[int]()

    @cached_property
    def model(self) -> CompiledModel:
        """With no objective yet."""
        stage = self.stage
        model = compile(
            stage.problem,
            self.kind,
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

    @cached_property
    def session(self) -> Session:
        """The model in the hands of the solver that the stage names, or of the default one."""
        # The relaxation of every rung is linear; only the asked-for kind goes to the asked-for
        # solver.
        stage, quadratic, binaries = self.stage, self.model.quadratic, self.kind.binaries
        name = stage.solver if self.kind == stage.kind else None
        if name is None and binaries and not quadratic:
            name = stage.linear_solver
        return open_session(choose(name, quadratic, binaries), self.model.pyomo)

    def prepare(self) -> None:
        """Compile the model, and give it to its solver if one is asked."""
        _ = self.model if self.stage.replay else self.session


def _built(stage: Stage, kind: Formulation) -> Built:
    return stage.models.kept((stage, kind), lambda: Built(stage, kind))


def compiled(stage: Stage) -> CompiledModel:
    """The model of a stage, compiled once."""
    with stage.models.turn():
        return _built(stage, stage.kind).model


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
    with tasks[0].stage.models.turn():
        return [_run(task) for task in tasks]


def run_question(task: Task) -> Answer:
    """Bound one objective of a query, and read the incumbent; see `run_task`."""
    with task.stage.models.turn():
        row, built = _run(task), _built(task.stage, task.stage.kind)
        if row.incumbent is None or not built.session.load():
            return Answer(row)
        model = built.model
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
        began, built = perf_counter(), _built(stage, kind)
        built.prepare()
        building += perf_counter() - began
        result = _minimised(task, built)
        seconds += result.seconds
        if kind == stage.kind:
            status, incumbent = (
                result.status,
                None if result.incumbent is None else -task.sense * result.incumbent,
            )
        if result.bound is None or np.isnan(result.bound):
            continue
        unit = objective_unit(built.model.pyomo.objective.expr)
        bound = float(outward(-task.sense * result.bound, task.sense, unit))
        check_found(task, bound, result.rigour, built.model)
        if task.sense * (best - bound) > 0:
            best, source, rigour = (
                bound,
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


def _minimised(task: Task, built: Built) -> SolveResult:
    kind, model = built.kind, built.model
    task.objective.minimise(model, -task.sense)
    for run, dataset in {NOMINAL: model.problem.dataset, task.run: task.dataset}.items():
        if run not in built.holds:
            check_run(task, dataset, model)
            built.holds.add(run)
    if task.stage.replay:
        return _replayed(task, kind, model)
    if kind.binaries:
        model.assign(task.dataset)
    result = built.session.solve(
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
    if task.stage.proofs is None:
        return result
    return _kept(task, kind, result, proof_of(built.session))


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
