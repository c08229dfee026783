"""How an adversary enters the affine domain."""

from agtopt.intervals.affine.moving import MovingAffine
from agtopt.intervals.affine.taken_away import RemovedAffine, ReplacedAffine
from agtopt.intervals.affine.touching import AffineAdversary
from agtopt.intervals.scale.numerics import Numerics
from agtopt.problem import Moving, Perturbation, Problem, Removing, Substitution
from agtopt.verbs import unregistered, verb


@verb
def affine_adversary(
    model: Perturbation, problem: Problem, numerics: Numerics, keeps: bool = True
) -> AffineAdversary:
    """How a perturbation model enters; without a meaning of its own, intervals say all of it
    (`affine_steps`)."""
    raise unregistered("perturbation", model, affine_adversary, "A perturbation model")


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
