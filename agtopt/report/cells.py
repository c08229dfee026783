"""The cells of a comparison: one method with its settings on one problem, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

from agtopt.attacks import Attack
from agtopt.compiler import Size, compile, predicted_size
from agtopt.drivers import Reach, Run, Settings, bound
from agtopt.drivers.fit import check_fit
from agtopt.drivers.progress import Progress
from agtopt.drivers.windows import Window
from agtopt.errors import SolverUnavailableError, UnsupportedError
from agtopt.files import attempt
from agtopt.kinds import Formulation, Propagation
from agtopt.problem import Problem
from agtopt.problem.encoding import digest


@dataclass(frozen=True, eq=False)
class Cell:
    """One method on one problem.

    Attributes
    ----------
    problem : Problem
    method : Formulation or Propagation
    settings : Settings or None
        How a formulation is solved; None where intervals are propagated.
    """

    problem: Problem
    method: Formulation | Propagation
    settings: Settings | None = None

    @property
    def window(self) -> int | None:
        """Steps per model; None is the full horizon."""
        return None if self.settings is None else self.settings.window

    @property
    def solver(self) -> str | None:
        """Its name; None where the models choose, or nothing is solved."""
        return None if self.settings is None else self.settings.solver

    @cached_property
    def twin(self) -> "Cell":
        """The simplest cell with the same models: without products where there are none, the full
        horizon where a window covers it."""
        if self.settings is None or not isinstance(self.method, Formulation):
            return self
        kind, window = self.method, self.window
        if not kind.functions and predicted_size(self.problem, kind).quadratic == 0:
            kind = kind.linear
        if window is not None and window >= self.problem.steps:
            window = None
        return Cell(self.problem, kind, replace(self.settings, method=kind, window=window))

    @cached_property
    def key(self) -> str:
        """Equal for cells that give the same result: from the problem's fingerprint, all settings
        and the version of agtopt."""
        settings = None if self.settings is None else self.settings.to_dict()
        whole = digest((self.problem.fingerprint, self.method, settings, version("agtopt")))
        name = f"{self.method}-{self.window or 'full'}-{self.solver or 'default'}".replace(":", "_")
        return f"{self.problem.fingerprint[:12]}-{name}-{whole[:24]}"

    @cached_property
    def solves(self) -> int:
        """How many bounds its models ask for; 0 where nothing can be solved."""
        if self.settings is None:
            return 0
        try:
            self.settings.check(self.problem)
        except SolverUnavailableError:
            return 0
        return 2 * self.problem.network.size * len(list(self.settings.stages(self.problem)))


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a cell.

    Attributes
    ----------
    reach : Reach or None
        None where it was refused.
    size : Size or None
        Of the largest model; None where none was compiled.
    refused : str
        Why nothing was solved: the solver does not take the kind, or the model does not fit.
    """

    reach: Reach | None
    size: Size | None = None
    refused: str = ""

    @property
    def finished(self) -> bool:
        """Whether there is a result that nothing interrupted."""
        return self.reach is not None and not self.reach.interrupted


@dataclass(frozen=True, eq=False)
class Work:
    """A cell, with what it takes to work on it anywhere.

    Attributes
    ----------
    cell : Cell
    inner : Attack
        On its problem.
    checkpoint : Path or None
        File that takes what is found after every model, and from which the work goes on.
    """

    cell: Cell
    inner: Attack
    checkpoint: Path | None = None


def run_work(work: Work, bar: Progress | None = None) -> Outcome:
    """Solve one cell; Ctrl-C gives what was found so far.

    Raises
    ------
    InvalidInputError
        If an argument does not fit the problem, or the checkpoint is broken.
    SoundnessError
        As in `agtopt.bound`.
    """
    cell = work.cell
    try:
        if cell.settings is None:
            return Outcome(bound(cell.problem, cell.method))
        check_fit(cell.problem, cell.settings, None)
        return _solved(work, cell.settings, bar)
    except (UnsupportedError, SolverUnavailableError) as error:
        return Outcome(None, refused=str(error))


def lost_work(_: Work) -> Outcome:
    """What is known of a cell whose worker died."""
    return Outcome(None, refused="no worker gave a result (twice)")


def _solved(work: Work, settings: Settings, bar: Progress | None) -> Outcome:
    began, problem, sizes = perf_counter(), work.cell.problem, list[Size]()
    if work.checkpoint is not None and work.checkpoint.exists():
        run = Run.resume(problem, work.checkpoint, inner=work.inner)
    else:
        run = Run.begin(problem, settings, inner=work.inner)
        run.found.seconds = perf_counter() - began
    resumed, longest = (
        run.done,
        [window for window in run.stages if window.stop - window.start == _length(run.stages)],
    )
    try:
        while not run.finished:
            window = run.stages[run.done]
            run.step(bar)
            if window in longest:
                sizes.append(run.model().size)
            if work.checkpoint is not None and not run.finished:
                attempt(partial(run.save, work.checkpoint))
    except KeyboardInterrupt:
        if work.checkpoint is not None:
            attempt(partial(run.save, work.checkpoint))
        return Outcome(run.finish(), _largest(sizes))
    reach = run.finish()
    for start, stop, *_ in [window for window in run.stages[:resumed] if window in longest]:
        sizes.append(
            compile(
                problem,
                settings.kind,
                start,
                stop,
                reach.states[start],
                reach.known,
                settings.conditional,
            ).size
        )
    return Outcome(reach, _largest(sizes))


def _length(stages: Sequence[Window]) -> int:
    return max(window.stop - window.start for window in stages)


def _largest(sizes: Sequence[Size]) -> Size | None:
    return max(
        sizes,
        key=lambda size: size.binaries + size.continuous + size.linear + size.quadratic,
        default=None,
    )
