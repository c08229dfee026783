"""The ball of uniform stability (Hardt, Recht and Singer, 2016): how far apart two runs of a convex
problem can be, for any number of steps.

A step on the data as they stand, θ − α (∇F(θ) + λ θ), changes distances by at most
max(|1 − αλ|, |1 − αλ − αβ|), where 0 ≼ ∇²F ≼ β; what touched samples change in it is bounded
whatever θ is.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agtopt.domains.moves import largest_sum
from agtopt.intervals.adversary import touchable_mask
from agtopt.problem import Problem
from agtopt.problem.layers import Dense, Flatten
from agtopt.problem.loss import BinaryCrossEntropy, CrossEntropy, Loss, SquaredError
from agtopt.tolerances import DOUBLE, Rounding
from agtopt.training.concrete import state_trajectory

Array = NDArray[np.float64]

CURVATURE: dict[type[Loss], float] = {
    BinaryCrossEntropy: 0.25,
    CrossEntropy: 0.5,
    SquaredError: 2.0,
}
"""The largest eigenvalue of ∂²L/∂z²."""

FLIP = 2.0**0.5 * (1.0 + 4 * DOUBLE.unit)
"""The Euclidean norm of e_a − e_b, rounded up."""


GRAM = 2048
"""Side of a matrix beyond which its eigenvalues are not found."""


class Ball:
    """Radii around the nominal run.

    Parameters
    ----------
    problem : Problem
        One that `suits`.
    rounding : Rounding
        That of the format in which training runs.
    """

    def __init__(self, problem: Problem, rounding: Rounding) -> None:
        self.problem = problem
        self.rounding = rounding
        (self.node,) = (node for node in problem.network.nodes if problem.network.tensors_of(node))
        self.vulnerable = touchable_mask(problem)
        self.loss = type(problem.training.loss)
        self.steepness = dict[bytes, float]()

    @staticmethod
    def suits(problem: Problem) -> bool:
        """Whether the loss is convex and smooth in what is trained, and only labels move."""
        network, training, model = problem.network, problem.training, problem.perturbation
        layers = [type(network.layer(node)) for node in network.nodes]
        return (
            [kind for kind in layers if kind is not Flatten] == [Dense]
            and type(training.loss) in CURVATURE
            and training.clip is None
            and training.momentum == 0.0
            and not (model.removes or model.replaces or model.moves_features)
            and not problem.dataset.mapped
        )

    @cached_property
    def radii(self) -> Array:
        """ρ_0 … ρ_T, of the problem alone: a run that goes on has the same.

        Every sample has a radius of its own, which its steps add to, and those of the n farthest
        add up; rounding has one in common.
        """
        problem = self.problem
        apart = np.zeros(len(problem.dataset))
        state = problem.flatten(problem.state)
        common = 0.0
        if self.rounding != DOUBLE:
            common = float(np.linalg.norm(np.abs(state) * self.rounding.unit)) + (
                self.rounding.normal * len(state)
            )
        found = [common * (1.0 + DOUBLE.accumulated(len(state) + 8))]
        with np.errstate(over="ignore", invalid="ignore"):
            for t, nominal in enumerate(state_trajectory(problem)[:-1]):
                batch, rate = problem.schedule[t], float(problem.learning_rates[t])
                inputs = self._inputs(batch)
                share = 1.0 + DOUBLE.accumulated(inputs.size + 32)
                factor = self._factor(t, inputs) * share
                length = np.linalg.norm(inputs, axis=1)
                change = self._label_change(batch) * length * self.vulnerable[batch]
                apart *= factor
                apart[batch] += rate * change / len(batch) * share
                reach = np.abs(nominal) + found[-1]
                common = (factor * common + self._rounded(t, inputs, length, reach)) * share
                touched = largest_sum(apart[np.newaxis], problem.perturbation.budget)[0]
                total = (float(touched) + common) * (1.0 + DOUBLE.accumulated(len(apart) + 8))
                found.append(total if np.isfinite(total) else np.inf)
        return np.array(found)

    def _factor(self, t: int, inputs: Array) -> float:
        """By how much a step on the data as they stand changes distances at most."""
        problem = self.problem
        rate, decay = float(problem.learning_rates[t]), problem.training.weight_decay
        key = problem.schedule[t].tobytes()
        if key not in self.steepness:
            self.steepness[key] = CURVATURE[self.loss] * largest_eigenvalue(inputs)
        steep = self.steepness[key]
        factor = max(abs(1.0 - rate * decay), abs(1.0 - rate * decay - rate * steep))
        return factor + 8 * DOUBLE.unit * (1.0 + rate * (decay + steep))

    def _inputs(self, batch: NDArray[np.int64]) -> Array:
        """What the trained weights and biases are multiplied by, (n, inputs + 1)."""
        flat = self.problem.dataset.features[batch].reshape(len(batch), -1)
        parts = []
        if f"{self.node}_weight" in self.problem.trained:
            parts.append(flat)
        if f"{self.node}_bias" in self.problem.trained:
            parts.append(np.ones((len(batch), 1)))
        return np.concatenate(parts, axis=1)

    def _label_change(self, batch: NDArray[np.int64]) -> Array:
        """How far ∂L/∂z may change by another label, (n,), in the Euclidean norm."""
        problem = self.problem
        y = problem.encode(problem.dataset.labels[batch])
        low, high = problem.perturbation.label_box(problem, y)
        change = np.maximum(np.abs(low - y), np.abs(high - y))
        if self.loss is SquaredError:
            size = np.linalg.norm(change, axis=1)
            spare = 8 * DOUBLE.unit * (size + np.linalg.norm(y, axis=1))
            return np.asarray(2.0 * (size + spare * (size > 0)))
        flips = change.max(axis=1) > 0
        return np.asarray(flips * (1.0 if self.loss is BinaryCrossEntropy else FLIP))

    def _labels(self, batch: NDArray[np.int64]) -> Array:
        """The largest magnitudes of labels, touched ones too, (n, outputs)."""
        y = self.problem.encode(self.problem.dataset.labels[batch])
        low, high = self.problem.perturbation.label_box(self.problem, y)
        touched = np.maximum(np.abs(low), np.abs(high))
        return np.where(
            self.vulnerable[batch, np.newaxis], np.maximum(touched, np.abs(y)), np.abs(y)
        )

    def _rounded(self, t: int, inputs: Array, length: Array, theta: Array) -> float:
        """What rounding adds in a step of training: in outputs, in the loss gradient, in sums over
        the batch and in the update, for parameters of magnitudes up to `theta`."""
        problem, rounding = self.problem, self.rounding
        batch, rate = problem.schedule[t], float(problem.learning_rates[t])
        decay = problem.training.weight_decay
        tensors = problem.unflatten(theta)
        flat = np.abs(problem.dataset.features[batch].reshape(len(batch), -1))
        size = flat @ tensors[f"{self.node}_weight"].T
        if (bias := f"{self.node}_bias") in tensors:
            size = size + tensors[bias]
        outputs = size.shape[1]
        # Numbers of the problem that the format does not hold are rounded as well.
        terms = rounding.accumulated(flat.shape[1] + 12)
        z = np.linalg.norm(size, axis=1)
        y = np.linalg.norm(self._labels(batch), axis=1)
        largest = 2.0 * (z + y) if self.loss is SquaredError else np.full(len(z), FLIP)
        change = CURVATURE[self.loss] * terms * z + 16 * outputs * (
            rounding.evaluation * largest + rounding.unit * z + rounding.underflow
        )
        gradient = change * length + rounding.accumulated(len(batch) + 24) * largest * length
        total = float(gradient.mean())
        mean = float((largest * length).mean())
        moves = float(np.linalg.norm(theta)) * (2.0 + rate * decay)
        return (
            rate * total
            + rounding.accumulated(16) * (moves + rate * mean)
            + (rounding.smallest * 64 * len(batch) * len(theta))
        )


def largest_eigenvalue(rows: Array) -> float:
    """At least the largest eigenvalue of rowsᵀ rows / n, whatever the solver of eigenvalues did.

    With G = Q Λ Qᵀ + R it is at most max |Λ| ‖Q‖² + ‖R‖, and ‖Q‖² is at most 1 + ‖QᵀQ − I‖.
    """
    n = len(rows)
    lengths = float((rows**2).sum()) / n
    if min(rows.shape) > GRAM:
        # The trace.
        return lengths * (1.0 + DOUBLE.accumulated(rows.size + 8))
    if rows.shape[1] > n:
        # That of rows rowsᵀ is the same.
        rows = rows.T
    terms, size = rows.shape
    gram = rows.T @ rows / n
    values, axes = np.linalg.eigh(gram)
    share = DOUBLE.accumulated(2 * size + 8)
    norm = float(np.linalg.norm(gram))
    rest = float(np.linalg.norm(gram - (axes * values) @ axes.T))
    defect = float(np.linalg.norm(axes.T @ axes - np.eye(size)))
    top = float(np.abs(values).max())
    error = DOUBLE.accumulated(terms + 8) * lengths + share * size * (norm + top)
    return float((top * (1.0 + defect + share * size) + rest + error) * (1.0 + share))
