"""How an adversary enters the affine domain: what a touched sample may become, what of that is
linear in symbols of its own, and what remains, of as many samples as the budget allows."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.domains import Balls, Boxes, Choices, Moves, Touched
from agtopt.intervals.adversary import Rows, interval_adversary, touchable_mask
from agtopt.intervals.affine.deviation import Deviation
from agtopt.intervals.affine.operations import DeviationOperations
from agtopt.intervals.affine.tangent import Linearised
from agtopt.intervals.arithmetic import Range
from agtopt.intervals.interval import IntervalOperations
from agtopt.intervals.scale.numerics import Numerics
from agtopt.problem import Moving, Perturbation, Problem, Removing, Substitution
from agtopt.program import gradients
from agtopt.tolerances import DOUBLE
from agtopt.verbs import verb

Array = NDArray[np.float64]
Batch = NDArray[np.int64]

COLUMNS = 2**28
"""Bytes that the directions D_i of all samples may take: beyond, what a sample may become is left
to the remainder."""

PUSHED = 64
"""Directions for each sample that are found although they are not kept."""


@dataclass
class Gains:
    """Largest gains, of `budget` samples, of every entry upwards and downwards, (budget, q)."""

    budget: int
    kept: Tensor | None = None

    def add(self, gains: Tensor) -> None:
        """Nonnegative gains (2, n, q) of more samples."""
        together = gains if self.kept is None else torch.cat([self.kept, gains], 1)
        if together.shape[1] > self.budget:
            together = together.topk(self.budget, dim=1, sorted=False).values
        self.kept = together

    def total(self, q: int) -> Tensor:
        """Their sums, (2, q)."""
        if self.kept is None or not self.budget:
            return torch.zeros((2, q), dtype=torch.float64)
        return self.kept.sum(1)


@dataclass(frozen=True)
class Direction:
    """A move of samples in one step, as directions of the gradient.

    Attributes
    ----------
    group, move : int
        Its place in `Touched`.
    rows : array of int
        Which of the samples of the group.
    columns : array, shape (n, k, q)
        Of b Δ, for each of these samples.
    """

    group: int
    move: int
    rows: Batch
    columns: Array


class AffineAdversary(ABC):
    """What a perturbation model does to a batch.

    Parameters
    ----------
    problem : Problem
    numerics : Numerics
        In whose format training runs.
    keeps : bool
        Whether directions of samples are kept from step to step.
    """

    def __init__(self, problem: Problem, numerics: Numerics, keeps: bool) -> None:
        self.problem = problem
        self.numerics = numerics
        self.keeps = keeps
        self.vulnerable = touchable_mask(problem)
        self.touchable = np.flatnonzero(self.vulnerable)
        self.place = np.full(len(problem.dataset), -1)
        self.place[self.touchable] = np.arange(len(self.touchable))
        self.q = sum(problem.network.initial[name].size for name in problem.trained)

    def fits(self, columns: int) -> bool:
        """Whether so many directions for each sample are to be kept, and are few enough."""
        return self.keeps and 8 * columns * len(self.touchable) * self.problem.state_size <= COLUMNS

    @abstractmethod
    def start(self) -> tuple[Touched, ...]:
        """The symbols, with directions of zero."""

    def batch(self, ops: DeviationOperations, samples: Batch) -> tuple[Deviation, Deviation]:
        """Features and encoded labels: as they stand first, and under every variant."""
        x, y = self.standing(samples)
        return Deviation.known(x, ops.unheld(x)), Deviation.known(y, ops.unheld(y))

    def standing(self, samples: Batch) -> tuple[Tensor, Tensor]:
        """Features and encoded labels as they stand."""
        data = self.problem.dataset
        return (
            torch.tensor(np.array(data.features[samples])),
            torch.tensor(self.problem.encode(data.labels[samples])),
        )

    def open(self, batch: Batch) -> None:
        """Begin a step."""
        self.size = len(batch)
        self.many = int(self.vulnerable[batch].sum())

    def bounded(self, parameters: dict[str, Range]) -> None:
        """Take note of the box that the parameters are in before a step."""
        return

    @abstractmethod
    def add(self, samples: Batch, linear: Linearised, nominal: Tensor, found: Deviation) -> None:
        """The gradients of a fragment, (…, n, q)."""

    @abstractmethod
    def extra(self, mean: Tensor, found: Tensor) -> Range:
        """What touching samples adds to b Δ beyond `directions`, from the mean gradient, (q,), and
        bounds of its deviation (2, q); once all fragments were added."""

    @abstractmethod
    def directions(self, mean: Tensor) -> list[Direction]:
        """The linear part of what touching does to b Δ."""

    def own_outputs(self, samples: Batch, linear: Linearised) -> Tensor | None:
        """How far a touched sample's own features move its outputs linearly, (variants, n,
        outputs)."""
        return None


class MovingAffine(AffineAdversary):
    """Samples that move within a box of their own."""

    def __init__(self, problem: Problem, numerics: Numerics, keeps: bool) -> None:
        super().__init__(problem, numerics, keeps)
        model = problem.perturbation
        self.moves = bool(model.moves_features), bool(model.moves_labels)
        separate = model.separate and all(self.moves)
        self.variants = [(True, False), (False, True), (True, True)] if separate else [self.moves]
        if not len(self.touchable):
            self.moves = False, False
            self.variants = []
        self.budgets = model.budgets if separate else (model.budget,)
        features = int(np.prod(problem.network.input_shape))
        self.labels = 0 if not self.moves[1] else self._label_columns()
        wanted = features * self.moves[0] + self.labels
        self.kept = self.fits(wanted)
        # What is not kept still enters by its reach along every parameter, at the cost of a column.
        self.linear = self.kept or wanted <= PUSHED
        self.features = features * self.moves[0] if self.linear else 0
        self.labels = self.labels if self.linear else 0

    def _label_columns(self) -> int:
        outputs = self.problem.network.outputs
        return outputs if self.problem.classes is None else len(self.problem.classes) - 1

    def _boxes(self, samples: Batch) -> list[tuple[Array, Array]]:
        """Lowest and highest moves of features and of encoded labels, rounded outward."""
        data, model = self.problem.dataset, self.problem.perturbation
        x, y = np.array(data.features[samples]), self.problem.encode(data.labels[samples])
        found = []
        for k, (value, box) in enumerate(
            ((x, model.feature_box(self.problem, x)), (y, model.label_box(self.problem, y)))
        ):
            touched = self.vulnerable[samples].reshape(-1, *(1,) * (value.ndim - 1))
            ends = [np.where(touched & self.moves[k], end - value, 0.0) for end in box]
            exact = k == 1 and self.problem.classes is not None
            size = 0.0 if exact else 4 * DOUBLE.unit * (np.abs(value) + np.abs(ends).max(axis=0))
            spare = np.where(touched & self.moves[k], size, 0.0)
            found.append((np.minimum(ends[0] - spare, 0.0), np.maximum(ends[1] + spare, 0.0)))
        return found

    def batch(self, ops: DeviationOperations, samples: Batch) -> tuple[Deviation, Deviation]:
        x, y = super().batch(ops, samples)
        if not self.variants:
            return x, y
        found = []
        for k, (value, (low, high)) in enumerate(zip((x, y), self._boxes(samples), strict=True)):
            if not self.moves[k]:
                found.append(value)
                continue
            ends = torch.tensor(low), torch.tensor(high)
            zero = torch.zeros_like(ends[0])
            moved = [(ends[0], ends[1]) if each[k] else (zero, zero) for each in self.variants]
            low_, high_ = (torch.stack([zero, *(pair[side] for pair in moved)]) for side in (0, 1))
            reach = torch.maximum(-low_, high_)
            middle, radius = 0.5 * (low_ + high_), 0.5 * (high_ - low_)
            rest = torch.zeros_like(reach)
            found.append(
                Deviation(
                    value.nominal,
                    value.low + low_,
                    value.high + high_,
                    rest if self.linear else middle,
                    value.radius + (rest if self.linear else radius),
                    reach if self.linear else rest,
                )
            )
        return found[0], found[1]

    def start(self) -> tuple[Touched, ...]:
        if not self.kept or not self.variants or not (self.features or self.labels):
            return ()
        model, many = self.problem.perturbation, len(self.touchable)
        size = self.problem.state_size
        features: list[Moves] = []
        labels: list[Moves] = []
        low, high = self._boxes(self.touchable)[0]
        if self.features:
            zeros = np.zeros((many, self.features, size))
            if model.ball is not None:
                features.append(Balls(zeros, self.radius(model.ball[0]), model.ball[1]))
            else:
                features.append(Boxes(zeros, low.reshape(many, -1), high.reshape(many, -1)))
        if self.labels:
            zeros = np.zeros((many, self.labels, size))
            if self.problem.classes is None:
                low, high = self._boxes(self.touchable)[1]
                labels.append(Boxes(zeros, low, high))
            else:
                labels.append(Choices(zeros))
        groups = [features, labels] if len(self.budgets) == 2 else [[*features, *labels]]
        return tuple(
            Touched(budget, self.touchable, tuple(moves))
            for budget, moves in zip(self.budgets, groups, strict=True)
        )

    def radius(self, eps: float) -> float:
        """The radius of a ball of features, which are rounded once they are moved."""
        data = self.problem.dataset.features[self.touchable]
        return eps + self.features * 4 * DOUBLE.unit * (eps + float(np.abs(data).max()))

    def open(self, batch: Batch) -> None:
        super().open(batch)
        both = sum(self.budgets)
        budgets = (both,) if len(self.budgets) == 1 else (both, *self.budgets, *self.budgets[::-1])
        self.gains = [Gains(min(budget, self.many)) for budget in budgets]
        self.found: list[Direction] = []

    def add(self, samples: Batch, linear: Linearised, nominal: Tensor, found: Deviation) -> None:
        if not self.variants or not self.many:
            return
        chosen = np.flatnonzero(self.vulnerable[samples])
        pick = torch.tensor(chosen)
        low, high = found.middle - found.radius, found.middle + found.radius
        shape = 1 + len(self.variants), *low.shape[-2:]
        low, high = low.expand(shape)[:, pick], high.expand(shape)[:, pick]
        changed = [
            torch.stack([high[k] - high[0], low[0] - low[k]]).clamp_(min=0.0)
            for k in range(1, len(low))
        ]
        moves = self._directions(samples, chosen, linear)
        if self.kept:
            rows = self.place[samples[chosen]]
            self.found += [
                Direction(group, move, rows, columns.numpy())
                for (group, move), columns in moves.items()
            ]
        else:
            reaches = self._reaches(samples[chosen], moves)
            for gain, moved in zip(changed, self.variants, strict=True):
                for reach, moving in zip(reaches, moved, strict=True):
                    if moving and reach is not None:
                        gain += reach
        self._gained(changed)

    def _gained(self, changed: Sequence[Tensor]) -> None:
        together = changed[-1]
        for each in changed[:-1]:
            together = torch.maximum(together, each)
        self.gains[0].add(together)
        if len(changed) == 3:
            first, second = changed[:2]
            for gain, values in zip(
                self.gains[1:],
                (
                    first,
                    torch.maximum(second, together - first),
                    second,
                    torch.maximum(first, together - second),
                ),
                strict=True,
            ):
                gain.add(values)

    def _directions(
        self, samples: Batch, chosen: Batch, linear: Linearised
    ) -> dict[tuple[int, int], Tensor]:
        """The columns (n, k, q) of the gradients of touched samples, by group and move."""
        found, pick = {}, torch.tensor(chosen)
        if self.features:
            found[0, 0] = linear.by_features()[pick].flatten(2).transpose(1, 2)
        if self.labels:
            found[self._label_place] = self._flips(samples, linear)[pick]
        return found

    @property
    def _label_place(self) -> tuple[int, int]:
        return (1, 0) if len(self.budgets) == 2 else (0, int(bool(self.features)))

    def _reaches(
        self, samples: Batch, moves: dict[tuple[int, int], Tensor]
    ) -> tuple[Tensor | None, Tensor | None]:
        """How far features and labels move every entry of the gradients upwards and downwards,
        (2, n, q)."""
        (x_low, x_high), (y_low, y_high) = (
            [torch.tensor(end).flatten(1).unsqueeze(-1) for end in ends]
            for ends in self._boxes(samples)
        )
        features = labels = None
        if self.features:
            columns, ball = moves[0, 0], self.problem.perturbation.ball
            features = _extent(columns, x_low, x_high)
            if ball is not None:
                dual = torch.linalg.vector_norm(columns, ord=np.inf if ball[1] == 1 else 2, dim=1)
                features = torch.minimum(features, self.radius(ball[0]) * dual)
        if self.labels:
            columns = moves[self._label_place]
            labels = (
                _extent(columns, y_low, y_high)
                if self.problem.classes is None
                else torch.stack([columns.amax(1), (-columns).amax(1)]).clamp(min=0.0)
            )
        return features, labels

    def _flips(self, samples: Batch, linear: Linearised) -> Tensor:
        by_labels = torch.einsum("noy,noq->nyq", linear.by_labels(), linear.sensitivity)
        if self.problem.classes is None:
            return by_labels
        _, y = self.standing(samples)
        classes = y.shape[1]
        own = y.argmax(dim=1)
        others = torch.tensor([[c for c in range(classes) if c != k] for k in range(classes)])[own]
        at = torch.arange(len(samples)).unsqueeze(-1)
        change = by_labels[at, others] - by_labels[at, own.unsqueeze(-1)]
        # A flip that is not allowed does nothing.
        possible = torch.tensor(self._boxes(samples)[1][1] > 0.0)[at, others]
        return change * possible.unsqueeze(-1)

    def directions(self, mean: Tensor) -> list[Direction]:
        return self.found

    def extra(self, mean: Tensor, found: Tensor) -> Range:
        totals = [gain.total(self.q) for gain in self.gains]
        if len(totals) == 1:
            most = totals[0]
        else:
            both, first, second_too, second, first_too = totals
            most = torch.minimum(both, torch.minimum(first + second_too, second + first_too))
        most = most * (1.0 + DOUBLE.accumulated(sum(self.budgets) + self.features + 16))
        return Range(-most[1], most[0])

    def own_outputs(self, samples: Batch, linear: Linearised) -> Tensor | None:
        if not self.features:
            return None
        by = linear.outputs_by_features().flatten(2)
        low, high = (torch.tensor(end).flatten(1) for end in self._boxes(samples)[0])
        model = self.problem.perturbation
        reach = torch.maximum(by * low.unsqueeze(1), by * high.unsqueeze(1)).sum(-1)
        if model.ball is not None:
            radius, p = self.radius(model.ball[0]), model.ball[1]
            dual = torch.linalg.vector_norm(by, ord=np.inf if p == 1 else 2, dim=-1)
            touched = torch.tensor(self.vulnerable[samples]).to(by.dtype).unsqueeze(-1)
            reach = torch.minimum(reach, radius * dual * touched)
        else:
            reach = torch.maximum(
                reach, torch.maximum(-by * low.unsqueeze(1), -by * high.unsqueeze(1)).sum(-1)
            )
        zero = torch.zeros_like(reach)
        return torch.stack([zero, *(reach if moved[0] else zero for moved in self.variants)])


def _extent(columns: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The largest sums of columns (n, k, q) times numbers in boxes (n, k, 1), and of their
    negatives, (2, n, q)."""
    ends = columns * low, columns * high
    return torch.stack([torch.maximum(*ends).sum(1), torch.maximum(*(-end for end in ends)).sum(1)])


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

    def add(self, samples: Batch, linear: Linearised, nominal: Tensor, found: Deviation) -> None:
        if not self.most:
            return
        least, most = self.factors()
        spread = 0.5 * (most - least)
        chosen = np.flatnonzero(self.vulnerable[samples])
        pick = torch.tensor(chosen)
        low, high, own = found.low[pick], found.high[pick], nominal[pick]
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
        self.low, self.high = ends

    def instead(self, mean: Tensor) -> Tensor:
        return 0.5 * (self.low + self.high)

    def extra(self, mean: Tensor, found: Tensor) -> Range:
        if not self.most:
            return Range(torch.zeros_like(mean), torch.zeros_like(mean))
        total = self.gains.total(self.q)
        centre = self.instead(mean) if self.linear else torch.zeros_like(mean)
        up = total[0] + self.most * (self.high - centre).clamp(min=0.0)
        down = total[1] + self.most * (centre - self.low).clamp(min=0.0)
        error = DOUBLE.accumulated(self.most + 24) * (up + down + centre.abs() * self.most)
        return Range(-down - error, up + error)


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
