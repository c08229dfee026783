"""Solution files of HiGHS, SCIP, Gurobi and CBC."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from os import PathLike
from pathlib import Path

from agtopt.errors import InvalidInputError, MissingFileError


@dataclass(frozen=True)
class Solution:
    """The point of a solution file.

    Attributes
    ----------
    program : str
        ``highs``, ``scip``, ``gurobi`` or ``cbc``.
    status : str or None
        What the program says of it, where the file does.
    objective : float or None
        The value that the program states, in the file's own (minimised) sense.
    values : mapping of str to float
        By the names in the model file; SCIP and CBC leave zeros out.
    """

    program: str
    status: str | None
    objective: float | None
    values: Mapping[str, float]


def read_solution(path: str | Path) -> Solution:
    """Read the best point of a solution file; which program wrote it is seen from its text.

    Parameters
    ----------
    path : str or Path
        As written by ``highs --solution_file``, SCIP's ``write solution``, Gurobi's
        ``ResultFile=….sol`` or CBC's ``solution`` (``solu``).

    Raises
    ------
    MissingFileError
        If the file does not exist.
    InvalidInputError
        If it is of no such program, holds no point, or a number in it cannot be read.
    """
    if not isinstance(path, (str, PathLike)):
        raise InvalidInputError(
            f"solution: {type(path).__name__} is not allowed; it must be the path of a file"
        )
    file = Path(path)
    try:
        lines = [
            line.rstrip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()
        ]
    except FileNotFoundError:
        raise MissingFileError(f"solution: {file} does not exist") from None
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"solution: {file} is no text: {error}") from None
    except (OSError, ValueError) as error:  # a folder, a name that the system does not take
        raise InvalidInputError(f"solution: {file} cannot be read: {error}") from None
    for begins, read in READERS:
        if lines and begins(lines[0]):
            try:
                return read(lines)
            except InvalidInputError as error:
                raise InvalidInputError(f"solution: {file}: {error}") from None
    raise InvalidInputError(
        f"solution: {file} is no solution file (raw style) of HiGHS, SCIP, Gurobi or CBC"
    )


def _number(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        raise InvalidInputError(f"{word!r} is no number") from None
    if not isfinite(value):
        raise InvalidInputError(f"{word!r} is no finite number")
    return value


def _pairs(lines: Iterable[str], name: int, value: int) -> dict[str, float]:
    """Names and values at two columns of the lines."""
    values = {}
    for line in lines:
        words = line.split()
        if len(words) <= max(name, value):
            raise InvalidInputError(f"the line {line.strip()!r} names no variable with a value")
        if words[name] in values:
            raise InvalidInputError(f"{words[name]!r} has two values")
        values[words[name]] = _number(words[value])
    return values


def _highs(lines: list[str]) -> Solution:
    status = lines[1] if len(lines) > 1 else None
    objective, values = None, iter(lines)
    for line in values:
        words = line.split()
        if words[0] == "Objective":
            objective = _number(words[-1])
        if words[:2] == ["#", "Columns"] and len(words) == 3:
            many = _number(words[2])
            columns = list(islice(values, int(min(max(many, 0.0), len(lines)))))
            if len(columns) != many:
                raise InvalidInputError(
                    f"{words[2]!r} columns are announced, {len(columns)} lines follow"
                )
            return Solution("highs", status, objective, _pairs(columns, 0, 1))
    raise InvalidInputError(f"HiGHS wrote no primal point (status {status})")


def _scip(lines: list[str]) -> Solution:
    status, rest = None, iter(lines)
    for line in rest:
        words = line.split()
        if line.startswith("solution status:"):
            status = line.partition(":")[2].strip()
        elif line.startswith("objective value:"):
            return Solution("scip", status, _number(words[-1]), _pairs(rest, 0, 1))
    raise InvalidInputError(f"SCIP wrote no point (status {status})")


def _gurobi(lines: list[str]) -> Solution:
    stated = (line.rpartition("=")[2] for line in lines if line.startswith("# Objective value"))
    objective = next((_number(word.strip()) for word in stated), None)
    values = _pairs((line for line in lines if not line.startswith("#")), 0, 1)
    if not values:
        raise InvalidInputError("Gurobi wrote no point")
    return Solution("gurobi", None, objective, values)


def _cbc(lines: list[str]) -> Solution:
    status, _, value = lines[0].rpartition(" - objective value ")
    if "infeasible" in status.lower() or "no integer solution" in status.lower() or len(lines) == 1:
        raise InvalidInputError(f"CBC wrote no point (status {status})")
    # Two stars in front of a column say that it violates something; the violation is measured on
    # the model.
    columns: Iterator[str] = (
        line.replace("**", "", 1) if line.startswith("**") else line for line in lines[1:]
    )
    return Solution("cbc", status, _number(value), _pairs(columns, 1, 2))


READERS: tuple[tuple[Callable[[str], bool], Callable[[list[str]], Solution]], ...] = (
    (lambda line: line == "Model status", _highs),
    (lambda line: line.startswith(("solution status:", "objective value:")), _scip),
    (lambda line: line.startswith("# "), _gurobi),
    (lambda line: " - objective value " in line, _cbc),
)
