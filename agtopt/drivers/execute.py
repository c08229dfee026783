"""Executors for the solves of a step."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from agtopt.problem.checks import whole
from agtopt.semantics.concrete import use_one_thread


def processes(workers: int) -> ProcessPoolExecutor:
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
    return ProcessPoolExecutor(whole("workers", workers, 1), mp_context=get_context("spawn"), initializer=use_one_thread)
