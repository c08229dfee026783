"""Training with numbers: torch, float64, any number of datasets at once."""

from collections.abc import Iterator
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.problem.dataset import Dataset
from agtopt.problem.problem import Problem
from agtopt.program import forward, train

CHUNK = 2**22
"""Entries of per-sample gradients, or of a layer's outputs, held at once; it bounds memory and changes no result."""


class ConcreteOperations:
    """Tensors with any leading axes (one dataset each) before the axes of the program.

    Parameters
    ----------
    problem : Problem
    features : Tensor, shape (…, N, *input_shape)
    labels : Tensor, shape (…, N, outputs or classes)
        Encoded labels.
    """

    def __init__(self, problem: Problem, features: Tensor, labels: Tensor) -> None:
        self.problem, self.features, self.labels = problem, features, labels
        self.sample_axis = -1 - len(problem.network.input_shape)

    def begin(self, t: int) -> tuple[Tensor, Tensor]:
        batch = torch.from_numpy(self.problem.schedule[t])
        return self.features.index_select(self.sample_axis, batch), self.labels.index_select(-2, batch)

    def constant(self, value: NDArray[np.float64] | float) -> Tensor:
        return torch.as_tensor(value, dtype=torch.float64)

    def add(self, first: Tensor, second: Tensor) -> Tensor:
        return first + second

    def scale(self, factor: float, value: Tensor) -> Tensor:
        return factor * value

    def contract(self, subscripts: str, first: Tensor, second: Tensor, at: str) -> Tensor:
        return einsum(subscripts, first, second)

    def rectify(self, value: Tensor, at: str) -> tuple[Tensor, Tensor]:
        return value.clamp(min=0.0), (value > 0).to(value.dtype)

    def positive(self, value: Tensor, given: Tensor, at: str) -> Tensor:
        return (value > 0) * given

    def define(self, value: Tensor, at: str) -> Tensor:
        return value

    def flatten(self, value: Tensor) -> Tensor:
        return value.flatten(start_dim=self.sample_axis + 1)

    def unflatten(self, value: Tensor, shape: tuple[int, ...]) -> Tensor:
        return value.reshape(*value.shape[:-1], *shape)

    def column(self, value: Tensor, index: int) -> Tensor:
        return value[..., index : index + 1]

    def per_sample(self, value: Tensor) -> Tensor:
        return value.unsqueeze(-2)

    def aggregate(self, gradient: Tensor, tensor: str) -> Tensor:
        return gradient.mean(dim=-1 - self.problem.network.initial[tensor].ndim)

    def descend(self, parameter: Tensor, direction: Tensor, rate: float, tensor: str) -> Tensor:
        return parameter - rate * direction


def use_one_thread() -> None:
    """Keep torch to one thread in this process: workers side by side would otherwise wait for each other's threads."""
    torch.set_num_threads(1)


def einsum(subscripts: str, first: Tensor, second: Tensor) -> Tensor:
    """Einstein sum over the named axes; leading axes broadcast."""
    inputs, output = subscripts.split("->")
    left, right = inputs.split(",")
    return torch.einsum(f"...{left},...{right}->...{output}", first, second)


def trajectories(problem: Problem, features: NDArray[np.float64], labels: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Train on many datasets at once.

    Parameters
    ----------
    problem : Problem
    features : array, shape (D, N, *input_shape) or (N, *input_shape)
    labels : array, shape (D, N) or (D, N, outputs)

    Yields
    ------
    first : int
        Index of the chunk's first dataset.
    theta : array, shape (d, T+1, p)
        θ_0 … θ_T for the chunk's datasets.
    """
    runs = len(labels)
    largest = max(len(batch) for batch in problem.schedule) * problem.network.size
    chunk = max(1, CHUNK // largest)
    encoded = problem.encode(labels)
    many = features.ndim > problem.dataset.features.ndim
    for first in range(0, runs, chunk):
        part = slice(first, min(first + chunk, runs))
        size = part.stop - first
        ops = ConcreteOperations(
            problem, torch.from_numpy(np.array(features[part] if many else features)), torch.from_numpy(np.array(encoded[part]))
        )
        start = {name: torch.from_numpy(np.array(value)).expand(size, *value.shape) for name, value in problem.network.initial.items()}
        states = [start, *train(ops, problem, start, 0, problem.steps)]
        yield (
            first,
            np.stack([problem.network.flatten({k: v.numpy() for k, v in state.items()}) for state in states], axis=1),
        )


def trajectory(problem: Problem, dataset: Dataset | None = None) -> NDArray[np.float64]:
    """Plain SGD on one dataset (the problem's own by default): θ_0 … θ_T, shape (T+1, p)."""
    data = problem.dataset if dataset is None else dataset
    (_, theta), *_ = trajectories(problem, data.features, data.labels[np.newaxis])
    result: NDArray[np.float64] = theta[0]
    return result


def outputs(problem: Problem, theta: NDArray[np.float64], inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Outputs of many models at many inputs.

    Parameters
    ----------
    problem : Problem
    theta : array, shape (runs, p)
    inputs : array, shape (m, *input_shape)

    Returns
    -------
    array, shape (runs, m, outputs)
    """
    network = problem.network
    x = torch.from_numpy(np.array(inputs, dtype=np.float64))
    ops = ConcreteOperations(problem, x, torch.zeros((len(x), 1), dtype=torch.float64))
    chunk = max(1, CHUNK // (len(x) * max(prod(shape) for shape in network.shapes.values())))
    found = []
    for first in range(0, len(theta), chunk):
        tensors = network.unflatten(theta[first : first + chunk])
        output, _ = forward(ops, network, {name: ops.constant(np.array(value)) for name, value in tensors.items()}, x)
        found.append(output.numpy())
    return np.concatenate(found)
