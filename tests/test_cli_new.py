"""``agtopt new``: from a CSV file to certified predictions of rows that were held out."""

import re
import sys

import numpy as np
import pandas as pd
import pytest

import agtopt as package
from agtopt import cli
from agtopt.cli import screen
from tests.conftest import MODELS


@pytest.fixture
def run(monkeypatch, capsys):
    """Run one command in this process: (exit code, stdout, stderr)."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["agtopt", *map(str, arguments)])
        monkeypatch.setattr(screen, "console", screen.Console(width=200))
        with pytest.raises(SystemExit) as done:
            cli.main()
        return done.value.code or 0, *capsys.readouterr()

    return command


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(30, 2)), columns=["a", "b"])
    frame["kind"] = np.where(frame["a"] > frame["b"], "yes", "no")
    frame["cost"] = frame["a"] - frame["b"]
    frame.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def test_from_a_table_to_certificates(run, table, tmp_path):
    folder = tmp_path / "p"
    options = ("--features", "a,b", "--hold-out", "0.2", "--epochs", 3, "--hidden", "2")
    code, out, _ = run("new", folder, "--data", table, "--label", "kind", *options)
    assert code == 0
    assert "24 samples, hinge loss, 3 steps; at most 1 sample with label flips" in out
    for line in (
        r"a +number +-?[\d.]+ +-?[\d.]+ +0 +-?[\d.]+ +[\d.]+",
        r"kind +label +0",
        r"cost +\(number\) +0",
        r"no +-1 +\d+ +\d",
        r"yes +1 +\d+ +\d",
    ):
        assert re.search(f"^{line}", out, re.MULTILINE), line
    problem, columns = package.load(folder), package.Columns.load(folder)
    assert problem.network.input_shape == (2,)
    held, whole = pd.read_csv(folder / "test.csv"), pd.read_csv(table)
    assert len(held) == 6
    rows = (
        np.concatenate([problem.dataset.features, columns.points(held)[0]]) * columns.factor
        + columns.shift
    )
    np.testing.assert_allclose(np.sort(rows, axis=0), np.sort(whole[["a", "b"]].to_numpy(), axis=0))
    code, out, _ = run("certify", folder, "--kind", "IBP", "--points", folder / "test.csv")
    assert code == 0
    assert "of 6 predictions" in out
    assert "accuracy: certified" in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--label", "kind", "--eps", "0.1"), "features ±0.1"),
        (
            ("--label", "kind", "--eps", "0.1", "--flips", "--n", "2"),
            "2 samples with features ±0.1 and label flips",
        ),
        (("--label", "kind", "--remove"), "1 sample left out"),
        (("--label", "cost", "--loss", "squared", "--nu", "0.1"), "labels ±0.1"),
    ],
)
def test_adversaries(run, table, tmp_path, options, words):
    code, out, _ = run("new", tmp_path / "p", "--data", table, "--features", "a,b", *options)
    assert code == 0
    assert words in out


BAD = [
    (("--data", "none.csv", "--label", "kind"), "none.csv does not exist"),
    (("--data", "empty.csv", "--label", "kind"), "it is empty"),
    (("--data", "t.csv", "--label", "Kind"), "'Kind' does not exist"),
    (("--data", "t.csv", "--label", "cost", "--features", "a"), "name the loss"),
    (("--data", "t.csv", "--label", "cost"), "'kind', line 2 holds"),
    (
        ("--data", "t.csv", "--label", "cost", "--features", "a", "--loss", "squared"),
        "--eps, --nu or --remove",
    ),
    (
        ("--data", "t.csv", "--label", "cost", "--features", "a", "--loss", "squared", "--flips"),
        "no classes to flip",
    ),
    (("--data", "t.csv", "--label", "kind", "--nu", "0.1"), "--flips"),
    (("--data", "t.csv", "--label", "kind", "--features", '"a'), "names between commas"),
    (("--data", "t.csv", "--label", "kind", "--hold-out", "0.001"), "holds out none"),
    (("--data", "t.csv", "--label", "kind", "--remove", "--flips"), "not both"),
    (("--data", "t.csv", "--label", "kind", "--hidden", "4,x"), "'x'"),
    (("--data", "t.csv", "--label", "kind", "--hold-out", "1"), "hold_out"),
    (("--data", "t.csv", "--label", "kind", "--batch-size", "100"), "batch_size"),
]


@pytest.mark.parametrize(("options", "words"), BAD, ids=[words for _, words in BAD])
def test_misuse_is_one_line_and_leaves_nothing(run, table, monkeypatch, options, words):
    monkeypatch.chdir(table.parent)
    (table.parent / "empty.csv").touch()
    code, _, err = run("new", "p", *options)
    assert code == 2
    assert err.startswith("agtopt: ")
    assert words in err
    assert len(err.strip().splitlines()) == 1
    assert not (table.parent / "p").exists()


def test_a_rare_class_is_trained_on_and_said(run, tmp_path):
    rows = [f"{k / 7:.3f},{'c' if k == 1 else 'ham' if k % 2 else 'spam'}" for k in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["x,label", *rows]))
    for seed in range(3):
        code, out, _ = run(
            "new",
            tmp_path / f"p{seed}",
            "--data",
            tmp_path / "t.csv",
            "--label",
            "label",
            "--hold-out",
            0.5,
            "--seed",
            seed,
        )
        assert code == 0
        assert "class 'c' is too rare to be held out" in out
        code, out, _ = run(
            "certify",
            tmp_path / f"p{seed}",
            "--kind",
            "IBP",
            "--points",
            tmp_path / f"p{seed}" / "test.csv",
        )
        assert code == 0
        assert "of 20 predictions" in out


def test_a_column_that_counts_the_rows_is_said(run, tmp_path):
    (tmp_path / "t.csv").write_text(
        "id,x,label\n" + "\n".join(f"{k},{k % 3},{'ab'[k % 2]}" for k in range(6))
    )
    code, out, _ = run("new", tmp_path / "p", "--data", tmp_path / "t.csv", "--label", "label")
    assert code == 0
    assert "column 'id' counts the rows" in out
    assert "column 'x' counts" not in out


def test_other_dialects_are_named(run, tmp_path):
    text = "Größe;Höhe, oben;label\n" + "\n".join(
        f"{k / 7:.2f};{k % 3};{'größer' if k % 2 else '=b'}".replace(".", ",") for k in range(12)
    )
    (tmp_path / "t.csv").write_text(text, encoding="latin-1")
    dialect = ("--separator", ";", "--decimal", ",", "--encoding", "latin-1")
    features = ("--features", 'Größe, "Höhe, oben"')
    made = (
        "new",
        tmp_path / "p",
        "--data",
        tmp_path / "t.csv",
        "--label",
        "label",
        *features,
        "--hold-out",
        0.5,
    )
    assert run(*made, *dialect)[0] == 0
    assert package.Columns.load(tmp_path / "p").classes == ("=b", "größer")
    assert "'=b" in (tmp_path / "p" / "test.csv").read_text(encoding="utf-8")
    for points, options in ((tmp_path / "p" / "test.csv", ()), (tmp_path / "t.csv", dialect)):
        code, out, _ = run("certify", tmp_path / "p", "--kind", "IBP", "--points", points, *options)
        assert code == 0
        assert f"of {6 if options == () else 12} predictions" in out
    code, _, err = run("certify", tmp_path / "p", "--kind", "IBP", "--points", tmp_path / "t.csv")
    assert code == 2
    assert "--encoding latin-1" in err


def test_names_of_any_length_fit_80_columns(run, tmp_path):
    name, rows = "x" * 100, "\n".join(f"{-1e-10 * k / 7},{'ab'[k % 2]}" for k in range(6))
    (tmp_path / "t.csv").write_text(f"{name},label\n{rows}\n")
    code, out, _ = run("new", tmp_path / "p", "--data", tmp_path / "t.csv", "--label", "label")
    assert code == 0
    assert re.search(r"^x+… +number +-7.14e-11 +-?0 ", out, re.MULTILINE)
    table, _, rest = out.partition("\n\n")
    classes = rest.partition("\n\n")[0]
    assert max(map(len, (table + "\n" + classes).splitlines())) <= 80


def test_a_problem_that_exists_is_kept(run, table, tmp_path):
    made = ("new", tmp_path / "p", "--data", table, "--label", "kind")
    assert run(*made)[0] == 0
    code, _, err = run(*made)
    assert code == 2
    assert "holds a problem already" in err


def test_points_of_a_table_need_its_columns(run, table):
    code, _, err = run("certify", MODELS / "half-moons", "--kind", "IBP", "--points", table)
    assert code == 2
    assert "columns.toml" in err
