"""The attack to try: enumeration where it is finite and small, sampling elsewhere."""

from agtopt.arguments import typed
from agtopt.attacks.enumerate import ENUMERATION_LIMIT, enumerate_hull
from agtopt.attacks.heuristic import heuristic_attack
from agtopt.attacks.runs import Attack
from agtopt.problem import Problem
from agtopt.problem.checks import instance

__all__ = ["Attack", "attack"]


@typed()
def attack(problem: Problem, limit: int = ENUMERATION_LIMIT, seed: int = 0) -> Attack:
    """Parameters that an adversary attains.

    Parameters
    ----------
    problem : Problem
    limit : int
        The largest number of admissible datasets that is enumerated.
    seed : int
        Seed of the sampling, which with attacks by gradient stands in where enumeration is not
        possible.

    Returns
    -------
    Attack
        Its ``domain`` is the exact hull where ``exact`` is true, else a part of it.
    """
    instance("problem", problem, Problem)
    if problem.perturbation.count(problem) <= limit:
        return enumerate_hull(problem, limit)
    return heuristic_attack(problem, seed)
