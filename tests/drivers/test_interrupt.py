"""Ctrl-C: what was found holds, and a run goes on to the result it would have had."""

from itertools import islice

import numpy as np
import pytest

import agtopt
from agtopt import CROWN, IBP
from agtopt.drivers import affine, found, horizon, knowledge, parts, samplewise, stage
from agtopt.drivers import run as module
from agtopt.drivers.samplewise import bound_samplewise
from agtopt.intervals import checkpoint
from agtopt.intervals.affine import checkpoint as affine_checkpoint
from tests.conftest import MODELS
from tests.instances import random_problem


@pytest.fixture(scope="module")
def problem():
    return agtopt.load(MODELS / "removal-hinge")


@pytest.fixture(scope="module")
def attained(problem):
    return agtopt.attack(problem).theta


@pytest.fixture(scope="module")
def whole(problem):
    return agtopt.bound(problem, "MILP", conditional=False)


@pytest.fixture(
    scope="module",
    params=[None, agtopt.Polytope.octagon(3, [(0, 1), (1, 2)])],
    ids=["box", "octagon"],
)
def settings(request):
    return agtopt.Settings("MILP", window=1, conditional=False, domain=request.param)


@pytest.fixture(scope="module")
def whole_in_windows(problem, settings):
    run = agtopt.Run.begin(problem, settings)
    solve_all(run)
    return run.finish()


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
def test_bound_keeps_what_is_certified(problem, attained, whole, stop_after, many):
    stop_after(many)
    reach = agtopt.bound(problem, "MILP", conditional=False)
    assert reach.interrupted
    assert len(reach.rows) == many
    assert reach.domain.contains(attained, 1e-9)
    assert reach.domain.width() >= whole.domain.width() - 1e-9
    for row, same in zip(reach.rows, whole.rows, strict=False):
        assert row.bound == pytest.approx(same.bound, abs=1e-9)
    box = reach.steps[2]
    assert box.contains(np.stack([whole.steps[2].lower, whole.steps[2].upper]), 1e-9)


def solve_all(run):
    while not run.finished:
        run.step()


@pytest.mark.parametrize("many", [0, 2, 7, 10])
@pytest.mark.parametrize("saved", [False, True])
def test_a_run_goes_on(
    problem, attained, settings, whole_in_windows, stop_after, many, saved, tmp_path
):
    """Running the same cell again is all that is needed."""
    stop_after(many)
    run = agtopt.Run.begin(problem, settings)
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
            getattr(reach.domain, end), getattr(whole_in_windows.domain, end), atol=1e-6
        )
    assert reach.domain.contains(attained, 1e-9)
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
    room, name = (
        (affine_checkpoint if saved else affine, "affine_steps")
        if kind == "AFFINE"
        else (checkpoint if saved else horizon, "interval_steps")
    )
    whole, honest = agtopt.bound(problem, kind), getattr(room, name)

    def stopped(*arguments, **options):
        yield from islice(honest(*arguments, **options), many)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(room, name, stopped)
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


def test_models_that_are_interrupted_before_the_first(problem, attained, monkeypatch):
    monkeypatch.setattr(knowledge, "interval_steps", lambda *_, **__: stop())
    reach = agtopt.bound(problem, "LP")
    assert (reach.interrupted, reach.rows, len(reach.states)) == (True, (), problem.steps + 1)
    assert reach.domain.contains(attained)


def stop():
    raise KeyboardInterrupt
    yield


@pytest.fixture
def long_calls(monkeypatch):
    """Count every call of what may take long, in all of its modules."""
    calls = []

    def counted(module, name):
        honest = getattr(module, name)

        def call(*arguments, **options):
            calls.append(name)
            return honest(*arguments, **options)

        monkeypatch.setattr(module, name, call)

    for place in (found, horizon, knowledge, parts):
        counted(place, "interval_steps")
    for place in (module, parts):
        counted(place, "learn_branches")
    counted(stage, "open_session")
    counted(stage, "compile")
    return calls


@pytest.mark.parametrize("kind", ["IBP", "CROWN", "LP"])
@pytest.mark.parametrize("many", [0, 2])
def test_parts_take_the_intervals_of_the_whole(problem, monkeypatch, long_calls, kind, many):
    """What is missing is not propagated either, and no row speaks for a part alone."""
    whole, bounded, left = (
        agtopt.bound(problem, IBP if kind == "IBP" else CROWN),
        parts._bounded,
        [],
    )

    def stopped(part):
        left.append(part)
        if len(left) > many:
            long_calls.clear()
            raise KeyboardInterrupt
        return bounded(part)

    monkeypatch.setattr(parts, "_bounded", stopped)
    reach = agtopt.bound_parts(problem, kind)
    assert long_calls == []
    assert len(left) == many + 1
    assert (reach.interrupted, reach.rows) == (True, ())
    for box, same in zip(reach.states, whole.states, strict=True):
        np.testing.assert_array_equal(box.lower, same.lower)
        np.testing.assert_array_equal(box.upper, same.upper)


def test_parts_that_are_interrupted_before_the_first(problem, monkeypatch):
    monkeypatch.setattr(parts, "interval_steps", lambda *_, **__: stop())
    monkeypatch.setattr(parts, "_bounded", lambda _: pytest.fail("a part is bounded"))
    reach = agtopt.bound_parts(problem, "IBP")
    assert reach.interrupted
    assert reach.domain.width() == np.inf
    assert len(reach.states) == problem.steps + 1


@pytest.mark.parametrize("many", [0, 1, 7, 10])
def test_models_that_are_interrupted_leave_the_steps_after_them_to_intervals(
    problem, monkeypatch, long_calls, stop_after, many
):
    """A window of one step has six bounds; where none was found there is nothing to propagate."""
    honest, steps = found.interval_steps, []

    def noted(problem, start, *rest, **options):
        steps.append(start)
        return honest(problem, start, *rest, **options)

    run = agtopt.Run.begin(problem, agtopt.Settings("LP", window=1, conditional=False))
    stop_after(many)
    with pytest.raises(KeyboardInterrupt):
        solve_all(run)
    monkeypatch.setattr(found, "interval_steps", noted)
    long_calls.clear()
    reach = run.finish()
    assert steps == ([] if many == 0 else list(range(1 + (many > 6), problem.steps)))
    assert long_calls == ["interval_steps"] * len(steps)
    assert reach.interrupted
    assert reach.domain.contains(agtopt.attack(problem).theta, 1e-9)


@pytest.mark.parametrize(
    ("verb", "place", "name"),
    [(agtopt.bound, found, "interval_steps"), (bound_samplewise, samplewise, "train")],
    ids=["models", "samples"],
)
def test_a_second_interrupt_loses_nothing(monkeypatch, verb, place, name):
    """Propagation that follows ends, too, and what is known holds."""
    problem = random_problem(
        12, 2, "hinge", "both", samples=4, steps=2, n=1, eps=0.2, vulnerable=range(4)
    )
    crown, honest, solves = agtopt.bound(problem, "CROWN"), stage.open_session, []

    class Stopped:
        """Answers three solves."""

        def __init__(self, solver, model):
            self.honest = honest(solver, model)

        def solve(self, *arguments, **options):
            solves.append(1)
            if len(solves) > 3:
                monkeypatch.setattr(place, name, lambda *_, **__: stop())
                raise KeyboardInterrupt
            return self.honest.solve(*arguments, **options)

    monkeypatch.setattr(stage, "open_session", Stopped)
    reach = verb(problem, "LP")
    assert reach.interrupted
    assert len(solves) == 4
    assert len(reach.states) == problem.steps + 1
    assert reach.domain.contains(agtopt.attack(problem).theta, 1e-9)
    assert np.all(reach.domain.lower >= crown.domain.lower - 1e-9)
    assert np.all(reach.domain.upper <= crown.domain.upper + 1e-9)


def test_samples_that_are_interrupted_before_the_first(problem, monkeypatch):
    monkeypatch.setattr(knowledge, "interval_steps", lambda *_, **__: stop())
    reach = bound_samplewise(problem, "LP")
    assert (reach.interrupted, reach.rows, len(reach.states)) == (True, (), problem.steps + 1)
    assert reach.domain.width() == np.inf
