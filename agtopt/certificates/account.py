"""How much privacy has been spent."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from threading import Lock

from agtopt.arguments import typed
from agtopt.errors import BudgetSpentError
from agtopt.problem.checks import number, whole


@dataclass(frozen=True)
class Entry:
    """One release.

    Attributes
    ----------
    epsilon : float
        Privacy loss of each query.
    queries : int
    """

    epsilon: float
    queries: int


@typed()
class Account:
    """A privacy budget ε for one dataset, under basic composition: what all releases cost is the
    sum of what each of them costs.

    It changes as it is spent, unlike everything else here: of an immutable account an old copy
    could be spent again. Keep one account per dataset, for as long as the dataset lives; two
    accounts know nothing of each other. Safe to share between threads.

    Parameters
    ----------
    total : float
        The budget ε, above 0.
    """

    def __init__(self, total: float) -> None:
        self._total = _exactly(number("account.total", total, above=0.0))
        self._entries: list[Entry] = []
        self._lock = Lock()

    @property
    def total(self) -> float:
        """The ε that may be spent in all."""
        return float(self._total)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The releases so far, each with its price, in their order."""
        return tuple(self._entries)

    @property
    def spent(self) -> float:
        """The ε that all releases so far have cost."""
        return float(self._spent())

    @property
    def remaining(self) -> float:
        """The ε that may still be spent."""
        return float(self._total - self._spent())

    @typed()
    def spend(self, epsilon: float, queries: int = 1) -> None:
        """Pay for the release of answers to some queries, each at ε.

        Raises
        ------
        BudgetSpentError
            If that is more than what is left; then nothing is paid.
        InvalidInputError
            If ε is not above 0, or there is no query.
        """
        self._pay(Entry(number("epsilon", epsilon, above=0.0), whole("queries", queries, 1)))

    @contextmanager
    def paying(self, epsilon: float, queries: int = 1) -> Iterator[None]:
        """Pay as `spend` does for what is drawn within; where that fails nothing was released, and
        nothing is paid.

        Raises
        ------
        BudgetSpentError, InvalidInputError
            As in `spend`, before anything is drawn.
        """
        entry = Entry(number("epsilon", epsilon, above=0.0), whole("queries", queries, 1))
        self._pay(entry)
        try:
            yield
        except BaseException:
            with self._lock:
                self._entries = [paid for paid in self._entries if paid is not entry]
            raise

    def _pay(self, entry: Entry) -> None:
        with self._lock:
            cost = _exactly(entry.epsilon) * entry.queries
            if self._spent() + cost > self._total:
                raise BudgetSpentError(
                    f"privacy: {entry.queries} answers at epsilon {entry.epsilon:g} cost "
                    f"{float(cost):g}; "
                    f"{self.remaining:g} of {self.total:g} is left"
                )
            self._entries.append(entry)

    def _spent(self) -> Fraction:
        return sum(
            (_exactly(entry.epsilon) * entry.queries for entry in self._entries), Fraction(0)
        )

    def __repr__(self) -> str:
        return f"Account(total={self.total:g}, spent={self.spent:g})"


def _exactly(epsilon: float) -> Fraction:
    # As it is written: ten times 0.1 must cost 1, although the float 0.1 is a little more than a
    # tenth.
    return Fraction(repr(epsilon))
