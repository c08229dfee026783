"""How loops are compiled, and may be interrupted while they are."""

import signal
from collections.abc import Callable
from functools import wraps
from threading import current_thread, main_thread
from typing import Any

from numba import njit


def jitted(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop for the types that it is first called with, and keep it on disk."""
    try:
        machine: Callable[..., Any] = njit(loop, cache=True)
    except RuntimeError:
        # Nothing can be written, neither beside the package nor among the user's files.
        machine = njit(loop)
    return machine


def first_calls_uninterrupted(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Let interrupts wait for the end of a first call with arguments of some types: one in the
    middle of compiling breaks numba."""
    ready = set[tuple[Any, ...]]()

    @wraps(loop)
    def run(*arguments: Any) -> Any:
        kinds = tuple(getattr(argument, "dtype", type(argument)) for argument in arguments)
        handler, waiting = signal.getsignal(signal.SIGINT), list[int]()
        # No handler was set by Python where another program embeds it: none could be put back.
        if kinds in ready or handler is None or current_thread() is not main_thread():
            return loop(*arguments)
        signal.signal(signal.SIGINT, lambda number, _: waiting.append(number))
        try:
            result = loop(*arguments)
            ready.add(kinds)
        finally:
            signal.signal(signal.SIGINT, handler)
            for number in waiting[:1]:
                signal.raise_signal(number)
        return result

    return run
