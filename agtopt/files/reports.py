"""Saves beside a result: one that fails is reported, and the result is returned all the same."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from warnings import warn

from agtopt.errors import SaveError, SaveWarning

_notes: ContextVar[list[str] | None] = ContextVar("notes", default=None)


def attempt(write: Callable[[], object]) -> bool:
    """Write something beside a result; whether it succeeded. A failure is a `SaveWarning`, or goes
    to whoever listens (`noted`)."""
    try:
        write()
    except SaveError as error:
        report([str(error)])
        return False
    return True


def report(failures: Iterable[str]) -> None:
    """Pass on what could not be saved."""
    notes = _notes.get()
    for failure in failures:
        if notes is None:
            warn(failure, SaveWarning, stacklevel=3)
        else:
            notes.append(failure)


@contextmanager
def noted() -> Iterator[list[str]]:
    """Collect what could not be saved, instead of warnings: for a worker, whose warnings nobody
    sees, and for the command line."""
    notes: list[str] = []
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)
