"""Cells of a table as numbers and as words; what is neither, or is missing, is refused with its
column and row."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import InvalidInputError
from agtopt.problem.checks import WHOLE
from agtopt.readers.table import LINE
from agtopt.spreadsheet import is_number

Array = NDArray[np.float64]

TRUTHS = {"True": 1.0, "TRUE": 1.0, "true": 1.0, "False": 0.0, "FALSE": 0.0, "false": 0.0}
_DATES = "mM"
_NUMBERS = "biuf"
_LARGEST = 400
"""Digits before the point of a whole number that is written out."""
_DIGITS = re.compile(r"[+-]?[0-9]{1,4000}")
_LONGEST = 60
"""Characters of a cell that a message shows."""


def check_columns(frame: Any, names: Sequence[str]) -> None:
    """Refuse what is no table, or lacks one of these columns, or has it twice."""
    if not hasattr(frame, "columns"):
        raise InvalidInputError(
            f"table: {type(frame).__name__} is not allowed; it must be a pandas.DataFrame"
        )
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InvalidInputError(
            f"column {missing[0]!r} does not exist; the table has "
            f"{', '.join(map(str, frame.columns))}"
        )
    twice = [name for name in names if list(frame.columns).count(name) > 1]
    if twice:
        raise InvalidInputError(
            f"column {twice[0]!r} occurs twice; every column needs a name of its own"
        )


def numbers(frame: Any, names: Sequence[str]) -> Array:
    """The columns as floats, (rows, columns).

    Raises
    ------
    InvalidInputError
        If a cell is missing, no number or not finite, or truths stand beside numbers.
    """
    check_columns(frame, names)
    return np.stack([_numbers(frame, name) for name in names], axis=1)


def words(frame: Any, name: str) -> list[str]:
    """A column as words: text is taken as it is, a number as `spelled`.

    Raises
    ------
    InvalidInputError
        If a cell is missing, or neither text nor a finite number.
    """
    check_columns(frame, [name])
    series = frame[name]
    _refuse_dates(series, name)
    cells = series.to_numpy(dtype=object)
    _refuse(frame, name, missing(series), "is empty", "drop such rows, or fill them in")
    odd = [
        not isinstance(cell, str) and _truth(cell) is None and not _finite(cell) for cell in cells
    ]
    _refuse(
        frame,
        name,
        odd,
        "holds {cell}, which is neither a word nor a number",
        "write each class as one word, or as one number",
    )
    return [spelled(str(cell)) for cell in cells]


def spelled(word: str) -> str:
    """A word as it is, but a whole number without its point, so that 1 and 1.0 are one class."""
    number = exact(word)
    if number is None:
        return word
    written = word.strip()
    whole = (
        not written.lstrip("+-").isdigit()
        and number.adjusted() < _LARGEST
        and number == int(number)
    )
    return str(int(number)) if whole else written


def exact(word: str) -> Decimal | None:
    """The number that a word is, with every digit; None for all other words."""
    try:
        return Decimal(word.strip()) if is_number(word.strip()) else None
    except InvalidOperation:
        return None


def missing(series: Any) -> NDArray[np.bool_]:
    """Which cells of a column are missing: those that pandas calls so, masked ones and empty texts,
    but no words such as ``NA``."""
    blank: NDArray[np.bool_] = series.isna().to_numpy(dtype=bool, copy=True)
    if series.dtype.kind in _NUMBERS + _DATES:
        return blank
    cells = series.to_numpy(dtype=object)
    blank |= np.array(
        [cell is np.ma.masked or (isinstance(cell, str) and not cell.strip()) for cell in cells],
        dtype=bool,
    )
    return blank


def kind(series: Any) -> str:
    """What a column holds: ``number``, ``true/false``, ``date``, ``text``, ``other``, or
    ``empty``."""
    if series.dtype.kind in _DATES:
        return "date"
    if series.dtype.kind in _NUMBERS:
        return "true/false" if series.dtype.kind == "b" else "number"
    cells = series.to_numpy(dtype=object)[~missing(series)]
    if len(cells) == 0:
        return "empty"
    if all(_number(cell) is not None for cell in cells):
        return "number"
    if all(_truth(cell) is not None for cell in cells):
        return "true/false"
    return "text" if all(isinstance(cell, str) for cell in cells) else "other"


def _numbers(frame: Any, name: str) -> Array:
    series = frame[name]
    _refuse_dates(series, name)
    _refuse(frame, name, missing(series), "is empty", "drop such rows, or fill them in")
    cells = series.to_numpy(dtype=object)
    if series.dtype.kind in _NUMBERS:
        values: Array = series.to_numpy(dtype=np.float64)
    else:
        read = _truth if all(_truth(cell) is not None for cell in cells) else _number
        numbers = [read(cell) for cell in cells]
        _refuse(
            frame, name, [value is None for value in numbers], "holds {cell}, which is no number"
        )
        values = np.array(numbers, dtype=np.float64)
    _refuse(
        frame,
        name,
        ~np.isfinite(values),
        "holds {cell}, which is not finite as a float",
        "drop such rows, or fill them in",
    )
    large = np.flatnonzero(np.abs(values) >= WHOLE)
    rounded = np.zeros(len(values), dtype=bool)
    rounded[large] = [_whole(cells[row]) not in (None, int(values[row])) for row in large]
    _refuse(
        frame,
        name,
        rounded,
        "holds {cell}, which float64 does not hold",
        "leave the column out where it is a key, or round it yourself",
    )
    return values


def _whole(cell: Any) -> int | None:
    """The cell as it is written, where that is a whole number without point and exponent."""
    if isinstance(cell, str):
        return int(cell) if _DIGITS.fullmatch(cell.strip()) else None
    return int(cell) if isinstance(cell, Integral) else None


def _truth(cell: Any) -> float | None:
    if isinstance(cell, str):
        return TRUTHS.get(cell.strip())
    return float(cell) if isinstance(cell, (bool, np.bool_)) else None


def _number(cell: Any) -> float | None:
    """The cell as a float, infinite where it is too large; None for what is no number."""
    if isinstance(cell, str):
        return float(cell) if is_number(cell.strip()) else None
    # NumPy's durations are registered as integers.
    if isinstance(cell, (bool, np.timedelta64)) or not isinstance(cell, (Real, Decimal)):
        return None
    try:
        return float(cell)
    except OverflowError:
        return float("inf")
    except ValueError:
        return None


def _finite(cell: Any) -> bool:
    number = _number(cell)
    return number is not None and (isinstance(cell, int) or bool(np.isfinite(number)))


def _hint(cell: Any) -> str:
    if _truth(cell) is not None:
        return "truths stand beside numbers: write them as 1 and 0"
    if isinstance(cell, str) and is_number(cell.strip().replace(",", "")):
        return (
            "write numbers with a point and without thousands separators, or name the decimal sign "
            "(--decimal, read_table)"
        )
    return (
        "drop such rows, leave the column out (features), or encode it, e.g. by pandas.get_dummies"
    )


def _refuse_dates(series: Any, name: str) -> None:
    if series.dtype.kind in _DATES:
        raise InvalidInputError(
            f"column {name!r} holds {'dates' if series.dtype.kind == 'M' else 'durations'} "
            f"({series.dtype}), which are no numbers; leave "
            "it out (features), or give a number with a unit of your own, e.g. the days since a "
            "fixed one"
        )


def _refuse(
    frame: Any, name: str, wrong: Iterable[Any], what: str, hint: str | None = None
) -> None:
    """Refuse the column if a cell is wrong: the first one, how many there are, and what to do."""
    rows = np.flatnonzero(np.asarray(wrong))
    if len(rows) == 0:
        return
    first = int(rows[0])
    where = (
        f"{LINE} {frame.index[first]}"
        if frame.index.name == LINE
        else f"row {first} (counted from 0)"
    )
    cell = frame[name].to_numpy(dtype=object)[first]
    others = f" ({len(rows)} of {len(frame)} rows are like this)" if len(rows) > 1 else ""
    raise InvalidInputError(
        f"column {name!r}, {where} {what.format(cell=_shown(cell))}{others}; "
        f"{_hint(cell) if hint is None else hint}"
    )


def _shown(cell: Any) -> str:
    """A cell on one line that is not too long."""
    text = " ".join(repr(cell).split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
