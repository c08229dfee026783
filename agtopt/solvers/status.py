"""How a bound came to its end: a closed set of words, whatever a solver calls it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar
from warnings import warn

Word = TypeVar("Word")


class Status(StrEnum):
    """What became of one solve, or why there was none.

    Only `INFEASIBLE` blames a model (S4): it is never said of one that may be unbounded.
    """

    OPTIMAL = "optimal"
    TIME_LIMIT = "time limit"
    OTHER_LIMIT = "other limit"
    """It stopped at a limit of iterations, nodes or memory."""
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    INFEASIBLE_OR_UNBOUNDED = "infeasible or unbounded"
    """The solver could not tell, even without the objective."""
    CALLED_INFEASIBLE = "called infeasible"
    """The solver called the model infeasible, and a training run is a feasible point of it: what
    was known before holds."""
    WEAK_DUALS = "duals too weak"
    """A branch and bound of proofs is finished, and its duals prove less than the optimum."""
    INTERRUPTED = "interrupted"
    REFUSED = "refused"
    """The solver did not take the model."""
    FAILED = "failed"
    """The solver ended without an answer."""
    ATTAINED = "attained"
    """A training run attains what was known before: nothing was solved."""
    LOST = "lost"
    """No answer came: twice a worker died, or the solver broke off with an error."""
    REPLAYED = "replayed"
    """The bound of a kept proof."""
    NO_PROOF = "no proof"
    """None was kept."""


def translated(words: Mapping[Word, Status], word: Word, solver: str) -> Status:
    """The status that a solver's own word stands for; one that is not known counts as
    `Status.FAILED`, and a warning names it."""
    if word not in words:
        warn(
            f"solver: {solver!r} ended with {word!s}, which is not known here; it counts as "
            f"{Status.FAILED!s}",
            stacklevel=2,
        )
    return words.get(word, Status.FAILED)
