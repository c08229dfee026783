"""How an adversary enters the affine domain."""

from agtopt.intervals.affine.moving import MovingAffine
from agtopt.intervals.affine.taken_away import RemovedAffine, ReplacedAffine
from agtopt.intervals.affine.touching import AffineAdversary
from agtopt.intervals.scale.numerics import Numerics
from agtopt.problem import Moving, Perturbation, Problem, Removing, Substitution
from agtopt.verbs import verb


@verb
def affine_adversary(
    model: Perturbation, problem: Problem, numerics: Numerics, keeps: bool = True
) -> AffineAdversary | None:
    """How a perturbation model enters; None where no one said what is linear in it, and intervals
    say all."""
    return None


@affine_adversary.register
def _(model: Moving, problem: Problem, numerics: Numerics, keeps: bool = True) -> AffineAdversary:
    return MovingAffine(problem, numerics, keeps)


@affine_adversary.register
def _(model: Removing, problem: Problem, numerics: Numerics, keeps: bool = True) -> AffineAdversary:
    return RemovedAffine(problem, numerics, keeps)


@affine_adversary.register
def _(
    model: Substitution, problem: Problem, numerics: Numerics, keeps: bool = True
) -> AffineAdversary:
    return ReplacedAffine(problem, numerics, keeps)
