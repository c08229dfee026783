"""Every file of ours, broken in every way: what comes out is a result or an error of agtopt's, and
never a lack of memory."""

import re
from dataclasses import replace

import numpy as np
import pytest

import agtopt
from agtopt import (
    AgtoptError,
    Bounded,
    Columns,
    Dataset,
    InvalidInputError,
    MissingFileError,
    Network,
    Problem,
    Record,
    Run,
    Settings,
    Training,
)
from agtopt.cli.options import read_points
from agtopt.compiler import export_file, parameter_target
from agtopt.intervals.checkpoint import checkpointed_steps
from agtopt.readers.folder import ARRAYS, PROBLEM
from agtopt.readers.solution import read_solution
from agtopt.report.store import Store
from agtopt.solvers.tree import Tree

X = np.array([[1.0, 0.7], [0.6, 1.2], [0.9, 1.1], [1.3, 0.5]])
ROUNDS = 60
"""Variants of each file."""


@pytest.fixture(scope="module")
def own():
    data = Dataset(X, [1.0, -1.0, 1.0, -1.0])
    return Problem(
        Network.dense([2, 2, 1]),
        data,
        Bounded(1, eps=0.1, flips=[(1, -1)], nu=1, q=0),
        Training("hinge", batch_size=2),
    )


@pytest.fixture(scope="module")
def files(own, tmp_path_factory):
    """By name the file and what reads it."""
    folder = tmp_path_factory.mktemp("files")
    agtopt.save(own, folder / "p", description="x")
    Columns(("a", "b"), "y", "hinge", ("n", "y"), (0.0, 0.0), (1.0, 1.0)).save(folder / "p")
    reach = agtopt.bound(own, "LP", rigour="proved", proofs=folder / "proofs")
    Record.of(reach, agtopt.certify(reach, X)).save(folder / "record.json")
    run = Run.begin(own, Settings("LP"))
    run.step()
    run.save(folder / "run.npz")
    list(checkpointed_steps(own, folder / "steps"))
    np.savez(folder / "points.npz", X=X, y=own.dataset.labels)
    cell = agtopt.compare(own, ["LP"], resume=folder / "cells").cells[0][0].twin
    inner = agtopt.attack(own)
    export_file(own, folder / "m.mps", parameter_target(own, own.network.parameter_names[-1]))
    (folder / "s.sol").write_text("# Objective value = 1\ndata_x 1\ndata_y 0.5\n")
    proof = next(iter((folder / "proofs").iterdir()))
    return {
        "problem.toml": (folder / "p" / PROBLEM, lambda: agtopt.load(folder / "p")),
        "arrays.npz": (folder / "p" / ARRAYS, lambda: agtopt.load(folder / "p")),
        "columns.toml": (folder / "p" / "columns.toml", lambda: Columns.load(folder / "p")),
        "record": (folder / "record.json", lambda: Record.load(folder / "record.json")),
        "run": (folder / "run.npz", lambda: Run.resume(own, folder / "run.npz", inner=inner)),
        "step": (
            folder / "steps" / "step_000001.npz",
            lambda: next(checkpointed_steps(own, folder / "steps")),
        ),
        "points": (folder / "points.npz", lambda: read_points(folder / "points.npz")),
        "proof": (proof, lambda: Tree.load(proof)),
        "cell": (
            folder / "cells" / f"{cell.key}.npz",
            lambda: Store.at(folder / "cells").find(cell, inner),
        ),
        "solution": (folder / "s.sol", lambda: read_solution(folder / "s.sol")),
    }


NAMES = [
    "problem.toml",
    "arrays.npz",
    "columns.toml",
    "record",
    "run",
    "step",
    "points",
    "proof",
    "cell",
    "solution",
]
WORDS = [
    b"nan",
    b"inf",
    b"-1",
    b"1e999",
    b"9" * 40,
    b"9" * 5000,
    b"[" * 5000,
    b"{" * 5000,
    b"null",
    b"true",
    b'"x"',
    b"",
    b"\xff",
    b"\0",
    b"1000000000",
]


def broken(data, rng):
    """A variant: cut, with bits flipped, bytes put in, or a number, word or piece of text replaced
    by another."""
    way, at = rng.integers(5), int(rng.integers(len(data) + 1))
    if way == 0:
        return data[:at]
    if way == 1:
        flipped = bytearray(data)
        for place in rng.integers(len(data), size=rng.integers(1, 4)):
            flipped[place] ^= 1 << int(rng.integers(8))
        return bytes(flipped)
    if way == 2:
        return data[:at] + rng.bytes(int(rng.integers(1, 40))) + data[at:]
    parts = [match.span() for match in re.finditer(rb"[-+.\w]+", data)] or [(0, 0)]
    start, end = parts[int(rng.integers(len(parts)))]
    other = (
        WORDS[int(rng.integers(len(WORDS)))]
        if way == 3
        else data[slice(*parts[int(rng.integers(len(parts)))])]
    )
    return data[:start] + other + data[end:]


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_file_is_read_or_refused(files, name):
    path, read = files[name]
    data, rng = path.read_bytes(), np.random.default_rng(NAMES.index(name))
    read()
    refusals = 0
    try:
        for content in (
            b"",
            b"\0" * 1000,
            b"PK\x03\x04" * 50,
            rng.bytes(3000),
            b"[" * 100_000,
            *(broken(data, rng) for _ in range(ROUNDS)),
        ):
            path.write_bytes(content)
            try:
                read()
            except AgtoptError:
                refusals += 1
    finally:
        path.write_bytes(data)
    assert refusals >= 5


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_in_the_place_of_a_file_is_refused(files, name):
    path, read = files[name]
    data = path.read_bytes()
    path.unlink()
    path.mkdir()
    try:
        with pytest.raises((InvalidInputError, MissingFileError)):
            read()
    finally:
        path.rmdir()
        path.write_bytes(data)


def write(path, **changes):
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez_compressed(path, **arrays | changes)


def test_absurd_numbers_of_a_problem_are_refused_at_once(own, tmp_path):
    text = (agtopt.save(own, tmp_path / "p") / PROBLEM).read_text()
    for old, new in (
        ("epochs = 1", "epochs = 1000000000"),
        ("epochs = 1", f"epochs = {10**40}"),
        ("inputs = 2", "inputs = 4000000000000"),
        ("outputs = 2", "outputs = 4000000000000"),
        ("input_shape = [\n    2,\n]", "input_shape = [4000000000000]"),
        ("batch_size = 2", f"batch_size = {10**40}"),
        ("n = 1", f"n = {'9' * 5000}"),
        (
            'type = "dense"',
            'type = "conv2d"\nin_channels = 1\nout_channels = 1\nkernel_size = 1\npadding = '
            "1000000000",
        ),
    ):
        assert old in text
        (tmp_path / "p" / PROBLEM).write_text(text.replace(old, new, 1))
        with pytest.raises(InvalidInputError):
            agtopt.load(tmp_path / "p")


def test_a_small_problem_with_huge_layers_is_refused(tmp_path):
    """Padding and pooling make an activation of 10^18 entries of a file of a kilobyte."""
    layers = [
        agtopt.Conv2d(1, 1, 1, padding=10**9),
        agtopt.AvgPool2d(10**9, 10**9),
        agtopt.Flatten(),
        agtopt.Dense(4, 1),
    ]
    with pytest.raises(InvalidInputError, match="entries"):
        Network.chain(
            layers, (1, 2, 2), [np.ones((1, 1, 1, 1)), np.ones(1), np.ones((1, 4)), np.ones(1)]
        )


def test_arrays_that_a_problem_does_not_need_are_refused_before_they_are_unpacked(own, tmp_path):
    path = agtopt.save(own, tmp_path / "p") / ARRAYS
    write(path, surplus=np.zeros(2**24))
    with pytest.raises(InvalidInputError, match="'surplus', which has no meaning"):
        agtopt.load(tmp_path / "p")
    agtopt.save(own, tmp_path / "p")
    write(path, features=np.zeros((4, 2**22)))
    with pytest.raises(InvalidInputError, match=r"'features' has the shape .* must have \(4, 2\)"):
        agtopt.load(tmp_path / "p")


def test_an_older_run_is_refused_with_the_reason(own, files):
    path, read = files["run"]
    data = path.read_bytes()
    with np.load(path) as archive:
        about = str(archive["about"]).replace('"format": 3', '"format": 2')
    write(path, about=np.array(about))
    with pytest.raises(InvalidInputError, match="format"):
        read()
    path.write_bytes(data)


def test_a_text_of_gigabytes_is_not_read(own, tmp_path):
    with (agtopt.save(own, tmp_path / "p") / PROBLEM).open("r+b") as file:
        file.truncate(2**33)
    with pytest.raises(InvalidInputError, match="larger than"):
        agtopt.load(tmp_path / "p")


def test_steps_are_counted_before_they_are_listed(own):
    for training in (
        Training("hinge", epochs=10**9),
        Training("hinge", epochs=10**8, batches=[[0]]),
        Training("hinge", epochs=10**30),
    ):
        with pytest.raises(InvalidInputError, match=r"training\.epochs"):
            replace(own, training=training)
