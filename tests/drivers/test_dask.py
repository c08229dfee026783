"""Solves on a cluster of dask: the same domain as in this process, also when workers die, and a
bound is lost only with its own task."""

import logging
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster

import agtopt
from agtopt.drivers import run as driver_run
from agtopt.drivers.execute import completed
from agtopt.drivers.stage import run_task
from tests.instances import random_problem

ROOT = Path(__file__).parents[2]
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
LONG = 60
"""Seconds after which what should have happened did not."""


class Cluster:
    """A scheduler in this process, workers in processes of their own, without nannies: what dies
    stays dead."""

    def __init__(self, folder):
        self.folder, self.workers = folder, []
        self.cluster = LocalCluster(
            n_workers=0,
            host="127.0.0.1",
            scheduler_port=0,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )
        self.scheduler, self.client = self.cluster.scheduler, Client(self.cluster)

    def executor(self, workers, deaths=3):
        """On that many living workers; a task is given up by dask once more than so many died of
        it."""
        self.scheduler.allowed_failures = deaths
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        self.workers += [self._worker() for _ in range(workers - len(self.workers))]
        self.client.wait_for_workers(workers, timeout=LONG)
        return self.client.get_executor()

    def _worker(self):
        command = [
            "distributed.cli.dask_worker",
            self.scheduler.address,
            "--nthreads=1",
            "--no-nanny",
            "--no-dashboard",
        ]
        places = ["--host=127.0.0.1", f"--local-directory={self.folder}", "--memory-limit=0"]
        environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, "-m", *command, *places],
            cwd=self.folder,
            env=environment,
            stderr=subprocess.DEVNULL,
        )

    def close(self):
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.client.close()
        self.cluster.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    # Without workers a task would wait for ever; here as in earnest the scheduler is told not to.
    with dask.config.set({"distributed.scheduler.no-workers-timeout": f"{LONG} s"}):
        cluster = Cluster(tmp_path_factory.mktemp("dask"))
        yield cluster
        cluster.close()


@pytest.fixture(scope="module")
def problem():
    return random_problem(0, 2, "squared", "features", samples=5, steps=2, n=1)


def bounded(problem, executor=None):
    return agtopt.bound(problem, "MILP", conditional=False, executor=executor)


@pytest.fixture(scope="module")
def alone(problem):
    return bounded(problem)


def assert_same(found, expected):
    for one, other in zip(found.states, expected.states, strict=True):
        np.testing.assert_array_equal(one.lower, other.lower, strict=True)
        np.testing.assert_array_equal(one.upper, other.upper, strict=True)
    by = ["start", "stop", "objective", "sense"]
    one, other = (
        reach.table().drop(columns=["seconds", "building"]).sort_values(by, ignore_index=True)
        for reach in (found, expected)
    )
    assert one.equals(other)


def eventually(holds):
    end = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_domain_is_the_same(cluster, problem, alone):
    assert (alone.table().source == "MILP").sum() >= 20
    assert_same(bounded(problem, cluster.executor(2)), alone)


def hanging(task, folder):
    if task == 1:
        (folder / "began").touch()
        eventually((folder / "release").exists)
    return 2 * task


def lost(task):
    return -task


def test_a_task_that_hangs_is_lost_and_cancelled(cluster, tmp_path):
    executor = cluster.executor(2)
    with pytest.warns(UserWarning, match="no sign of life for 5 s"):
        found = dict(completed(executor, partial(hanging, folder=tmp_path), range(6), lost, 5.0))
    assert (tmp_path / "began").exists()
    assert found[1] == -1
    # A task that waits behind the one that hangs may be lost with it, if dask does not move it.
    assert sum(found[task] == 2 * task for task in range(6)) >= 4
    assert all(found[task] in (2 * task, -task) for task in range(6))
    eventually(lambda: not cluster.scheduler.tasks)
    (tmp_path / "release").touch()


def last(task, folder):
    if task == 5:
        eventually((folder / "release").exists)
    return 2 * task


def test_what_was_handed_over_is_let_go(cluster, tmp_path):
    """Otherwise dask would solve again what lay on a worker that dies."""
    results = completed(cluster.executor(2), partial(last, folder=tmp_path), range(6), lost, None)
    assert {next(results) for _ in range(5)} == {(task, 2 * task) for task in range(5)}
    eventually(lambda: len(cluster.scheduler.tasks) == 1)
    (tmp_path / "release").touch()
    assert list(results) == [(5, 10)]


def unsound(task):
    raise agtopt.SoundnessError(f"S9: bound {task} excludes a run")


def test_what_a_task_finds_wrong_is_raised(cluster):
    with pytest.raises(agtopt.SoundnessError, match="S9: bound 1 excludes a run"):
        list(completed(cluster.executor(2), unsound, [1], lost, None))


def mortal(task, flag):
    """The second worker that comes here lives."""
    if task.stage.stop == 2 and task.number == 1 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return run_task(task)


@pytest.mark.parametrize("deaths", [0, 3], ids=["tried again here", "tried again by dask"])
def test_a_worker_that_is_killed_changes_nothing(
    cluster, problem, alone, deaths, tmp_path, monkeypatch
):
    monkeypatch.setattr(driver_run, "run_task", partial(mortal, flag=tmp_path / "flag"))
    assert_same(bounded(problem, cluster.executor(2, deaths)), alone)
    assert (tmp_path / "flag").exists()
    assert sorted(worker.poll() is None for worker in cluster.workers) == [False, True]


def deadly(task, number, sense):
    if (task.stage.stop, task.number, task.sense) == (2, number, sense):
        os.kill(os.getpid(), signal.SIGKILL)
    return run_task(task)


def test_a_task_that_always_kills_its_worker_costs_its_bound_only(
    cluster, problem, alone, monkeypatch
):
    names, expected = problem.network.parameter_names, alone.table()
    name = expected[
        (expected.stop == 2) & (expected.sense == "max") & (expected.source == "MILP")
    ].objective.iloc[0]
    monkeypatch.setattr(driver_run, "run_task", partial(deadly, number=names.index(name), sense=1))
    with pytest.warns(
        UserWarning, match="1 of 22 tasks gave no result and are lost; the last one: KilledWorker"
    ):
        reach = bounded(problem, cluster.executor(3, deaths=0))
    table = reach.table()
    lost = (table.stop == 2) & (table.objective == name) & (table.sense == "max")
    assert lost.sum() == 1
    assert set(table[lost].status) == {"lost"}
    assert "lost" not in set(table[~lost].status)
    np.testing.assert_array_equal(reach.domain.lower, alone.domain.lower)
    looser = np.array(names) == name
    np.testing.assert_array_equal(reach.domain.upper[~looser], alone.domain.upper[~looser])
    assert (reach.domain.upper[looser] > alone.domain.upper[looser]).all()
