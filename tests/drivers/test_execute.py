"""A worker that dies or hangs costs its own task only, and the domain stays sound."""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event

import numpy as np
import pytest

import agtopt
from agtopt.drivers import processes
from agtopt.drivers import run as driver_run
from agtopt.drivers.execute import completed
from agtopt.drivers.stage import run_task
from tests.conftest import MODELS
from tests.instances import random_problem

LONG = 60
"""Seconds after which what should have happened did not."""


@pytest.fixture(scope="module")
def pool():
    with processes(2) as pool:
        yield pool


def doubled(task, folder):
    """Task 3 kills its worker once, task 5 always."""
    flag = Path(folder) / f"seen{task}"
    first = not flag.exists()
    flag.touch()
    if task == 5 or (task == 3 and first):
        os._exit(1)
    return 2 * task


def lost(task):
    return -task


def test_a_worker_that_dies_costs_its_task_only(pool, tmp_path):
    with pytest.warns(
        UserWarning, match="1 of 8 tasks .* are lost; the last one: BrokenProcessPool"
    ):
        found = dict(completed(pool, partial(doubled, folder=str(tmp_path)), range(8), lost, None))
    assert found == {task: -5 if task == 5 else 2 * task for task in range(8)}


def eventually(holds):
    end = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def hanging(task, folder):
    if task == 1:
        (folder / f"began {os.getpid()}").touch()
        eventually((folder / "release").exists)
    return 2 * task


def test_a_worker_that_hangs_is_killed(tmp_path):
    run = partial(hanging, folder=tmp_path)
    with processes(1) as pool:
        assert dict(completed(pool, run, [0], lost, None)) == {0: 0}
        first = pool.submit(os.getpid).result(LONG)
        with pytest.warns(
            UserWarning, match="1 of 2 tasks .* are lost; the last one: no sign of life for 5 s"
        ):
            assert dict(completed(pool, run, [0, 1], lost, 5.0)) == {0: 0, 1: -1}
        second = pool.submit(os.getpid).result(LONG)
        assert second != first
        # Who loses interest, after Ctrl-C for one, leaves nobody at work.
        results = completed(pool, run, [0, 1], lost, None)
        assert next(results) == (0, 0)
        eventually((tmp_path / f"began {second}").exists)
        results.close()
        assert pool.submit(os.getpid).result(LONG) not in (first, second)


def test_tasks_behind_one_that_hangs_have_their_turn():
    """The only worker is free again after the first task is given up."""
    release = Event()

    def run(task):
        assert task or release.wait(LONG)
        return 2 * task

    def given_up(task):
        release.set()
        return -1

    with (
        ThreadPoolExecutor(1) as pool,
        pytest.warns(
            UserWarning, match="1 of 4 tasks .* are lost; the last one: no sign of life for 1 s"
        ),
    ):
        assert dict(completed(pool, run, range(4), given_up, 1.0)) == {0: -1, 1: 2, 2: 4, 3: 6}


class OddError(Exception):
    """Of no class that any executor is known to raise."""


@pytest.mark.parametrize(
    "error", [OddError, CancelledError, MemoryError, SystemExit, BrokenExecutor]
)
def test_what_else_is_raised_costs_a_task_that_fails_twice(error):
    tries = dict.fromkeys(range(4), 0)

    def run(task):
        tries[task] += 1
        if task == 2 or (task == 1 and tries[task] == 1):
            raise error("what happened")
        return 2 * task

    with (
        ThreadPoolExecutor(2) as pool,
        pytest.warns(
            UserWarning, match=f"1 of 4 tasks .* are lost; the last one: {error.__name__}: what"
        ),
    ):
        assert dict(completed(pool, run, range(4), lost, None)) == {0: 0, 1: 2, 2: -2, 3: 6}
    assert tries == {0: 1, 1: 2, 2: 2, 3: 1}


@pytest.mark.parametrize(
    "error", [agtopt.SoundnessError, agtopt.InfeasibleError, KeyboardInterrupt]
)
def test_what_a_task_finds_wrong_is_raised(error):
    def run(task):
        raise error("S9: a bound excludes a run")

    with ThreadPoolExecutor(1) as pool, pytest.raises(error, match="S9"):
        list(completed(pool, run, [1], lost, None))


class Ghost(Executor):
    """Gone before it has done anything."""

    def __init__(self, left):
        self.left = left

    def submit(self, fn, /, *args, **kwargs):
        if self.left == 0:
            raise BrokenExecutor("nobody is there")
        self.left -= 1
        future = Future()
        future.cancel()
        future.set_running_or_notify_cancel()
        return future


@pytest.mark.parametrize("left", [0, 2, 6])
def test_without_an_executor_every_task_is_lost(left):
    with pytest.warns(UserWarning, match="4 of 4 tasks .* are lost"):
        assert dict(completed(Ghost(left), abs, range(4), lost, None)) == {
            task: -task for task in range(4)
        }


def test_an_executor_that_is_closed_is_refused():
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        list(completed(pool, abs, range(4), lost, None))


@pytest.mark.parametrize("kind", ["LP", "MILP"])
def test_the_domain_depends_on_no_executor_and_no_order(pool, monkeypatch, kind):
    problem = random_problem(0, 2, "squared", "features", samples=5, steps=2, n=1)
    expected = agtopt.bound(problem, kind, conditional=False)
    assert (expected.table().source == kind).sum() >= 20
    found = [agtopt.bound(problem, kind, conditional=False, executor=pool)]
    monkeypatch.setattr(
        driver_run,
        "completed",
        lambda executor, run, tasks, *rest: completed(executor, run, tasks[::-1], *rest),
    )
    with ThreadPoolExecutor(1) as thread:
        found.append(agtopt.bound(problem, kind, conditional=False, executor=thread))
    for reach in found:
        assert [(row.objective, row.sense, row.bound) for row in reach.rows] == [
            (row.objective, row.sense, row.bound) for row in expected.rows
        ]
        for one, other in zip(reach.states, expected.states, strict=True):
            np.testing.assert_array_equal(one.lower, other.lower, strict=True)
            np.testing.assert_array_equal(one.upper, other.upper, strict=True)


def deadly(task):
    if (task.stage.stop, task.number, task.sense) == (2, 0, 1):
        os._exit(1)
    return run_task(task)


def test_a_domain_with_a_lost_bound_is_sound_and_says_so(pool, monkeypatch):
    problem = random_problem(3, 1, "hinge", "flips", samples=6, steps=2, n=2)
    monkeypatch.setattr(driver_run, "run_task", deadly)
    with pytest.warns(UserWarning, match="1 of 6 tasks .* are lost"):
        reach = agtopt.bound(problem, "MILP", conditional=False, executor=pool)
    table = reach.table()
    lost = (table.objective == "dense1_weight[0,0]") & (table.sense == "max") & (table.stop == 2)
    assert lost.sum() == 1
    assert set(table[lost].status) == {"lost"}
    assert "lost" not in set(table[~lost].status)
    inner = agtopt.attack(problem)
    for t, box in enumerate(reach.steps):
        assert box.contains(np.stack([inner.lower[t], inner.upper[t]]), 1e-7)


INTERACTIVE = """
import numpy as np, agtopt
from dataclasses import dataclass
exec(open({blocks!r}).read())
layers = [agtopt.Dense(2, 2), Halve(), agtopt.Dense(2, 1)]
weights = [np.ones(shape) for layer in layers for shape in layer.parameter_shapes().values()]
problem = agtopt.Problem(
    agtopt.Network.chain(layers, (2,), weights),
    agtopt.Dataset(np.eye(2), [1, -1]),
    agtopt.Bounded(1, eps=0.1),
    agtopt.Training("hinge"),
)
with agtopt.processes(1) as pool:
    agtopt.bound(problem, "LP", executor=pool, conditional=False)
"""


def test_what_a_notebook_defines_is_refused_before_workers_die_of_it(tmp_path):
    """As in a notebook, the main module has no file."""
    text = (MODELS.parent / "docs" / "extending.md").read_text(encoding="utf-8")
    (tmp_path / "blocks.py").write_text(
        re.search(r"```python\n(.*?)```", text, flags=re.DOTALL)[1], encoding="utf-8"
    )
    code = INTERACTIVE.format(blocks=str(tmp_path / "blocks.py"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (
        "InvalidInputError: executor: worker processes cannot import what is defined here (Halve)"
        in done.stderr
    )
    assert "SpawnProcess" not in done.stderr
