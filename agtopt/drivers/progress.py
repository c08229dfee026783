"""A progress bar for a terminal or a notebook."""

import sys
from html import escape
from time import monotonic
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from agtopt.names import visible

PATIENCE = 0.2
"""Seconds between two updates in a notebook, where each is a message to the browser."""


class Progress:
    """Counts the bounds found and shows the total width so far."""

    def __init__(self, shown: bool, total: int, title: str) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        console = Console()
        self._notebook = (
            _NotebookBar(total, visible(title)) if shown and console.is_jupyter else None
        )
        seen = shown and console.is_terminal and self._notebook is None
        self._bar = RichProgress(
            *columns,
            TextColumn("{task.fields[width]}"),
            console=console,
            disable=not seen,
            transient=True,
        )
        self._task = self._bar.add_task(visible(title), total=total, width="")

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        if self._notebook is not None:
            self._notebook.show("")

    def advance(self, width: float | None = None, many: int = 1) -> None:
        """`many` more bounds are found; `width` is the total width of the present step, where there
        is one."""
        words = "" if width is None else f"width {width:.4g}"
        self._bar.update(self._task, advance=many, width=words)
        if self._notebook is not None:
            self._notebook.advance(many, words)


class _NotebookBar:
    """A ``<progress>`` element: rich needs ipywidgets in the notebook and in its server, this
    nothing."""

    def __init__(self, total: int, title: str) -> None:
        self._total = total
        self._title = title
        self._done = 0
        self._shown = 0.0
        self._began = monotonic()
        shown: Any = sys.modules["IPython"].display
        self._handle = shown.display({"text/html": "", "text/plain": ""}, raw=True, display_id=True)

    def advance(self, many: int, words: str) -> None:
        self._done += many
        now = monotonic()
        if now - self._shown < PATIENCE:
            return
        self._shown = now
        spent = now - self._began
        left = spent * (self._total - self._done) / self._done if self._done else 0.0
        self.show(
            f"{self._title}: {self._done}/{self._total} bounds, {spent:.0f} s, about {left:.0f} s "
            f"left; {words}"
        )

    def show(self, words: str) -> None:
        bar = f'<progress max="{self._total}" value="{self._done}"></progress> ' if words else ""
        self._handle.update({"text/html": bar + escape(words), "text/plain": words}, raw=True)
