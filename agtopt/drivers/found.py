"""What a run has found so far: bounds that only ever shrink, and the rows that tell of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agtopt.domains import Interval, KnownBounds, Polytope, minima
from agtopt.domains.interval import Ends
from agtopt.drivers.row import Row, rigour_of
from agtopt.intervals.propagation import interval_steps
from agtopt.problem import Problem

Array = NDArray[np.float64]


@dataclass(eq=False)
class Found:
    """What a run has found so far.

    Attributes
    ----------
    problem : Problem
    template : Polytope or None
        Directions that are bounded as well.
    done : int
        How many of the models are solved.
    seconds : float
    rows : list of Row
        One per bound.
    known : KnownBounds
        Bounds by address: a step and a name.
    supports : dict
        Bounds of the template's directions by step.
    """

    problem: Problem
    template: Polytope | None
    done: int = 0
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)
    known: KnownBounds = field(default_factory=KnownBounds)
    supports: dict[int, Ends] = field(default_factory=dict)

    @property
    def rigour(self) -> str:
        """Whether every bound is proved."""
        return rigour_of(self.rows)

    def learn(self, t: int, box: Interval) -> None:
        """Intersect the box of the state at step t with another one."""
        lower, upper = self.problem.unflatten(box.lower), self.problem.unflatten(box.upper)
        for tensor in self.problem.state:
            self.known.shrink((t, tensor), lower[tensor], upper[tensor])

    def learn_parameters(self, t: int, lower: Array, upper: Array) -> None:
        """Intersect the box of the parameters at step t with bounds, shape (p,) each."""
        box, size = self.domain(t), self.problem.network.size
        self.learn(
            t,
            Interval(np.append(lower, box.lower[size:]), np.append(upper, box.upper[size:])),
        )

    def take(self, saved: "Found") -> None:
        """Go on from what was saved."""
        self.done = saved.done
        self.seconds = saved.seconds
        self.rows = saved.rows
        self.supports = saved.supports
        for address, (lower, upper) in saved.known.items():
            self.known.shrink(address, lower, upper)

    def domain(self, t: int) -> Interval:
        """The tightest box of the state at step t that is known."""
        ends = {tensor: self.known.get((t, tensor)) for tensor in self.problem.state}
        lower, upper = (
            {name: end[side] for name, end in ends.items() if end is not None} for side in (0, 1)
        )
        return Interval(self.problem.flatten(lower), self.problem.flatten(upper))

    def propagated(self, first: int) -> Iterator[Interval]:
        """Learn what tighter early steps, from `first` on, imply for later ones by intervals."""
        for t in range(first, self.problem.steps):
            (following,) = interval_steps(self.problem, t, self.domain(t), t + 1, linear=True)
            self.learn(t + 1, following)
            yield following

    def polytope(self, t: int, entries: int) -> Polytope | None:
        """The template at step t, over the first `entries` of the state: the parameters, or all."""
        if self.template is None or t not in self.supports:
            return None
        box = self.domain(t)
        rows = np.pad(self.template.directions, [(0, 0), (0, entries - len(self.template))])
        return Polytope(rows, *self.supports[t], Interval(box.lower[:entries], box.upper[:entries]))

    def start(self, t: int) -> Interval | Polytope:
        """The domain of the state at step t from which a window starts."""
        return self.polytope(t, self.problem.state_size) or self.domain(t)

    def ends(self, t: int, directions: bool) -> Ends:
        """What the box, and an interrupted step, say of every parameter, and of every direction of
        the template where these are asked for."""
        box, size = self.domain(t), self.problem.network.size
        theta = Interval(box.lower[:size], box.upper[:size])
        if not directions or self.template is None:
            return theta.lower, theta.upper
        rows = self.template.directions
        lower, upper = minima(theta, rows), -minima(theta, -rows)
        if t in self.supports:
            lower = np.maximum(lower, self.supports[t][0])
            upper = np.minimum(upper, self.supports[t][1])
        return np.append(theta.lower, lower), np.append(theta.upper, upper)
