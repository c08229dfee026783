"""What could not be saved, and the exit code that says so."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer
from rich.console import Console

from agtopt.files import noted

UNSAVED = 3
"""Exit code where a file could not be written: what stands on the screen holds all the same."""

P = ParamSpec("P")


def complain(words: str) -> None:
    """One line on standard error."""
    Console(stderr=True, soft_wrap=True).print(
        f"agtopt: {words}", style="bold red", markup=False, emoji=False, highlight=False
    )


def reporting(command: Callable[P, None]) -> Callable[P, None]:
    """A command that ends with a line for each file beside its result that could not be written,
    and `UNSAVED`."""

    @wraps(command)
    def reported(*args: P.args, **kwargs: P.kwargs) -> None:
        with noted() as failures:
            try:
                command(*args, **kwargs)
            finally:
                for failure in dict.fromkeys(failures):
                    complain(failure)
        if failures:
            raise typer.Exit(UNSAVED)

    return reported
