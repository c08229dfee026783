"""Ctrl-C: what was found holds, and a run goes on to the result it would have had."""

from itertools import islice

import numpy as np
import pytest

import agtopt
from agtopt.drivers import horizon
from agtopt.drivers import run as module
from agtopt.intervals import checkpoint
from tests.conftest import MODELS


@pytest.fixture
def problem():
    return agtopt.load(MODELS / "removal-hinge")


@pytest.fixture
def stop_after(monkeypatch):
    """Let so many solves pass, then interrupt once."""
    real = module.run_task

    def patched(many):
        left = [many]

        def solve(task):
            left[0] -= 1
            if left[0] == -1:
                raise KeyboardInterrupt
            return real(task)

        monkeypatch.setattr(module, "run_task", solve)

    return patched


@pytest.mark.parametrize("many", [0, 1, 5, 8])
def test_bound_keeps_what_is_certified(problem, stop_after, many):
    whole = agtopt.bound(problem, "MILP", conditional=False)
    stop_after(many)
    reach = agtopt.bound(problem, "MILP", conditional=False)
    assert reach.interrupted
    assert len(reach.rows) == many
    assert reach.domain.contains(agtopt.attack(problem).theta, 1e-9)
    assert reach.domain.width() >= whole.domain.width() - 1e-9
    for row, same in zip(reach.rows, whole.rows, strict=False):
        assert row.bound == pytest.approx(same.bound, abs=1e-9)
    box = reach.steps[2]
    assert box.contains(np.stack([whole.steps[2].lower, whole.steps[2].upper]), 1e-9)


def solve_all(run):
    while not run.finished:
        run.step()


@pytest.mark.parametrize("many", [0, 2, 7, 10])
@pytest.mark.parametrize(
    "template", [None, agtopt.Polytope.octagon(3, [(0, 1), (1, 2)])], ids=["box", "octagon"]
)
@pytest.mark.parametrize("saved", [False, True])
def test_a_run_goes_on(problem, stop_after, many, template, saved, tmp_path):
    """Running the same cell again is all that is needed."""
    settings = agtopt.Settings("MILP", window=1, conditional=False, domain=template)
    whole = agtopt.bound(problem, "MILP", window=1, conditional=False, domain=template)
    stop_after(many)
    run = agtopt.Run(problem, settings)
    with pytest.raises(KeyboardInterrupt):
        solve_all(run)
    assert len(run.rows) == many
    if saved:
        run = agtopt.Run.resume(problem, run.save(tmp_path / "run.npz"))
    solve_all(run)
    reach = run.finish()
    assert not reach.interrupted
    for end in ("lower", "upper"):
        np.testing.assert_allclose(
            getattr(reach.domain, end), getattr(whole.domain, end), atol=1e-6
        )
    assert reach.domain.contains(agtopt.attack(problem).theta, 1e-9)
    places = [(row.start, row.stop, row.objective, row.sense) for row in reach.rows]
    assert len(set(places)) == len(places), "a bound stands twice in the table"


@pytest.mark.parametrize("kind", ["IBP", "CROWN", "AFFINE"])
@pytest.mark.parametrize("many", [0, 1])
@pytest.mark.parametrize("saved", [False, True])
def test_propagation_keeps_the_steps_that_are_done(
    problem, monkeypatch, kind, many, saved, tmp_path
):
    """After them is the whole line, which certifies nothing; a run with a checkpoint goes on."""
    place = tmp_path if saved else None
    whole, honest = (
        agtopt.bound(problem, kind),
        checkpoint.interval_steps if saved else horizon.interval_steps,
    )

    def stopped(*arguments, **options):
        yield from islice(honest(*arguments, **options), many)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint if saved else horizon, "interval_steps", stopped)
        reach = agtopt.bound(problem, kind, checkpoint=place)
    assert reach.interrupted
    assert len(reach.states) == problem.steps + 1
    for t, (box, same) in enumerate(zip(reach.states, whole.states, strict=True)):
        np.testing.assert_array_equal(
            box.lower, same.lower if t <= many else np.full(len(same), -np.inf)
        )
        np.testing.assert_array_equal(
            box.upper, same.upper if t <= many else np.full(len(same), np.inf)
        )
    assert not agtopt.certify(reach, problem.dataset.features).stable.any()
    assert not agtopt.bound(problem, kind, checkpoint=place).interrupted


def test_what_is_frozen_is_known_after_an_interrupt(monkeypatch):
    frozen = agtopt.load(MODELS / "conv-frozen")
    monkeypatch.setattr(horizon, "interval_steps", lambda *_, **__: stop())
    box, start = agtopt.bound(frozen, "IBP").states[-1], frozen.flatten(frozen.state)
    still = np.isfinite(box.lower)
    assert still.any()
    assert not still.all()
    np.testing.assert_array_equal(box.lower[still], start[still])
    np.testing.assert_array_equal(box.upper[still], start[still])


def test_models_that_are_interrupted_before_the_first(problem, monkeypatch):
    monkeypatch.setattr(module, "interval_steps", lambda *_, **__: stop())
    reach = agtopt.bound(problem, "LP")
    assert (reach.interrupted, reach.rows, len(reach.states)) == (True, (), problem.steps + 1)
    assert reach.domain.contains(agtopt.attack(problem).theta)


def stop():
    raise KeyboardInterrupt
    yield
