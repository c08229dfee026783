"""Which models are solved, and in which order."""

from collections.abc import Iterator
from typing import NamedTuple


class Window(NamedTuple):
    """The model of the steps start … stop−1, in a window that ends at `end`; a result where its
    domain is asked for, not only tightened."""

    start: int
    stop: int
    end: int
    result: bool


def windows(
    steps: int, length: int, stride: int, tighten: bool, first: int = 0
) -> Iterator[Window]:
    """Every model that is solved, in order, from step `first` on."""
    start = reached = first
    while reached < steps:
        end = min(start + length, steps)
        for stop in range(reached + 1, end + 1):
            # Windows start at the multiples of the stride, whichever window bounds that step first.
            result = stop == end or (stop - first) % stride == 0
            if tighten or result:
                yield Window(start, stop, end, result)
        start, reached = start + stride, end
