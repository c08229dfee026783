"""Samples that move within boxes of their own: what of that is linear in symbols of theirs, and
what remains, of as many samples as the budget allows."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.domains import Balls, Boxes, Choices, Moves, Touched
from agtopt.intervals.affine.deviation import Deviation
from agtopt.intervals.affine.operations import DeviationOperations
from agtopt.intervals.affine.tangent import Linearised
from agtopt.intervals.affine.touching import AffineAdversary, Direction, Gains
from agtopt.intervals.arithmetic import Range
from agtopt.intervals.scale.numerics import Numerics
from agtopt.problem import Problem
from agtopt.tolerances import DOUBLE

Array = NDArray[np.float64]
Batch = NDArray[np.int64]

PUSHED = 64
"""Directions for each sample that are found although they are not kept."""


class MovingAffine(AffineAdversary):
    """Samples that move within a box of their own."""

    def __init__(self, problem: Problem, numerics: Numerics, keeps: bool) -> None:
        super().__init__(problem, numerics, keeps)
        model = problem.perturbation
        self.moves = bool(model.moves_features), bool(model.moves_labels)
        separate = model.separate and all(self.moves)
        self.variants = [(True, False), (False, True), (True, True)] if separate else [self.moves]
        if not len(self.touchable):
            self.moves = (False, False)
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
        self.own = self.features

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
        own = None
        if self.features:
            shape = x.nominal.shape[1:]
            units = torch.eye(shape.numel(), dtype=x.nominal.dtype).reshape(-1, 1, *shape)
            own = units.expand(-1, len(samples), *shape)
            ops.extent = self._extent_of(samples)
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
                    own if k == 0 else None,
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

    def add(self, samples: Batch, linear: Linearised, found: Deviation) -> None:
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
        moves = self._directions(samples, chosen, linear, found)
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
        self, samples: Batch, chosen: Batch, linear: Linearised, gradients: Deviation
    ) -> dict[tuple[int, int], Tensor]:
        """The columns (n, k, q) of the gradients of touched samples, by group and move."""
        found, pick = {}, torch.tensor(chosen)
        if self.features and gradients.own is not None:
            found[0, 0] = gradients.own[:, pick].transpose(0, 1)
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
        if self.features and (0, 0) in moves:
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

    def _extent_of(self, samples: Batch) -> Callable[[Tensor], Tensor]:
        """As of `DeviationOperations.extent`."""
        low, high = (torch.tensor(end).flatten(1).mT for end in self._boxes(samples)[0])
        reach, ball = torch.maximum(-low, high), self.problem.perturbation.ball
        touched = torch.tensor(self.vulnerable[samples]).to(reach.dtype)

        def extent(own: Tensor) -> Tensor:
            behind = (1,) * (own.dim() - 2)
            found = (own.abs() * reach.reshape(*reach.shape, *behind)).sum(0)
            if ball is not None:
                dual = torch.linalg.vector_norm(own, ord=np.inf if ball[1] == 1 else 2, dim=0)
                dual = self.radius(ball[0]) * dual * touched.reshape(-1, *behind)
                found = torch.minimum(found, dual)
            zero = torch.zeros_like(found)
            return torch.stack([zero, *(found if moved[0] else zero for moved in self.variants)])

        return extent


def _extent(columns: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The largest sums of columns (n, k, q) times numbers in boxes (n, k, 1), and of their
    negatives, (2, n, q)."""
    ends = columns * low, columns * high
    return torch.stack([torch.maximum(*ends).sum(1), torch.maximum(*(-end for end in ends)).sum(1)])
