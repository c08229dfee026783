"""Loops are compiled wherever they are run, and an interrupt leaves them usable."""

import os
import signal
import subprocess
import sys
from collections import deque
from threading import Thread

import pytest

from agtopt.intervals.scale import jit


def test_loops_are_compiled_anew_where_nothing_can_be_kept(monkeypatch):
    asked = []

    def njit(loop, cache=False):
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return loop

    monkeypatch.setattr(jit, "njit", njit)
    assert jit.jitted(len) is len
    assert asked == [True, False]


def interrupted(calls):
    """A function that is interrupted before it has done what it does."""
    signal.raise_signal(signal.SIGINT)
    calls.append(1)


def test_an_interrupt_waits_for_the_end_of_first_calls_only():
    run, calls, handler = (
        jit.first_calls_uninterrupted(interrupted),
        [],
        signal.getsignal(signal.SIGINT),
    )
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(calls)
        assert calls == [1]
    with pytest.raises(KeyboardInterrupt):
        run(more := deque())
    assert more == deque([1])
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_first_call_that_fails_leaves_interrupts_as_they_were():
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(TypeError):
        jit.first_calls_uninterrupted(len)(1)
    assert signal.getsignal(signal.SIGINT) is handler


def test_threads_call_as_they_are():
    """Only the main one is interrupted from the keyboard, and may say how."""
    found = []
    thread = Thread(target=lambda: found.append(jit.first_calls_uninterrupted(len)("ab")))
    thread.start()
    thread.join()
    assert found == [2]


def test_handlers_that_are_not_of_python_stay(monkeypatch):
    monkeypatch.setattr(signal, "getsignal", lambda _: None)
    assert jit.first_calls_uninterrupted(len)("ab") == 2


INTERRUPTED = """
import signal
import sys
import torch
from agtopt.intervals.scale.kernels import sums

signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
for dtype in (torch.float64, torch.float32):
    one = torch.ones((1, 4), dtype=dtype)
    signal.setitimer(signal.ITIMER_REAL, 0.03)
    try:
        sums((one, one, one, one))
    except KeyboardInterrupt:
        print("interrupted")
    print(sums((one, one, one, one)).tolist())
"""


@pytest.mark.slow
def test_loops_that_are_interrupted_while_they_are_compiled_run_again(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert run.stdout.split("\n")[:4] == ["interrupted", "[[[4.0]], [[-4.0]]]"] * 2
