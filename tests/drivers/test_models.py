"""Models live as long as the call that compiled them, whatever other threads and processes do."""

import gc
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

import agtopt
from agtopt.drivers import execute, stage
from agtopt.drivers.models import Models
from agtopt.drivers.objectives import Objective
from agtopt.drivers.samplewise import bound_samplewise
from tests.instances import random_problem

PATIENCE = 20.0
"""Seconds after which a thread that is waited for is held up."""


@pytest.fixture
def problem():
    """Every call asks a solver, in every step."""
    return random_problem(
        12, 2, "hinge", "both", samples=4, steps=2, n=1, eps=0.2, vulnerable=range(4)
    )


def stepped(problem):
    run = agtopt.Run.begin(problem, agtopt.Settings("LP", conditional=False))
    run.step()
    return run


CALLS = {
    "bound": lambda p: agtopt.bound(p, "LP", conditional=False),
    "a run that nobody finished": lambda p: stepped(p) and None,
    "parts": lambda p: agtopt.bound_parts(p, "LP", 2),
    "samples": lambda p: bound_samplewise(p, "LP"),
    "queries": lambda p: agtopt.certify_end_to_end(
        agtopt.bound(p, "IBP"), p.dataset.features[:2], method="LP"
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_nothing_has_to_be_forgotten(problem, monkeypatch, call):
    compiled, honest = [], stage.compile

    def noted(*arguments):
        model = honest(*arguments)
        compiled.append(weakref.ref(model))
        return model

    monkeypatch.setattr(stage, "compile", noted)
    result = CALLS[call](problem)
    gc.collect()
    assert compiled
    assert [model for model in compiled if model() is not None] == []
    del result


def paused(monkeypatch, pause):
    """Let `pause` wait in the middle of the first solve of every session: behind its objective."""
    honest = stage.open_session

    class Paused:
        def __init__(self, solver, model):
            self.honest = honest(solver, model)

        def solve(self, *args, **kwargs):
            pause()
            return self.honest.solve(*args, **kwargs)

    monkeypatch.setattr(stage, "open_session", Paused)


def test_a_call_that_ends_takes_nothing_from_a_task_of_another(problem, monkeypatch):
    """The other thread's session would hold another objective, were it opened anew."""
    expected = agtopt.bound(problem, "LP", conditional=False)
    ended, other, held_up = Event(), stepped(problem), []
    with monkeypatch.context() as patched, ThreadPoolExecutor(1) as pool:
        inside = Event()

        def pause():
            inside.set()
            held_up.append(not ended.wait(PATIENCE))

        paused(patched, pause)
        going = pool.submit(agtopt.bound, problem, "LP", conditional=False)
        assert inside.wait(PATIENCE)
        other.finish()
        ended.set()
        found = going.result()
    assert not any(held_up), "the end of one call waits for the tasks of another"
    np.testing.assert_array_equal(found.domain.lower, expected.domain.lower)
    np.testing.assert_array_equal(found.domain.upper, expected.domain.upper)


def test_models_are_let_go_of_in_the_middle_of_a_task(problem, monkeypatch):
    expected = agtopt.bound(problem, "LP", conditional=False)
    run = agtopt.Run.begin(problem, agtopt.Settings("LP", conditional=False))
    paused(monkeypatch, run.models.clear)
    while not run.finished:
        run.step()
    np.testing.assert_array_equal(run.finish().domain.lower, expected.domain.lower)


def test_threads_take_turns(problem, monkeypatch):
    """A session holds one objective: the second thread does not set its own before the first one is
    done."""
    expected = agtopt.bound(problem, "LP", conditional=False)
    inside, second, seen, minimise = Event(), Event(), [], Objective.minimise

    def noted(objective, *arguments):
        if inside.is_set():
            second.set()
        return minimise(objective, *arguments)

    def pause():
        if not inside.is_set():
            inside.set()
            seen.append(second.wait(0.5))

    monkeypatch.setattr(Objective, "minimise", noted)
    paused(monkeypatch, pause)
    with ThreadPoolExecutor(2) as pool:
        found = agtopt.bound(problem, "LP", conditional=False, executor=pool)
    assert seen == [False]
    np.testing.assert_array_equal(found.domain.lower, expected.domain.lower)
    np.testing.assert_array_equal(found.domain.upper, expected.domain.upper)


@pytest.mark.parametrize("verb", [agtopt.bound, bound_samplewise])
def test_threads_begin_no_solve_after_ctrl_c(problem, monkeypatch, verb):
    """One solves, one waits for its turn, others in the queue: the call is over at once, and only
    the first is heard of again."""
    inside, over, solves = Event(), Event(), []

    def pause():
        solves.append(len(solves))
        inside.set()
        over.wait(PATIENCE)

    def interrupted(*arguments):
        assert inside.wait(PATIENCE)
        raise KeyboardInterrupt

    paused(monkeypatch, pause)
    monkeypatch.setattr(execute, "wait", interrupted)
    with ThreadPoolExecutor(2) as pool:
        reach = verb(problem, "LP", executor=pool)
        assert not over.is_set()
        over.set()
    assert reach.interrupted
    assert solves == [0]


def test_tasks_come_back_to_their_owner_and_in_a_worker_to_one():
    """Compiled once in a worker, whatever was unpickled there."""
    with Models() as models:
        assert pickle.loads(pickle.dumps(models)) is models
    sent = [pickle.dumps(Models()), pickle.dumps(Models())]
    gc.collect()
    first, second = map(pickle.loads, sent)
    assert first is second
    made = []
    for _ in range(3):
        assert first.kept("model", lambda: made.append(1) or "compiled") == "compiled"
    assert made == [1]


def test_the_last_few_are_kept():
    models, made = Models(), []
    for key in (*range(5), 4, 3, 0):
        models.kept(key, lambda key=key: made.append(key))
    assert made == [*range(5), 0]
