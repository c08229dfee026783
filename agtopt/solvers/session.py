"""One way to use any solver: open a session on a model, then minimise its objective as often as
wanted."""

from typing import Protocol

from agtopt.solvers.result import SolveResult


class Session(Protocol):
    """A model that was handed to a solver once."""

    def solve(self, time_limit: float | None = None, start: bool = False) -> SolveResult:
        """Minimise the model's present objective, which must be linear.

        Parameters
        ----------
        time_limit : float or None
            Seconds for this solve; the bound reached by then is returned.
        start : bool
            Whether the variables' values are a feasible point to start from.
        """
        ...

    def load(self) -> bool:
        """Give the model's variables the values of the best point of the last solve; False where
        none was found."""
        ...
