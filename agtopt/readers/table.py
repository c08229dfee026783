"""CSV files as tables of text: nothing is inferred."""

import csv
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from agtopt.errors import InvalidInputError, MissingFileError
from agtopt.spreadsheet import is_number, spoken

if TYPE_CHECKING:
    import pandas as pd

LINE = "line"
"""Name of the index of a table that was read from a file: the line on which a row begins."""

TextRows = dict[int, list[str]]


def read_table(
    path: str | Path, separator: str = ",", decimal: str = ".", encoding: str = "utf-8"
) -> "pd.DataFrame":
    """Read a CSV file with a row of names.

    Every cell stays the text that it is (``NA``, ``null`` and ``01`` too); `Columns` says which
    columns are numbers. No row is shifted, cut or filled up, no name changed, no column taken as an
    index. An apostrophe before = + - @ is that of a spreadsheet, and is taken off.

    Parameters
    ----------
    path : path
    separator : str
        One sign, or one sign and a blank for files with blanks behind the separators; a tab may be
        written as backslash and t.
    decimal : str
        ``"."`` or ``","``. Columns in which every cell is a number with this sign are given a
        point.
    encoding : str
        Name of the encoding, as Python spells it; a byte order mark is taken.

    Returns
    -------
    pandas.DataFrame
        Its index holds the lines of the file.

    Raises
    ------
    MissingFileError
        If the file does not exist.
    InvalidInputError
        If it cannot be read, is empty or not in this encoding, a name is missing twice, occurs
        twice or begins or ends with a blank, a row has more or fewer fields than there are names,
        or a number has another decimal sign.
    """
    import pandas as pd

    source, separator = Path(path), separator.replace(r"\t", "\t")
    _check_dialect(separator, decimal)
    if not source.is_file():
        raise MissingFileError(f"table: {source} does not exist, or is no file")
    try:
        with source.open(encoding=encoding, newline="") as file:
            rows = _rows(source, file, separator)
    except LookupError:
        raise InvalidInputError(
            f"encoding: {encoding!r} is unknown; common ones are utf-8, latin-1, cp1252 and utf-16"
        ) from None
    except UnicodeError:
        raise InvalidInputError(
            f"{source}: it is not in {encoding}; name its encoding (--encoding latin-1, cp1252, "
            f"utf-16, …)"
        ) from None
    except OSError as error:
        raise InvalidInputError(f"{source}: it cannot be read: {error.strerror}") from None
    names = _names(source, rows, separator)
    _check_fields(source, names, rows)
    columns = {
        name: _column(source, name, [row[k] for row in rows.values()], list(rows), decimal)
        for k, name in enumerate(names)
    }
    return pd.DataFrame(columns, index=pd.Index(list(rows), name=LINE), columns=names, dtype=object)


def _check_dialect(separator: str, decimal: str) -> None:
    if decimal not in (".", ","):
        raise InvalidInputError(f"decimal: {decimal!r} is not allowed; it must be '.' or ','")
    sign, blank = separator[:1], separator[1:]
    if (
        not sign
        or blank not in ("", " ")
        or sign.isalnum()
        or sign in "\"'\r\n .+-\0"
        or sign == decimal
        or not sign.isascii()
    ):
        raise InvalidInputError(
            f"separator: {separator!r} is not allowed; it must be one sign such as ',', ';' or a "
            f"tab, other than the decimal sign, "
            "and a blank behind it where the file has one"
        )


def _lines(source: Path, file: TextIO) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        if "\0" in line:
            raise InvalidInputError(
                f"{source}, line {number}: it holds a NUL byte; that is no text, or UTF-16 "
                f"(--encoding utf-16)"
            )
        yield line.removeprefix("\ufeff") if number == 1 else line


def _rows(source: Path, file: TextIO, separator: str) -> TextRows:
    """Every row by the line on which it begins; empty lines at the end are left out."""
    rows: TextRows = {}
    reader = csv.reader(
        _lines(source, file),
        delimiter=separator[0],
        skipinitialspace=len(separator) > 1,
        strict=True,
    )
    first = 1
    try:
        for row in reader:
            rows[first] = [spoken(cell) for cell in row]
            first = reader.line_num + 1
    except csv.Error as error:
        raise InvalidInputError(
            f"{source}, line {first}: it cannot be read as CSV: {error}"
        ) from None
    return dict(reversed(list(dropwhile(lambda item: not item[1], reversed(rows.items())))))


def _names(source: Path, rows: TextRows, separator: str) -> list[str]:
    """Take the row of names off the rows."""
    if not rows:
        raise InvalidInputError(
            f"{source}: it is empty; its first line must hold the names of the columns"
        )
    names = rows.pop(next(iter(rows)))
    if not names:
        raise InvalidInputError(
            f"{source}: its first line is empty; it must hold the names of the columns"
        )
    other = next((sign for sign in ";\t|," if len(names) == 1 and sign in names[0]), None)
    if other is not None:
        raise InvalidInputError(
            f"{source}: it has one column only, {names[0]!r}; its separator seems to be {other!r}, "
            f"not {separator!r}: name it "
            f"(--separator {other!r}, with --decimal ',' where numbers have a comma)"
        )
    for name in names:
        places = [k for k, other in enumerate(names, 1) if other == name]
        if len(places) > 1:
            what = f"two columns are named {name!r}" if name else "two columns have no name"
            raise InvalidInputError(
                f"{source}: {what} ({places[0]} and {places[1]}); every column needs a name of its "
                f"own"
            )
        if name != name.strip():
            raise InvalidInputError(
                f"{source}: the name {name!r} begins or ends with a blank; take it out, or give "
                f"the separator as "
                f"{separator[0] + ' '!r} (--separator) where every separator has a blank behind it"
            )
    if not rows:
        raise InvalidInputError(
            f"{source}: it has names, but no rows; at least one sample is needed"
        )
    return names


def _check_fields(source: Path, names: list[str], rows: TextRows) -> None:
    wrong = next(((line, row) for line, row in rows.items() if len(row) != len(names)), None)
    if wrong is not None:
        line, row = wrong
        raise InvalidInputError(
            f"{source}, line {line}: the row has {len(row)} field{'s' * (len(row) != 1)}, and "
            f"there are {len(names)} names "
            f"({', '.join(names)}); is a number written with a comma, or a separator at the end of "
            f"the line? "
            "(--separator, --decimal; or quote the field)"
        )


def _column(source: Path, name: str, cells: list[str], lines: list[int], decimal: str) -> list[str]:
    """The cells of a column with a decimal point where they are numbers."""
    if decimal == "." or not all(
        is_number(cell.strip().replace(decimal, ".")) for cell in cells if cell.strip()
    ):
        return cells
    wrong = next((k for k, cell in enumerate(cells) if "." in cell), None)
    if wrong is not None:
        raise InvalidInputError(
            f"{source}, line {lines[wrong]}: column {name!r} holds {cells[wrong]!r}, which has a "
            f"point; the decimal sign is {decimal!r}, "
            "and thousands are written without a sign between them"
        )
    return [cell.replace(decimal, ".") for cell in cells]
