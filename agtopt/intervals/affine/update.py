"""The update of a step on columns of the state, which stand as rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agtopt.problem import Problem
from agtopt.tolerances import DOUBLE

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Update:
    """v ← μ v + λ θ + Δ and θ ← θ − α v of one step.

    Attributes
    ----------
    rate, momentum, decay : float
        α, μ and λ.
    theta, velocity : array of int
        Where the trained parameters and their velocities stand in a state.
    size : int
        Of a state.
    """

    rate: float
    momentum: float
    decay: float
    theta: NDArray[np.int64]
    velocity: NDArray[np.int64]
    size: int

    @classmethod
    def of(cls, problem: Problem, t: int) -> "Update":
        """That of step t."""
        moves = [
            np.full(value.size, name in problem.trained)
            for name, value in problem.network.initial.items()
        ]
        training = problem.training
        return cls(
            float(problem.learning_rates[t]),
            training.momentum,
            training.weight_decay,
            np.flatnonzero(np.concatenate(moves)),
            np.arange(problem.network.size, problem.state_size),
            problem.state_size,
        )

    def __call__(self, rows: Array, direction: Array) -> Array:
        """States, (k, size), after a step in directions Δ, (k, q)."""
        found, theta = rows.copy(), rows[:, self.theta]
        if self.momentum > 0:
            change = direction + self.momentum * rows[:, self.velocity] + self.decay * theta
            found[:, self.velocity] = change
            found[:, self.theta] = theta - self.rate * change
        else:
            found[:, self.theta] = (1.0 - self.rate * self.decay) * theta - self.rate * direction
        return found

    def linear(self, rows: Array, hessian: Array | None) -> Array:
        """States after a step in the directions that follow from them."""
        change = np.zeros((len(rows), len(self.theta)))
        if hessian is not None:
            change = rows[:, self.theta] @ hessian
        return self(rows, change)

    def along(self, direction: Array) -> Array:
        """What directions Δ, (k, q), alone move a state by."""
        return self(np.zeros((len(direction), self.size)), direction)

    def radius(self, before: Array, direction: Array) -> Array:
        """The same of magnitudes that know no signs: of a state, and of Δ."""
        found, theta = before.copy(), before[self.theta]
        kept = abs(1.0 - self.rate * self.decay) * theta
        if self.momentum > 0:
            speed = self.momentum * before[self.velocity]
            found[self.velocity] = speed + self.decay * theta + direction
            kept = kept + self.rate * speed
        found[self.theta] = kept + self.rate * direction
        return found * (1.0 + DOUBLE.accumulated(16))
