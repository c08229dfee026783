"""Ctrl-C: what was found holds, and a run goes on to the result it would have had."""

import numpy as np
import pytest

import agtopt
from agtopt.drivers import run as module
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
@pytest.mark.parametrize("template", [None, agtopt.Polytope.octagon(3, [(0, 1), (1, 2)])], ids=["box", "octagon"])
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
        np.testing.assert_allclose(getattr(reach.domain, end), getattr(whole.domain, end), atol=1e-6)
    assert reach.domain.contains(agtopt.attack(problem).theta, 1e-9)
    places = [(row.start, row.stop, row.objective, row.sense) for row in reach.rows]
    assert len(set(places)) == len(places), "a bound stands twice in the table"
