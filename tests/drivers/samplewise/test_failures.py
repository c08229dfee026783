"""The sample-wise decomposition where solvers lie, workers die, users stop, and arguments are
wrong."""

import pickle
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np
import pytest

import agtopt
from agtopt import (
    CROWN,
    LP,
    MILP,
    MIQCP,
    InvalidInputError,
    SolverUnavailableError,
    SoundnessError,
    bound_samplewise,
)
from agtopt.drivers import samplewise
from agtopt.solvers import PROVED, Status
from tests.drivers.samplewise.cases import assert_holds_runs, assert_within
from tests.drivers.test_lying_solvers import lie, result
from tests.instances import corrupted


@pytest.mark.parametrize("kind", ["LP", "MILP"])
@pytest.mark.parametrize("shift", [1e-3, 0.5, np.inf])
def test_a_bound_that_excludes_an_attained_gradient_raises(monkeypatch, problem, kind, shift):
    """S9: where intervals are exact, as for one layer on clean data, the corners of the box attain
    every bound."""
    solves = lie(
        monkeypatch,
        lambda r, k: result(r.bound + shift * (1.0 + abs(r.bound)) if np.isfinite(shift) else 1e9),
    )
    with pytest.raises(SoundnessError, match=r"S9.*sample.*saved in"):
        bound_samplewise(problem, kind)
    assert solves


@pytest.mark.parametrize("bound", [None, np.nan, -np.inf, -1e6])
@pytest.mark.parametrize("status", ["optimal", "time limit"])
def test_no_bound_falls_back_to_the_interval(monkeypatch, problem, bound, status):
    """S4: and says so in the row."""
    lie(monkeypatch, lambda r, k: result(bound, status, r.incumbent))
    reach, crown = bound_samplewise(problem, "MILP"), agtopt.bound(problem, CROWN)
    for one, other in zip(reach.states, crown.states, strict=True):
        np.testing.assert_array_equal(one.lower, other.lower)
        np.testing.assert_array_equal(one.upper, other.upper)
    assert {row.source for row in reach.rows} == {"interval"}
    assert {row.rigour for row in reach.rows} == {PROVED}
    assert {row.status for row in reach.rows} <= {status, "attained"}


@pytest.mark.parametrize("kind", ["LP", "MILP"])
def test_a_solver_that_calls_a_model_infeasible_costs_its_bound_only(monkeypatch, problem, kind):
    """S4: the nominal run is a feasible point, so that the interval holds, and the row says so."""
    solves = lie(monkeypatch, lambda r, k: result(None, Status.INFEASIBLE))
    reach, crown = bound_samplewise(problem, kind), agtopt.bound(problem, CROWN)
    assert solves
    for one, other in zip(reach.states, crown.states, strict=True):
        np.testing.assert_array_equal(one.lower, other.lower)
        np.testing.assert_array_equal(one.upper, other.upper)
    assert {row.status for row in reach.rows} == {Status.CALLED_INFEASIBLE, Status.ATTAINED}
    assert {row.rigour for row in reach.rows} == {PROVED}


@pytest.mark.slow
def test_a_kind_that_is_stopped_is_never_looser_than_lp(monkeypatch, problem):
    loose = bound_samplewise(problem, LP)
    lie(
        monkeypatch,
        lambda r, k: r if r.rigour == PROVED else result(-1e3, "time limit", r.incumbent),
    )
    stopped = bound_samplewise(problem, MIQCP, time_limit=1.0)
    assert_within(stopped, loose)
    assert {row.status for row in stopped.rows} <= {"time limit", "attained"}
    assert "time limit" in {row.status for row in stopped.rows}


@pytest.mark.slow
@pytest.mark.parametrize("part", [0.0, 0.2, 0.7, 0.99])
def test_interrupted_domains_hold_every_run(monkeypatch, problem, part):
    """S1: Ctrl-C returns what is certified so far."""
    solves = lie(monkeypatch, lambda r, k: r)
    full = bound_samplewise(problem, LP)
    after, before = int(part * len(solves)), len(solves)

    def answer(honest, k):
        if k > after:
            raise KeyboardInterrupt
        return honest

    solves = lie(monkeypatch, answer)
    reach = bound_samplewise(problem, LP)
    assert len(solves) == after + 1 <= before
    assert reach.interrupted
    assert not full.interrupted
    assert len(reach.states) == problem.steps + 1
    assert_holds_runs(reach, [problem.dataset, *corrupted(problem, 20)])
    assert_within(full, reach)
    assert_within(reach, agtopt.bound(problem, CROWN), 0.0)


class Pickling(Executor):
    """Sends everything through pickle, as processes do; `fails` says of which tasks no result comes
    back."""

    def __init__(self, fails=lambda part: False):
        self.fails = fails

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        try:
            if self.fails(args[0].task):
                raise OSError("worker died")
            fn, args, kwargs = pickle.loads(pickle.dumps((fn, args, kwargs)))
            future.set_result(pickle.loads(pickle.dumps(fn(*args, **kwargs))))
        except BaseException as error:
            future.set_exception(error)
        return future


@pytest.mark.parametrize("kind", [LP, MILP])
@pytest.mark.parametrize(
    "executor", [Pickling, lambda: ThreadPoolExecutor(3)], ids=["pickling", "threads"]
)
def test_any_executor_finds_the_same_domain(problem, kind, executor):
    alone = bound_samplewise(problem, kind)
    with executor() as pool:
        together = bound_samplewise(problem, kind, executor=pool)
    for one, other in zip(alone.states, together.states, strict=True):
        np.testing.assert_array_equal(one.lower, other.lower)
        np.testing.assert_array_equal(one.upper, other.upper)
    columns = ["start", "stop", "objective", "sense", "status", "bound", "source", "rigour"]
    assert alone.table()[columns].equals(together.table()[columns])


def test_a_lost_task_costs_width_only(problem):
    """Touched samples of the second step keep their intervals."""
    honest, crown = bound_samplewise(problem, LP), agtopt.bound(problem, CROWN)
    with pytest.warns(UserWarning, match=r"\d of \d tasks gave no result"):
        reach = bound_samplewise(
            problem,
            LP,
            executor=Pickling(lambda part: "touched in step 1" in part.tasks[0].objective.name),
        )
    assert "lost" in {row.status for row in reach.rows if row.start == 1}
    assert "lost" not in {row.status for row in reach.rows if row.start == 0}
    assert honest.domain.width() < reach.domain.width() < crown.domain.width()
    assert_holds_runs(reach, corrupted(problem, 20))


def test_a_box_that_excludes_an_attained_run_raises(monkeypatch, problem):
    """S9: the aggregation is compared with training too."""

    def forgetful(intervals, gradient, tensor):
        intervals.gradients[tensor] = gradient
        return type(gradient)(gradient.lower.mean(1)[0], gradient.upper.mean(1)[0])

    monkeypatch.setattr(samplewise.SampleIntervals, "aggregate", forgetful)
    with pytest.raises(SoundnessError, match="S9: the box after step 1"):
        bound_samplewise(problem, LP)


def test_arguments_are_checked(problem):
    for method in ("IBP", "CROWN", "nothing"):
        with pytest.raises(InvalidInputError):
            bound_samplewise(problem, method)
    with pytest.raises(InvalidInputError, match="time_limit"):
        bound_samplewise(problem, LP, time_limit=0)
    with pytest.raises(SolverUnavailableError, match="unknown"):
        bound_samplewise(problem, LP, solver="none")
    with pytest.raises(SolverUnavailableError, match="highs"):
        bound_samplewise(problem, MIQCP, solver="highs")
