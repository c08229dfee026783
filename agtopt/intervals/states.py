"""Domains of the state as ranges of tensors, and what a step moves as ranges of one vector."""

import numpy as np
import torch
from numpy.typing import NDArray

from agtopt.domains import Interval
from agtopt.intervals.arithmetic import Range
from agtopt.intervals.scale.numerics import FLOAT64, Numerics, array_of
from agtopt.problem import Problem

Array = NDArray[np.float64]


def initial_domain(problem: Problem, numerics: Numerics = FLOAT64) -> Interval:
    """The domain of the state before the first step: a point, but where a training run in another
    format begins at another number."""
    ends = numerics.enclose(problem.flatten(problem.state))
    return Interval(*map(array_of, ends))


def unknown_domain(problem: Problem, numerics: Numerics = FLOAT64) -> Interval:
    """What holds of the state after any step: what is not trained stands still."""
    moves = np.concatenate(
        [
            np.full(value.size, name not in problem.network.initial or name in problem.trained)
            for name, value in problem.state.items()
        ]
    )
    start = initial_domain(problem, numerics)
    return Interval(np.where(moves, -np.inf, start.lower), np.where(moves, np.inf, start.upper))


def tensor_ranges(
    lower: dict[str, Array], upper: dict[str, Array], numerics: Numerics = FLOAT64
) -> dict[str, Range]:
    """Bounds of tensors as ranges; a tensor that does not move is a point."""
    return {name: numerics.enclose(low, upper[name]) for name, low in lower.items()}


def state_ranges(
    problem: Problem, domain: Interval, numerics: Numerics = FLOAT64
) -> dict[str, Range]:
    """A domain of the state as one range per tensor."""
    return tensor_ranges(problem.unflatten(domain.lower), problem.unflatten(domain.upper), numerics)


def flat_ranges(problem: Problem, state: dict[str, Range]) -> tuple[Array, Array]:
    """One range per tensor of the state as flattened lower and upper ends, each (…, s)."""
    lead = max(
        (
            value.lower.shape[: value.lower.dim() - problem.state[name].ndim]
            for name, value in state.items()
        ),
        key=len,
    )
    if lead:
        state = {
            name: Range(*(end.expand(*lead, *problem.state[name].shape) for end in value))
            for name, value in state.items()
        }
    return (
        problem.flatten({name: array_of(value.lower) for name, value in state.items()}),
        problem.flatten({name: array_of(value.upper) for name, value in state.items()}),
    )


class Layout:
    """How the tensors that are trained lie behind each other in one vector, (q,), so that a step
    moves all of them at once."""

    def __init__(self, problem: Problem) -> None:
        self.shapes = {name: problem.network.initial[name].shape for name in problem.trained}
        self.sizes = [problem.network.initial[name].size for name in problem.trained]
        self.size = sum(self.sizes)

    def tensors(self, vector: Range) -> dict[str, Range]:
        """Views, which begin at the same places in every process (`Numerics`)."""
        lower, upper = (torch.split_with_sizes(end, self.sizes) for end in vector)
        return {
            name: Range(low.view(shape), high.view(shape))
            for (name, shape), low, high in zip(self.shapes.items(), lower, upper, strict=True)
        }


class StateVector:
    """What a step moves, in the layout of a vector, and what it leaves as it is.

    Parameters
    ----------
    problem : Problem
    domain : Interval
        Of the state.
    numerics : Numerics

    Attributes
    ----------
    theta : Range, shape (q,)
        The trained parameters.
    velocity : Range, shape (q,), or None
        Their velocities, with momentum.
    parameters : dict
        Ranges of all tensors of the network.
    """

    def __init__(self, problem: Problem, domain: Interval, numerics: Numerics) -> None:
        self.layout = Layout(problem)
        state = state_ranges(problem, domain, numerics)
        self.frozen = {
            name: state[name] for name in problem.network.initial if name not in problem.trained
        }
        self.ends = flat_ranges(problem, state)
        self.moves = np.concatenate(
            [np.full(value.size, name not in self.frozen) for name, value in problem.state.items()]
        )
        low, high, size = domain.lower[self.moves], domain.upper[self.moves], self.layout.size
        # The parameters come first in a state.
        velocity = (
            numerics.enclose(low[size:], high[size:]) if problem.training.momentum > 0 else None
        )
        self.move(numerics.enclose(low[:size], high[:size]), velocity)
        # What does not move before a step is a point; after it nothing is.
        self.parameters |= {
            name: Range(*[self.parameters[name].lower] * 2)
            for name in problem.trained
            if state[name].is_point
        }

    def move(self, theta: Range, velocity: Range | None) -> None:
        """Go on to the state after a step: ranges of what is trained, and with momentum of its
        velocities."""
        self.theta = theta
        self.velocity = velocity
        self.parameters = self.frozen | self.layout.tensors(theta)

    def domain(self) -> Interval:
        """The state as a box of all its entries (`Problem.flatten`), what is frozen included."""
        moving = (self.theta,) if self.velocity is None else (self.theta, self.velocity)
        lower, upper = (
            np.concatenate([array_of(value) for value in end]) for end in zip(*moving, strict=True)
        )
        if self.frozen:
            ends = tuple(end.copy() for end in self.ends)
            for end, inner in zip(ends, (lower, upper), strict=True):
                end[self.moves] = inner
            lower, upper = ends
        return Interval(lower, upper)
