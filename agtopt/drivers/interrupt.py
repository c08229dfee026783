"""Ctrl-C: what was found by then holds, and no further work is begun."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from agtopt.domains import Affine, Interval
from agtopt.drivers.reach import Reach
from agtopt.drivers.settings import Settings
from agtopt.intervals.scale.numerics import FLOAT64, Numerics
from agtopt.intervals.states import initial_domain, unknown_domain
from agtopt.kinds import Formulation, Propagation
from agtopt.problem import Problem

T = TypeVar("T")


class Result(Protocol):
    """What says of itself whether it was cut short."""

    @property
    def interrupted(self) -> bool: ...


R = TypeVar("R", bound=Result)


def until_interrupted(items: Iterable[T]) -> tuple[list[T], bool]:
    """What there is before Ctrl-C, and whether it came."""
    before: list[T] = []
    try:
        before.extend(items)
    except KeyboardInterrupt:
        return before, True
    return before, False


def reached(
    problem: Problem,
    kind: Formulation | Propagation,
    states: Sequence[Interval],
    interrupted: bool,
    seconds: float,
    variant: str = "",
    settings: Settings | None = None,
    numerics: Numerics = FLOAT64,
    affines: Sequence[Affine | None] = (),
) -> Reach:
    """A result whose first states are known; what training moves is anything after the others."""
    left = [unknown_domain(problem, numerics)] * (problem.steps - len(states))
    return Reach(
        problem,
        kind,
        (initial_domain(problem, numerics), *states, *left),
        (),
        seconds,
        interrupted,
        settings=settings,
        variant=variant,
        affines=(*affines, *[None] * len(left)) if affines else (),
    )


def uninterrupted(result: R) -> R:
    """A result that more work is built on.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C cut it short: it was meant for all of the work.
    """
    if result.interrupted:
        raise KeyboardInterrupt
    return result
