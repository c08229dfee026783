"""A run of a driver that can be stepped by hand, saved after each model and resumed."""

from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from time import perf_counter
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from agtopt.attacks import ENUMERATION_LIMIT, Attack, attack, attained_quantities, extended_attack
from agtopt.compiler import CompiledModel
from agtopt.compiler.branches import learn_branches
from agtopt.domains import Interval, KnownBounds, Polytope, minima
from agtopt.drivers.attained import check_branches, check_steps
from agtopt.drivers.contradiction import room_of
from agtopt.drivers.execute import completed
from agtopt.drivers.interrupt import until_interrupted
from agtopt.drivers.models import Models
from agtopt.drivers.obbt import OBBT
from agtopt.drivers.objectives import objectives
from agtopt.drivers.progress import Progress
from agtopt.drivers.reach import Reach
from agtopt.drivers.row import Row, rigour_of
from agtopt.drivers.saved import Found, load_found, save_found
from agtopt.drivers.settings import Settings
from agtopt.drivers.stage import RELAXATION, compiled, limit_for, lost_row, run_task
from agtopt.drivers.task import Stage, Task
from agtopt.drivers.tighten import GAIN, Candidate, candidates, merged_ends
from agtopt.drivers.windows import Window
from agtopt.errors import InvalidInputError
from agtopt.intervals.propagation import interval_steps
from agtopt.intervals.states import initial_domain
from agtopt.kinds import Formulation
from agtopt.problem import Problem
from agtopt.problem.checks import instance
from agtopt.symbolic.branches import BranchBounds
from agtopt.tolerances import size_of, unit_of

Array = NDArray[np.float64]

COMPILING = 120.0
"""Seconds beyond its time limits after which a task without a sign of life counts as lost."""

MOST_TRAINING = 2**30
"""Per-sample gradient entries that enumeration may cost before a run samples its attacks instead:
some seconds."""


class Run:
    """A formulation solved window by window.

    ``bound`` does all steps at once; by hand ``while not run.finished: run.step();
    run.save(path)``, then ``run.finish()``.

    Parameters
    ----------
    problem : Problem
    settings : Settings
    executor : concurrent.futures.Executor or None
        As in `agtopt.bound`.
    replay : bool
        Whether bounds come from the proofs of an earlier run (`Settings.proofs`), each checked, and
        from no solver.
    inner : Attack or None
        Attained runs of the problem, where they are known already; found here by default.

    Raises
    ------
    InvalidInputError
        If the attack is one on another problem.

    Attributes
    ----------
    rows : list of Row
        One per bound found so far.
    done, stages : int, list of Window
        How many of the models are solved.
    """

    def __init__(
        self,
        problem: Problem,
        settings: Settings,
        executor: Executor | None = None,
        replay: bool = False,
        inner: Attack | None = None,
    ) -> None:
        instance("problem", problem, Problem)
        instance("settings", settings, Settings)
        if executor is not None:
            instance("executor", executor, Executor)
        if inner is not None and inner.problem.fingerprint != problem.fingerprint:
            raise InvalidInputError("run: the attack is one on another problem")
        self.problem = problem
        self.settings = settings
        self.executor = executor
        self.replay = replay
        self.stages = list(settings.stages(problem))
        self.done = 0
        self.objectives = list(objectives(problem.network, settings.domain))
        self.models = Models()
        self.known = KnownBounds()
        self.rows = list[Row]()
        self.seconds = 0.0
        self.supports: dict[int, tuple[Array, Array]] = {}
        self._attack(_attained(problem) if inner is None else inner)
        self._opened = -1
        self._branches = BranchBounds.nothing()
        self._learn(0, initial_domain(problem))
        for t, box in enumerate(interval_steps(problem, linear=True), start=1):
            self._learn(t, box)
        self._compare()

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

    @property
    def rigour(self) -> str:
        """Whether every bound that was found so far is proved."""
        return rigour_of(self.rows)

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
            self.done += 1
        finally:
            self.seconds += perf_counter() - began

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
        _, stopped = until_interrupted(self._propagated())
        boxes = tuple(map(self.domain, range(self.problem.steps + 1)))
        self._compare()
        polytopes = tuple(self._polytope(t, self.problem.network.size) for t in range(len(boxes)))
        return Reach(
            self.problem,
            self.settings.kind,
            boxes,
            tuple(self.rows),
            self.seconds,
            stopped or not self.finished,
            polytopes,
            self.settings,
        )

    def save(self, path: str | Path) -> Path:
        """Write everything that was found, as an .npz file without pickle.

        Raises
        ------
        SaveError
            If it cannot be written; a file that was there before still is.
        """
        found = Found(
            self.settings,
            self.done,
            self.seconds,
            self.rows,
            dict(self.known.items()),
            self.supports,
        )
        return save_found(path, self.problem, found)

    @classmethod
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
        found = load_found(path, problem)
        run = cls(problem, found.settings, executor, inner=inner)
        run.done = found.done
        run.seconds = found.seconds
        run.rows = found.rows
        run.supports = found.supports
        for address, (lower, upper) in found.known.items():
            run.known.shrink(address, lower, upper)
        run._compare()
        return run

    def domain(self, t: int) -> Interval:
        """The tightest box of the state at step t that is known."""
        ends = {tensor: self.known.get((t, tensor)) for tensor in self.problem.state}
        lower, upper = (
            {name: end[side] for name, end in ends.items() if end is not None} for side in (0, 1)
        )
        return Interval(self.problem.flatten(lower), self.problem.flatten(upper))

    def _learn(self, t: int, box: Interval) -> None:
        lower, upper = self.problem.unflatten(box.lower), self.problem.unflatten(box.upper)
        for tensor in self.problem.state:
            self.known.shrink((t, tensor), lower[tensor], upper[tensor])

    def _compare(self) -> None:
        """Compare the boxes and supports of every step with what is attained.

        Raises
        ------
        SoundnessError
            If one excludes it (S9).
        """
        check_steps(
            self.extremes,
            map(self.domain, range(self.problem.steps + 1)),
            self.problem,
            self.supports,
            room_of(self.rigour),
        )

    def _propagated(self) -> Iterator[Interval]:
        """Learn what tighter early steps imply for later ones by intervals; where models are left,
        of the steps after the last that was bounded."""
        bounded = max((row.stop for row in self.rows), default=self.problem.steps)
        for t in range(0 if self.finished else bounded, self.problem.steps):
            (following,) = interval_steps(self.problem, t, self.domain(t), t + 1, linear=True)
            self._learn(t + 1, following)
            yield following

    def _polytope(self, t: int, entries: int) -> Polytope | None:
        """The template at step t, over the first `entries` of the state: the parameters, or all."""
        template = self.settings.domain
        if template is None or t not in self.supports:
            return None
        box = self.domain(t)
        rows = np.pad(template.directions, [(0, 0), (0, entries - len(template))])
        return Polytope(rows, *self.supports[t], Interval(box.lower[:entries], box.upper[:entries]))

    def _attack(self, inner: Attack) -> None:
        template = self.settings.domain
        self.attained = inner
        self.extremes = (
            inner.extremes
            if template is None
            else inner.extremes.joined(inner.along(template.directions))
        )
        self._inside = (
            {} if self.settings.obbt is None else attained_quantities(self.problem, inner.datasets)
        )

    def _open(self, window: Window) -> None:
        """Prepare a window, once."""
        start, end = window.start, window.end
        if start == self._opened:
            return
        if self.settings.conditional:
            learned = learn_branches(self.problem, self.known, start, self.domain(start), end)
            self._branches = learned.bounds
            check_branches(self.problem, learned.bounds, self.attained, start, room_of(self.rigour))
            if learned.extreme and not self.attained.exact:
                self._attack(extended_attack(self.attained, learned.extreme))
            self._compare()
        # Last, so that an interrupt here leaves it to be done again.
        self._opened = start
        self._sharpened = start

    def _kind(self, window: Window) -> Formulation:
        return self.settings.kind if window.result else self.settings.between

    def _stage(self, window: Window, kind: Formulation) -> Stage:
        settings, start = self.settings, window.start
        return Stage(
            token=uuid4().hex,
            problem=self.problem,
            kind=kind,
            start=start,
            stop=window.stop,
            domain=self._polytope(start, self.problem.state_size) or self.domain(start),
            known=self.known,
            conditional=settings.conditional,
            branches=self._branches,
            solver=settings.chosen,
            time_limit=limit_for(kind, settings.kind, settings.time_limit),
            models=self.models,
            proofs=None if settings.proofs is None else Path(settings.proofs),
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
                self._inside,
                room_of(self.rigour),
            )[:left]
            left -= len(chosen)
            if not chosen or self._gain(stage, chosen) < GAIN:
                break
        self._sharpened = window.stop

    def _gain(self, stage: Stage, chosen: list[Candidate]) -> float:
        """Bound the candidates; the largest part of its width that one of them loses."""
        rigour, nominal = self.rigour, self.problem.dataset
        tasks = [
            Task(
                stage, k, c.objective, c.sense, c.known, c.attained, nominal, c.unit, rigour=rigour
            )
            for k, c in enumerate(chosen)
        ]
        rows: list[tuple[Task, Row]] = []
        try:
            for found in self._solved(tasks):
                rows.append(found)  # noqa: PERF402  (an interrupt keeps what was found)
        finally:
            for address, (lower, upper) in merged_ends(compiled(stage), rows):
                self.known.shrink(address, lower, upper)
        return max(
            (
                task.sense * (task.known - row.bound) / chosen[task.number].width
                for task, row in rows
            ),
            default=0.0,
        )

    def _tighten(self, window: Window, bar: Progress | None) -> None:
        """Bound every objective over a window."""
        stop, size = window.stop, self.problem.network.size
        stage = self._stage(window, self._kind(window))
        chosen = self.objectives if window.result else self.objectives[:size]
        lower, upper = self._ends(stop, len(chosen) > size)
        units = unit_of(size_of(lower, upper))
        # What an interrupted step has found is not asked again.
        found = {
            (row.objective, row.sense)
            for row in self.rows
            if (row.start, row.stop) == (stage.start, stop)
        }
        tasks = [
            self._task(stage, k, sense, float(end[k]), float(units[k]))
            for k, objective in enumerate(chosen)
            for sense, word, end in ((-1, "min", lower), (1, "max", upper))
            if (objective.name, word) not in found
        ]
        try:
            for task, row in self._solved(tasks):
                (lower if task.sense < 0 else upper)[task.number] = row.bound
                if bar is not None:
                    bar.advance(float((upper - lower)[:size].sum()))
        finally:
            # Bounds that an attained run separates cross by no more than the margin (S9).
            lower, upper = np.minimum(lower, upper), np.maximum(lower, upper)
            box = self.domain(stop)
            self._learn(
                stop,
                Interval(
                    np.append(lower[:size], box.lower[size:]),
                    np.append(upper[:size], box.upper[size:]),
                ),
            )
            if len(chosen) > size:
                self.supports[stop] = lower[size:], upper[size:]
            self._compare()

    def _ends(self, t: int, template: bool) -> tuple[Array, Array]:
        """What the box, and an interrupted step, say of every objective."""
        box, size = self.domain(t), self.problem.network.size
        theta = Interval(box.lower[:size], box.upper[:size])
        rows = (
            self.settings.domain.directions
            if template and self.settings.domain is not None
            else np.empty((0, size))
        )
        lower, upper = minima(theta, rows), -minima(theta, -rows)
        if template and t in self.supports:
            lower, upper = (
                np.maximum(lower, self.supports[t][0]),
                np.minimum(upper, self.supports[t][1]),
            )
        return np.append(theta.lower, lower), np.append(theta.upper, upper)

    def _task(self, stage: Stage, k: int, sense: int, known: float, unit: float) -> Task:
        best, run = (
            self.extremes.value(k, sense, stage.stop),
            self.extremes.run(k, sense, stage.stop),
        )
        return Task(
            stage,
            k,
            self.objectives[k],
            sense,
            known,
            best,
            self.attained.dataset(run),
            unit,
            run,
            self.rigour,
        )

    def _solved(self, tasks: list[Task]) -> Iterator[tuple[Task, Row]]:
        """Run tasks as they come; in the table their rows stand in order."""
        first, found = len(self.rows), dict[tuple[int, int], Row]()
        try:
            for task, row in self._run(tasks):
                found[task.number, task.sense] = row
                self.rows.append(row)
                yield task, row
        finally:
            self.rows[first:] = [row for _, row in sorted(found.items())]

    def _run(self, tasks: list[Task]) -> Iterator[tuple[Task, Row]]:
        if self.executor is None:
            for task in tasks:
                yield task, run_task(task)
            return
        limit = self.settings.time_limit
        # The kind and its relaxation, and time to compile both.
        patience = None if limit is None else 2.0 * limit + RELAXATION + COMPILING
        yield from completed(self.executor, run_task, tasks, lost_row, patience)


def _attained(problem: Problem) -> Attack:
    entries = sum(len(batch) for batch in problem.schedule) * problem.network.size
    return attack(problem, min(ENUMERATION_LIMIT, MOST_TRAINING // entries))
