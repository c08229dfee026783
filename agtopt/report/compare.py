"""Compare kinds, windows and solvers on one or several problems."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agtopt.arguments import typed
from agtopt.attacks import Attack, attack
from agtopt.compiler import predicted_size
from agtopt.drivers import OBBT, Reach, Settings, bound
from agtopt.drivers.execute import completed
from agtopt.drivers.interrupt import uninterrupted, until_interrupted
from agtopt.drivers.progress import Progress
from agtopt.errors import InvalidInputError
from agtopt.kinds import CROWN, IBP, KINDS, MINLP, MIQCP, Formulation, Propagation, kind_named
from agtopt.problem import Problem
from agtopt.problem.checks import instance, listed
from agtopt.report.cells import Cell, Outcome, Work, lost_work, run_work
from agtopt.report.plots import plot_comparison
from agtopt.report.store import Store
from agtopt.report.tables import save_table
from agtopt.solvers import PROVED, TOLERANCE, Status, choose

SIZES = ("binaries", "continuous", "linear", "quadratic")


@dataclass(frozen=True, eq=False)
class Instance:
    """A problem, with what all its cells are measured against.

    Attributes
    ----------
    problem : Problem
    inner : Attack
        What training attains: the exact hull where it was enumerated.
    ibp : float
        Σ(upper − lower) of the final box of IBP.
    """

    problem: Problem
    inner: Attack
    ibp: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """Widths, times and sizes of several methods on one or several problems.

    Attributes
    ----------
    instances : tuple of Instance
    cells : tuple of (Cell, Outcome)
        What was asked and what came of it; after Ctrl-C, those that were reached.
    interrupted : bool
        Whether Ctrl-C cut the comparison short.
    """

    instances: tuple[Instance, ...]
    cells: tuple[tuple[Cell, Outcome], ...]
    interrupted: bool = False

    @property
    def results(self) -> tuple[Reach, ...]:
        """The domain of every cell that was not refused."""
        return tuple(outcome.reach for _, outcome in self.cells if outcome.reach is not None)

    @property
    def problem(self) -> Problem:
        """The problem, where there is one only."""
        return self._only().problem

    @property
    def inner(self) -> Attack:
        """What training attains, where there is one problem only."""
        return self._only().inner

    @property
    def table(self) -> pd.DataFrame:
        """One row per cell.

        ``instance``, ``method``, ``window`` and ``solver`` name the cell. ``width`` is Σ(upper −
        lower) of the final domain; ``to_ibp``, ``to_enumerated`` and ``to_attained`` are its ratios
        to the width of IBP, of the hull of all admissible runs where that was enumerated, and of
        what the best attack attains. ``seconds`` is the wall-clock time of the method, without the
        attack that all share; ``building`` and ``solving`` are the parts of it in which models were
        written and handed over, and solvers ran. ``solves`` is how many bounds needed a solver;
        ``binaries``, ``continuous``, ``linear`` and ``quadratic`` count the variables and rows of
        the largest model. Of the final ``bounds``, ``proved`` rest on no solver's word in the last
        model; ``rigour`` says whether that holds for every bound of every step. ``status`` is
        ``optimal`` where every solve ended there, else how many did not, or why nothing was solved.
        """
        rows = [self._row(cell, outcome) for cell, outcome in self.cells]
        names = [
            "instance",
            "method",
            "window",
            "solver",
            "width",
            "to_ibp",
            "to_enumerated",
            "to_attained",
            "seconds",
            "building",
            "solving",
        ]
        whole = ["solves", *SIZES, "proved", "bounds"]
        frame = pd.DataFrame(rows, columns=[*names, *whole, "rigour", "status"])
        return frame.astype(dict.fromkeys(names[4:], float) | dict.fromkeys(whole, "Int64"))

    def plot(self, ax: Any = None) -> Any:
        """Draw width against time; returns the axes."""
        return plot_comparison(self.table, ax)

    def save(self, path: str | Path) -> Path:
        """Write the table as .csv, .json, .md or .tex; see `agtopt.report.save_table`."""
        return save_table(self.table, path)

    def _only(self) -> Instance:
        if len(self.instances) != 1:
            raise InvalidInputError(
                f"comparison: it is of {len(self.instances)} problems; take one of `instances`"
            )
        return self.instances[0]

    def _row(self, cell: Cell, outcome: Outcome) -> dict[str, Any]:
        window = "full" if cell.window is None else str(cell.window)
        solver = "" if cell.settings is None else cell.solver or "default"
        named = {
            "instance": cell.problem.name,
            "method": str(cell.method),
            "window": window,
            "solver": solver,
        }
        reach = outcome.reach
        if reach is None:
            return {**named, "status": f"refused: {outcome.refused}"}
        instance = next(instance for instance in self.instances if instance.problem is cell.problem)
        width, attained = reach.domain.width(), instance.inner.domain.width()
        solved = [row for row in reach.rows if row.seconds > 0]
        stopped = sum(row.status != Status.OPTIMAL for row in solved)
        names, last = set(cell.problem.network.parameter_names), cell.problem.steps
        trusting = sum(
            row.stop == last and row.objective in names and row.rigour != PROVED
            for row in reach.rows
        )
        bounds = 2 * len(names)
        return {
            **named,
            "width": width,
            "to_ibp": _ratio(width, instance.ibp),
            "to_enumerated": _ratio(width, attained) if instance.inner.exact else np.nan,
            "to_attained": _ratio(width, attained),
            "seconds": reach.seconds,
            "building": sum(row.building for row in reach.rows),
            "solving": sum(row.seconds for row in reach.rows),
            "solves": len(solved),
            **({} if outcome.size is None else asdict(outcome.size)),
            "proved": bounds - trusting,
            "bounds": bounds,
            "rigour": PROVED if all(row.rigour == PROVED for row in reach.rows) else TOLERANCE,
            "status": "interrupted"
            if reach.interrupted
            else (f"{stopped} at their limit" if stopped else "optimal"),
        }


@typed()
def compare(
    problems: Problem | Sequence[Problem],
    methods: Sequence[str | Formulation | Propagation] | None = None,
    windows: Sequence[int | None] = (None,),
    solvers: Sequence[str | None] = (None,),
    time_limit: float | Mapping[str, float | None] | None = None,
    conditional: bool = True,
    tighten: bool | str | Formulation = True,
    obbt: OBBT | None = None,
    executor: Executor | None = None,
    progress: bool = False,
    resume: str | Path | None = None,
) -> Comparison:
    """Bound the parameters by several methods, windows and solvers (Tables 1 and 2 of Sosnin et al.
    2025).

    Cells with the same models are solved once, and each row shows them: a kind that has no product
    to keep is the kind without products, and a window that covers the run is the full horizon. A
    cell whose solver does not take its kind, or whose model would not fit, is a row that says so.

    Parameters
    ----------
    problems : Problem or sequence of Problem
        Their names differ.
    methods : sequence of str, Formulation or Propagation, or None
        All kinds that differ on a problem by default; IBP and CROWN have no window and no solver,
        and are run once.
    windows : sequence of int or None
        None is the full horizon.
    solvers : sequence of str or None
        As ``solver`` in `agtopt.bound`; None is its default.
    time_limit : float, mapping or None
        Seconds per solve, for all methods or by the name of each; none where a name is missing.
    conditional, tighten, obbt
        As in `agtopt.bound`.
    executor : concurrent.futures.Executor or None
        Runs cells side by side, each on one core; in this process and in order by default.
    progress : bool
        Whether a progress bar is shown.
    resume : path or None
        Folder that takes every finished cell, and after each model what is found of the others;
        made where it is missing. A comparison that finds them there goes on with the rest.

    Returns
    -------
    Comparison
        Also after Ctrl-C, with what is there. Its ``table`` is a pandas DataFrame.

    Raises
    ------
    InvalidInputError
        If a method is unknown, an argument does not fit, nothing is left to compare, or a file in
        the folder is broken.
    MissingFileError
        If the folder above `resume` does not exist.
    SolverUnavailableError
        If a solver is unknown or not installed.
    SoundnessError
        As in `agtopt.bound`; what was finished before stays in `resume`.
    """
    if isinstance(problems, str):
        instance("problems", problems, Problem)
    if not isinstance(problems, Problem):
        listed("problems", problems, "[first, second]")
        for problem in problems:
            instance("problem", problem, Problem)
    for name, values, example in (
        ("methods", methods, '["IBP", "LP"]'),
        ("windows", windows, "[1, 3, None]"),
        ("solvers", solvers, "[None]"),
    ):
        if values is not None:
            listed(name, values, example)
    chosen = (problems,) if isinstance(problems, Problem) else tuple(problems)
    if len({problem.name for problem in chosen}) < len(chosen):
        raise InvalidInputError("compare: two problems have the same name; their names must differ")
    kinds = None if methods is None else [kind_named(method) for method in methods]
    limits = (
        time_limit
        if isinstance(time_limit, Mapping)
        else dict.fromkeys(KINDS if kinds is None else map(str, kinds), time_limit)
    )
    by_kind = {kind_named(name): limit for name, limit in limits.items()}
    for solver in solvers:
        choose(solver, quadratic=False)

    def settings(kind: Formulation, solver: str | None, window: int | None) -> Settings:
        return Settings(
            kind,
            window=window,
            solver=solver,
            time_limit=by_kind.get(kind),
            conditional=conditional,
            tighten=tighten,
            obbt=obbt,
        )

    cells = [
        Cell(problem, kind, how)
        for problem in chosen
        for kind in (different_kinds(problem) if kinds is None else kinds)
        for how in (
            [settings(kind, s, w) for s in solvers for w in windows]
            if isinstance(kind, Formulation)
            else [None]
        )
    ]
    if not cells or not windows or not solvers:
        raise InvalidInputError(
            "compare: no method, window, solver or problem is left; name at least one of each"
        )
    store = None if resume is None else Store.at(resume)
    instances, stopped = until_interrupted(
        Instance(problem, attack(problem), uninterrupted(bound(problem, IBP)).domain.width())
        for problem in chosen
    )
    if stopped:
        return Comparison(tuple(instances), (), True)
    outcomes, interrupted = _outcomes(cells, instances, store, executor, progress)
    reached = [(cell, outcomes[cell.twin.key]) for cell in cells if cell.twin.key in outcomes]
    return Comparison(
        tuple(instances),
        tuple((cell, _named(cell, outcome)) for cell, outcome in reached),
        interrupted,
    )


def different_kinds(problem: Problem) -> Iterator[Formulation | Propagation]:
    """All kinds, without MINLP where no function is left to keep, and without CROWN where no
    rectifier makes it differ from IBP."""
    functions = predicted_size(problem, MINLP) != predicted_size(problem, MIQCP)
    for kind in KINDS.values():
        if (kind != MINLP or functions) and (kind != CROWN or problem.network.kinked):
            yield kind


def _outcomes(
    cells: Sequence[Cell],
    instances: Sequence[Instance],
    store: Store | None,
    executor: Executor | None,
    progress: bool,
) -> tuple[dict[str, Outcome], bool]:
    """Outcomes by the keys of their cells, and whether Ctrl-C ended it."""
    different = {cell.twin.key: cell.twin for cell in cells}
    inner = {id(instance.problem): instance.inner for instance in instances}
    outcomes: dict[str, Outcome] = {}
    left: list[Work] = []
    for key, cell in different.items():
        kept = None if store is None else store.find(cell, inner[id(cell.problem)])
        if kept is None:
            left.append(
                Work(
                    cell, inner[id(cell.problem)], None if store is None else store.checkpoint(cell)
                )
            )
        else:
            outcomes[key] = kept
    with Progress(progress, sum(work.cell.solves for work in left), f"{len(left)} cells") as bar:
        try:
            for work, outcome in _worked(left, executor, bar):
                outcomes[work.cell.key] = outcome
                if store is not None:
                    store.keep(work.cell, outcome)
                if outcome.reach is not None and outcome.reach.interrupted:
                    return outcomes, True
        except KeyboardInterrupt:
            return outcomes, True
    return outcomes, False


def _worked(
    left: list[Work], executor: Executor | None, bar: Progress
) -> Iterator[tuple[Work, Outcome]]:
    if executor is None:
        for work in left:
            yield work, run_work(work, bar)
        return
    # The last kinds and windows take longest: begun early, they are not what all wait for.
    # Intervals take no time.
    ordered = [work for work in left if work.cell.settings is None] + [
        work for work in left[::-1] if work.cell.settings is not None
    ]
    for work, outcome in completed(executor, run_work, ordered, lost_work, None):
        bar.advance(many=work.cell.solves)
        yield work, outcome


def _named(cell: Cell, outcome: Outcome) -> Outcome:
    """The outcome of a cell's twin as its own: of the very problem and kind that were asked for."""
    return (
        outcome
        if outcome.reach is None
        else replace(
            outcome, reach=replace(outcome.reach, problem=cell.problem, method=cell.method)
        )
    )


def _ratio(width: float, reference: float) -> float:
    return width / reference if reference and np.isfinite(reference) else np.nan
