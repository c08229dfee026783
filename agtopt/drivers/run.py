"""A run of a driver that can be stepped by hand, saved after each model and resumed."""

from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from time import perf_counter

import numpy as np

from agtopt.arguments import typed
from agtopt.attacks import Attack, extended_attack
from agtopt.compiler import CompiledModel
from agtopt.compiler.branches import learn_branches
from agtopt.drivers.attained import check_branches, check_steps
from agtopt.drivers.contradiction import room_of
from agtopt.drivers.execute import completed
from agtopt.drivers.found import Found
from agtopt.drivers.interrupt import until_interrupted
from agtopt.drivers.knowledge import Attained, Knowledge
from agtopt.drivers.models import Models
from agtopt.drivers.obbt import OBBT
from agtopt.drivers.objectives import objectives
from agtopt.drivers.progress import Progress
from agtopt.drivers.reach import Reach
from agtopt.drivers.row import Row
from agtopt.drivers.saved import load_found, save_found
from agtopt.drivers.settings import Settings
from agtopt.drivers.stage import compiled, lost_row, run_task
from agtopt.drivers.task import Stage, Task, patience
from agtopt.drivers.tighten import (
    GAIN,
    Candidate,
    candidate_tasks,
    candidates,
    largest_gain,
    merged_ends,
)
from agtopt.drivers.windows import Window
from agtopt.errors import InvalidInputError
from agtopt.kinds import Formulation
from agtopt.problem import Problem
from agtopt.problem.checks import instance
from agtopt.symbolic.branches import BranchBounds
from agtopt.tolerances import size_of, unit_of


@typed()
class Run:
    """A formulation solved window by window.

    ``bound`` does all steps at once; by hand ``run = Run.begin(problem, settings)``, then ``while
    not run.finished: run.step(); run.save(path)``, then ``run.finish()``.

    Parameters
    ----------
    problem : Problem
    settings : Settings
    knowledge : Knowledge
        Of the problem, before any model is solved.
    executor : concurrent.futures.Executor or None
        As in `agtopt.bound`.
    replay : bool
        Whether bounds come from the proofs of an earlier run (`Settings.proofs`), each checked, and
        from no solver.

    Attributes
    ----------
    found : Found
        All that is known so far.
    stages : list of Window
        The models, in the order in which they are solved.
    """

    def __init__(
        self,
        problem: Problem,
        settings: Settings,
        knowledge: Knowledge,
        executor: Executor | None = None,
        replay: bool = False,
    ) -> None:
        self.problem = problem
        self.settings = settings
        self.executor = executor
        self.replay = replay
        self.stages = list(settings.stages(problem))
        self.objectives = list(objectives(problem.network, settings.domain))
        self.models = Models()
        self.attained = Attained(knowledge.attained, settings.domain)
        self.found = Found(problem, settings.domain)
        for t, box in enumerate(knowledge.boxes):
            self.found.learn(t, box)
        self._opened = -1
        self._sharpened = 0
        self._branches = BranchBounds.nothing()

    @classmethod
    @typed()
    def begin(
        cls,
        problem: Problem,
        settings: Settings,
        executor: Executor | None = None,
        replay: bool = False,
        inner: Attack | None = None,
    ) -> "Run":
        """Attack a problem and propagate intervals through it: a run of which no model is solved.

        Parameters
        ----------
        problem, settings, executor, replay
            As of a run.
        inner : Attack or None
            Attained runs of the problem, where they are known already; found here by default.

        Raises
        ------
        InvalidInputError
            If the settings do not fit the problem, or the attack is one on another.
        SolverUnavailableError
            If the solver is not installed or cannot prove bounds of the kind.
        SoundnessError
            If a box excludes what is attained (S9).
        """
        instance("problem", problem, Problem)
        instance("settings", settings, Settings)
        if executor is not None:
            instance("executor", executor, Executor)
        settings.check(problem)
        return cls(problem, settings, Knowledge.of(problem, inner), executor, replay)

    @property
    def rows(self) -> list[Row]:
        """One per bound found so far."""
        return self.found.rows

    @property
    def done(self) -> int:
        """How many of the models are solved."""
        return self.found.done

    @property
    def finished(self) -> bool:
        """Whether every model is solved."""
        return self.done == len(self.stages)

    @property
    def solves(self) -> int:
        """How many bounds its models ask for, without tightening of pre-activations."""
        return sum(
            2 * (len(self.objectives) if stage.result else self.problem.network.size)
            for stage in self.stages
        )

    def step(self, bar: Progress | None = None) -> None:
        """Solve the next model: bound every objective after one step. What is found holds also when
        this is interrupted."""
        if self.finished:
            raise InvalidInputError("run: every window is solved; take the result with finish()")
        began, window = perf_counter(), self.stages[self.done]
        try:
            self._open(window)
            if self.settings.obbt is not None:
                self._sharpen(window, self.settings.obbt)
            self._tighten(window, bar)
            self.found.done += 1
        finally:
            self.found.seconds += perf_counter() - began

    def model(self) -> CompiledModel:
        """The model that was solved last, compiled with the bounds that are known by now."""
        if not self.done:
            raise InvalidInputError("run: no model is solved yet; take a step() first")
        window = self.stages[self.done - 1]
        return compiled(self._stage(window, self._kind(window)))

    def finish(self) -> Reach:
        """The result so far; `interrupted` if models are left, whose steps then have the domains
        that follow by propagation, or if Ctrl-C ends that."""
        self.models.clear()
        found, size = self.found, self.problem.network.size
        bounded = max((row.stop for row in self.rows), default=self.problem.steps)
        _, stopped = until_interrupted(found.propagated(0 if self.finished else bounded))
        boxes = tuple(map(found.domain, range(self.problem.steps + 1)))
        self._compare()
        return Reach(
            self.problem,
            self.settings.kind,
            boxes,
            tuple(self.rows),
            found.seconds,
            stopped or not self.finished,
            tuple(found.polytope(t, size) for t in range(len(boxes))),
            self.settings,
        )

    @typed()
    def save(self, path: str | Path) -> Path:
        """Write everything that was found, as an .npz file without pickle.

        Raises
        ------
        SaveError
            If it cannot be written; a file that was there before still is.
        """
        return save_found(path, self.settings, self.found)

    @classmethod
    @typed()
    def resume(
        cls,
        problem: Problem,
        path: str | Path,
        executor: Executor | None = None,
        inner: Attack | None = None,
    ) -> "Run":
        """Continue a saved run; the result is the one it would have had.

        Raises
        ------
        MissingFileError
            If the file does not exist.
        InvalidInputError
            If it was saved for another problem, or is no saved run.
        """
        settings, found = load_found(path, problem)
        run = cls.begin(problem, settings, executor, inner=inner)
        run.found.take(found)
        run._compare()
        return run

    def _compare(self) -> None:
        """Compare the boxes and supports of every step with what is attained.

        Raises
        ------
        SoundnessError
            If one excludes it (S9).
        """
        check_steps(
            self.attained.extremes,
            map(self.found.domain, range(self.problem.steps + 1)),
            self.problem,
            self.found.supports,
            room_of(self.found.rigour),
        )

    def _open(self, window: Window) -> None:
        """Prepare a window, once."""
        start, end = window.start, window.end
        if start == self._opened:
            return
        if self.settings.conditional:
            inner, found = self.attained.attack, self.found
            learned = learn_branches(self.problem, found.known, start, found.domain(start), end)
            self._branches = learned.bounds
            check_branches(self.problem, learned.bounds, inner, start, room_of(found.rigour))
            if learned.extreme and not inner.exact:
                self.attained = Attained(
                    extended_attack(inner, learned.extreme), self.settings.domain
                )
            self._compare()
        # Last, so that an interrupt here leaves it to be done again.
        self._opened = start
        self._sharpened = start

    def _kind(self, window: Window) -> Formulation:
        return self.settings.kind if window.result else self.settings.between

    def _stage(self, window: Window, kind: Formulation) -> Stage:
        return Stage(
            self.problem,
            self.settings,
            kind,
            window.start,
            window.stop,
            self.found.start(window.start),
            self.found.known,
            self._branches,
            self.models,
            replay=self.replay,
        )

    def _sharpen(self, window: Window, obbt: OBBT) -> None:
        """Bound what is undecided in the steps that the window gained since its last model."""
        left = obbt.solves
        for _ in range(obbt.rounds):
            stage = self._stage(window, obbt.formulation)
            chosen = candidates(
                compiled(stage),
                range(self._sharpened, window.stop),
                self.attained.quantities,
                room_of(self.found.rigour),
            )[:left]
            left -= len(chosen)
            if not chosen or self._gain(stage, chosen) < GAIN:
                break
        self._sharpened = window.stop

    def _gain(self, stage: Stage, chosen: list[Candidate]) -> float:
        """Bound the candidates; the largest part of its width that one of them loses."""
        tasks = candidate_tasks(stage, chosen, self.found.rigour)
        rows: list[tuple[Task, Row]] = []
        try:
            for pair in self._solved(tasks):
                rows.append(pair)  # noqa: PERF402  (an interrupt keeps what was found)
        finally:
            for address, (lower, upper) in merged_ends(compiled(stage), rows):
                self.found.known.shrink(address, lower, upper)
        return largest_gain(rows, chosen)

    def _tighten(self, window: Window, bar: Progress | None) -> None:
        """Bound every objective over a window."""
        stop, size = window.stop, self.problem.network.size
        stage = self._stage(window, self._kind(window))
        chosen = self.objectives if window.result else self.objectives[:size]
        lower, upper = (end.copy() for end in self.found.ends(stop, len(chosen) > size))
        units = unit_of(size_of(lower, upper))
        # What an interrupted step has found is not asked again.
        asked = {
            (row.objective, row.sense)
            for row in self.rows
            if (row.start, row.stop) == (stage.start, stop)
        }
        tasks = [
            self._task(stage, k, sense, float(end[k]), float(units[k]))
            for k, objective in enumerate(chosen)
            for sense, word, end in ((-1, "min", lower), (1, "max", upper))
            if (objective.name, word) not in asked
        ]
        try:
            for task, row in self._solved(tasks):
                (lower if task.sense < 0 else upper)[task.number] = row.bound
                if bar is not None:
                    bar.advance(float((upper - lower)[:size].sum()))
        finally:
            # Bounds that an attained run separates cross by no more than the margin (S9).
            lower, upper = np.minimum(lower, upper), np.maximum(lower, upper)
            self.found.learn_parameters(stop, lower[:size], upper[:size])
            if len(chosen) > size:
                self.found.supports[stop] = lower[size:], upper[size:]
            self._compare()

    def _task(self, stage: Stage, k: int, sense: int, known: float, unit: float) -> Task:
        extremes = self.attained.extremes
        run = extremes.run(k, sense, stage.stop)
        return Task(
            stage,
            k,
            self.objectives[k],
            sense,
            known,
            extremes.value(k, sense, stage.stop),
            self.attained.attack.dataset(run),
            unit,
            run,
            self.found.rigour,
        )

    def _solved(self, tasks: list[Task]) -> Iterator[tuple[Task, Row]]:
        """Run tasks as they come; in the table their rows stand in order."""
        rows, first, solved = self.found.rows, len(self.rows), dict[tuple[int, int], Row]()
        limit = patience(self.settings)
        try:
            for task, row in completed(self.executor, run_task, tasks, lost_row, limit):
                solved[task.number, task.sense] = row
                rows.append(row)
                yield task, row
        finally:
            rows[first:] = [row for _, row in sorted(solved.items())]
