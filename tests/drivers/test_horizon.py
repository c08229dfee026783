"""Which models are solved, in which order, and that the domain does not depend on who solves
them."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import agtopt
from agtopt import InvalidInputError
from agtopt.drivers.windows import windows


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((3, 3, 3, True), [(0, 1), (0, 2), (0, 3)]),
        ((3, 3, 3, False), [(0, 3)]),
        ((4, 2, 2, True), [(0, 1), (0, 2), (2, 3), (2, 4)]),
        ((5, 2, 2, False), [(0, 2), (2, 4), (4, 5)]),
        ((4, 1, 1, True), [(0, 1), (1, 2), (2, 3), (3, 4)]),
        ((6, 3, 2, True), [(0, 1), (0, 2), (0, 3), (2, 4), (2, 5), (4, 6)]),
        ((4, 3, 2, False), [(0, 2), (0, 3), (2, 4)]),
    ],
)
def test_windows(arguments, expected):
    assert [(window.start, window.stop) for window in windows(*arguments)] == expected


@pytest.mark.parametrize("tighten", [True, False])
@pytest.mark.parametrize("steps", range(1, 8))
def test_every_window_starts_where_the_parameters_were_bounded(steps, tighten):
    """A start that no model bounded would only have its interval, and the longer window would be
    looser (S7)."""
    for length in range(1, steps + 1):
        for stride in range(1, length + 1):
            found = [
                (window.start, window.stop) for window in windows(steps, length, stride, tighten)
            ]
            stops = {stop for _, stop in found}
            assert {start for start, _ in found} <= stops | {0}
            assert max(stops) == steps
            assert all(0 < stop - start <= length for start, stop in found)
            assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    "options",
    [
        {"window": 0},
        {"window": 1.5},
        {"window": True},
        {"stride": 0},
        {"window": 1, "stride": 2},
        {"stride": 9},
        {"time_limit": 0},
        {"time_limit": -1.0},
        {"time_limit": np.nan},
        {"time_limit": "5"},
    ],
)
def test_window_stride_and_time_limit_are_checked(flips, options):
    name = list(options)[-1]
    with pytest.raises(InvalidInputError, match=name):
        agtopt.bound(flips, "LP", **options)


def test_a_window_beyond_the_run_is_the_full_horizon(flips):
    full, long = (agtopt.bound(flips, "LP", window) for window in (None, 99))
    np.testing.assert_array_equal(full.domain.lower, long.domain.lower)


TOGETHER = """
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np

import agtopt
from tests.instances import random_problem

if __name__ == "__main__":
    problem = random_problem(4, 1, "hinge", "flips", samples=8, steps=3, n=2)
    with {executor} as pool:
        for kind in ("LP", "MILP"):
            alone = agtopt.bound(problem, kind, conditional=False)
            together = agtopt.bound(problem, kind, conditional=False, executor=pool)
            assert len(together.rows) == len(alone.rows)
            for end in ("lower", "upper"):
                found, wanted = getattr(together.domain, end), getattr(alone.domain, end)
                np.testing.assert_allclose(found, wanted, rtol=0, atol=3e-5)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "executor", ["ProcessPoolExecutor(2, mp_context=get_context('spawn'))", "ThreadPoolExecutor(4)"]
)
def test_any_executor_finds_the_same_domain(executor, tmp_path):
    """Objectives run through any PEP 3148 executor (apart: threads that share a session crash the
    process)."""
    script = tmp_path / "together.py"
    script.write_text(TOGETHER.format(executor=executor))
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert done.returncode == 0, done.stderr[-1500:]


def test_rows_tell_what_every_bound_rests_on(flips):
    reach = agtopt.bound(flips, "MILP")
    table = reach.table()
    assert len(table) == 2 * flips.network.size * flips.steps
    assert set(table["objective"]) == set(flips.network.parameter_names)
    final = table[table["stop"] == flips.steps]
    for k, name in enumerate(flips.network.parameter_names):
        low, high = (
            final[(final["objective"] == name) & (final["sense"] == sense)]["bound"].item()
            for sense in ("min", "max")
        )
        assert low <= reach.domain.lower[k] <= reach.domain.upper[k] <= high
        assert (
            final[(final["objective"] == name) & (final["sense"] == "min")]["attained"].item()
            >= low
        )
    assert not reach.interrupted
    assert reach.steps[0].width() == 0


def test_half_moons_equals_enumeration(half_moons_reach, half_moons_hull):
    """Issue 2: the ratio to the enumerated width is at most 1.001."""
    assert half_moons_hull.exact
    assert half_moons_hull.runs == 129
    assert half_moons_reach.domain.width() <= 1.001 * half_moons_hull.domain.width()
    for box, low, high in zip(
        half_moons_reach.steps, half_moons_hull.lower, half_moons_hull.upper, strict=True
    ):
        assert np.all(box.lower <= low)
        assert np.all(high <= box.upper)


@pytest.mark.slow
def test_half_moons_equals_enumeration_without_conditional_bounds(half_moons):
    """Issue 2: the optimisation itself is strong; the first five steps."""
    batches = half_moons.schedule[:5]
    training = replace(half_moons.training, epochs=3)
    problem = replace(half_moons, training=training)
    assert all(np.array_equal(a, b) for a, b in zip(problem.schedule[:5], batches, strict=True))
    prefix = replace(problem, training=replace(training, epochs=2))
    reach, inner = agtopt.bound(prefix, "MILP", conditional=False), agtopt.attack(prefix)
    assert reach.domain.width() <= 1.001 * inner.domain.width()
    assert np.all(reach.domain.lower <= inner.domain.lower)
    assert np.all(inner.domain.upper <= reach.domain.upper)


def test_miqcp_of_half_moons_is_the_milp(half_moons, half_moons_reach):
    """No continuous product is left in a linear model with clean features, so MIQCP = MILP."""
    box = agtopt.bound(half_moons, "MIQCP").domain
    np.testing.assert_allclose(box.lower, half_moons_reach.domain.lower, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(box.upper, half_moons_reach.domain.upper, rtol=1e-4, atol=1e-4)
