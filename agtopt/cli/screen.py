"""What the commands show, and where."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from agtopt.drivers.row import Row, stopped
from agtopt.files import attempt
from agtopt.names import visible
from agtopt.report import save_table
from agtopt.solvers import Status

NO_ANSWER = (Status.CALLED_INFEASIBLE, Status.FAILED, Status.LOST, Status.REFUSED)

# Names are shown as they are: [brackets] and :colons: mean nothing.
console = Console(width=None if sys.stdout.isatty() else 110, markup=False, emoji=False)


def tell_of_limits(rows: Sequence[Row]) -> None:
    """Say how many bounds are less than they could be, and why."""
    if many := stopped(rows):
        console.print(
            f"{many} of {len(rows)} bounds stopped at --time-limit: they hold, and a longer one "
            f"may tighten them"
        )
    if lost := sum(row.status in NO_ANSWER for row in rows):
        console.print(
            f"{lost} of {len(rows)} bounds had no answer from a solver: what was known before holds"
        )


SENTENCE = 30
"""Characters from which an entry of a table is text that may be wrapped."""


def show(frame: pd.DataFrame, title: str, output: Path | None = None) -> None:
    """Print a table, and write it to a file as well if one is named."""
    console.print(title, highlight=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in frame.columns:
        table.add_column(
            visible(str(name)),
            justify="right" if pd.api.types.is_numeric_dtype(frame[name]) else "left",
            # What is long is wrapped, so that what is short is never cut.
            no_wrap=frame[name].astype(str).str.len().max() <= SENTENCE,
        )
    for row in frame.itertuples(index=False):
        table.add_row(
            *(
                ""
                if pd.isna(value)
                else f"{value:.4g}"
                if isinstance(value, float)
                else visible(str(value))
                for value in row
            )
        )
    console.print(table)
    if output is not None:
        attempt(partial(save_table, frame, output))
