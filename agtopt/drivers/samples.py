"""One sample of a batch as a problem of its own, and what training runs attain of its gradient."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.attacks import Attack
from agtopt.attacks.changes import rows
from agtopt.domains import Interval
from agtopt.domains.interval import Ends
from agtopt.errors import UnsupportedError
from agtopt.intervals.adversary import Rows
from agtopt.intervals.arithmetic import Range
from agtopt.problem import (
    Bounded,
    Dataset,
    Datasets,
    Moving,
    Network,
    Perturbation,
    Problem,
    Training,
)
from agtopt.problem.perturbation.base import in_ball, in_box, within_ball
from agtopt.problem.perturbation.perturbed import Perturbed
from agtopt.program import forward
from agtopt.program.step import gradients
from agtopt.tolerances import ADMITTED
from agtopt.training.concrete import ConcreteOperations, trajectories

Array = NDArray[np.float64]
Batch = NDArray[np.int64]

MOST_RUNS = 256
"""Training runs whose gradients bounds are compared with."""

MOST_ENTRIES = 2**24
"""Entries of their parameters over all steps; fewer runs where networks are large."""


@dataclass(frozen=True, eq=False)
class Boxed(Moving):
    """The only sample takes any point of a box, or of a ball within it.

    Parameters
    ----------
    features : (array, array)
        Lowest and highest, of the shape of a sample.
    labels : (array, array)
        Lowest and highest encoded label; of classes those that are 1 in the second.
    ball : (float, float) or None
        As of a perturbation model, around the sample as it stands.
    """

    features: Ends = (np.empty(0), np.empty(0))
    labels: Ends = (np.empty(0), np.empty(0))
    ball: tuple[float, float] | None = None

    @property
    def moves_features(self) -> bool:
        return bool((self.features[0] < self.features[1]).any())

    @property
    def moves_labels(self) -> bool:
        return bool((self.labels[0] < self.labels[1]).any())

    def feature_box(self, problem: Perturbed, features: Array) -> Ends:
        low, high = (np.broadcast_to(end, features.shape) for end in self.features)
        return low, high

    def label_box(self, problem: Perturbed, labels: Array, certain: bool = False) -> Ends:
        low, high = (np.broadcast_to(end, labels.shape) for end in self.labels)
        if problem.classes is None:
            return low, high
        possible = np.where(labels > 0, 0.0, high) if certain and not self.moves_features else high
        return np.where(possible.sum(axis=-1, keepdims=True) == 1.0, possible, 0.0), possible

    def admits(self, problem: Perturbed, other: Dataset, tolerance: float = ADMITTED) -> bool:
        values = ((other.features, self.features), (problem.encode(other.labels), self.labels))
        return all(in_box(x, *ends, tolerance) for x, ends in values) and (
            self.ball is None
            or in_ball(other.features, problem.dataset.features, self.ball, tolerance)
        )

    def sample(self, problem: Perturbed, size: int, generator: np.random.Generator) -> Datasets:
        nominal = problem.dataset
        features = generator.uniform(*self.features, size=(size, *nominal.features.shape))
        if self.ball is not None:
            features = nominal.features + within_ball(features - nominal.features, self.ball)
        if problem.classes is None:
            labels = generator.uniform(
                *self.labels, size=(size, *problem.encode(nominal.labels).shape)
            )
        else:
            labels = generator.choice(
                np.array(problem.classes, dtype=np.float64)[self.labels[1] > 0], size=size
            )
        return Datasets(nominal, size, features, labels.reshape(size, *nominal.labels.shape))

    def describe(self) -> str:
        return "one sample anywhere in a box"


@dataclass(frozen=True, eq=False)
class Case:
    """A sample of a batch, as it stands or under a variant of being touched.

    Attributes
    ----------
    place : tuple of int
        Where the intervals of the gradients have it.
    problem : Problem or None
        Its gradient as a training run; None where no model can say more than `like` or than
        intervals.
    like : tuple of int or None
        Place of the same sample as it stands.
    runs, features, labels : array, shapes (m,), (m, …), (m, …)
        Training runs, and what the sample may be in each.
    words : str
    """

    place: tuple[int, ...]
    problem: Problem | None
    like: tuple[int, ...] | None
    runs: Batch
    features: Array
    labels: Array
    words: str


class Samples:
    """The samples of every batch, each as a problem of its own.

    Parameters
    ----------
    problem : Problem
    adversary : Rows
        What the intervals of the gradients are made with.
    attack : Attack
        Its runs are what bounds are compared with (S9); the first one is nominal.

    Raises
    ------
    UnsupportedError
        If the adversary does not say what its rows are.
    """

    def __init__(self, problem: Problem, adversary: Rows, attack: Attack) -> None:
        if adversary.variants is None:
            raise UnsupportedError(
                f"perturbation: {type(adversary).__name__} has no sample-wise decomposition: its "
                f"`variants` do not say what its rows are"
            )
        self.problem = problem
        self.adversary = adversary
        self.variants = adversary.variants
        size = problem.network.size
        most = max(1, min(MOST_RUNS, MOST_ENTRIES // (size * (problem.steps + 1))))
        chosen = attack.leading(most)
        data = rows(attack.datasets, chosen)
        self.states = np.concatenate(
            [states[..., :size] for _, states in trajectories(problem, data)]
        )
        nominal, many = problem.dataset, len(chosen)
        self.features, self.labels = (
            np.broadcast_to(own, (many, *own.shape)) if values is None else values
            for values, own in ((data.features, nominal.features), (data.labels, nominal.labels))
        )

    def count(self, t: int) -> int:
        """The number of cases of step t."""
        return len(self.problem.schedule[t]) * (1 + len(self.variants)) + (
            self._ghost(t) is not None
        )

    def cases(self, t: int) -> Iterator[Case]:
        """Every sample of the batch of step t in every variant that its intervals have."""
        data, samples, every = (
            self.problem.dataset,
            self.problem.schedule[t],
            np.arange(len(self.states)),
        )
        network = self._network(t)
        for row, sample in enumerate(samples.tolist()):
            own = (0, row) if self.variants else (row,)
            still = data.features[sample], data.labels[sample]
            seen = [np.broadcast_to(value, (len(every), *np.shape(value))) for value in still]
            yield Case(
                own,
                self._alone(network, *still, Bounded(0)),
                None,
                every,
                seen[0],
                seen[1],
                f"sample {sample}",
            )
            for variant, moves in enumerate(self.variants, start=1):
                model = self._touching(sample, variant)
                problem = None if model is None else self._alone(network, *still, model)
                # Every run is one in which the sample stays as it is, too: its parameters are
                # reachable.
                x, y = (
                    np.concatenate([values[:, sample] if moved else clean, clean])
                    for moved, values, clean in zip(
                        moves, (self.features, self.labels), seen, strict=True
                    )
                )
                words = f"sample {sample} touched" + (
                    f" (variant {variant})" if len(self.variants) > 1 else ""
                )
                yield Case(
                    (variant, row), problem, own, np.concatenate([every, every]), x, y, words
                )
        ghost = self._ghost(t)
        if ghost is not None:
            yield self._replaced(network, ghost, len(samples))

    def attained(self, t: int, case: Case, box: Interval) -> dict[str, Ends]:
        """Smallest and largest gradient of a case at step t, by tensor, not yet clipped.

        Over its runs, and from corners of the box of θ_t, which its models hold as well.
        """
        alone = case.problem
        assert alone is not None
        theta, x, y = _corners(alone, box)
        theta = np.concatenate([self.states[case.runs, t], theta])
        x, y = (
            np.concatenate([case.features, x]),
            np.concatenate([alone.encode(case.labels).reshape(-1, y.shape[1]), y]),
        )
        slopes = gradients(*_as_runs(alone, theta, x, y), alone.trained)
        return {
            name: (value.amin((0, 1)).numpy(), value.amax((0, 1)).numpy())
            for name, value in slopes.items()
        }

    def _network(self, t: int) -> Network:
        """The network at the parameters of the nominal run, from where solvers start."""
        network = self.problem.network
        return Network(network.graph, network.input_shape, network.unflatten(self.states[0, t]))

    def _alone(
        self, network: Network, features: Array, labels: Array, model: Perturbation
    ) -> Problem:
        """One step of rate 1 on one sample: θ₀ − θ₁ is its gradient, not yet clipped."""
        training = Training(
            self.problem.training.loss,
            batches=[[0]],
            learning_rate=1.0,
            frozen=self.problem.training.frozen,
        )
        return Problem(
            network,
            Dataset(features[np.newaxis], np.asarray(labels)[np.newaxis]),
            model,
            training,
            self.problem.name,
        )

    def _touching(self, sample: int, variant: int) -> Perturbation | None:
        """What may become of a sample; None if nothing."""
        rows = self.adversary.batch(np.array([sample]))
        ranks = self.problem.dataset.features.ndim, 2
        boxes = [_part(values, rank, variant) for values, rank in zip(rows, ranks, strict=True)]
        boxed = Boxed(1, None, boxes[0], boxes[1])
        if boxed.moves_features:
            boxed = replace(boxed, ball=self.problem.perturbation.ball)
        return boxed if boxed.moves_features or boxed.moves_labels else None

    def _ghost(self, t: int) -> tuple[Range, Range] | None:
        """The row of replaced samples, if the batch of step t has one."""
        return (
            self.adversary.ghost
            if self.adversary.vulnerable[self.problem.schedule[t]].any()
            else None
        )

    def _replaced(self, network: Network, ghost: tuple[Range, Range], row: int) -> Case:
        """Any point of the box; where it is unbounded there is no model, and clipped intervals
        bound it."""
        nominal, classes = self.problem.dataset, self.problem.classes
        pairs = (self.features, nominal.features), (self.labels, nominal.labels)
        changed = [
            (values != own).reshape(*values.shape[:2], -1).any(axis=-1) for values, own in pairs
        ]
        seen = np.nonzero(changed[0] | changed[1])
        boxes = [(low[-1].numpy(), high[-1].numpy()) for low, high in ghost]
        problem = None
        if all(np.isfinite(end).all() for box in boxes for end in box):
            x, y = (0.5 * (low + high) for low, high in boxes)
            label = y if classes is None else np.array(float(classes[int(boxes[1][1].argmax())]))
            problem = self._alone(
                network,
                x,
                label.reshape(nominal.labels.shape[1:]),
                Boxed(1, None, boxes[0], boxes[1]),
            )
        return Case(
            (row,),
            problem,
            None,
            seen[0],
            self.features[seen],
            self.labels[seen],
            "a replaced sample",
        )


def _part(values: Range, rank: int, variant: int) -> Ends:
    low, high = ((end[variant] if end.dim() > rank else end)[0].numpy() for end in values)
    return low, high


def _as_runs(
    alone: Problem, theta: Array, x: Array, y: Array
) -> tuple[ConcreteOperations, Problem, dict[str, Tensor], Tensor, Tensor]:
    """Parameters (m, p), features (m, …) and encoded labels (m, c) as m batches of one sample."""
    rows = torch.tensor(x).unsqueeze(1), torch.tensor(y).unsqueeze(1)
    parameters = {
        name: torch.tensor(value) for name, value in alone.network.unflatten(theta).items()
    }
    return ConcreteOperations(alone, *rows), alone, parameters, *rows


def _corners(alone: Problem, box: Interval) -> tuple[Array, Array, Array]:
    """Parameters, features and encoded labels, (m, …) each, of corners of their boxes: the
    gradients of linear models are extreme there.

    To first order some output is as far above the others there as possible, or as far below; each
    corner comes with every label.
    """
    network, model, data = alone.network, alone.perturbation, alone.dataset
    labels = alone.encode(data.labels)
    low, high = (ends[0] for ends in model.label_box(alone, labels))
    choices = (
        np.stack([low, high])
        if alone.classes is None
        else np.eye(len(high))[(high > 0) | (labels[0] > 0)]
    )
    if not model.budget:
        choices = labels
    ends = [np.array([box.lower, box.upper]), np.repeat(data.features, 2, axis=0)]
    # A corner of the box around a ball lies outside of it.
    if model.moves_features and model.ball is None:
        ends[1] = np.concatenate(model.feature_box(alone, data.features))
    many = network.outputs
    directions = torch.from_numpy(2.0 * np.eye(many) - 1.0)
    middle = [np.repeat(pair.mean(axis=0, keepdims=True), many, axis=0) for pair in ends]
    ops, _, parameters, x, _ = _as_runs(
        alone, middle[0], middle[1], np.repeat(labels, many, axis=0)
    )
    leaves = [leaf.requires_grad_() for leaf in (*parameters.values(), x)]
    output, _ = forward(ops, network, parameters, x)
    slopes = torch.autograd.grad(
        (output.squeeze(1) * directions).sum(), leaves, allow_unused=True, materialize_grads=True
    )
    signs = [
        network.flatten(
            {name: slope.numpy() for name, slope in zip(parameters, slopes, strict=False)}
        ),
        slopes[-1].squeeze(1).numpy(),
    ]
    corners = [
        np.concatenate([np.where(sense * sign > 0, pair[1], pair[0]) for sense in (1, -1)])
        for sign, pair in zip(signs, ends, strict=True)
    ]
    count = len(choices)
    return (
        np.repeat(corners[0], count, axis=0),
        np.repeat(corners[1], count, axis=0),
        np.tile(choices, (2 * many, 1)),
    )
