"""Full and rolling horizons to an interval domain."""

from collections.abc import Iterator
from concurrent.futures import Executor, as_completed
from time import perf_counter
from typing import NamedTuple
from uuid import uuid4

import numpy as np

from agtopt.attacks import ENUMERATION_LIMIT, Attack, attack, extended_attack
from agtopt.compiler import predicted_size
from agtopt.compiler.branches import learn_branches
from agtopt.domains import Interval, KnownBounds
from agtopt.drivers.progress import Progress
from agtopt.drivers.reach import Reach, Row
from agtopt.drivers.stage import Stage, Task, forget_models, run_task
from agtopt.errors import InvalidInputError
from agtopt.kinds import Formulation, Propagation, kind_named
from agtopt.problem import Problem
from agtopt.problem.checks import number, whole
from agtopt.semantics.propagation import initial_domain, interval_steps
from agtopt.semantics.symbolic import BranchBounds
from agtopt.solvers import choose


def bound(
    problem: Problem,
    method: str | Formulation | Propagation,
    window: int | None = None,
    stride: int | None = None,
    solver: str | None = None,
    time_limit: float | None = None,
    conditional: bool = True,
    tighten: bool = True,
    executor: Executor | None = None,
    progress: bool = False,
) -> Reach:
    """Bound the parameters that training can reach under the perturbation model.

    Parameters
    ----------
    problem : Problem
    method : str, Formulation or Propagation
        IBP, CROWN, LP, QCP, MILP, MIQCP or MINLP.
    window : int or None
        Steps per model (rolling horizon); the full horizon by default.
    stride : int or None
        Steps from one window to the next, at most `window`, which is the default.
    solver : str or None
        ``"highs"``, ``"scip"``, ``"gurobi"`` or an interface of Pyomo's ``contrib.solver``; by default HiGHS for linear programs and
        SCIP for all other models.
    time_limit : float or None
        Seconds per solve; the dual bound reached by then is used (S4).
    conditional : bool
        Whether cuts tie quantities to the selectors.
    tighten : bool
        Whether the parameters of every step are bounded in turn, each step's bounds being the big-Ms of the next, by the kind
        without products (LP for QCP, MILP for MIQCP); otherwise only those at the end of a window.
    executor : concurrent.futures.Executor or None
        Runs the solves of a step side by side; in this process by default.
    progress : bool
        Whether a progress bar is shown.

    Returns
    -------
    Reach
        A valid domain, also after Ctrl-C.

    Raises
    ------
    InvalidInputError
        If the method is unknown or the window does not fit.
    SolverUnavailableError
        If the solver is not installed or cannot prove bounds of this kind.
    SoundnessError
        If bounds contradict each other or an attained run (S4, S6, S9).
    """
    kind = kind_named(method)
    began = perf_counter()
    length = problem.steps if window is None else min(whole("window", window, 1), problem.steps)
    step = length if stride is None else whole("stride", stride, 1)
    if step > length:
        raise InvalidInputError(f"stride: {step} is not allowed; it must be at most the window, {length}")
    if time_limit is not None:
        number("time_limit", time_limit, above=0.0)
    if isinstance(kind, Propagation):
        states = (initial_domain(problem), *interval_steps(problem, linear=kind.linear))
        return Reach(problem, kind, states, (), perf_counter() - began)
    choose(solver, predicted_size(problem, kind).quadratic > 0, kind.binaries)
    run = _Run(problem, kind, solver, time_limit, conditional, executor, _attained(problem))
    stages = list(windows(problem.steps, length, step, tighten))
    interrupted = False
    with Progress(progress, 2 * problem.network.size * len(stages), f"{kind} {problem.name}") as bar:
        try:
            for stage in stages:
                run.open(stage)
                run.tighten(stage, bar)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            forget_models()
    return Reach(problem, kind, tuple(run.domains()), tuple(run.rows), perf_counter() - began, interrupted)


MOST_TRAINING = 2**30
"""Per-sample gradient entries that enumeration may cost before a driver samples instead: some seconds."""


def _attained(problem: Problem) -> Attack:
    entries = sum(len(batch) for batch in problem.schedule) * problem.network.size
    return attack(problem, min(ENUMERATION_LIMIT, MOST_TRAINING // entries))


class Window(NamedTuple):
    """The model of the steps start … stop−1, in a window that ends at `end`; a result where its domain is asked for, not only tightened."""

    start: int
    stop: int
    end: int
    result: bool


def windows(steps: int, length: int, stride: int, tighten: bool) -> Iterator[Window]:
    """Every model that is solved, in order."""
    start, reached = 0, 0
    while reached < steps:
        end = min(start + length, steps)
        for stop in range(reached + 1, end + 1):
            # Windows start at the multiples of the stride, whichever window bounds that step first.
            result = stop == end or stop % stride == 0
            if tighten or result:
                yield Window(start, stop, end, result)
        start, reached = start + stride, end


class _Run:
    """What is known of the parameters of every step, and how it is tightened."""

    def __init__(
        self,
        problem: Problem,
        kind: Formulation,
        solver: str | None,
        time_limit: float | None,
        conditional: bool,
        executor: Executor | None,
        attained: Attack,
    ) -> None:
        self.problem, self.kind, self.solver, self.time_limit = problem, kind, solver, time_limit
        self.conditional, self.executor, self.attained = conditional, executor, attained
        self.known, self.rows = KnownBounds(), list[Row]()
        self.opened = -1
        self.branches: BranchBounds | None = None
        self._learn(0, initial_domain(problem))
        for t, box in enumerate(interval_steps(problem, linear=True), start=1):
            self._learn(t, box)

    def _learn(self, t: int, box: Interval) -> None:
        lower, upper = self.problem.unflatten(box.lower), self.problem.unflatten(box.upper)
        for tensor in self.problem.state:
            self.known.shrink((t, tensor), lower[tensor], upper[tensor])

    def domain(self, t: int) -> Interval:
        """The tightest domain of the state at step t that is known."""
        ends = {tensor: self.known.get((t, tensor)) for tensor in self.problem.state}
        lower, upper = ({name: end[side] for name, end in ends.items() if end is not None} for side in (0, 1))
        return Interval(self.problem.flatten(lower), self.problem.flatten(upper))

    def domains(self) -> Iterator[Interval]:
        """Domains of the states at steps 0 … T; what tighter early steps imply for later ones by intervals is used too."""
        yield self.domain(0)
        for t in range(self.problem.steps):
            (following,) = interval_steps(self.problem, t, self.domain(t), t + 1, linear=True)
            self._learn(t + 1, following)
            yield self.domain(t + 1)

    def open(self, window: Window) -> None:
        """Prepare a window, once."""
        start, end = window.start, window.end
        if start == self.opened or not self.conditional:
            return
        learned = learn_branches(self.problem, self.known, start, self.domain(start), end)
        self.opened, self.branches = start, learned.bounds
        if learned.extreme and not self.attained.exact:
            self.attained = extended_attack(self.attained, learned.extreme)

    def tighten(self, window: Window, bar: Progress) -> None:
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
            conditional=self.conditional,
            branches=self.branches,
            solver=self.solver,
            time_limit=self.time_limit,
        )
        tasks = [self._task(stage, k, sense) for k in range(self.problem.network.size) for sense in (-1, 1)]
        lower, upper = (np.array(end) for end in (self.domain(stop).lower, self.domain(stop).upper))
        try:
            for task, row in self._solved(tasks):
                self.rows.append(row)
                (lower if task.sense < 0 else upper)[task.parameter] = row.bound
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
        futures = {self.executor.submit(run_task, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            for future in futures:
                future.cancel()
