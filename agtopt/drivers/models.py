"""Who keeps compiled models from one task to the next: an owner in every call of a driver, and one
in every worker process."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager
from threading import Lock
from types import TracebackType
from typing import Any, TypeVar
from uuid import uuid4
from weakref import WeakValueDictionary

T = TypeVar("T")

MOST_KEPT = 4
"""Models of one owner: those of a window and its relaxation, and of the one before."""

_TURNS = Lock()
"""Pyomo is not made for threads, and a session holds one objective at a time: those of a process
take turns."""


class Models:
    """Compiled models with their sessions, kept from one task to the next while a driver is at
    work.

    They live as long as their owner, and no longer: nothing has to be forgotten. A context ends its
    work: what still waits for its turn in a thread is cancelled. In the process of a worker the
    owner that arrives with a task is the one of that process.
    """

    def __init__(self) -> None:
        self._token = uuid4().hex
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._closed = False
        _OWNERS[self._token] = self

    def __enter__(self) -> "Models":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[[str], "Models"], tuple[str]]:
        return _arrived, (self._token,)

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept under a key, made where it is not there; the last few are kept.

        Raises
        ------
        CancelledError
            If the work has ended.
        """
        if self._closed:
            raise CancelledError
        kept = self._kept
        if key not in kept:
            kept[key] = make()
        kept.move_to_end(key)
        entry: T = kept[key]
        while len(kept) > MOST_KEPT:
            kept.popitem(last=False)
        return entry

    def turn(self) -> AbstractContextManager[Any]:
        """The turn of a thread: what is kept belongs to nobody else until it ends."""
        return _TURNS

    def clear(self) -> None:
        """Let go of everything that is kept; a task that runs keeps its own."""
        self._kept = OrderedDict()

    def close(self) -> None:
        """Let go of everything, and begin no task any more."""
        self._closed = True
        self.clear()


_OWNERS: WeakValueDictionary[str, Models] = WeakValueDictionary()
"""By their tokens, so that a task which was pickled within its process comes back to its owner."""

_WORKER = Models()
"""That of a worker process, which outlives its tasks: nobody else is there from one to the next."""


def _arrived(token: str) -> Models:
    return _OWNERS.get(token, _WORKER)
