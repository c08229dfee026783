"""Problem folders: exact round trips, and one-line errors."""

import re
import shutil

import numpy as np
import pytest

import agtopt
from agtopt import InvalidInputError, MissingFileError
from tests.conftest import MODELS
from tests.instances import COMBINATIONS, random_problem


@pytest.mark.parametrize(("depth", "loss", "reach"), COMBINATIONS)
def test_round_trip_is_exact(depth, loss, reach, tmp_path):
    for seed in range(4):
        problem = random_problem(seed, depth, loss, reach)
        twin = agtopt.load(agtopt.save(problem, tmp_path / str(seed), "random"))
        np.testing.assert_array_equal(twin.initial, problem.initial)
        np.testing.assert_array_equal(twin.dataset.features, problem.dataset.features)
        np.testing.assert_array_equal(twin.dataset.labels, problem.dataset.labels)
        np.testing.assert_array_equal(twin.learning_rates, problem.learning_rates)
        assert twin.perturbation == problem.perturbation
        assert twin.training == problem.training
        assert twin.network.nodes == problem.network.nodes
        assert twin.network.parameter_names == problem.network.parameter_names
        assert twin.name == problem.name


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(MODELS / "tiny-mlp", tmp_path / "model")


@pytest.mark.parametrize("missing", ["problem.toml", "arrays.npz", None])
def test_missing_files_are_named(folder, missing):
    path = folder / missing if missing else folder / "nowhere"
    if missing:
        path.unlink()
    with pytest.raises(MissingFileError, match=re.escape(path.name)) as caught:
        agtopt.load(folder if missing else path)
    assert isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("eps =", "epps =", "epps"),
        ("epochs =", "epoch =", "epoch"),
        ("[training]", "[trainning]", "train"),
        ("n = 1", "n = 99", "perturbation.n: 99"),
        ("n = 1", "n = 'one'", "perturbation.n"),
        ("n = 1", "n = 1.5", "perturbation.n"),
        ("n = 1", "n = true", "perturbation.n"),
        ("eps = 0.1", "eps = -0.1", "eps"),
        ("eps = 0.1", "eps = nan", "eps"),
        ('loss = "squared"', 'loss = "mse"', "mse"),
        ("p = inf", "p = 1", "perturbation.p"),
        ('type = "bounded"', 'type = "removal"', "type"),
        ("outputs = 4", "outputs = 5", "dense"),
        ('type = "relu"', 'type = "tanh"', "tanh"),
        ("name =", "name", "TOML"),
        ('loss = "squared"', 'loss = "hinge"', "labels"),
        ("batch_size = 8", "batch_size = 80", "batch_size: 80"),
    ],
)
def test_a_wrong_entry_is_one_line_that_names_it(folder, old, new, words):
    text = (folder / "problem.toml").read_text()
    assert old in text
    (folder / "problem.toml").write_text(text.replace(old, new, 1))
    with pytest.raises((InvalidInputError, agtopt.UnsupportedError), match=words) as caught:
        agtopt.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"no zip", b"\x80\x04]q\x00.", (MODELS / "tiny-mlp" / "arrays.npz").read_bytes()[:300]],
    ids=["empty", "text", "pickle", "truncated"],
)
def test_arrays_that_cannot_be_read(folder, content):
    (folder / "arrays.npz").write_bytes(content)
    with pytest.raises(InvalidInputError, match="arrays"):
        agtopt.load(folder)


def test_a_single_array_is_no_archive(folder):
    with (folder / "arrays.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InvalidInputError, match="arrays"):
        agtopt.load(folder)


def test_objects_are_never_unpickled(folder):
    np.savez(folder / "arrays.npz", features=np.array([{}], dtype=object), labels=np.zeros(1))
    with pytest.raises(InvalidInputError, match="pickle"):
        agtopt.load(folder)


def test_a_missing_array_is_named(folder):
    with np.load(folder / "arrays.npz") as archive:
        arrays = dict(archive)
    for missing in ("labels", "dense1_bias"):
        np.savez(folder / "arrays.npz", **{name: value for name, value in arrays.items() if name != missing})
        with pytest.raises(InvalidInputError, match=missing):
            agtopt.load(folder)


def test_a_problem_that_is_not_utf8(folder):
    (folder / "problem.toml").write_bytes(b'name = "\xff"\n')
    with pytest.raises(InvalidInputError, match=re.escape("problem.toml")):
        agtopt.load(folder)
