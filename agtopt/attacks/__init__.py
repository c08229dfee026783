"""What an adversary attains: real training runs on admissible datasets, the inner bound of every
domain."""

from agtopt.attacks.attack import Attack, attack
from agtopt.attacks.collision import collisions
from agtopt.attacks.enumerate import ENUMERATION_LIMIT, enumerate_hull
from agtopt.attacks.gradient import gradient_attack
from agtopt.attacks.greedy import greedy_attack
from agtopt.attacks.heuristic import extended_attack, heuristic_attack, sampled_attack
from agtopt.attacks.probes import attained_states, probes, states_at_kinks
from agtopt.attacks.quantities import attained_quantities
from agtopt.attacks.runs import Extremes
from agtopt.attacks.targeted import Degradation, Refutations, loss_attack, prediction_attack

__all__ = [
    "ENUMERATION_LIMIT",
    "Attack",
    "Degradation",
    "Extremes",
    "Refutations",
    "attack",
    "attained_quantities",
    "attained_states",
    "collisions",
    "enumerate_hull",
    "extended_attack",
    "gradient_attack",
    "greedy_attack",
    "heuristic_attack",
    "loss_attack",
    "prediction_attack",
    "probes",
    "sampled_attack",
    "states_at_kinks",
]
