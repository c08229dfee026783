"""Executors for the solves of a step: any of PEP 3148, and worker processes that outlive a crash.

dask: ``Client(address).get_executor()``, with workers of one thread each and their nannies (``dask
worker --nthreads 1 …``); set ``distributed.scheduler.no-workers-timeout``, or a run whose workers
are all gone waits for ever.

MPI: ``with MPIPoolExecutor() as pool:`` of mpi4py.futures, in a script that ``mpiexec -n 9 python
-m mpi4py.futures script.py`` runs on eight workers; MPI ends the whole run if one of them dies.
"""

import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass
from multiprocessing import current_process
from multiprocessing.context import SpawnContext, SpawnProcess
from queue import SimpleQueue
from threading import Lock
from typing import Any, Generic, TypeVar
from uuid import uuid4
from warnings import warn
from weakref import WeakKeyDictionary

from agtopt.arguments import typed
from agtopt.errors import AgtoptError, InvalidInputError
from agtopt.files import noted, report
from agtopt.problem.checks import whole
from agtopt.training.concrete import use_one_thread

T = TypeVar("T")
R = TypeVar("R")

WORKER = "agtopt worker"
MOST_WORKERS = 1024
"""Each is a process that starts at once."""
GUARD = (
    "every worker imports the script that starts it, so put what the script does under `if "
    '__name__ == "__main__":`'
)


class _Spawning(SpawnContext):
    """Starts processes afresh, and remembers the last of them."""

    process: SpawnProcess | None = None

    def Process(self, *args: Any, **kwargs: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: N802  (Python's name)
        self.process = SpawnProcess(*args, **kwargs)
        self.process.name = WORKER
        return self.process


class _Worker(ProcessPoolExecutor):
    """A pool of one process, which can be killed."""

    def __init__(self) -> None:
        self._spawning = _Spawning()
        self._first: Future[int] | None = None
        super().__init__(1, mp_context=self._spawning, initializer=use_one_thread)

    def start(self) -> None:
        """Start the process, if that was not done yet."""
        if self._first is None:
            self._first = self.submit(os.getpid)

    def kill(self) -> None:
        if self._spawning.process is not None:
            self._spawning.process.kill()

    def check_started(self) -> None:
        """Refuse a process that ended by itself before its first call: every other would end there
        too."""
        process = self._spawning.process
        if process is None or self._first is None or self._first.exception() is None:
            return
        process.join()
        if process.exitcode is not None and process.exitcode >= 0:
            raise InvalidInputError(
                f"executor: a worker process ended before its first call (exit code "
                f"{process.exitcode}): {GUARD}; "
                "where that is done, what the worker printed says why it ended"
            ) from None


class Workers(ThreadPoolExecutor):
    """Worker processes on this machine, one thread each; one that dies costs the call it was at,
    and another takes its place.

    They start at once, side by side with what comes before their first call: importing takes longer
    than many a solve.

    Parameters
    ----------
    workers : int
        At least 1.
    """

    def __init__(self, workers: int) -> None:
        _check_importing()
        self.workers = whole("workers", workers, 1)
        if self.workers > MOST_WORKERS:
            raise InvalidInputError(
                f"workers: {workers} are not allowed; on one machine {MOST_WORKERS} are at most"
            )
        super().__init__(self.workers)
        self._turn = Lock()
        self._places: WeakKeyDictionary[Future[Any], list[_Worker]] = WeakKeyDictionary()
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        for _ in range(self.workers):
            worker = _Worker()
            worker.start()
            self._idle.put(worker)

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        place: list[_Worker] = []
        future = super().submit(self._remotely, place, fn, args, kwargs)
        self._places[future] = place
        return future

    def _remotely(
        self,
        place: list[_Worker],
        fn: Callable[..., R],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> R:
        """In one of as many threads as there are workers: hand the call to an idle one and wait."""
        worker = self._idle.get()
        with self._turn:
            place.append(worker)
        try:
            worker.start()
            return worker.submit(fn, *args, **kwargs).result()
        except BrokenExecutor:
            worker.check_started()
            worker = _Worker()
            raise
        finally:
            with self._turn:
                place.clear()
            self._idle.put(worker)

    def give_up(self, future: Future[Any]) -> None:
        """Cancel a call; if it runs, kill the worker that runs it."""
        if not future.cancel():
            with self._turn:
                for worker in self._places.get(future, ()):
                    worker.kill()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            workers = [self._idle.get() for _ in range(self._idle.qsize())]
            with ThreadPoolExecutor(self.workers) as threads:
                list(threads.map(ProcessPoolExecutor.shutdown, workers))


def _check_importing() -> None:
    """Let no worker that imports the script start workers of its own."""
    if not getattr(current_process(), "_inheriting", False):  # multiprocessing's own mark
        return
    if current_process().name == WORKER:
        sys.exit(1)  # without a word: the process that started it raises one error for all workers
    raise InvalidInputError(
        f"executor: worker processes cannot start while their script is imported: {GUARD}"
    )


@typed()
def processes(workers: int) -> Workers:
    """Worker processes on this machine, one thread each; a context manager.

    Every worker imports the script that starts it, so that a script needs a guard (a notebook needs
    none)::

        if __name__ == "__main__":
            with agtopt.processes(8) as pool:
                reach = agtopt.bound(problem, "MILP", executor=pool)

    Parameters
    ----------
    workers : int
        At least 1.

    Returns
    -------
    Workers
        An executor; its processes end with the context.

    Raises
    ------
    InvalidInputError
        If `workers` is no whole number from 1 to 1024. A call to a worker raises it where the
        script has no guard.
    """
    return Workers(workers)


class _Attempt(Generic[T, R]):
    """A call with a name of its own.

    dask takes calls that look alike for one and the same: it would answer the second attempt with
    the failure of the first.
    """

    def __init__(self, run: Callable[[T], R], task: T) -> None:
        self.run = run
        self.task = task
        self.name = uuid4().hex

    def __dask_tokenize__(self) -> str:
        return self.name


def _attempt(attempt: _Attempt[T, R]) -> tuple[R, list[str]]:
    """The result, and what could not be saved: nobody sees the warnings of a worker."""
    with noted() as failures:
        return attempt.run(attempt.task), failures


@dataclass(frozen=True)
class _Failure:
    """Why an attempt gave no result."""

    reason: str


def completed(
    executor: Executor | None,
    run: Callable[[T], R],
    tasks: Sequence[T],
    lost: Callable[[T], R],
    patience: float | None,
) -> Iterator[tuple[T, R]]:
    """Run tasks side by side and hand them over as they end; without an executor here, in order.

    A task that fails is tried once more, alone, so that it takes no others with it; one that fails
    again is lost, with a warning. When no task ended for `patience` seconds, those that run are
    lost; where the executor does not say which these are, as dask, all that are left.

    Parameters
    ----------
    executor : concurrent.futures.Executor or None
    run : callable
        From a task to its result, in a worker.
    tasks : sequence
    lost : callable
        From a task to its result when no worker gave one.
    patience : float or None
        Seconds; None waits for ever.

    Raises
    ------
    InvalidInputError
        If worker processes cannot import a layer, loss or perturbation model, because a notebook
        defines it, or the script has no guard.
    AgtoptError
        What a task raised itself.
    """
    if executor is None:
        for task in tasks:
            yield task, run(task)
        return
    if isinstance(executor, Workers) and tasks:
        _check_importable(tasks[0])
    failed: list[T] = []
    failures: list[_Failure] = []
    waiting: dict[Future[tuple[R, list[str]]], T] = {}
    try:
        for task in tasks:
            waiting[_submitted(executor, run, task)] = task
        while waiting:
            ended = _ended(waiting, patience)
            for task, outcome in ended:
                if isinstance(outcome, _Failure):
                    failed.append(task)
                else:
                    yield task, outcome
            if not ended:
                for future in [future for future in waiting if future.running()] or list(waiting):
                    task = waiting.pop(future)
                    _give_up(executor, future)
                    failures.append(_Failure(f"no sign of life for {patience:g} s"))
                    yield task, lost(task)
        for task in failed:
            outcome = _alone(executor, run, task, patience)
            if isinstance(outcome, _Failure):
                failures.append(outcome)
                yield task, lost(task)
            else:
                yield task, outcome
    finally:
        for future in waiting:
            _give_up(executor, future)
    if failures:
        warn(
            f"{len(failures)} of {len(tasks)} tasks gave no result and are lost; the last one: "
            f"{failures[-1].reason}",
            stacklevel=2,
        )


def _ended(
    waiting: dict[Future[tuple[R, list[str]]], T], patience: float | None
) -> list[tuple[T, R | _Failure]]:
    """Take what has ended out of those that wait.

    No future that has ended is held any longer: what is held and lay on a worker that dies, dask
    computes again.
    """
    ended: list[tuple[T, R | _Failure]] = []
    for future in wait(waiting, patience, "FIRST_COMPLETED").done:
        outcome = _outcome(future)
        ended.append((waiting.pop(future), outcome))
    return ended


def _alone(
    executor: Executor, run: Callable[[T], R], task: T, patience: float | None
) -> R | _Failure:
    try:
        future = _submitted(executor, run, task)
    except Exception as error:
        return _failure(error)
    try:
        return _outcome(future, patience)
    finally:
        _give_up(executor, future)


def _check_importable(task: object) -> None:
    """Refuse what a fresh process cannot read: without this every worker would die of every
    task."""
    main = sys.modules["__main__"]
    if not hasattr(main, "__file__") and b"__main__" in pickle.dumps(task):
        own = sorted(
            name
            for name, value in vars(main).items()
            if isinstance(value, type) and value.__module__ == "__main__"
        )
        raise InvalidInputError(
            f"executor: worker processes cannot import what is defined here ({', '.join(own)}); "
            f"put it into a module and import it, "
            "or leave the executor out"
        )


def _submitted(executor: Executor, run: Callable[[T], R], task: T) -> Future[tuple[R, list[str]]]:
    try:
        return executor.submit(_attempt, _Attempt(run, task))
    except BrokenExecutor as error:
        future: Future[tuple[R, list[str]]] = Future()
        future.set_exception(error)
        return future


def _outcome(future: Future[tuple[R, list[str]]], patience: float | None = 0.0) -> R | _Failure:
    # What agtopt raises on purpose says something of the problem, and Ctrl-C is for the whole run.
    # Every other exception costs its task only, whatever its class: each executor has its own for a
    # worker that died (BrokenProcessPool, KilledWorker of dask, which is a bare Exception, a
    # cancelled future where the cluster is gone, exit statuses), a worker without memory raises
    # what it can, and the bound that was known before holds all the same (S1). So that no fault of
    # a program hides here, `completed` warns of what it was.
    try:
        error = future.exception(patience)
    except (CancelledError, TimeoutError) as cause:
        error = cause
    if error is None:
        result, unsaved = future.result()
        report(unsaved)
        return result
    if isinstance(error, (AgtoptError, KeyboardInterrupt)):
        raise error
    return _failure(error)


def _failure(error: BaseException) -> _Failure:
    return _Failure(f"{type(error).__name__}: {error}")


def _give_up(executor: Executor, future: Future[Any]) -> None:
    if isinstance(executor, Workers):
        executor.give_up(future)
    else:
        future.cancel()
