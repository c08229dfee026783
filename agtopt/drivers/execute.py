"""Executors for the solves of a step: any of PEP 3148, and worker processes that outlive a crash."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from multiprocessing import get_context
from typing import Any, TypeVar

from agtopt.errors import AgtoptError
from agtopt.problem.checks import whole
from agtopt.semantics.concrete import use_one_thread

T = TypeVar("T")
R = TypeVar("R")


class Workers(Executor):
    """Worker processes on this machine, one thread each; when one dies, new ones take its place.

    Parameters
    ----------
    workers : int
        At least 1.
    """

    def __init__(self, workers: int) -> None:
        self.workers = whole("workers", workers, 1)
        self._pool = self._opened()

    def _opened(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"), initializer=use_one_thread)

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        try:
            return self._pool.submit(fn, *args, **kwargs)
        except BrokenExecutor:
            self._pool.shutdown(wait=False)
            self._pool = self._opened()
            return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


def processes(workers: int) -> Workers:
    """Worker processes on this machine, one thread each; a context manager.

    Parameters
    ----------
    workers : int
        At least 1.

    Raises
    ------
    InvalidInputError
        If `workers` is no whole number of at least 1.
    """
    return Workers(workers)


def completed(
    executor: Executor, run: Callable[[T], R], tasks: Sequence[T], lost: Callable[[T], R], patience: float | None
) -> Iterator[tuple[T, R]]:
    """Run tasks side by side and hand them over as they end.

    A task whose worker dies is tried once more, alone, so that it takes no others with it; a task that fails again, or that has not ended
    when no task ended for `patience` seconds, costs itself only.

    Parameters
    ----------
    executor : concurrent.futures.Executor
    run : callable
        From a task to its result, in a worker.
    tasks : sequence
    lost : callable
        From a task to its result when no worker gave one.
    patience : float or None
        Seconds; None waits for ever.

    Raises
    ------
    AgtoptError
        What a task raised itself.
    """
    futures = {executor.submit(run, task): task for task in tasks}
    failed: list[T] = []
    pending = set(futures)
    try:
        while pending:
            ended, pending = wait(pending, patience, return_when="FIRST_COMPLETED")
            if not ended:
                break
            for future in ended:
                if isinstance(future.exception(), AgtoptError) or future.exception() is None:
                    yield futures[future], future.result()
                else:
                    failed.append(futures[future])
        for task in failed:
            yield task, _once_more(executor, run, task, lost, patience)
        for future in pending:
            yield futures[future], lost(futures[future])
    finally:
        for future in futures:
            future.cancel()


def _once_more(executor: Executor, run: Callable[[T], R], task: T, lost: Callable[[T], R], patience: float | None) -> R:
    try:
        return executor.submit(run, task).result(patience)
    except AgtoptError:
        raise
    except (FutureTimeoutError, RuntimeError, OSError, ValueError, TypeError):
        return lost(task)
