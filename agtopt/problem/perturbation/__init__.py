"""Perturbation models: which datasets an adversary may turn the training data into."""

from agtopt.problem.perturbation.base import Moving, Perturbation, Removing
from agtopt.problem.perturbation.bounded import Bounded
from agtopt.problem.perturbation.removal import Removal
from agtopt.problem.perturbation.substitution import Substitution

__all__ = ["Bounded", "Moving", "Perturbation", "Removal", "Removing", "Substitution"]
