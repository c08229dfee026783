"""Features on disk: the same domains and runs as in memory, read batch by batch."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import agtopt
from agtopt import Dataset, InvalidInputError
from agtopt.intervals.propagation import interval_steps
from agtopt.training.concrete import trajectory
from tests.matrix import CELLS, cell_problem


def mapped(problem, folder):
    """The same problem with its features on disk."""
    np.save(folder / "features.npy", problem.dataset.features)
    features = np.load(folder / "features.npy", mmap_mode="r")
    return replace(problem, dataset=Dataset(features, problem.dataset.labels))


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("cell", CELLS[::2], ids=str)
def test_the_domains_are_those_of_data_in_memory(tmp_path, cell, linear):
    problem = cell_problem(cell, eps=0.1)
    stored = mapped(problem, tmp_path)
    assert stored.dataset.mapped
    assert stored.fingerprint == problem.fingerprint
    for found, expected in zip(
        interval_steps(stored, linear=linear), interval_steps(problem, linear=linear), strict=True
    ):
        np.testing.assert_array_equal(found.lower, expected.lower)
        np.testing.assert_array_equal(found.upper, expected.upper)
    np.testing.assert_array_equal(trajectory(stored), trajectory(problem))


def test_certificates_hold_as_in_memory(tmp_path, flips):
    stored = mapped(flips, tmp_path)
    X, y = flips.dataset.features, flips.dataset.labels
    found, expected = (
        agtopt.certify(agtopt.bound(problem, "IBP"), X, y) for problem in (stored, flips)
    )
    np.testing.assert_array_equal(found.stable, expected.stable)
    assert found.certified_accuracy == expected.certified_accuracy


@pytest.mark.parametrize(
    ("value", "kind", "match"), [(np.nan, np.float64, "finite"), (1.0, np.float32, "float64")]
)
def test_what_is_on_disk_is_checked(tmp_path, value, kind, match):
    features = np.ones((5, 2), kind)
    features[3, 1] = value
    np.save(tmp_path / "features.npy", features)
    with pytest.raises(InvalidInputError, match=match):
        Dataset(np.load(tmp_path / "features.npy", mmap_mode="r"), np.zeros(5))


PEAK = """
import sys
import numpy as np
import psutil
from agtopt import Bounded, Dataset, Network, Problem, Training
from agtopt.intervals.propagation import interval_steps

def held():
    # MiB, without the pages of the map.
    memory = psutil.Process().memory_info()
    return (memory.rss - memory.shared) / 2**20

def problem(samples):
    features = np.load(sys.argv[1], mmap_mode="r")[:samples]
    training = Training("squared", batch_size=2000, learning_rate=0.01)
    data = Dataset(features, np.zeros(samples))
    return Problem(Network.dense([200, 4, 1], seed=0), data, Bounded(10, eps=0.01), training)

list(interval_steps(problem(2000), memory=2**24))
before, whole = held(), problem(100_000)
print(max(held() - before for _ in interval_steps(whole, memory=2**24)))
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_samples(tmp_path):
    """160 MB on disk."""
    data = np.lib.format.open_memmap(tmp_path / "features.npy", "w+", np.float64, (100_000, 200))
    data[:] = np.random.default_rng(0).normal(size=200)
    data.flush()
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path / "features.npy")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) < 60.0
