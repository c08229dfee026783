"""A disk that fills up, or a folder that cannot be written, at every write there is: no half a
file, and no result is lost."""

import errno
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import agtopt
from agtopt import (
    Bounded,
    Columns,
    Dataset,
    Network,
    Problem,
    Record,
    Run,
    SaveError,
    SaveWarning,
    Settings,
    SoundnessError,
    Training,
)
from agtopt.cases import standins
from agtopt.cli import app
from agtopt.drivers import stage
from agtopt.report import save_table
from agtopt.solvers.tree import Tree

X = np.array([[1.0, 0.7], [0.6, 1.2], [0.9, 1.1], [1.3, 0.5]])
os_mkdir = os.mkdir
WAYS = {"replace": (os, "replace"), "fsync": (os, "fsync"), "folder": (os, "mkdir")}


def problem(seed=0):
    training = Training("hinge", learning_rate=0.5, batch_size=2)
    return Problem(
        Network.dense([2, 1], seed=seed),
        Dataset(X, [1.0, -1.0, 1.0, -1.0]),
        Bounded(1, eps=0.3, nu=1, q=0),
        training,
    )


class Disk:
    """Fails at the k-th call of one function, or from then on; counts without failing where k is
    0."""

    def __init__(self, monkeypatch, way, at=0, for_good=False):
        self.calls, self.at, self.for_good, self.failed = 0, at, for_good, False
        place, name = WAYS[way]
        self.real = getattr(place, name)
        monkeypatch.setattr(place, name, self)

    def __call__(self, *args, **kwargs):
        # Other folders are made where they are missing.
        self.calls += self.real is not os_mkdir or ".agtopt" in str(args[0])
        if self.at and ((self.calls == self.at and not self.failed) or self.for_good):
            self.failed = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.real(*args, **kwargs)


def content(folder):
    """Every file below a folder; none is temporary, empty or half written."""
    files = {path: path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}
    assert not [
        path
        for path in Path(folder).rglob("*")
        if path.name.startswith(".agtopt") or path.suffix in (".tmp", ".part")
    ]
    for path, data in files.items():
        assert data
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as found:
                assert all(found[name] is not None for name in found.files)
    return files


def saves(tmp):
    """Every save that returns nothing but its file: what writes, into which folder."""
    reach = agtopt.bound(problem(), "IBP")
    run = Run.begin(problem(), Settings("LP"))
    columns = Columns(("a", "b"), "y", "squared", None, (0.0, 0.0), (1.0, 1.0))
    record = Record.of(reach, agtopt.certify(reach, X))
    proof = next(iter(proofs(tmp / "proofs")))
    return {
        "problem": lambda folder: agtopt.save(problem(), folder),
        "columns": columns.save,
        "run": lambda folder: run.save(folder / "run.npz"),
        "record": lambda folder: record.save(folder / "record.json"),
        "tree": lambda folder: Tree.load(proof).save(folder / "tree.npz"),
        "model": lambda folder: agtopt.compile(problem(), "LP").write(folder / "model.nl"),
        "export": lambda folder: agtopt.export(
            problem(), folder, ["LP"], ["dense1_bias[0]"], [".lp", ".mps"]
        ),
        **{
            suffix: lambda folder, suffix=suffix: save_table(reach.table(), folder / f"t{suffix}")
            for suffix in (".csv", ".json", ".md", ".tex")
        },
        "digits": lambda folder: standins.write_embeddings(folder, train=3, test=2, features=2),
        "reviews": lambda folder: standins.write_reviews(folder, train=2, test=1),
    }


def proofs(folder):
    agtopt.bound(problem(), "LP", rigour="proved", proofs=folder)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def writers(tmp_path_factory):
    return saves(tmp_path_factory.mktemp("made"))


@pytest.mark.parametrize("way", WAYS)
def test_a_save_that_fails_says_so_and_leaves_what_was_there(writers, tmp_path, monkeypatch, way):
    for name, write in writers.items():
        folder = tmp_path / name
        folder.mkdir()
        with monkeypatch.context() as patch:
            counted = Disk(patch, way)
            write(folder)
        before = content(folder)
        assert before
        for at in range(1, counted.calls + 1):
            with monkeypatch.context() as patch:
                Disk(patch, way, at)
                with pytest.raises(SaveError, match="could not be written"):
                    write(folder)
            after = content(folder)
            # A set of models is written file by file, each of them whole.
            assert after.keys() == before.keys(), (name, at)
            assert name == "export" or after == before, (name, at)


def test_a_problem_is_never_the_text_of_one_and_the_arrays_of_another(tmp_path, monkeypatch):
    for at in (1, 2):
        agtopt.save(problem(0), tmp_path / "p")
        with monkeypatch.context() as patch:
            Disk(patch, "replace", at)
            with pytest.raises(SaveError):
                agtopt.save(problem(1), tmp_path / "p")
        assert np.array_equal(agtopt.load(tmp_path / "p").initial, problem(0).initial)


METHODS = [("IBP", {}), ("LP", {"window": 1}), ("MILP", {"proofs": True})]


@pytest.mark.parametrize("way", ["replace", "folder"])
@pytest.mark.parametrize(("method", "options"), METHODS)
def test_a_bound_is_whole_whatever_cannot_be_saved(tmp_path, monkeypatch, method, options, way):
    def bound(folder):
        extra = {"rigour": "proved", "proofs": folder / "proofs"} if "proofs" in options else {}
        return agtopt.bound(
            problem(), method, options.get("window"), checkpoint=folder / "steps", **extra
        )

    with monkeypatch.context() as patch:
        counted = Disk(patch, way)
        whole = bound(tmp_path / "whole")
    assert counted.calls
    chosen = sorted({1, 2, counted.calls // 2 or 1, counted.calls})
    for at, for_good in [(at, False) for at in chosen] + [(1, True)]:
        folder = tmp_path / f"{at}-{for_good}"
        with monkeypatch.context() as patch:
            Disk(patch, way, at, for_good)
            with pytest.warns(SaveWarning, match="could not be written"):
                found = bound(folder)
        assert len(found.states) == len(whole.states)
        assert all(
            np.array_equal(a.lower, b.lower) and np.array_equal(a.upper, b.upper)
            for a, b in zip(found.states, whole.states, strict=True)
        )
        assert [row.bound for row in found.rows] == [row.bound for row in whole.rows]
        if folder.exists():
            content(folder)
        # What is kept goes on to the same.
        assert np.array_equal(bound(folder).domain.lower, whole.domain.lower)


def test_a_comparison_is_whole_whatever_cannot_be_saved(tmp_path, monkeypatch):
    def compared(folder):
        return agtopt.compare(problem(), ["IBP", "LP"], [1], resume=folder)

    whole = compared(tmp_path / "whole")
    for way, at, for_good in (
        ("replace", 1, False),
        ("replace", 2, False),
        ("folder", 1, False),
        ("folder", 1, True),
    ):
        folder = tmp_path / f"{way}-{at}-{for_good}"
        with monkeypatch.context() as patch:
            Disk(patch, way, at, for_good)
            with pytest.warns(SaveWarning, match="could not be written"):
                found = compared(folder)
        assert list(found.table["width"]) == list(whole.table["width"])
        if folder.exists():
            content(folder)
        assert list(compared(folder).table["width"]) == list(whole.table["width"])


def test_an_executor_says_what_it_could_not_save(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.warns(SaveWarning, match=r"file.* could not be written"),
    ):
        found = agtopt.bound(
            problem(), "LP", rigour="proved", proofs=tmp_path / "file", executor=pool
        )
    assert found.domain.lower == pytest.approx(agtopt.bound(problem(), "LP").domain.lower, rel=1e-9)


def test_a_contradiction_is_raised_although_its_instance_cannot_be_kept(monkeypatch):
    real = stage.check_found
    monkeypatch.setattr(
        stage,
        "check_found",
        lambda task, bound, *rest: real(task, bound - task.sense * 10.0, *rest),
    )
    with pytest.raises(SoundnessError, match="is saved in"):
        agtopt.bound(problem(), "LP")
    Disk(monkeypatch, "folder", 1, True)
    with pytest.raises(SoundnessError, match=r"excludes .* is not kept: .*No space left"):
        agtopt.bound(problem(), "LP")


@pytest.mark.parametrize("way", ["replace", "folder"])
def test_the_command_line_shows_the_result_and_says_what_is_not_saved(tmp_path, monkeypatch, way):
    agtopt.save(problem(), tmp_path / "p")
    folder = str(tmp_path / "p")
    for words in (
        ["bound", folder, "--kind", "IBP", "--output", str(tmp_path / "t.csv")],
        ["bound", folder, "--kind", "LP", "--checkpoint", str(tmp_path / "c")],
        [
            "certify",
            folder,
            "--kind",
            "IBP",
            "--record",
            str(tmp_path / "r.json"),
            "--output",
            str(tmp_path / "t.md"),
        ],
        [
            "compare",
            folder,
            "--kinds",
            "IBP",
            "--output",
            str(tmp_path / "t.tex"),
            "--resume",
            str(tmp_path / "kept"),
        ],
    ):
        with monkeypatch.context() as patch:
            Disk(patch, way, 1, True)
            result = CliRunner().invoke(app, words)
        assert result.exit_code == 3, (words, result.output, result.exception)
        assert re.search(r"width|predictions", result.stdout)
        assert "agtopt: " in result.stderr
        assert "could not be written (No space left on device)" in result.stderr
    content(tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.is_file()]
