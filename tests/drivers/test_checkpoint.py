"""`bound` with a checkpoint: a run that was killed goes on to the identical result."""

import numpy as np
import pytest

import agtopt
from agtopt import InvalidInputError
from agtopt.drivers import horizon, run
from agtopt.drivers.run import Run
from tests.instances import random_problem


@pytest.fixture
def problem():
    return random_problem(4, 1, "hinge", "flips", samples=8, steps=3, n=2, vulnerable=range(8))


def same(found, expected):
    for box, other in zip(found.steps, expected.steps, strict=True):
        np.testing.assert_array_equal(box.lower, other.lower)
        np.testing.assert_array_equal(box.upper, other.upper)


class Killed(BaseException):
    """Not an interrupt, which would be caught."""


@pytest.mark.parametrize(
    "domain",
    [None, agtopt.Polytope(np.array([[1.0, 1.0, 0.0], [0.0, 1.0, -1.0]]))],
    ids=["box", "template"],
)
@pytest.mark.parametrize("stop", [0, 1, 2])
def test_windows_that_were_solved_are_not_solved_again(
    problem, tmp_path, monkeypatch, stop, domain
):
    expected = agtopt.bound(problem, "LP", window=1, domain=domain)
    step, solved = Run.step, []

    def counted(run, bar=None):
        if len(solved) == stop:
            raise Killed
        solved.append(run.done)
        step(run, bar)

    monkeypatch.setattr(Run, "step", counted)
    with pytest.raises(Killed):
        agtopt.bound(problem, "LP", window=1, domain=domain, checkpoint=tmp_path)
    stop = 99
    found = agtopt.bound(problem, "LP", window=1, domain=domain, checkpoint=tmp_path)
    assert solved == [0, 1, 2]
    same(found, expected)
    assert len(found.rows) == len(expected.rows)


@pytest.mark.parametrize("kind", ["IBP", "CROWN", "AFFINE"])
def test_propagation_goes_on(problem, tmp_path, kind, monkeypatch):
    expected = agtopt.bound(problem, kind)
    same(agtopt.bound(problem, kind, checkpoint=tmp_path), expected)
    monkeypatch.setattr(horizon, "interval_steps", None)
    same(agtopt.bound(problem, kind, checkpoint=tmp_path), expected)


@pytest.mark.parametrize(
    "other",
    [
        {"window": 2},
        {"time_limit": 9.0},
        {"domain": agtopt.Polytope(np.eye(3)[:1])},
        {"method": "MILP"},
    ],
)
def test_the_checkpoint_of_another_run_is_refused(problem, tmp_path, other):
    agtopt.bound(problem, "LP", window=1, checkpoint=tmp_path)
    with pytest.raises(InvalidInputError, match="other settings"):
        agtopt.bound(problem, **{"method": "LP", "window": 1, "checkpoint": tmp_path, **other})


def test_an_interrupted_model_goes_on(problem, tmp_path, monkeypatch):
    """Bounds that were found before Ctrl-C are asked of no solver again."""
    expected = agtopt.bound(problem, "LP", conditional=False)
    asked, run_task = [], run.run_task

    def counted(task):
        if len(asked) == 3:
            raise KeyboardInterrupt
        asked.append((task.stage.stop, task.number, task.sense))
        return run_task(task)

    monkeypatch.setattr(run, "run_task", counted)
    assert agtopt.bound(problem, "LP", conditional=False, checkpoint=tmp_path).interrupted
    first, asked = asked, []
    monkeypatch.setattr(
        run,
        "run_task",
        lambda task: asked.append((task.stage.stop, task.number, task.sense)) or run_task(task),
    )
    found = agtopt.bound(problem, "LP", conditional=False, checkpoint=tmp_path)
    assert not set(first) & set(asked)
    assert found.domain.width() == pytest.approx(expected.domain.width(), rel=1e-9)


@pytest.mark.parametrize(
    "option", [{"domain": agtopt.Polytope(np.eye(3))}, {"obbt": agtopt.OBBT()}, {"proofs": "x"}]
)
def test_what_propagation_does_not_take_is_refused(problem, option):
    with pytest.raises(InvalidInputError, match=f"{next(iter(option))}: IBP is propagated"):
        agtopt.bound(problem, "IBP", **option)
