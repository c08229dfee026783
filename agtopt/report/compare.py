"""Compare kinds and windows on one problem."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from agtopt.attacks import Attack, attack
from agtopt.compiler import predicted_size
from agtopt.drivers import OBBT, Reach, bound
from agtopt.errors import InvalidInputError
from agtopt.kinds import CROWN, IBP, KINDS, MINLP, MIQCP, Formulation, Propagation, kind_named
from agtopt.problem import LeakyReLU, Problem, ReLU
from agtopt.problem.checks import instance, listed
from agtopt.report.plots import plot_comparison
from agtopt.solvers import PROVED


@dataclass(frozen=True, eq=False)
class Comparison:
    """Widths and times of several methods on one problem.

    Attributes
    ----------
    problem : Problem
    inner : Attack
        What training attains: the exact hull where it was enumerated.
    results : tuple of Reach
    windows : tuple of int or None
        The window of each result; None is the full horizon.
    """

    problem: Problem
    inner: Attack
    results: tuple[Reach, ...]
    windows: tuple[int | None, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row per method and window.

        ``width`` is Σ(upper − lower) of the final domain, ``to_ibp`` and ``to_attained`` its ratios to the width of IBP and of the
        attained parameters, ``seconds`` the wall-clock time of the whole method, ``solves`` how many bounds needed a solver, ``proved``
        how many of the final bounds are proved without trust in a solver, ``status`` whether every solve ended at its optimum.
        """
        ibp = next((result.domain.width() for result in self.results if result.method == IBP), None)
        return pd.DataFrame([self._row(result, window, ibp) for result, window in zip(self.results, self.windows, strict=True)])

    def _row(self, result: Reach, window: int | None, ibp: float | None) -> dict[str, Any]:
        attained, width = self.inner.domain.width(), result.domain.width()
        solved = [row for row in result.rows if row.seconds > 0]
        names = set(self.problem.network.parameter_names)
        final = [row for row in result.rows if row.stop == self.problem.steps and row.objective in names]
        stopped = [row for row in solved if row.status != "optimal"]
        status = "interrupted" if result.interrupted else (f"{len(stopped)} at their limit" if stopped else "optimal")
        return {
            "method": str(result.method),
            "window": "full" if window is None else str(window),
            "width": width,
            "to_ibp": width / ibp if ibp else float("nan"),
            "to_attained": width / attained if attained else float("nan"),
            "seconds": result.seconds,
            "solves": len(solved),
            "proved": f"{sum(row.rigour == PROVED for row in final)}/{len(final)}" if final else "all",
            "status": status,
        }

    def plot(self, ax: Any = None) -> Any:
        """Draw width against time; returns the axes."""
        return plot_comparison(self.table, ax)


def compare(
    problem: Problem,
    methods: Sequence[str | Formulation | Propagation] | None = None,
    windows: Sequence[int | None] = (None,),
    solver: str | None = None,
    time_limit: float | Mapping[str, float | None] | None = None,
    conditional: bool = True,
    tighten: bool | str | Formulation = True,
    obbt: OBBT | None = None,
    executor: Executor | None = None,
    progress: bool = False,
) -> Comparison:
    """Bound the parameters by several methods and windows.

    A kind that has no product to keep on this problem is the kind without products: it is solved once, and both rows show it.

    Parameters
    ----------
    problem : Problem
    methods : sequence of str, Formulation or Propagation, or None
        All kinds that differ on the problem by default; IBP and CROWN have no window and are run once.
    windows : sequence of int or None
        None is the full horizon.
    solver, conditional, tighten, obbt, executor, progress
        As in `agtopt.bound`.
    time_limit : float, mapping or None
        Seconds per solve, for all methods or by the name of each; none where a name is missing.

    Returns
    -------
    Comparison
        Its ``table`` is a pandas DataFrame.

    Raises
    ------
    InvalidInputError
        If a method is unknown or nothing is left to compare.
    """
    instance("problem", problem, Problem)
    listed("windows", windows, "[1, 3, None]")
    if methods is not None:
        listed("methods", methods, '["IBP", "LP"]')
    kinds = list(different_kinds(problem)) if methods is None else [kind_named(method) for method in methods]
    if not kinds or not windows:
        raise InvalidInputError("compare: no method or no window is left; name at least one of each")
    cells = [(kind, window) for kind in kinds for window in (windows if isinstance(kind, Formulation) else (None,))]
    limits = {kind_named(name): limit for name, limit in time_limit.items()} if isinstance(time_limit, Mapping) else time_limit
    solved: dict[tuple[Formulation | Propagation, int | None], Reach] = {}
    for kind, window in cells:
        twin = _without_products(problem, kind), window
        if twin not in solved:
            limit = limits.get(kind) if isinstance(limits, dict) else limits
            solved[twin] = bound(
                problem, twin[0], window, None, solver, limit, conditional, tighten, obbt=obbt, executor=executor, progress=progress
            )
    results = (replace(solved[_without_products(problem, kind), window], method=kind) for kind, window in cells)
    return Comparison(problem, attack(problem), tuple(results), tuple(window for _, window in cells))


def _without_products(problem: Problem, kind: Formulation | Propagation) -> Formulation | Propagation:
    """The kind that gives the same models on this problem, and keeps no products if there are none."""
    if isinstance(kind, Formulation) and not kind.functions and predicted_size(problem, kind).quadratic == 0:
        return kind.linear
    return kind


def different_kinds(problem: Problem) -> Iterator[Formulation | Propagation]:
    """All kinds, without MINLP where no function is left to keep, and without CROWN where no rectifier makes it differ from IBP."""
    functions = predicted_size(problem, MINLP) != predicted_size(problem, MIQCP)
    rectifiers = any(isinstance(problem.network.layer(node), (ReLU, LeakyReLU)) for node in problem.network.nodes)
    for kind in KINDS.values():
        if (kind != MINLP or functions) and (kind != CROWN or rectifiers):
            yield kind
