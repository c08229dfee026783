"""Tables as files."""

import json

import numpy as np
import pandas as pd
import pytest

from agtopt import InvalidInputError
from agtopt.report import save_table


@pytest.fixture
def frame():
    table = pd.DataFrame(
        {
            "method": ["LP", "a_b"],
            "window": ["1", "full"],
            "width": [1 / 3, np.nan],
            "solves": [20, None],
        }
    )
    return table.astype({"solves": "Int64"})


def test_csv_and_json_hold_every_digit(frame, tmp_path):
    again = pd.read_csv(
        save_table(frame, tmp_path / "t.csv"), dtype={"window": str, "solves": "Int64"}
    )
    pd.testing.assert_frame_equal(again, frame, check_exact=True, check_dtype=False)
    rows = json.loads(save_table(frame, str(tmp_path / "t.json")).read_text())
    assert rows[1] == {"method": "a_b", "window": "full", "width": None, "solves": None}
    assert rows[0]["width"] == pytest.approx(1 / 3, rel=1e-14)
    assert rows[0]["solves"] == 20


def test_csv_holds_no_formula(tmp_path):
    """Names of problems and reasons of refusals are texts of users; widths below 0 are numbers."""
    frame = pd.DataFrame(
        {"instance": ["=HYPERLINK(1)", "plain"], "least": [-1.5, np.nan], "@status": ["-x", None]}
    )
    lines = save_table(frame, tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()
    assert lines == ["instance,least,'@status", "'=HYPERLINK(1),-1.5,'-x", "plain,,"]


def test_markdown(frame, tmp_path):
    lines = save_table(frame, tmp_path / "t.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["method", "window", "width", "solves"]
    assert cells[2:] == [["LP", "1", "0.333333", "20"], ["a_b", "full", "", ""]]


def test_latex(frame, tmp_path):
    text = save_table(frame, tmp_path / "t.tex").read_text()
    assert text.startswith(r"\begin{tabular}")
    assert r"\toprule" in text
    assert r"a\_b" in text
    assert "nan" not in text


def test_other_files_are_refused(frame, tmp_path):
    with pytest.raises(InvalidInputError, match=r"'t.xlsx'.*\.tex"):
        save_table(frame, tmp_path / "t.xlsx")
    with pytest.raises(InvalidInputError, match="nowhere"):
        save_table(frame, tmp_path / "nowhere" / "t.csv")
