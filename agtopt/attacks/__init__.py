"""What an adversary attains: real training runs on admissible datasets, the inner bound of every domain."""

from agtopt.attacks.attack import Attack, attack
from agtopt.attacks.enumerate import ENUMERATION_LIMIT, enumerate_hull
from agtopt.attacks.gradient import gradient_attack
from agtopt.attacks.greedy import greedy_attack
from agtopt.attacks.heuristic import extended_attack, heuristic_attack, sampled_attack
from agtopt.attacks.quantities import attained_quantities
from agtopt.attacks.runs import Extremes

__all__ = [
    "ENUMERATION_LIMIT",
    "Attack",
    "Extremes",
    "attack",
    "attained_quantities",
    "enumerate_hull",
    "extended_attack",
    "gradient_attack",
    "greedy_attack",
    "heuristic_attack",
    "sampled_attack",
]
