"""A worker that dies or hangs costs its own task only, and the domain stays sound."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import agtopt
from agtopt.drivers import processes
from agtopt.drivers import run as driver_run
from agtopt.drivers.execute import completed
from agtopt.drivers.stage import run_task
from tests.instances import random_problem


def doubled(task, folder):
    """Task 3 kills its worker once, task 5 always; task 6 sleeps."""
    flag = Path(folder) / f"seen{task}"
    first = not flag.exists()
    flag.touch()
    if task == 5 or (task == 3 and first):
        os._exit(1)
    return 2 * task


def lost(task):
    return -task


def test_a_worker_that_dies_costs_its_task_only(tmp_path):
    with processes(2) as pool:
        found = dict(completed(pool, partial(doubled, folder=str(tmp_path)), range(8), lost, None))
    assert found == {task: -5 if task == 5 else 2 * task for task in range(8)}


def slow(task):
    time.sleep(3.0 if task == 1 else 0.0)
    return task


def test_a_task_without_a_sign_of_life_is_given_up():
    with ThreadPoolExecutor(2) as pool:
        began = time.perf_counter()
        found = dict(completed(pool, slow, [0, 1, 2], lost, 0.5))
        assert time.perf_counter() - began < 2.5
    assert found == {0: 0, 1: -1, 2: 2}


def raising(task):
    raise agtopt.SoundnessError("S9: a bound excludes a run")


def test_what_a_task_finds_wrong_is_raised():
    with ThreadPoolExecutor(1) as pool, pytest.raises(agtopt.SoundnessError, match="S9"):
        list(completed(pool, raising, [1], lost, None))


def deadly(task):
    if task.number == 0:
        os._exit(1)
    return run_task(task)


def test_a_domain_with_lost_bounds_is_sound_and_says_so(monkeypatch):
    problem = random_problem(3, 1, "hinge", "flips", samples=6, steps=2, n=2)
    monkeypatch.setattr(driver_run, "run_task", deadly)
    with processes(2) as pool:
        reach = agtopt.bound(problem, "MILP", conditional=False, executor=pool)
    table = reach.table()
    assert set(table[table.objective == "dense1_weight[0,0]"].status) == {"lost"}
    assert "lost" not in set(table[table.objective != "dense1_weight[0,0]"].status)
    inner = agtopt.attack(problem)
    for t, box in enumerate(reach.steps):
        assert box.contains(np.stack([inner.lower[t], inner.upper[t]]), 1e-7)
