"""Cells as numbers and words: of text, of every dtype of pandas, and of masked arrays."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from agtopt import Columns, InvalidInputError
from agtopt.readers.cells import exact, kind, missing, numbers, spelled, words

LABEL = ["u", "v", "u", "v"]
DAYS = pd.date_range("2020-01-01", periods=4)


def column(values, dtype=None):
    return pd.DataFrame({"x": pd.Series(values, dtype=dtype), "y": LABEL})


@pytest.mark.parametrize(
    "dtype",
    ["int8", "uint64", "float32", "Int64", "Float64", "object", "category", "Sparse[float]", "str"],
)
def test_whole_numbers_of_every_dtype(dtype):
    frame = column([3, 1, 2, 7], dtype)
    assert numbers(frame, ["x"]).tolist() == [[3], [1], [2], [7]]
    assert kind(frame["x"]) == "number"
    assert words(frame, "x") == ["3", "1", "2", "7"]


@pytest.mark.parametrize("dtype", ["bool", "boolean", "object", "category", "str"])
def test_truths_are_1_and_0(dtype):
    frame = column([True, False, True, True], dtype)
    assert numbers(frame, ["x"])[:, 0].tolist() == [1, 0, 1, 1]
    assert kind(frame["x"]) == "true/false"
    assert words(frame, "x") == ["True", "False", "True", "True"]


def test_numbers_of_other_types():
    cells = [Decimal("0.5"), Fraction(1, 4), np.float32(0.5), " 2.5e-1 "]
    assert numbers(column(cells, object), ["x"])[:, 0].tolist() == [0.5, 0.25, 0.5, 0.25]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize(
    "dates", [DAYS, DAYS.tz_localize("UTC"), DAYS - DAYS[0]], ids=["dates", "zones", "durations"]
)
def test_dates_are_no_numbers_and_no_words_in_any_unit(dates, unit):
    frame = column(dates.as_unit(unit))
    assert kind(frame["x"]) == "date"
    with pytest.raises(
        InvalidInputError,
        match=r"column 'x' holds (dates|durations) .*which are no numbers; .*the days since",
    ):
        Columns.of(frame, "y")
    with pytest.raises(InvalidInputError, match="column 'x' holds"):
        Columns.of(frame.assign(a=[1, 2, 3, 4]), "x", ["a"], "cross-entropy")
    with pytest.raises(InvalidInputError, match=r"holds (dates|durations)"):
        Columns.of(frame.assign(y=frame["x"], x=range(4)), "y", loss="squared")


ODD = [
    np.datetime64("2020-01-01", "ns"),
    np.timedelta64(1, "ns"),
    date(2020, 1, 1),
    timedelta(1),
    pd.Period("2020-01"),
    pd.Interval(0, 1),
    1j,
    b"1",
    [1],
    np.ma.array(1),
]


@pytest.mark.parametrize("cell", ODD, ids=[type(cell).__name__ for cell in ODD])
def test_a_cell_of_another_type_is_neither_a_number_nor_a_word(cell):
    cells = np.empty(4, dtype=object)
    cells[:] = [1, 2, 3, 4]
    cells[2] = cell
    frame = column(cells)
    with pytest.raises(InvalidInputError, match=r"column 'x', row 2 .* which is no number"):
        numbers(frame, ["x"])
    with pytest.raises(
        InvalidInputError, match=r"column 'x', row 2 .* which is neither a word nor a number"
    ):
        words(frame, "x")


MISSING = {
    "float": column([1.0, np.nan, 3.0, np.nan]),
    "Int64": column([1, None, 3, None], "Int64"),
    "boolean": column([True, None, False, None], "boolean"),
    "string": column(["1", None, "3", pd.NA], "string"),
    "category": column([1, None, 3, None], "category"),
    "object": column([1, pd.NaT, 3, pd.NA], object),
    "text": column(["1", "", "3", " "], object),
    "masked": pd.DataFrame({"x": np.ma.array([1, 2, 3, 4], mask=[0, 1, 0, 1]), "y": LABEL}),
    "masked cells": column([1, np.ma.masked, 3, np.ma.masked], object),
}


@pytest.mark.parametrize("frame", MISSING.values(), ids=MISSING)
def test_what_is_missing_is_refused_with_its_count(frame):
    assert missing(frame["x"]).tolist() == [False, True, False, True]
    for read in (lambda: numbers(frame, ["x"]), lambda: words(frame, "x")):
        with pytest.raises(
            InvalidInputError,
            match=r"column 'x', row 1 .* is empty \(2 of 4 rows are like this\); drop such rows",
        ):
            read()


@pytest.mark.parametrize(
    "word",
    [
        "NA",
        "N/A",
        "n/a",
        "null",
        "NULL",
        "None",
        "nan",
        "NaN",
        "-nan",
        "<NA>",
        "NaT",
        "#N/A",
        "inf",
        "1.#IND",
    ],
)
def test_words_that_pandas_calls_missing_are_words(word):
    frame = column([word, "ham", word, "ham"], object)
    assert set(Columns.of(frame.assign(a=range(4)), "x", ["a"]).classes) == {word, "ham"}
    with pytest.raises(InvalidInputError, match="which is no number"):
        numbers(frame, ["x"])


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            [1.0, True, 2.0, False],
            r"row 1 .* holds True, which is no number \(2 of 4 .*write them as 1 and 0",
        ),
        (["1", "True", "2", "3"], "row 1 .* holds 'True'.* 1 and 0"),
        (["1", "1,234", "2", "0,5"], "holds '1,234'.*without thousands separators.*--decimal"),
        (["1", "x", "2", "y"], r"holds 'x', which is no number \(2 of 4 rows"),
        (["1", "1_000", "2", "3"], "holds '1_000'"),
        (["1", "1e999", "2", "3"], "holds '1e999', which is not finite"),
        ([1, 10**400, 2, -(10**400)], "which is not finite"),
    ],
)
def test_mixed_columns_are_refused(cells, message):
    with pytest.raises(InvalidInputError, match=message):
        numbers(column(cells, object), ["x"])


def test_the_line_of_a_file_is_named():
    frame = column(["1", "x", "3", "4"]).set_axis(pd.Index([2, 3, 5, 8], name="line"))
    with pytest.raises(InvalidInputError, match="column 'x', line 3 holds 'x'"):
        numbers(frame, ["x"])
    with pytest.raises(InvalidInputError, match="column 'x', line 3 holds 'x'"):
        numbers(frame.iloc[1:], ["x"])


def test_how_numbers_are_spelled():
    found = {
        word: spelled(word)
        for word in [
            "1.0",
            " 1 ",
            "-0.0",
            "1e3",
            "01",
            "1.10",
            "9007199254740993",
            "+1",
            "1e9999",
            "ham ",
            "nan",
        ]
    }
    assert found == {
        "1.0": "1",
        " 1 ": "1",
        "-0.0": "0",
        "1e3": "1000",
        "01": "01",
        "1.10": "1.10",
        "9007199254740993": "9007199254740993",
        "+1": "+1",
        "1e9999": "1e9999",
        "ham ": "ham ",
        "nan": "nan",
    }
    assert exact("1e99999999999999999999") is None
    assert exact("0.1") == Decimal("0.1")
