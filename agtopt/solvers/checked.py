"""A solver whose word counts as far as another one's goes."""

from dataclasses import replace
from typing import Any
from warnings import warn

from agtopt.domains import excluded
from agtopt.solvers.objective import objective_unit
from agtopt.solvers.result import SolveResult
from agtopt.solvers.session import Session
from agtopt.solvers.status import Status
from agtopt.tolerances import AGREEMENT


class CheckedSession:
    """Two solvers on one model, of whose bounds the weaker holds; see `session.Session`.

    A wrong bound of one of them costs time, not soundness. Each has the whole time limit.

    Parameters
    ----------
    model : pyomo ConcreteModel
    sessions : dict of str to Session
        Two, by the names of their solvers.
    """

    def __init__(self, model: Any, sessions: dict[str, Session]) -> None:
        self.model = model
        self.sessions = sessions
        (self.best, _) = sessions.values()

    def solve(self, time_limit: float | None = None, start: bool = False) -> SolveResult:
        results = {
            name: session.solve(time_limit, start) for name, session in self.sessions.items()
        }
        name, other = results
        self._tell(results, name, other)
        self._tell(results, other, name)
        best = min(results, key=lambda name: _or(results[name].incumbent, float("inf")))
        self.best = self.sessions[best]
        return replace(
            min(results.values(), key=_strength),
            incumbent=results[best].incumbent,
            seconds=sum(result.seconds for result in results.values()),
        )

    def load(self) -> bool:
        return self.best.load()

    def _tell(self, results: dict[str, SolveResult], name: str, other: str) -> None:
        """Warn where what one solver has found is beyond the other's bound."""
        bound, value = results[name].bound, results[other].incumbent
        unit = objective_unit(self.model.objective.expr)
        if bound is not None and value is not None and excluded(bound, value, -1, AGREEMENT, unit):
            warn(
                f"solver: {name!r} gave the bound {bound}, and {other!r} found {value}; the weaker "
                f"bound of the two holds",
                stacklevel=3,
            )


def _strength(result: SolveResult) -> float:
    """The bound; that a model is empty is the strongest that can be said, to have none the
    weakest."""
    if result.status == Status.INFEASIBLE:
        return float("inf")
    return _or(result.bound, -float("inf"))


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
