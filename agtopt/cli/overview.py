"""What was read of a table: its columns and its classes, in lines of at most 80 characters."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tabulate import tabulate

from agtopt.readers import Columns
from agtopt.readers.cells import kind, missing, numbers, words

WIDTH = 80
_GAP = 2
"""Blanks of tabulate between columns, and beside a name that is wider than its column."""
_COLUMNS = ("column", "kind", "lowest", "highest", "missing", "shift", "factor")
_CLASSES = ("class", "label", "trained on", "held out")


def columns_read(frame: pd.DataFrame, columns: Columns) -> str:
    """Every column of a table: its kind, range, missing values and scale; the kind of a column that
    is not read is in brackets."""
    return _table(_COLUMNS, [_column(frame, columns, name) for name in frame.columns])


def classes_read(
    frame: pd.DataFrame, columns: Columns, labels: Sequence[int], held: NDArray[np.intp]
) -> str:
    """Every class of a table: its label, and how many rows of it are trained on and held out."""
    present = words(frame, columns.label)
    every, out = Counter(present), Counter(present[row] for row in held)
    named = zip(columns.classes or (), labels, strict=True)
    return _table(
        _CLASSES,
        [(word, str(label), str(every[word] - out[word]), str(out[word])) for word, label in named],
    )


def too_rare(frame: pd.DataFrame, columns: Columns, held: NDArray[np.intp]) -> list[str]:
    """Classes of which no row is held out though rows of others are."""
    labels = words(frame, columns.label)
    return sorted(set(columns.classes or ()) - {labels[row] for row in held}) if len(held) else []


def counting(frame: pd.DataFrame, columns: Columns) -> list[str]:
    """Features that only count the rows, from 0 or 1."""
    return [name for name in columns.features if _counts_rows(numbers(frame, [name])[:, 0])]


def _column(frame: pd.DataFrame, columns: Columns, name: str) -> tuple[str, ...]:
    type_, gaps = kind(frame[name]), str(missing(frame[name]).sum())
    if name == columns.label:
        return str(name), "label", *_ends(frame, name, columns.classes is None), gaps, "", ""
    if name not in columns.features:
        return str(name), f"({type_})", "", "", gaps, "", ""
    place = columns.features.index(name)
    return (
        str(name),
        type_,
        *_ends(frame, name),
        gaps,
        f"{columns.shift[place]:.3g}",
        f"{columns.factor[place]:.3g}",
    )


def _ends(frame: pd.DataFrame, name: str, known: bool = True) -> tuple[str, str]:
    if not known:
        return "", ""
    values = numbers(frame, [name])
    return f"{values.min():.3g}", f"{values.max():.3g}"


def _counts_rows(values: NDArray[np.float64]) -> bool:
    return len(values) > 1 and values[0] in (0.0, 1.0) and bool(np.all(np.diff(values) == 1.0))


def _table(names: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    """Rows with their names to the left, cut to what the others leave, and numbers to the right."""
    others = sum(
        _GAP + max(_GAP + len(name), *map(len, column))
        for name, *column in zip(names[1:], *(row[1:] for row in rows), strict=True)
    )
    cells = [(_shortened(first, WIDTH - others), *rest) for first, *rest in rows]
    aligned = ["left" if name in ("column", "kind", "class") else "right" for name in names]
    return tabulate(cells, names, "simple", colalign=aligned, disable_numparse=True)


def _shortened(name: str, most: int) -> str:
    text = name if name.isprintable() else repr(name)
    return text if len(text) <= most else text[: most - 1] + "…"
