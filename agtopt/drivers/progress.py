"""A progress bar for a terminal or a notebook."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress


class Progress:
    """Counts the bounds found and shows the total width so far."""

    def __init__(self, shown: bool, total: int, title: str) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        console = Console()
        visible = shown and (console.is_terminal or console.is_jupyter)
        self._bar = RichProgress(*columns, TextColumn("{task.fields[width]}"), console=console, disable=not visible, transient=True)
        self._task = self._bar.add_task(title, total=total, width="")

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def advance(self, width: float | None = None, many: int = 1) -> None:
        """`many` more bounds are found; `width` is the total width of the present step, where there is one."""
        self._bar.update(self._task, advance=many, width="" if width is None else f"width {width:.4g}")
