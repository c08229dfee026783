"""The sample-wise decomposition: small models bound the gradient of every sample apart, theorems
aggregate them (section 5)."""

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from agtopt.arguments import typed
from agtopt.domains import Interval, KnownBounds, attains, intersect, refuse_excluded
from agtopt.drivers.contradiction import room_of
from agtopt.drivers.execute import completed
from agtopt.drivers.interrupt import reached
from agtopt.drivers.knowledge import Knowledge
from agtopt.drivers.models import Models
from agtopt.drivers.objectives import Objective
from agtopt.drivers.progress import Progress
from agtopt.drivers.reach import SAMPLES, Reach
from agtopt.drivers.row import Row, rigour_of
from agtopt.drivers.samples import Case, Samples
from agtopt.drivers.settings import Settings
from agtopt.drivers.stage import lost_row, run_tasks
from agtopt.drivers.task import Stage, Task, patience
from agtopt.intervals.arithmetic import Range
from agtopt.intervals.propagation import CrownIntervals
from agtopt.intervals.states import flat_ranges, state_ranges
from agtopt.kinds import Formulation
from agtopt.problem import Problem
from agtopt.problem.checks import instance
from agtopt.program import train
from agtopt.solvers import PROVED, PROVER, TOLERANCE, Status, choose
from agtopt.symbolic.branches import BranchBounds
from agtopt.tolerances import BOUND_MARGIN, size_of, unit_of

Array = NDArray[np.float64]


@typed()
def bound_samplewise(
    problem: Problem,
    method: str | Formulation,
    solver: str | None = None,
    time_limit: float | None = None,
    executor: Executor | None = None,
    progress: bool = False,
) -> Reach:
    """Bound the parameters by bounding the gradient of every sample apart.

    At every step, from the box of the state, small models of one sample each bound the entries of
    its gradient, as the sample stands and under its worst perturbation. The theorems of interval
    propagation make a box of the next state of them. A model stays as small as one sample, however
    large the batch is; what samples share, the parameters and the budget over several steps, is
    lost.

    Parameters
    ----------
    problem : Problem
    method : str or Formulation
        LP, QCP, MILP, MIQCP or MINLP.
    solver, time_limit, executor, progress
        As in `agtopt.bound`; a task of the executor is a sample, as it stands or touched.

    Returns
    -------
    Reach
        A valid domain, also after Ctrl-C; a row for every parameter, step and sense. It is never
        wider than CROWN's.

    Raises
    ------
    InvalidInputError
        If the method is no formulation, or another argument is not allowed.
    UnsupportedError
        If an interval is unbounded, or the perturbation model has an interval meaning that is not
        known here.
    SolverUnavailableError
        If the solver is not installed or cannot prove bounds of this kind.
    SoundnessError
        If bounds contradict each other or what training attains (S4, S6, S9).
    """
    instance("problem", problem, Problem)
    began = perf_counter()
    settings = Settings(method, window=1, solver=solver, time_limit=time_limit, conditional=False)
    choose(solver, False, settings.kind.binaries)
    try:
        run = _Decomposition(problem, settings, executor)
    except KeyboardInterrupt:
        return reached(problem, settings.kind, (), True, perf_counter() - began, SAMPLES)
    with run.models, Progress(progress, run.count, f"{settings.kind} {problem.name}") as bar:
        try:
            for t in range(problem.steps):
                run.step(t, bar)
        except KeyboardInterrupt:
            pass
    return run.finish(perf_counter() - began)


class SampleIntervals(CrownIntervals):
    """`CrownIntervals` that keeps the gradients of the samples, and intersects them with those that
    are known otherwise.

    Attributes
    ----------
    gradients : dict
        Of the last step, by tensor.
    found : dict
        Lower and upper ends, by tensor, with which those of the next step are intersected.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.gradients: dict[str, Range] = {}
        self.found: dict[str, tuple[Array, Array]] = {}

    def aggregate(self, gradient: Range, tensor: str) -> Range:
        if tensor in self.found:
            lower, upper = (torch.tensor(end) for end in self.found[tensor])
            gradient = self.tightened(gradient, lower, upper, f"gradient.{tensor}")
        self.gradients[tensor] = gradient
        return super().aggregate(gradient, tensor)


@dataclass(frozen=True, eq=False)
class CasePart:
    """What is asked of one case, by its place: a task of the executor."""

    place: tuple[int, ...]
    tasks: tuple[Task, ...]


def run_part(part: CasePart) -> list[Row]:
    """Bound the entries of one gradient, in one session."""
    return run_tasks(part.tasks)


def lost_part(part: CasePart) -> list[Row]:
    """What is known of a case that no worker came back from: its intervals."""
    return [lost_row(task) for task in part.tasks]


class _Decomposition:
    """The steps of one call of `bound_samplewise`."""

    def __init__(self, problem: Problem, settings: Settings, executor: Executor | None) -> None:
        self.problem = problem
        self.settings = settings
        self.executor = executor
        knowledge = Knowledge.of(problem)
        self.inner = knowledge.attained
        self.crown = knowledge.boxes
        self.intervals = SampleIntervals(problem)
        self.models = Models()
        self.samples = Samples(problem, self.intervals.adversary, self.inner)
        self.states = [knowledge.boxes[0]]
        self.rows = list[Row]()
        self.rigour = PROVED
        self.ends: dict[str, tuple[Array, Array]] = {}
        self.count = sum(self.samples.count(t) for t in range(problem.steps))

    def step(self, t: int, bar: Progress) -> None:
        """Bound the gradients of step t and go on to the next state. What is found holds also when
        this is interrupted."""
        plain, solved = self._following(t), list[tuple[Task, Row]]()
        self.ends = {
            name: (value.lower.numpy().copy(), value.upper.numpy().copy())
            for name, value in self.intervals.gradients.items()
        }
        cases = list(self.samples.cases(t))
        parts = [part for case in cases if (part := self._part(t, case)).tasks]
        bar.advance(float((plain.upper - plain.lower).sum()), self.samples.count(t) - len(parts))
        for part, rows in self._solved(parts):
            for task, row in zip(part.tasks, rows, strict=True):
                self._learn(part.place, task, row)
                solved.append((task, row))
            bar.advance(float((plain.upper - plain.lower).sum()))
        for case in cases:
            if case.problem is None and case.like is not None:
                for lower, upper in self.ends.values():
                    lower[case.place], upper[case.place] = lower[case.like], upper[case.like]
        rigour = rigour_of(row for _, row in solved) if self.rigour == PROVED else TOLERANCE
        self._advance(t, self._following(t) if solved else plain, rigour)
        self._report(t, plain, solved)

    def finish(self, seconds: float) -> Reach:
        """The result; steps that were not solved have the domains that follow by propagation, or,
        where Ctrl-C ends that too, those of CROWN."""
        solved = len(self.states)
        try:
            for t in range(solved - 1, self.problem.steps):
                self._advance(t, self._following(t), TOLERANCE)
        except KeyboardInterrupt:
            self.states += self.crown[len(self.states) :]
        interrupted = solved <= self.problem.steps
        return Reach(
            self.problem,
            self.settings.kind,
            tuple(self.states),
            tuple(self.rows),
            seconds,
            interrupted,
            variant=SAMPLES,
        )

    def _following(self, t: int) -> Interval:
        """The next state by intervals, from the present one and what is found of its gradients."""
        self.intervals.found = self.ends
        (state,) = train(
            self.intervals, self.problem, state_ranges(self.problem, self.states[t]), t, t + 1
        )
        return intersect(Interval(*flat_ranges(self.problem, state)), self.crown[t + 1])

    def _advance(self, t: int, box: Interval, rigour: str) -> None:
        size = self.problem.network.size
        reached = [self.inner.lower[t + 1], self.inner.upper[t + 1]]
        refuse_excluded(
            f"the box after step {t + 1}",
            box.lower[:size],
            box.upper[:size],
            reached,
            room_of(rigour),
        )
        self.states.append(box)
        self.ends = {}

    def _part(self, t: int, case: Case) -> CasePart:
        """What a solver may find of a case: both ends of every entry, unless a run attains them."""
        if case.problem is None:
            return CasePart(case.place, ())
        size = self.problem.network.size
        theta = Interval(self.states[t].lower[:size], self.states[t].upper[:size])
        stage = Stage(
            case.problem,
            self.settings,
            self.settings.kind,
            0,
            1,
            theta,
            KnownBounds(),
            BranchBounds.nothing(),
            self.models,
            linear_solver=PROVER,
        )
        tasks: list[Task] = []
        attained = self.samples.attained(t, case, theta)
        first = 0
        for name, value in self.problem.network.initial.items():
            if name in attained:
                words, (low, high) = (
                    f"{case.words} in step {t}",
                    (end[case.place] for end in self.ends[name]),
                )
                clipped = [self._clipped(end) for end in attained[name]]
                refuse_excluded(
                    f"the gradient by {name} of {words}", low, high, clipped, room_of(self.rigour)
                )
                units = unit_of(size_of(low, high)).ravel()
                for sense, end, best in zip((-1, 1), (low, high), attained[name], strict=True):
                    tasks += self._tasks(
                        stage, words, name, first, sense, end.ravel(), best.ravel(), units
                    )
            first += value.size
        return CasePart(case.place, tuple(tasks))

    def _tasks(
        self,
        stage: Stage,
        words: str,
        tensor: str,
        first: int,
        sense: int,
        known: Array,
        attained: Array,
        units: Array,
    ) -> Iterator[Task]:
        # Bounds of solvers are moved outward by the margin: within it of a run nothing can be
        # gained.
        for k in np.flatnonzero(~attains(known, self._clipped(attained), BOUND_MARGIN, units)):
            name = f"{self.problem.network.parameter_names[first + k]} of {words}"
            objective = Objective(name, np.array([k]), np.ones(1), (0, f"descent.{tensor}"))
            values = float(known[k]), float(attained[k])
            yield Task(
                stage,
                first + int(k),
                objective,
                sense,
                *values,
                stage.problem.dataset,
                float(units[k]),
                rigour=self.rigour,
            )

    def _clipped(self, gradients: Array) -> Array:
        clip = self.problem.training.clip
        return gradients if clip is None else gradients.clip(-clip, clip)

    def _solved(self, parts: list[CasePart]) -> Iterator[tuple[CasePart, list[Row]]]:
        most = max((len(part.tasks) for part in parts), default=0)
        limit = patience(self.settings, most)
        yield from completed(self.executor, run_part, parts, lost_part, limit)

    def _learn(self, place: tuple[int, ...], task: Task, row: Row) -> None:
        address = task.objective.address
        assert address is not None
        end = self.ends[str(address[1]).removeprefix("descent.")][(task.sense + 1) // 2]
        end[place].flat[task.objective.entries] = self._clipped(np.array(row.bound))

    def _report(self, t: int, plain: Interval, found: list[tuple[Task, Row]]) -> None:
        """One row for every parameter and sense."""
        box, crown, asked = (
            self.states[t + 1],
            self.crown[t + 1],
            dict[tuple[int, int], list[Row]](),
        )
        for task, row in found:
            # The largest gradients make the smallest parameters.
            asked.setdefault((task.number, -task.sense), []).append(row)
        rigour = self.rigour
        for k, name in enumerate(self.problem.network.parameter_names):
            for sense in (-1, 1):
                rows = asked.get((k, sense), [])
                bound, before, at_first = (
                    float((each.lower if sense < 0 else each.upper)[k])
                    for each in (box, plain, crown)
                )
                rests = [rigour, *(row.rigour for row in rows if row.source != "interval")]
                weakest = TOLERANCE if bound != at_first and TOLERANCE in rests else PROVED
                source = str(self.settings.kind) if sense * (before - bound) > 0 else "interval"
                best = self.inner.extremes.value(k, sense, t + 1)
                seconds, building = (
                    sum(row.seconds for row in rows),
                    sum(row.building for row in rows),
                )
                word = "min" if sense < 0 else "max"
                self.rows.append(
                    Row(
                        t,
                        t + 1,
                        name,
                        word,
                        _status(rows),
                        best,
                        None,
                        bound,
                        source,
                        weakest,
                        seconds,
                        building,
                    )
                )
                self.rigour = TOLERANCE if TOLERANCE in (self.rigour, weakest) else PROVED


def _status(rows: list[Row]) -> Status:
    """The worst of the statuses of solves."""
    statuses = {row.status for row in rows} - {Status.ATTAINED}
    if not statuses:
        return Status.ATTAINED
    return (
        Status.LOST
        if Status.LOST in statuses
        else min(statuses, key=lambda status: (status == Status.OPTIMAL, status))
    )
