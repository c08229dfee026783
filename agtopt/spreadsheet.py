"""CSV files that a spreadsheet may open: a text of a user's stays a text there, and is never run as
a formula."""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


def is_number(text: str) -> bool:
    """Whether a text is a plain decimal number; ``inf``, ``nan``, ``1_000`` and ``1,000`` are
    none."""
    return _NUMBER.fullmatch(text) is not None


def literal(cell: Any) -> Any:
    """A cell as it is written: a text that a spreadsheet would run has an apostrophe before it;
    numbers are left alone.

    After the list of OWASP (CSV injection). A text that begins with apostrophes before such a sign
    gets one more, so that `spoken` is the inverse.
    """
    return (
        "'" + cell
        if isinstance(cell, str) and _FORMULA.match(cell) and not is_number(cell)
        else cell
    )


def spoken(cell: str) -> str:
    """The text that `literal` wrote."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def write_csv(path: Path, names: Iterable[Any], rows: Iterable[Sequence[Any]]) -> None:
    """Write a row of names and rows of cells in UTF-8; None is an empty cell."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(map(literal, names))
        writer.writerows(map(literal, row) for row in rows)
