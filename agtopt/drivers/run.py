"""A run of a driver that can be stepped by hand, saved after each model and resumed."""

import json
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from uuid import uuid4

import numpy as np

from agtopt.attacks import ENUMERATION_LIMIT, Attack, attack, extended_attack
from agtopt.compiler import predicted_size
from agtopt.compiler.branches import learn_branches
from agtopt.domains import Interval, KnownBounds
from agtopt.drivers.execute import completed
from agtopt.drivers.progress import Progress
from agtopt.drivers.reach import Reach, Row
from agtopt.drivers.stage import Stage, Task, forget_models, lost_row, run_task
from agtopt.drivers.windows import Window, windows
from agtopt.errors import InvalidInputError, MissingFileError
from agtopt.kinds import Formulation, kind_named
from agtopt.problem import Problem
from agtopt.problem.checks import number, whole
from agtopt.semantics.propagation import initial_domain, interval_steps
from agtopt.semantics.symbolic import BranchBounds
from agtopt.solvers import choose

COMPILING = 120.0
"""Seconds beyond its time limits after which a task without a sign of life counts as lost."""

MOST_TRAINING = 2**30
"""Per-sample gradient entries that enumeration may cost before a run samples its attacks instead: some seconds."""


@dataclass(frozen=True)
class Settings:
    """How a run goes; see `agtopt.bound`."""

    method: str
    window: int
    stride: int
    solver: str | None
    time_limit: float | None
    conditional: bool
    tighten: bool


class Run:
    """A formulation solved window by window.

    ``bound`` does all steps at once; by hand ``while not run.finished: run.step(); run.save(path)``, then ``run.finish()``.

    Parameters
    ----------
    problem, method, window, stride, solver, time_limit, conditional, tighten, executor
        As in `agtopt.bound`; the method must be a formulation.

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
        method: str | Formulation,
        window: int | None = None,
        stride: int | None = None,
        solver: str | None = None,
        time_limit: float | None = None,
        conditional: bool = True,
        tighten: bool = True,
        executor: Executor | None = None,
    ) -> None:
        kind = kind_named(method)
        if not isinstance(kind, Formulation):
            raise InvalidInputError(f"method: {kind} is propagated at once and has no windows; a run takes a formulation")
        length = problem.steps if window is None else min(whole("window", window, 1), problem.steps)
        step = length if stride is None else whole("stride", stride, 1)
        if step > length:
            raise InvalidInputError(f"stride: {step} is not allowed; it must be at most the window, {length}")
        if time_limit is not None:
            number("time_limit", time_limit, above=0.0)
        choose(solver, predicted_size(problem, kind).quadratic > 0, kind.binaries)
        self.problem, self.kind, self.executor = problem, kind, executor
        self.settings = Settings(str(kind), length, step, solver, time_limit, conditional, tighten)
        self.stages, self.done = list(windows(problem.steps, length, step, tighten)), 0
        self.known, self.rows, self.seconds = KnownBounds(), list[Row](), 0.0
        self.attained = _attained(problem)
        self._opened, self._branches = -1, BranchBounds.nothing()
        self._learn(0, initial_domain(problem))
        for t, box in enumerate(interval_steps(problem, linear=True), start=1):
            self._learn(t, box)

    @property
    def finished(self) -> bool:
        """Whether every model is solved."""
        return self.done == len(self.stages)

    def step(self, bar: Progress | None = None) -> None:
        """Solve the next model: bound every parameter after one step. What is found holds also when this is interrupted."""
        if self.finished:
            raise InvalidInputError("run: every window is solved; take the result with finish()")
        began = perf_counter()
        try:
            self._open(self.stages[self.done])
            self._tighten(self.stages[self.done], bar)
            self.done += 1
        finally:
            self.seconds += perf_counter() - began

    def finish(self) -> Reach:
        """The result so far; `interrupted` if models are left, whose steps then have the domains that follow by propagation."""
        forget_models()
        return Reach(self.problem, self.kind, tuple(self._domains()), tuple(self.rows), self.seconds, not self.finished)

    def save(self, path: str | Path) -> Path:
        """Write everything that was found, as an .npz file without pickle."""
        about = {
            "problem": self.problem.fingerprint,
            "settings": asdict(self.settings),
            "done": self.done,
            "seconds": self.seconds,
            "rows": [asdict(row) for row in self.rows],
        }
        ends = {f"{t}|{tensor}": np.stack(self.known.get((t, tensor)) or ()) for t, tensor in self._addresses()}
        target = Path(path)
        with target.open("wb") as file:
            np.savez(file, about=np.array(json.dumps(about)), **ends)  # type: ignore[arg-type]
        return target

    @classmethod
    def resume(cls, problem: Problem, path: str | Path, executor: Executor | None = None) -> "Run":
        """Continue a saved run; the result is the one it would have had.

        Raises
        ------
        MissingFileError
            If the file does not exist.
        InvalidInputError
            If it was saved for another problem, or is no saved run.
        """
        if not Path(path).exists():
            raise MissingFileError(f"run: {path} does not exist")
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                ends = {name: file[name] for name in file.files if name != "about"}
            if about["problem"] != problem.fingerprint:
                raise InvalidInputError(f"run: {path} was saved for another problem")
            run = cls(problem, executor=executor, **about["settings"])
            run.done, run.seconds, run.rows = about["done"], about["seconds"], [Row(**row) for row in about["rows"]]
        except (KeyError, ValueError, OSError, TypeError) as error:
            if isinstance(error, InvalidInputError):
                raise
            raise InvalidInputError(f"run: {path} is no saved run: {error}") from None
        for name, (lower, upper) in ends.items():
            t, _, tensor = name.partition("|")
            run.known.shrink((int(t), tensor), lower, upper)
        return run

    def _addresses(self) -> Iterator[tuple[int, str]]:
        for t in range(self.problem.steps + 1):
            for tensor in self.problem.state:
                yield t, tensor

    def _learn(self, t: int, box: Interval) -> None:
        lower, upper = self.problem.unflatten(box.lower), self.problem.unflatten(box.upper)
        for tensor in self.problem.state:
            self.known.shrink((t, tensor), lower[tensor], upper[tensor])

    def domain(self, t: int) -> Interval:
        """The tightest domain of the state at step t that is known."""
        ends = {tensor: self.known.get((t, tensor)) for tensor in self.problem.state}
        lower, upper = ({name: end[side] for name, end in ends.items() if end is not None} for side in (0, 1))
        return Interval(self.problem.flatten(lower), self.problem.flatten(upper))

    def _domains(self) -> Iterator[Interval]:
        """Domains of the states at steps 0 … T; what tighter early steps imply for later ones by intervals is used too."""
        yield self.domain(0)
        for t in range(self.problem.steps):
            (following,) = interval_steps(self.problem, t, self.domain(t), t + 1, linear=True)
            self._learn(t + 1, following)
            yield self.domain(t + 1)

    def _open(self, window: Window) -> None:
        """Prepare a window, once."""
        start, end = window.start, window.end
        if start == self._opened or not self.settings.conditional:
            return
        learned = learn_branches(self.problem, self.known, start, self.domain(start), end)
        self._opened, self._branches = start, learned.bounds
        if learned.extreme and not self.attained.exact:
            self.attained = extended_attack(self.attained, learned.extreme)

    def _tighten(self, window: Window, bar: Progress | None) -> None:
        """Bound every parameter of θ_stop over a window; by the linear kind where that is only to tighten later steps."""
        start, stop = window.start, window.stop
        stage = Stage(
            token=uuid4().hex,
            problem=self.problem,
            kind=self.kind if window.result else self.kind.linear,
            start=start,
            stop=stop,
            domain=self.domain(start),
            known=self.known,
            conditional=self.settings.conditional,
            branches=self._branches,
            solver=self.settings.solver,
            time_limit=self.settings.time_limit,
        )
        tasks = [self._task(stage, k, sense) for k in range(self.problem.network.size) for sense in (-1, 1)]
        lower, upper = (np.array(end) for end in (self.domain(stop).lower, self.domain(stop).upper))
        try:
            for task, row in self._solved(tasks):
                self.rows.append(row)
                (lower if task.sense < 0 else upper)[task.parameter] = row.bound
                if bar is not None:
                    bar.advance(float((upper - lower)[: self.problem.network.size].sum()))
        finally:
            self._learn(stop, Interval(np.minimum(lower, upper), np.maximum(lower, upper)))

    def _task(self, stage: Stage, parameter: int, sense: int) -> Task:
        table = self.attained.lower if sense < 0 else self.attained.upper
        return Task(stage, parameter, sense, float(table[stage.stop, parameter]), self.attained.attaining(parameter, sense, stage.stop))

    def _solved(self, tasks: list[Task]) -> Iterator[tuple[Task, Row]]:
        if self.executor is None:
            for task in tasks:
                yield task, run_task(task)
            return
        limit = self.settings.time_limit
        # The kind and its relaxation, and time to compile both.
        yield from completed(self.executor, run_task, tasks, lost_row, None if limit is None else 2.0 * limit + COMPILING)


def _attained(problem: Problem) -> Attack:
    entries = sum(len(batch) for batch in problem.schedule) * problem.network.size
    return attack(problem, min(ENUMERATION_LIMIT, MOST_TRAINING // entries))
