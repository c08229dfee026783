"""Tables as files: CSV, JSON, Markdown and LaTeX."""

from pathlib import Path
from typing import Any

import pandas as pd
from tabulate import tabulate

from agtopt.errors import InvalidInputError
from agtopt.files import replaced
from agtopt.names import markdown, visible
from agtopt.spreadsheet import write_csv

# tabulate itself escapes what LaTeX would take amiss.
_NAMES = {".md": markdown, ".tex": visible}
_FORMATS = {".md": "github", ".tex": "latex_booktabs"}
SUFFIXES = (".csv", ".json", *_FORMATS)


def table_path(path: str | Path) -> Path:
    """The path of a table that can be written, checked before the work that fills it.

    Raises
    ------
    InvalidInputError
        If its ending is not allowed, or its folder does not exist.
    """
    target = Path(path)
    if target.suffix not in SUFFIXES:
        raise InvalidInputError(
            f"output: {target.name!r} is not allowed; it must end in {', '.join(SUFFIXES)}"
        )
    if not target.parent.is_dir():
        raise InvalidInputError(f"output: the folder {str(target.parent)!r} does not exist")
    return target


def save_table(frame: pd.DataFrame, path: str | Path) -> Path:
    """Write a table without its index.

    CSV and JSON (a list of records) hold every digit, Markdown and LaTeX (booktabs) six; values
    that are missing are empty, in JSON null. In CSV a text that a spreadsheet would run as a
    formula has an apostrophe before it.

    Parameters
    ----------
    frame : pandas.DataFrame
    path : path
        Its ending is the format: .csv, .json, .md or .tex.

    Returns
    -------
    Path

    Raises
    ------
    InvalidInputError
        If the ending is not allowed, or the folder does not exist.
    SaveError
        If it cannot be written.
    """
    target = table_path(path)
    with replaced(target) as part:
        if target.suffix == ".csv":
            write_csv(part, frame.columns, _cells(frame))
        elif target.suffix == ".json":
            frame.to_json(part, orient="records", indent=1, double_precision=15)
        else:
            part.write_text(_text(frame, target.suffix) + "\n", encoding="utf-8")
    return target


def _text(frame: pd.DataFrame, suffix: str) -> str:
    safe = _NAMES[suffix]
    rows = [
        [safe(cell) if isinstance(cell, str) else cell for cell in row] for row in _cells(frame)
    ]
    headers = [safe(str(name)) for name in frame.columns]
    return str(
        tabulate(
            rows,
            headers,
            _FORMATS[suffix],
            floatfmt=".6g",
            missingval="",
            disable_numparse=_words(frame),
        )
    )


def _cells(frame: pd.DataFrame) -> list[list[Any]]:
    """Rows of cells; None for what is missing."""
    rows: list[list[Any]] = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    return rows


def _words(frame: pd.DataFrame) -> list[int]:
    """Columns that tabulate must not take for numbers; it knows of none where there are no rows."""
    return [
        k
        for k, name in enumerate(frame.columns)
        if len(frame) and not pd.api.types.is_numeric_dtype(frame[name])
    ]
