"""Samples whose gradient is lost, to a removal or to what replaces them."""

from abc import abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.domains import Choices, Touched
from agtopt.intervals.adversary import Rows, interval_adversary
from agtopt.intervals.affine.deviation import Deviation
from agtopt.intervals.affine.tangent import Linearised
from agtopt.intervals.affine.touching import AffineAdversary, Direction, Gains
from agtopt.intervals.arithmetic import Range
from agtopt.intervals.interval import IntervalOperations
from agtopt.intervals.scale.numerics import Numerics
from agtopt.problem import Problem
from agtopt.program import gradients
from agtopt.tolerances import DOUBLE

Array = NDArray[np.float64]
Batch = NDArray[np.int64]


class TakenAway(AffineAdversary):
    """Samples whose gradient is lost: a selector for each, whose direction is minus its gradient
    plus what comes in its place."""

    def __init__(self, problem: Problem, numerics: Numerics, keeps: bool) -> None:
        super().__init__(problem, numerics, keeps)
        self.linear = self.fits(1)

    def start(self) -> tuple[Touched, ...]:
        if not self.linear or not len(self.touchable):
            return ()
        zeros = np.zeros((len(self.touchable), 1, self.problem.state_size))
        return (Touched(self.problem.perturbation.budget, self.touchable, (Choices(zeros),)),)

    def open(self, batch: Batch) -> None:
        super().open(batch)
        self.most = min(self.problem.perturbation.budget, self.many)
        self.gains = Gains(self.most)
        self.lost: list[tuple[Batch, Tensor]] = []

    @abstractmethod
    def factors(self) -> tuple[float, float]:
        """Least and largest factor of what a touched sample does to b Δ."""

    def add(self, samples: Batch, linear: Linearised, found: Deviation) -> None:
        if not self.most:
            return
        least, most = self.factors()
        spread = 0.5 * (most - least)
        chosen = np.flatnonzero(self.vulnerable[samples])
        pick = torch.tensor(chosen)
        low, high, own = found.low[pick], found.high[pick], found.nominal[pick]
        kept = own if self.linear else torch.zeros_like(own)
        rest = own - kept
        self.gains.add(
            torch.stack(
                [
                    spread * kept.abs() + most * (-low - rest).clamp(min=0.0),
                    spread * kept.abs() + most * (high + rest).clamp(min=0.0),
                ]
            )
        )
        if self.linear:
            self.lost.append((self.place[samples[chosen]], own))

    def directions(self, mean: Tensor) -> list[Direction]:
        if not self.linear or not self.most:
            return []
        factor = 0.5 * sum(self.factors())
        instead = self.instead(mean)
        return [
            Direction(0, 0, rows, (factor * (instead - own)).unsqueeze(1).numpy())
            for rows, own in self.lost
        ]

    @abstractmethod
    def instead(self, mean: Tensor) -> Tensor:
        """The number, (q,), that comes in the place of a gradient."""


class RemovedAffine(TakenAway):
    """Samples left out: Δ = G + Σ_R (G − g_i) / (b − r) with the mean G over all."""

    def factors(self) -> tuple[float, float]:
        return self.size / (self.size - 1.0) if self.size > 1 else 0.0, self.size / (
            self.size - self.most
        )

    def instead(self, mean: Tensor) -> Tensor:
        return mean

    def extra(self, mean: Tensor, found: Tensor) -> Range:
        if not self.most:
            return Range(torch.zeros_like(mean), torch.zeros_like(mean))
        least, most = self.factors()
        kept = mean.abs() if self.linear else torch.zeros_like(mean)
        total = self.gains.total(self.q)
        low = (0.0 if self.linear else mean) + found[0]
        high = (0.0 if self.linear else mean) + found[1]
        up = total[0] + self.most * (0.5 * (most - least) * kept + most * high.clamp(min=0.0))
        down = total[1] + self.most * (0.5 * (most - least) * kept + most * (-low).clamp(min=0.0))
        size = most * self.most * mean.abs() + total.amax(0)
        error = DOUBLE.accumulated(self.most + 24) * (size + up + down)
        return Range(-down - error, up + error)


class ReplacedAffine(TakenAway):
    """Samples replaced by points of a box: Δ = G + Σ_R (ĝ − g_i) / b, ĝ within the interval
    gradients of the box."""

    def __init__(self, problem: Problem, numerics: Numerics, keeps: bool) -> None:
        super().__init__(problem, numerics, keeps)
        self.rows: Rows = interval_adversary(problem.perturbation, problem, numerics)
        self.low = torch.zeros(self.q, dtype=torch.float64)
        self.high = self.low

    def factors(self) -> tuple[float, float]:
        return 1.0, 1.0

    def bounded(self, parameters: dict[str, Range]) -> None:
        if self.rows.ghost is None or not len(self.touchable):
            return
        ops, box = IntervalOperations(), parameters
        ops.numerics = self.numerics
        found = gradients(ops, self.problem, box, *self.rows.ghost, self.problem.trained)
        ends = [
            torch.cat([found[name][side].reshape(-1) for name in self.problem.trained]).double()
            for side in (0, 1)
        ]
        self.low = ends[0]
        self.high = ends[1]

    def instead(self, mean: Tensor) -> Tensor:
        return 0.5 * (self.low + self.high)

    def replacing(self) -> Tensor:
        return self.most * torch.maximum(self.low.abs(), self.high.abs())

    def extra(self, mean: Tensor, found: Tensor) -> Range:
        if not self.most:
            return Range(torch.zeros_like(mean), torch.zeros_like(mean))
        total = self.gains.total(self.q)
        centre = self.instead(mean) if self.linear else torch.zeros_like(mean)
        up = total[0] + self.most * (self.high - centre).clamp(min=0.0)
        down = total[1] + self.most * (centre - self.low).clamp(min=0.0)
        error = DOUBLE.accumulated(self.most + 24) * (up + down + centre.abs() * self.most)
        return Range(-down - error, up + error)
