"""The exact hull by training on every admissible dataset, where these are finitely many."""

from agtopt.attacks.runs import Attack, summarised
from agtopt.errors import UnsupportedError
from agtopt.problem import Problem

ENUMERATION_LIMIT = 20_000
"""Datasets up to which `attack` enumerates: a few seconds of training on a small model."""


def enumerate_hull(problem: Problem, limit: int = ENUMERATION_LIMIT) -> Attack:
    """Train on every admissible dataset.

    Parameters
    ----------
    problem : Problem
    limit : int
        The largest number of datasets that is allowed.

    Raises
    ------
    UnsupportedError
        If the datasets are more than `limit`, or not finitely many.
    """
    count = problem.perturbation.count(problem)
    if count > limit:
        raise UnsupportedError(
            f"enumeration: {count:g} admissible datasets are more than the limit of {limit}"
        )
    return summarised(problem, problem.perturbation.enumerate(problem), exact=True)
