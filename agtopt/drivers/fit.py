"""Which models fit into memory, before any is built; and what to do where none of the whole run
does."""

from collections.abc import Callable
from functools import partial

import psutil

from agtopt.compiler import predicted_memory
from agtopt.drivers.settings import Settings
from agtopt.errors import UnsupportedError
from agtopt.kinds import CROWN, LP, MILP, Formulation, Propagation
from agtopt.problem import Problem
from agtopt.problem.checks import number

GIB = 2.0**30

FREE = 0.75
"""Of the memory that is free, the part that one model may take by default."""

LIKELY = {MILP: 2.0**25, LP: 2.0**25}
"""Bytes up to which models of a kind were seen to be solved in seconds to minutes: `auto` goes no
further."""

MOST_OBJECTIVES = 4096
"""Parameters up to which `auto` bounds each one by a solver."""


def allowed(memory: float | None) -> float:
    """Bytes that a model may take, from GiB; by default most of what is free.

    Raises
    ------
    InvalidInputError
        If it is no positive number.
    """
    return (
        FREE * psutil.virtual_memory().available
        if memory is None
        else GIB * number("memory", memory, above=0.0)
    )


def check_fit(problem: Problem, settings: Settings, memory: float | None) -> None:
    """Refuse, before anything is built, a run whose largest model does not fit.

    Raises
    ------
    UnsupportedError
        It says what the model would take, and which window fits.
    """
    settings.check(problem)
    most, kind = allowed(memory), settings.kind
    longest = max(settings.stages(problem), key=lambda window: window.stop - window.start)
    needed = predicted_memory(problem, kind, longest.start, longest.stop, most)
    if needed <= most:
        return
    fitting = _longest(
        lambda length: (
            predicted_memory(problem, kind, longest.start, longest.start + length, most) <= most
        ),
        longest.stop - longest.start,
    )
    advice = (
        f'window={fitting} fits, and method="auto" bounds only the last steps by a model'
        if fitting
        else "not even one step fits: use IBP or CROWN"
    )
    raise UnsupportedError(
        f"memory: the {kind} of steps {longest.start}…{longest.stop} would take about "
        f"{needed / GIB:.1f} GiB or more, "
        f"and {most / GIB:.1f} GiB are allowed; {advice}"
    )


def planned(problem: Problem, memory: float | None) -> Settings | Propagation:
    """What `auto` does: CROWN up to the last window that a MILP or else an LP can be expected to
    bound; CROWN alone without one."""
    if problem.network.size > MOST_OBJECTIVES:
        return CROWN
    most, steps = allowed(memory), problem.steps
    for kind, likely in LIKELY.items():
        limit = min(most, likely)
        length = _longest(partial(_last_fit, problem, kind, limit), steps)
        if length and (kind == LP or length == steps):
            return Settings(kind, first=steps - length)
    return CROWN


def _last_fit(problem: Problem, kind: Formulation, most: float, length: int) -> bool:
    return predicted_memory(problem, kind, problem.steps - length, None, most) <= most


def _longest(fits: Callable[[int], bool], most: int) -> int:
    """The greatest length 0 … most that fits, by bisection: longer ones take more."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
