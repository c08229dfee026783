"""The linear functions themselves: the step with the slopes that were chosen in place of everything
nonlinear, and its derivatives.

The program over `LinearisedOperations` is a polynomial in the parameters, the features and the
labels; its derivative at the nominal point is the linear part ℓ of `operations`, which
`torch.func` differentiates.
"""

from collections.abc import Callable, Collection
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from agtopt.intervals.affine.curvature import chain_curvature, chain_of
from agtopt.problem import Problem
from agtopt.problem.layers import (
    Add,
    AvgPool2d,
    Conv2d,
    Dense,
    Flatten,
    LeakyReLU,
    Patches,
    ReLU,
)
from agtopt.problem.network import Network
from agtopt.program import backward, forward, gradients, loss_gradient
from agtopt.training.concrete import ConcreteOperations

Tensors = dict[str, Tensor]

ADJOINT = (Add, AvgPool2d, Conv2d, Dense, Flatten, LeakyReLU, ReLU)
"""Layers whose backward pass is the adjoint of their forward pass."""

COLUMN = 2**23
"""Entries that are pushed through a step side by side."""


class LinearisedOperations(ConcreteOperations):
    """Numbers, with a fixed slope in place of each nonlinear operation; slopes come in the order of
    the program."""

    def __init__(self, slopes: list[Tensor], begin: int = 0) -> None:
        self.slopes = slopes
        self.next = begin

    def taken(self, many: int) -> list[Tensor]:
        """The slopes of the next operation."""
        found = self.slopes[self.next : self.next + many]
        self.next += many
        return found

    def pinned(self, value: Tensor) -> Tensor:
        """The nominal value as it was rounded once, with the derivative of a value."""
        (nominal,) = self.taken(1)
        return nominal + (value - value.detach())

    def contract(
        self, subscripts: str, first: Tensor, second: Tensor, at: str, shift: Tensor | None = None
    ) -> Tensor:
        found = super().contract(subscripts, first, second, at, shift)
        return found if at.startswith("gradient.") else self.pinned(found)

    def fold(self, value: Tensor, patches: Patches) -> Tensor:
        return self.pinned(super().fold(value, patches))

    def rectify(self, value: Tensor, at: str) -> tuple[Tensor, Tensor]:
        slope, z = self.taken(2)
        return z.clamp(min=0.0) + slope * (value - z), slope

    def positive(self, value: Tensor, given: Tensor, at: str) -> Tensor:
        (side,) = self.taken(1)
        return side * given

    def sigmoid(self, value: Tensor, at: str) -> Tensor:
        slope, share, z = self.taken(3)
        return share + slope * (value - z)

    def softmax(self, value: Tensor, at: str) -> Tensor:
        slope, share, z = self.taken(3)
        if z.shape[-1] == 2:
            gap = slope * ((value - z)[..., :1] - (value - z)[..., 1:])
            return share + torch.cat([gap, -gap], -1)
        return share + torch.einsum("...nco,...no->...nc", slope, value - z)

    def clip(self, value: Tensor, bound: float, at: str) -> Tensor:
        slope, g = self.taken(2)
        return g.clamp(-bound, bound) + slope * (value - g)


class AdjointOperations(LinearisedOperations):
    """The backward pass of any δ, with the slopes of the forward pass."""

    def pinned(self, value: Tensor) -> Tensor:
        return value


class Linearised:
    """A fragment of a batch with fixed slopes.

    Parameters
    ----------
    problem : Problem
    slopes : list of Tensor
        Of the forward pass at least.
    parameters : dict
        Nominal values of all tensors.
    x, y : Tensor
        Features and encoded labels as they stand.
    """

    def __init__(
        self, problem: Problem, slopes: list[Tensor], parameters: Tensors, x: Tensor, y: Tensor
    ) -> None:
        self.problem = problem
        self.slopes = slopes
        self.parameters = parameters
        self.x = x
        self.y = y
        self.trained = {name: parameters[name] for name in problem.trained}
        ops: Any = LinearisedOperations(slopes)
        self.z, self.saved = forward(ops, problem.network, parameters, x)
        self.behind: int = ops.next

    def moved(self, vector: Tensor) -> Tensors:
        """(q,) as tensors."""
        sizes = [value.numel() for value in self.trained.values()]
        return {
            name: part.reshape(value.shape)
            for (name, value), part in zip(
                self.trained.items(), vector.split_with_sizes(sizes), strict=True
            )
        }

    @cached_property
    def jacobian(self) -> Tensor:
        """∂z/∂θ (n, outputs, q) by the backward pass, without clipping."""
        outputs = self.problem.network.outputs
        found = []
        for unit in torch.eye(outputs, dtype=self.z.dtype):
            ops: Any = AdjointOperations(self.slopes)
            delta = unit.expand(len(self.x), outputs)
            tensors = backward(
                ops,
                self.problem.network,
                self.parameters,
                self.saved,
                delta,
                self.problem.trained,
            )
            found.append(flat(tensors, self.problem.trained, len(self.x)))
        return torch.stack(found, dim=1)

    @cached_property
    def free(self) -> Tensor | None:
        """The slopes of clipping, (n, q), once they are known."""
        if self.problem.training.clip is None:
            return None
        slopes = self.slopes[-2 * len(self.problem.trained) :: 2]
        return torch.cat([slope.reshape(len(self.x), -1) for slope in slopes], dim=-1)

    @cached_property
    def sensitivity(self) -> Tensor:
        """∂g/∂δ (n, outputs, q), of the gradients by the loss gradient δ = ∂L/∂z."""
        if adjoint(self.problem.network):
            found = self.jacobian
            return found if self.free is None else found * self.free.unsqueeze(1)
        units = torch.eye(self.problem.network.outputs, dtype=self.z.dtype)
        delta = self.delta()
        return torch.stack(
            [
                pushed(
                    lambda delta: self.backwards(self.trained, self.x, delta),
                    (delta,),
                    (unit.expand_as(delta),),
                )
                for unit in units
            ],
            dim=1,
        )

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        """δ = ∂L/∂z (n, outputs)."""
        ops: Any = LinearisedOperations(self.slopes, self.behind)
        found: Tensor = loss_gradient(
            self.problem.training.loss, ops, z, y, self.problem.network.outputs
        )
        return found

    def delta(self) -> Tensor:
        """δ of the nominal run."""
        return self.loss(self.z, self.y)

    def by_outputs(self) -> Tensor:
        """∂δ/∂z, (n, outputs, outputs)."""
        return _columns(lambda z: self.loss(z, self.y), self.z)

    def by_labels(self) -> Tensor:
        """∂δ/∂y, (n, outputs, columns of y)."""
        return _columns(lambda y: self.loss(self.z, y), self.y)

    def gradients(self, moved: Tensors, x: Tensor) -> Tensor:
        """Per-sample gradients, (n, q), for tensors in place of the nominal ones."""
        ops: Any = LinearisedOperations(self.slopes)
        problem = self.problem
        found = gradients(ops, problem, self.parameters | moved, x, self.y, problem.trained)
        return flat(found, problem.trained, len(x))

    def backwards(self, moved: Tensors, x: Tensor, delta: Tensor) -> Tensor:
        """Per-sample gradients, (n, q), from a given δ."""
        ops: Any = LinearisedOperations(self.slopes)
        problem, parameters = self.problem, self.parameters | moved
        z, saved = forward(ops, problem.network, parameters, x)
        loss_gradient(problem.training.loss, ops, z, self.y, problem.network.outputs)
        found = backward(ops, problem.network, parameters, saved, delta, problem.trained)
        if problem.training.clip is not None:
            found = {
                name: ops.clip(gradient, problem.training.clip, f"clip.{name}")
                for name, gradient in found.items()
            }
        return flat(found, problem.trained, len(x))

    def hessian(self, columns: Tensor | None) -> Tensor:
        """Σ_i ∂g_i/∂θ times columns (k, q), which stand as rows; all of it, transposed, without
        any."""
        split = adjoint(self.problem.network) and self.free is None
        if not split:
            return self._pushed(lambda moved: self.gradients(moved, self.x).sum(0), columns)
        jacobian = self.jacobian
        n, outputs, q = jacobian.shape
        curved = torch.einsum("ncd,ndq->ncq", self.by_outputs(), jacobian).reshape(n * outputs, q)
        rows = jacobian.reshape(n * outputs, q)
        found = curved.mT @ rows if columns is None else (columns @ curved.mT) @ rows
        if single(self.problem):
            return found
        delta = self.delta()
        links = chain_of(self.problem, self.saved)
        if links is not None:
            curved = chain_curvature(self.problem, links, self.parameters, delta)
            return found + (curved if columns is None else columns @ curved)
        return found + self._pushed(
            lambda moved: self.backwards(moved, self.x, delta).sum(0), columns
        )

    def _pushed(self, function: Callable[[Tensors], Tensor], columns: Tensor | None) -> Tensor:
        q = sum(value.numel() for value in self.trained.values())
        rows = torch.eye(q, dtype=self.z.dtype) if columns is None else columns
        widest = len(self.x) * max(
            [q if self.free is not None else 1]
            + [int(torch.tensor(shape).prod()) for shape in self.problem.network.shapes.values()]
        )

        def along(row: Tensor) -> Tensor:
            return pushed(function, (self.trained,), (self.moved(row),))

        chunk = max(1, COLUMN // widest)
        parts = [torch.func.vmap(along)(part) for part in torch.split(rows, chunk)]
        return torch.cat(parts) if parts else rows


def adjoint(network: Network) -> bool:
    """Whether the backward pass is known to be the adjoint of the forward pass."""
    return all(type(network.layer(node)) in ADJOINT for node in network.nodes)


def single(problem: Problem) -> bool:
    """Whether outputs are linear in what is trained, with fixed slopes: all of it is one layer."""
    network = problem.network
    owners = [
        node for node in network.nodes if set(network.tensors_of(node)) & set(problem.trained)
    ]
    return len(owners) == 1


def flat(tensors: Tensors, names: Collection[str], many: int) -> Tensor:
    """(n, q) of per-sample tensors."""
    return torch.cat([tensors[name].reshape(many, -1) for name in names], dim=-1)


def pushed(function: Callable[..., Tensor], at: Any, along: Any) -> Tensor:
    """The derivative of a function of some tensors along a direction."""
    found: Tensor = torch.func.jvp(function, at, along)[1]
    return found


def _columns(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """The derivative by the entries of every sample, which no other sample depends on: (n, …,
    entries of a sample)."""
    shape = at.shape[1:]
    units = torch.eye(shape.numel(), dtype=at.dtype).reshape(-1, *shape)
    return torch.stack([pushed(function, (at,), (unit.expand_as(at),)) for unit in units], dim=-1)
