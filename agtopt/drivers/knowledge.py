"""What is known of a problem before any model is solved: what training attains, and where
intervals say that it stays."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agtopt.attacks import ENUMERATION_LIMIT, Attack, Extremes, attack, attained_quantities
from agtopt.attacks.first_order import run_entries
from agtopt.domains import Interval, Polytope
from agtopt.domains.known import Address
from agtopt.drivers.attained import check_steps
from agtopt.errors import InvalidInputError
from agtopt.intervals.propagation import interval_steps
from agtopt.intervals.states import initial_domain
from agtopt.problem import Problem

Array = NDArray[np.float64]

MOST_TRAINING = 2**30
"""Per-sample gradient entries that enumeration may cost before a run samples its attacks instead:
some seconds."""


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What is known of a problem before any model is solved.

    Attributes
    ----------
    attained : Attack
        Training runs.
    boxes : tuple of Interval
        Of the states at steps 0 … T, by CROWN.
    """

    attained: Attack
    boxes: tuple[Interval, ...]

    @classmethod
    def of(cls, problem: Problem, inner: Attack | None = None) -> "Knowledge":
        """Attack a problem, propagate intervals through it, and compare the two.

        Parameters
        ----------
        problem : Problem
        inner : Attack or None
            Attained runs of the problem, where they are known already.

        Raises
        ------
        InvalidInputError
            If the attack is one on another problem.
        SoundnessError
            If a box excludes what is attained (S9).
        """
        if inner is not None and inner.problem.fingerprint != problem.fingerprint:
            raise InvalidInputError("run: the attack is one on another problem")
        if inner is None:
            inner = attack(problem, min(ENUMERATION_LIMIT, MOST_TRAINING // run_entries(problem)))
        boxes = initial_domain(problem), *interval_steps(problem, linear=True)
        check_steps(inner.extremes, boxes, problem)
        return cls(inner, boxes)


@dataclass(frozen=True, eq=False)
class Attained:
    """What training runs attain of all that a run bounds; trained for when it is first asked.

    Attributes
    ----------
    attack : Attack
    template : Polytope or None
    """

    attack: Attack
    template: Polytope | None

    @cached_property
    def extremes(self) -> Extremes:
        """Ends that runs attain of every parameter, then of the directions of the template."""
        if self.template is None:
            return self.attack.extremes
        return self.attack.extremes.joined(self.attack.along(self.template.directions))

    @cached_property
    def quantities(self) -> dict[Address, tuple[Array, Array]]:
        """Ends that runs attain of every quantity that has a name, by its address."""
        return attained_quantities(self.attack.problem, self.attack.datasets)
