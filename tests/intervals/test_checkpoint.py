"""A run that was killed goes on to the identical domain."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from agtopt import InvalidInputError
from agtopt.intervals import checkpoint
from agtopt.intervals.checkpoint import checkpointed_steps
from agtopt.intervals.propagation import interval_steps
from tests.matrix import CELLS, cell_problem


def same(found, expected):
    for box, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(box.lower, other.lower)
        np.testing.assert_array_equal(box.upper, other.upper)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("cell", CELLS[::5], ids=str)
def test_a_killed_run_resumes_to_the_identical_domain(tmp_path, cell, linear):
    problem = cell_problem(cell, eps=0.1)
    expected = list(interval_steps(problem, linear=linear))
    for stop in range(1, len(expected) + 1):
        same(islice(checkpointed_steps(problem, tmp_path, linear), stop), expected[:stop])
    same(checkpointed_steps(problem, tmp_path, linear), expected)


def test_steps_that_are_there_are_not_propagated_again(tmp_path, flips, monkeypatch):
    expected = list(checkpointed_steps(flips, tmp_path))
    (tmp_path / "step_000099.7.tmp").write_bytes(b"half a file")
    starts = []
    monkeypatch.setattr(
        checkpoint,
        "interval_steps",
        lambda problem, start, *_, **__: starts.append(start) or iter(()),
    )
    same(checkpointed_steps(flips, tmp_path), expected)
    assert starts == [flips.steps]


def test_the_folder_of_another_run_is_refused(tmp_path, flips):
    list(checkpointed_steps(flips, tmp_path))
    other = replace(flips, training=replace(flips.training, learning_rate=0.123))
    for again, words in (
        (checkpointed_steps(other, tmp_path), "of another problem"),
        (checkpointed_steps(flips, tmp_path, linear=True), "of a run with other settings"),
    ):
        with pytest.raises(InvalidInputError, match=words):
            next(again)


def test_a_broken_file_is_named(tmp_path, flips):
    list(checkpointed_steps(flips, tmp_path))
    last = max(tmp_path.iterdir())
    last.write_bytes(last.read_bytes()[:100])
    with pytest.raises(InvalidInputError, match=f"{last.name} is broken"):
        list(checkpointed_steps(flips, tmp_path))
