"""Bounds of what trained networks say of inputs, over all admissible runs at once: the
mixed-integer domain."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agtopt.attacks import Attack
from agtopt.compiler import Query
from agtopt.compiler.branches import learn_branches
from agtopt.domains.known import Address
from agtopt.drivers.attained import check_branches
from agtopt.drivers.contradiction import room_of
from agtopt.drivers.execute import completed
from agtopt.drivers.models import Models
from agtopt.drivers.objectives import Objective
from agtopt.drivers.progress import Progress
from agtopt.drivers.reach import Reach
from agtopt.drivers.settings import Settings
from agtopt.drivers.stage import lost_answer, run_question
from agtopt.drivers.task import Answer, Stage, Task, patience
from agtopt.problem import Problem
from agtopt.symbolic.branches import BranchBounds
from agtopt.tolerances import size_of, unit_of
from agtopt.training.concrete import outputs

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Question:
    """The least value of weights · outputs at an input.

    Attributes
    ----------
    point : int
        Position of the input.
    weights : array, shape (outputs,)
    known : float
        A bound that holds already.
    rival : int
        Position of the class that the bound rules out where it is positive.
    """

    point: int
    weights: Array
    known: float
    rival: int


Answers = Generator[tuple[Question, int, Answer], None, None]


def ask(
    reach: Reach,
    settings: Settings,
    lowest: Array,
    highest: Array,
    questions: Sequence[Question],
    attack: Attack,
    executor: Executor | None = None,
    progress: bool = False,
    replay: bool = False,
) -> Answers:
    """Bound every question, in any order; interrupted, what was bounded is known.

    Yields each with the position of its input among those of the answer.

    Networks without rectifiers, at inputs that stand still, share one model; otherwise, and where
    proofs are kept, every input has one.

    Parameters
    ----------
    reach : Reach
        Its boxes are the big-Ms.
    settings : Settings
        Kind, solver, time limit, rigour, whether conditional cuts are written, and the first step
        that is optimised; windows have no part in it.
    lowest, highest : array, shape (m, *input_shape)
    attack : Attack
        On the same problem: starts, and values that no bound may exclude (S9).
    replay : bool
        Whether bounds come from kept proofs, see `Run`.
    """
    models, problem = Models(), reach.problem
    base = _stage(reach, settings, attack, models, replay)
    shared = (
        np.array_equal(lowest, highest) and not problem.network.kinked and settings.proofs is None
    )
    points = sorted({question.point for question in questions})
    groups = [points] if shared else [[point] for point in points]
    reached, tasks = (
        outputs(problem, attack.theta, 0.5 * (lowest + highest)),
        list[tuple[Question, int, Task]](),
    )
    for group in groups:
        stage = base(Query(lowest[group], highest[group]))
        for question in (question for question in questions if question.point in group):
            values = reached[:, question.point] @ question.weights
            place = group.index(question.point)
            entries = place * problem.network.outputs + np.flatnonzero(question.weights)
            objective = Objective(
                f"margin[{question.point},{question.rival}]",
                entries,
                question.weights[question.weights != 0.0],
                _at(problem, "query"),
            )
            run = int(values.argmin())
            best = float(values[run])
            unit = float(unit_of(size_of(question.known, best)))
            task = Task(
                stage,
                len(tasks),
                objective,
                -1,
                question.known,
                best,
                attack.dataset(run),
                unit,
                run,
                reach.rigour,
            )
            tasks.append((question, place, task))
    with models, Progress(progress, len(tasks), f"{settings.kind} {problem.name}") as bar:
        try:
            for task, answer in _answered([task for _, _, task in tasks], settings, executor):
                bar.advance()
                yield *tasks[task.number][:2], answer
        except KeyboardInterrupt:
            return


def count_flips(
    reach: Reach,
    settings: Settings,
    query: Query,
    attack: Attack,
    flipped: NDArray[np.bool_],
    executor: Executor | None = None,
) -> Answer:
    """How many of the inputs of a query one adversary keeps from their classes, at most.

    Parameters
    ----------
    query : Query
        With `winners`.
    flipped : array of bool, shape (runs, m)
        What every run of the attack changes.
    """
    many, total = len(query.lowest), flipped.sum(axis=1)
    run = int(total.argmax())
    objective = Objective(
        "flipped", np.arange(many), np.ones(many), _at(reach.problem, "query.flipped")
    )
    models = Models()
    task = Task(
        _stage(reach, settings, attack, models)(query),
        0,
        objective,
        1,
        float(many),
        float(total[run]),
        attack.dataset(run),
        1.0,
        run,
        reach.rigour,
    )
    with models:
        ((_, answer),) = _answered([task], settings, executor)
    return answer


def _at(problem: Problem, name: str) -> Address:
    return problem.steps, name


def _stage(
    reach: Reach, settings: Settings, attack: Attack, models: Models, replay: bool = False
) -> Callable[[Query], Stage]:
    """The run from its first step that is optimised, in the domain of that step, with a query
    behind it."""
    problem, known, first, steps = reach.problem, reach.known, settings.first, reach.problem.steps
    polytope, box = (reach.polytopes[first] if reach.polytopes else None), reach.states[first]
    branched = settings.conditional and first < steps
    branches = (
        learn_branches(problem, known, first, box, steps).bounds
        if branched
        else BranchBounds.nothing()
    )
    check_branches(problem, branches, attack, first, room_of(reach.rigour))
    return lambda query: Stage(
        problem,
        settings,
        settings.kind,
        first,
        steps,
        box if polytope is None or len(polytope) != len(box) else polytope,
        known,
        branches,
        models,
        query=query,
        replay=replay,
    )


def _answered(
    tasks: list[Task], settings: Settings, executor: Executor | None
) -> Iterator[tuple[Task, Answer]]:
    yield from completed(executor, run_question, tasks, lost_answer, patience(settings))
