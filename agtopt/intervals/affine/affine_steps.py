"""AFFINE: the affine domain and the interval domain of every step, each within the other."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from agtopt.domains import Affine, intersect
from agtopt.intervals.affine.adversary import affine_adversary
from agtopt.intervals.affine.ball import Ball
from agtopt.intervals.affine.step import AffineStep, keeps_matrix
from agtopt.intervals.scale.fragments import MEMORY, FragmentIntervals, fragmented
from agtopt.intervals.scale.numerics import FLOAT64, Numerics
from agtopt.intervals.states import initial_domain
from agtopt.problem import Problem


def affine_steps(
    problem: Problem,
    start: int = 0,
    domain: Affine | None = None,
    stop: int | None = None,
    memory: int = MEMORY,
    numerics: Numerics = FLOAT64,
) -> Iterator[Affine]:
    """The affine domains of the state at steps start+1 … stop, in their boxes.

    The box of each is that of the form, of the ball and of the interval step from the box before,
    so that it lies within IBP's.

    Parameters
    ----------
    problem : Problem
    start, stop : int
        Steps start … stop−1 are propagated; `stop` is T by default.
    domain : Affine, optional
        Of the state (`Problem.flatten`) at step `start`; the initial one by default.
    memory : int
        Bytes that a step may hold beside the problem and the domain.
    numerics : Numerics
        Device and format of training.

    Yields
    ------
    Affine
        After each step.
    """
    numerics.check()
    matrix = keeps_matrix(problem, memory)
    meaning = affine_adversary.meaning(type(problem.perturbation))
    known = meaning is not affine_adversary.registry[object]
    adversary = meaning(problem.perturbation, problem, numerics, matrix) if known else None
    boxes = FragmentIntervals(problem, memory, numerics)
    step = None if adversary is None else AffineStep(problem, adversary, numerics, memory, matrix)
    if domain is None:
        first = Affine.of_box(problem.flatten(problem.state), initial_domain(problem))
        domain = first if step is None else step.start()
    box = initial_domain(problem) if start == 0 else domain.box
    ball = Ball(problem, numerics.rounding) if Ball.suits(problem) else None
    for t in range(start, problem.steps if stop is None else stop):
        following = next(fragmented(boxes, box, t, t + 1))
        if step is None:
            found = Affine.of_box(domain.nominal, following)
        else:
            found = step.following(t, domain, domain.box if t == 0 else box)
        around = np.inf
        # A form that says nothing has lost the nominal run, which the ball is around.
        if ball is not None and np.isfinite(found.radius).all() and domain.ball < np.inf:
            around = float(ball.radii[t + 1])
        found = replace(found, box=following, ball=around)
        box = intersect(following, found.to_box())
        domain = replace(found, box=box)
        yield domain
