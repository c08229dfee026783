"""What an adversary attains: real training runs on admissible datasets, the inner bound of every domain."""

from agtopt.attacks.attack import Attack, attack
from agtopt.attacks.enumerate import ENUMERATION_LIMIT, enumerate_hull
from agtopt.attacks.gradient import gradient_attack
from agtopt.attacks.heuristic import extended_attack, heuristic_attack, sampled_attack

__all__ = [
    "ENUMERATION_LIMIT",
    "Attack",
    "attack",
    "enumerate_hull",
    "extended_attack",
    "gradient_attack",
    "heuristic_attack",
    "sampled_attack",
]
