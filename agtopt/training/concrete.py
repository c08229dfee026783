"""Training with numbers: torch, float64, any number of datasets at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from agtopt.problem.dataset import Dataset, Datasets
from agtopt.problem.layers import Patches, Shape
from agtopt.problem.problem import Problem
from agtopt.program import forward, train

CHUNK = 2**22
"""Entries of per-sample gradients, or of a layer's outputs, held at once; it bounds memory and
changes no result."""


class ConcreteOperations:
    """Tensors with any leading axes (one dataset each) before the axes of the program.

    Parameters
    ----------
    problem : Problem
    features : Tensor or MappedRows, shape (…, N, *input_shape)
    labels : Tensor, shape (…, N, outputs or classes)
        Encoded labels.
    present : Tensor of bool, shape (…, N), or None
        Which samples take part; all by default.
    """

    def __init__(
        self,
        problem: Problem,
        features: "Tensor | MappedRows",
        labels: Tensor,
        present: Tensor | None = None,
    ) -> None:
        self.problem = problem
        self.features = features
        self.labels = labels
        self.present = present
        self.sample_axis = -1 - len(problem.network.input_shape)

    def begin(self, t: int) -> tuple[Tensor, Tensor]:
        self.batch = torch.tensor(self.problem.schedule[t])
        return self.features.index_select(self.sample_axis, self.batch), self.labels.index_select(
            -2, self.batch
        )

    def constant(self, value: NDArray[np.float64] | float) -> Tensor:
        return number_tensor(value)

    def add(self, first: Tensor, second: Tensor) -> Tensor:
        return first + second

    def scale(self, factor: float, value: Tensor) -> Tensor:
        return factor * value

    def contract(
        self, subscripts: str, first: Tensor, second: Tensor, at: str, shift: Tensor | None = None
    ) -> Tensor:
        product = einsum(subscripts, first, second)
        return product if shift is None else product + shift

    def rectify(self, value: Tensor, at: str) -> tuple[Tensor, Tensor]:
        return value.clamp(min=0.0), (value > 0).to(value.dtype)

    def positive(self, value: Tensor, given: Tensor, at: str) -> Tensor:
        return (value > 0) * given

    def sigmoid(self, value: Tensor, at: str) -> Tensor:
        return value.sigmoid()

    def softmax(self, value: Tensor, at: str) -> Tensor:
        return value.softmax(dim=-1)

    def clip(self, value: Tensor, bound: float, at: str) -> Tensor:
        return value.clamp(-bound, bound)

    def define(self, value: Tensor, at: str) -> Tensor:
        return value

    def reshape(self, value: Tensor, old: Shape, new: Shape) -> Tensor:
        return reshape(value, old, new)

    def unfold(self, value: Tensor, patches: Patches) -> Tensor:
        return unfold(value, patches)

    def fold(self, value: Tensor, patches: Patches) -> Tensor:
        return fold(value, patches)

    def column(self, value: Tensor, index: int) -> Tensor:
        return value[..., index : index + 1]

    def per_sample(self, value: Tensor, rank: int = 1) -> Tensor:
        return value.unsqueeze(-1 - rank)

    def aggregate(self, gradient: Tensor, tensor: str) -> Tensor:
        rank = self.problem.network.initial[tensor].ndim
        if self.present is None:
            return gradient.mean(dim=-1 - rank)
        taking_part = self.present[..., self.batch].to(gradient.dtype)
        weights = taking_part / taking_part.sum(dim=-1, keepdim=True)
        return (gradient * weights.reshape(*weights.shape, *(1,) * rank)).sum(dim=-1 - rank)

    def update(self, terms: list[tuple[float, Tensor]], tensor: str) -> Tensor:
        total = terms[0][0] * terms[0][1]
        for factor, value in terms[1:]:
            total = total + factor * value
        return total


class AtKinks(ConcreteOperations):
    """Training that takes the other one-sided derivative at every kink (S2)."""

    def rectify(self, value: Tensor, at: str) -> tuple[Tensor, Tensor]:
        return value.clamp(min=0.0), (value >= 0).to(value.dtype)

    def positive(self, value: Tensor, given: Tensor, at: str) -> Tensor:
        return (value >= 0) * given


@dataclass(frozen=True)
class MappedRows:
    """Features on disk, of which only the rows of a batch are read.

    Parameters
    ----------
    array : array, shape (N, *input_shape)
    """

    array: NDArray[np.float64]

    def index_select(self, axis: int, rows: Tensor) -> Tensor:
        """These rows; samples are the only axis."""
        return torch.tensor(self.array[rows.numpy()])


def number_tensor(value: Tensor | NDArray[np.float64] | float) -> Tensor:
    """Numbers as float64.

    A view of an array may begin anywhere, and kernels of matrix products round by the alignment: a
    copy gives the same bits in any process.
    """
    return (
        value.to(torch.float64)
        if isinstance(value, Tensor)
        else torch.tensor(value, dtype=torch.float64)
    )


def use_one_thread() -> None:
    """Keep torch to one thread in this process: workers side by side would otherwise wait for each
    other's threads."""
    torch.set_num_threads(1)


def einsum(subscripts: str, first: Tensor, second: Tensor) -> Tensor:
    """Einstein sum over the named axes; leading axes broadcast."""
    inputs, output = subscripts.split("->")
    left, right = inputs.split(",")
    return torch.einsum(f"...{left},...{right}->...{output}", first, second)


def reshape(value: Tensor, old: Shape, new: Shape) -> Tensor:
    """(…, *old) as (…, *new), row-major."""
    return value.reshape(*value.shape[: value.dim() - len(old)], *new)


def unfold(value: Tensor, patches: Patches) -> Tensor:
    """The windows of (…, channels, height, width) as (…, entries, places)."""
    lead = value.shape[:-3]
    windows = functional.unfold(
        value.reshape(-1, *patches.shape), patches.kernel, 1, patches.padding, patches.stride
    )
    return windows.reshape(*lead, patches.entries, prod(patches.places))


def fold(value: Tensor, patches: Patches) -> Tensor:
    """The transpose of `unfold`."""
    lead = value.shape[:-2]
    flat = value.reshape(-1, *value.shape[-2:])
    image = functional.fold(
        flat, patches.shape[1:], patches.kernel, 1, patches.padding, patches.stride
    )
    return image.reshape(*lead, *patches.shape)


def concrete_operations(
    problem: Problem,
    variants: Datasets,
    operations: Callable[..., ConcreteOperations] = ConcreteOperations,
) -> ConcreteOperations:
    """The operations of training on variants of the dataset, side by side."""
    labels = problem.encode(problem.dataset.labels if variants.labels is None else variants.labels)
    features = problem.dataset.features if variants.features is None else variants.features
    present = None if variants.present is None else torch.from_numpy(variants.present)
    rows = MappedRows(features) if isinstance(features, np.memmap) else torch.tensor(features)
    return operations(problem, rows, torch.tensor(labels), present)


def trajectories(
    problem: Problem,
    variants: Datasets,
    operations: Callable[..., ConcreteOperations] = ConcreteOperations,
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Train on many variants of the dataset at once.

    Parameters
    ----------
    problem : Problem
    variants : Datasets
        D variants.
    operations : callable, optional
        Makes the operations of a chunk of them.

    Yields
    ------
    first : int
        Index of the chunk's first variant.
    states : array, shape (d, T+1, s)
        State before each step and after the last (`Problem.flatten`): the first p entries are θ_0 …
        θ_T.
    """
    runs = len(variants)
    largest = max(len(batch) for batch in problem.schedule) * max(
        problem.network.size, *map(prod, problem.network.shapes.values())
    )
    chunk = max(1, CHUNK // largest)
    for first in range(0, runs, chunk):
        part = variants.part(first, first + chunk)
        ops = concrete_operations(problem, part, operations)
        start = {
            name: torch.tensor(value).expand(len(part), *value.shape)
            for name, value in problem.state.items()
        }
        states = [start, *train(ops, problem, start, 0, problem.steps)]
        flat = [
            problem.flatten(
                {name: value.expand(len(part), *value.shape[1:]) for name, value in state.items()}
            )
            for state in states
        ]
        yield first, np.stack(flat, axis=1)


def state_trajectory(problem: Problem, dataset: Dataset | None = None) -> NDArray[np.float64]:
    """The states of plain SGD on one dataset (the problem's own by default), shape (T+1, s)."""
    variants = (
        Datasets(problem.dataset, 1) if dataset is None else Datasets.of(problem.dataset, [dataset])
    )
    (_, states), *_ = trajectories(problem, variants)
    result: NDArray[np.float64] = states[0]
    return result


def trajectory(problem: Problem, dataset: Dataset | None = None) -> NDArray[np.float64]:
    """Plain SGD on one dataset (the problem's own by default): θ_0 … θ_T, shape (T+1, p)."""
    return state_trajectory(problem, dataset)[:, : problem.network.size]


def outputs(
    problem: Problem, theta: NDArray[np.float64], inputs: NDArray[np.float64]
) -> NDArray[np.float64]:
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
    x = torch.tensor(np.asarray(inputs, dtype=np.float64))
    ops = ConcreteOperations(problem, x, torch.zeros((len(x), 1), dtype=torch.float64))
    chunk = max(1, CHUNK // (len(x) * max(prod(shape) for shape in network.shapes.values())))
    outputs = []
    for first in range(0, len(theta), chunk):
        tensors = network.unflatten(theta[first : first + chunk])
        output, _ = forward(
            ops,
            network,
            {name: ops.constant(np.array(value)) for name, value in tensors.items()},
            x,
        )
        outputs.append(output.numpy())
    return np.concatenate(outputs)
