"""Speed of many objectives, one session or several workers: ``pytest tests/benchmarks
--benchmark-enable -s -n 0``; nothing asserts a time.

Other work on the machine makes wall-clock ratios worthless: the load is printed beside them, and
what does not depend on it.
"""

import os
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from time import perf_counter, process_time

import numpy as np
import pytest

import agtopt
from agtopt.drivers import processes
from agtopt.drivers import run as driver_run
from agtopt.drivers.stage import run_task
from agtopt.solvers import choose, open_session
from tests.benchmarks.test_speed import report


def timed(action):
    """CPU seconds and result."""
    began = process_time()
    result = action()
    return process_time() - began, result


@pytest.mark.parametrize("steps", [5, 14])
def test_min_and_max_of_every_parameter_through_one_session(benchmark, half_moons, steps):
    """20 LP objectives through one session, its opening included, against a model and a session for
    each. CPU seconds."""
    stop = steps if benchmark.enabled else 2
    directions = [sense * unit for unit in np.eye(half_moons.network.size) for sense in (-1, 1)]

    def opened():
        model = agtopt.compile(half_moons, "LP", stop=stop, conditional=False)
        model.minimise(directions[0])
        return model, open_session(choose("highs", False), model.pyomo)

    def solved(model, session, direction):
        model.minimise(direction)
        return session.solve().bound

    def together():
        model, session = opened()
        return [solved(model, session, direction) for direction in directions]

    def apart():
        return [solved(*opened(), direction) for direction in directions]

    opened()
    (one, bounds), (fresh, others) = timed(together), timed(apart)
    np.testing.assert_allclose(bounds, others, rtol=1e-6, atol=1e-6)
    benchmark.pedantic(together)
    report(benchmark, steps=stop, one_session_s=one, fresh_s=fresh, ratio=one / fresh)


def recorded(task, folder):
    """The CPU seconds of a task, by stage and worker."""
    began = process_time()
    row = run_task(task)
    with (folder / f"{task.stage.stop} {os.getpid()}").open("a") as file:
        file.write(f"{process_time() - began}\n")
    return row


def cpu(folder):
    """CPU seconds of all tasks, and of the longest way: over the stages, the sum of the busiest
    worker's."""
    stages = {}
    for path in folder.iterdir():
        stages.setdefault(path.name.split()[0], []).append(
            sum(map(float, path.read_text().split()))
        )
    return sum(map(sum, stages.values())), sum(map(max, stages.values()))


def test_workers_against_this_process(benchmark, half_moons, tmp_path, monkeypatch):
    """The 20 MILP objectives of the full horizon here, in one worker and in two; starting workers
    is counted, stopping them is not."""
    problem = (
        half_moons
        if benchmark.enabled
        else replace(half_moons, training=replace(half_moons.training, epochs=1))
    )
    domains, seconds, loads = [], {0: [], 1: [], 2: []}, []

    def bounded(workers):
        folder = tmp_path / str(len(domains))
        folder.mkdir()
        monkeypatch.setattr(driver_run, "run_task", partial(recorded, folder=folder))
        began = perf_counter()
        with processes(workers) if workers else nullcontext() as pool:
            domains.append(
                agtopt.bound(
                    problem, "MILP", conditional=False, tighten=False, executor=pool
                ).domain
            )
            seconds[workers].append((perf_counter() - began, *cpu(folder)))
        loads.append(os.getloadavg()[0])

    for workers in (0, 1, 2, 0, 1) if benchmark.enabled else (0,):
        bounded(workers)
    benchmark.pedantic(bounded, (2,))
    for domain in domains[1:]:
        np.testing.assert_allclose(domain.lower, domains[0].lower, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(domain.upper, domains[0].upper, rtol=1e-9, atol=1e-9)
    best = {workers: np.min(rows, axis=0) for workers, rows in seconds.items() if rows}
    wall, work, way = ({workers: float(row[k]) for workers, row in best.items()} for k in range(3))
    speedups = {
        f"wall_{first}_to_{second}": wall[first] / wall[second]
        for first in wall
        for second in wall
        if first < second
    }
    numbers = {
        "wall_s": wall[0],
        "cpu_s": work[0],
        "more_cpu": work[2] / work[0],
        "uneven": 2 * way[2] / work[2],
    }
    report(
        benchmark,
        **numbers,
        **speedups,
        by_cpu=way[0] / way[2],
        load_min=min(loads),
        load_max=max(loads),
    )
