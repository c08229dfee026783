"""CSV files that a spreadsheet may open."""

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agtopt
from agtopt.spreadsheet import is_number, literal, spoken, write_csv

FORMULAS = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "＝1+1",
    "-inf",
    "-",
    "+-1",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_would_be_run_stays_a_text(tmp_path, text):
    write_csv(tmp_path / "t.csv", [text], [[text], ["plain"]])
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["'" + text], ["'" + text], ["plain"]]


def test_numbers_stay_numbers(tmp_path):
    cells = [-1.5, "-1.5", "+2", "-1e-3", -3, None, float("-inf"), True]
    write_csv(tmp_path / "t.csv", "abcdefgh", [cells])
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()[
        1
    ] == "-1.5,-1.5,+2,-1e-3,-3,,-inf,True"


@given(st.text() | st.text("'=+-@\t\r1.e", max_size=6))
def test_what_is_written_is_read_back_and_never_begins_a_formula(text):
    assert spoken(literal(text)) == text
    assert is_number(text) or not re.match(r"[=+\-@\t\r]", literal(text))


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_every_number_is_one(number):
    assert is_number(str(number))
    assert literal(number) is number
    assert literal(str(number)) == str(number)


@pytest.mark.parametrize(
    "text", ["", "1_000", "1,000", "inf", "nan", "0x10", "1 0", "٣", "1e", ".", "--1", " 1"]
)
def test_other_texts_are_none(text):
    assert not is_number(text)


def test_nothing_else_writes_csv():
    """But the stand-in for a published file, which holds nothing of a user's."""
    root = Path(agtopt.__file__).parent
    written = re.compile(r"\.to_csv\(|csv\.(Dict)?[wW]riter\(")
    writers = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if written.search(path.read_text(encoding="utf-8"))
    }
    assert writers == {"spreadsheet.py", "cases/standins.py"}
