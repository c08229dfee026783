"""The gradients of a batch as an affine form: fragments of samples, added up."""

from dataclasses import dataclass, replace
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.domains import Affine
from agtopt.intervals.affine.deviation import Deviation
from agtopt.intervals.affine.operations import DeviationOperations
from agtopt.intervals.affine.tangent import Linearised, adjoint
from agtopt.intervals.affine.touching import AffineAdversary, Direction
from agtopt.problem import Problem
from agtopt.problem.loss import CrossEntropy
from agtopt.program import backward, forward, loss_gradient
from agtopt.tolerances import DOUBLE, Rounding

Array = NDArray[np.float64]
Batch = NDArray[np.int64]

ALIVE = 24
"""Tensors of a layer's size, or of the per-sample gradients', that are alive at once."""


@dataclass
class Total:
    """b Δ = nominal + H δ + Σ_i K_i u_i + S e ± radius, of a batch of b samples.

    Attributes
    ----------
    nominal, middle, radius : Tensor, shape (q,)
        Of the gradients of the nominal run, and of the remainder.
    size, largest : Tensor, shape (q,)
        Sums of magnitudes: of the linear parts, and of the gradients.
    low, high : Tensor, shape (q,)
        Sums of the deviations of gradients of samples as they stand.
    hessian : Tensor, shape (q, q), or None
        Hᵀ; without it the radius holds H δ, and the symbols.
    symbols : list of Tensor, each (k, q)
        The columns of S.
    terms, undecided : int
        As of `DeviationOperations`.
    """

    nominal: Tensor
    middle: Tensor
    radius: Tensor
    size: Tensor
    largest: Tensor
    low: Tensor
    high: Tensor
    hessian: Tensor | None
    symbols: list[Tensor]
    directions: list[Direction]
    terms: int = 0
    undecided: int = 0

    @classmethod
    def nothing(cls, q: int, matrix: bool) -> "Total":
        """Of no samples."""
        zero = torch.zeros(q, dtype=torch.float64)
        hessian = torch.zeros((q, q), dtype=torch.float64) if matrix else None
        return cls(zero, zero, zero, zero, zero, zero, zero, hessian, [], [])


class BatchGradient:
    """Sums of gradients over a batch, for parameters in an affine domain.

    Parameters
    ----------
    problem : Problem
    adversary : AffineAdversary
    rounding : Rounding
    memory : int
        Bytes that a fragment may take.
    matrix : bool
        Whether the second derivatives of the loss are held as a matrix.
    """

    def __init__(
        self,
        problem: Problem,
        adversary: AffineAdversary,
        rounding: Rounding,
        memory: int,
        matrix: bool,
    ) -> None:
        self.matrix = matrix
        self.problem = problem
        self.adversary = adversary
        self.rounding = rounding
        self.q = sum(problem.network.initial[name].size for name in problem.trained)
        widths = sum(prod(shape) for shape in problem.network.shapes.values()) + self.q
        self.most = max(1, memory // (8 * (4 * ALIVE + 4 * adversary.own) * widths))
        self.trained = np.concatenate(
            [np.full(value.size, name in problem.trained) for name, value in problem.state.items()]
        )

    def total(self, t: int, parameters: dict[str, Deviation], domain: Affine) -> Total:
        """Of the batch of step t."""
        batch = self.problem.schedule[t]
        self.adversary.open(batch)
        total = Total.nothing(self.q, self.matrix)
        for first in range(0, len(batch), self.most):
            self._add(total, batch[first : first + self.most], parameters, domain)
        low, high = total.low / len(batch), total.high / len(batch)
        mean = total.nominal / len(batch)
        least, most = self.adversary.extra(mean, torch.stack([low, high]))
        total.middle = total.middle + 0.5 * (least + most)
        total.radius = total.radius + 0.5 * (most - least)
        total.largest = total.largest + self.adversary.replacing()
        total.directions = self.adversary.directions(mean)
        return total

    def _add(
        self, total: Total, samples: Batch, parameters: dict[str, Deviation], domain: Affine
    ) -> None:
        problem = self.problem
        network, training = problem.network, problem.training
        ops = DeviationOperations(self.rounding)
        x, y = self.adversary.batch(ops, samples)
        z, saved = forward(ops, network, parameters, x)
        nominal = {name: value.nominal for name, value in parameters.items()}
        linear = Linearised(problem, ops.slopes, nominal, x.nominal, y.nominal)
        if self.matrix and adjoint(network):
            z = self._tightened(ops, z, linear, domain)
        delta = loss_gradient(training.loss, ops, z, y, network.outputs)
        delta, middle, radius = apart(delta)
        found = backward(ops, network, parameters, saved, delta, problem.trained)
        if training.clip is not None:
            found = {
                name: ops.clip(gradient, training.clip, f"clip.{name}")
                for name, gradient in found.items()
            }
        gradients = flattened([found[name] for name in problem.trained], len(samples))
        self.adversary.add(samples, linear, gradients)
        self._own(total, ops, gradients, linear, middle, radius)
        total.nominal = total.nominal + gradients.nominal.sum(0)
        total.middle = total.middle + gradients.standing(gradients.middle).sum(0)
        total.radius = total.radius + gradients.standing(gradients.radius).sum(0)
        total.size = total.size + touched(gradients, gradients.size).sum(0)
        total.largest = total.largest + touched(gradients, gradients.largest).sum(0)
        total.low = total.low + gradients.standing(gradients.low).sum(0)
        total.high = total.high + gradients.standing(gradients.high).sum(0)
        total.terms = max(total.terms, ops.terms)
        total.undecided += ops.undecided

    def _tightened(
        self,
        ops: DeviationOperations,
        z: Deviation,
        linear: Linearised,
        domain: Affine,
    ) -> Deviation:
        """Outputs, or for two classes their difference, within the support of their linear part."""
        jacobian = linear.jacobian
        n, outputs, _ = jacobian.shape
        share = DOUBLE.accumulated(2 * ops.terms)
        if outputs == 2 and type(self.problem.training.loss) is CrossEntropy:
            rows = jacobian[:, :1] - jacobian[:, 1:]
            # A sum of magnitudes, of each of which the difference of outputs has one more rounding.
            size = z.size.sum(-1, keepdim=True)
            middle = z.middle[..., :1] - z.middle[..., 1:]
            radius = z.radius.sum(-1, keepdim=True)
            radius = radius + 2 * ops.rounding.unit * z.largest.sum(-1, keepdim=True)
            own = None if z.own is None else z.own[..., :1] - z.own[..., 1:]
        else:
            rows, size, middle, radius, own = jacobian, z.size, z.middle, z.radius, z.own
        shape = (n, rows.shape[1])
        low, high = (
            torch.tensor(end).reshape(shape)
            for end in self.support(rows.reshape(-1, self.q), domain)
        )
        extra = radius + share * size
        if own is not None and ops.extent is not None:
            extra = extra + ops.extent(own) * (1.0 + share)
        low, high = low + middle - extra, high + middle + extra
        spare = 8 * DOUBLE.unit * (low.abs() + high.abs() + extra)
        low, high = low - spare, high + spare
        if rows.shape[1] < outputs:
            ops.gap = low, high
            return z
        return replace(z, low=torch.fmax(z.low, low), high=torch.fmin(z.high, high))

    def support(self, rows: Tensor, domain: Affine) -> tuple[Array, Array]:
        """Bounds of rows (m, q) times the deviation of what is trained."""
        directions = rows.numpy()
        if len(domain) != self.q:
            directions = np.zeros((len(rows), len(domain)))
            directions[:, : self.problem.network.size][:, self._places] = rows.numpy()
        return domain.deviation(directions)

    @property
    def _places(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.trained[: self.problem.network.size])

    def _own(
        self,
        total: Total,
        ops: DeviationOperations,
        gradients: Deviation,
        linear: Linearised,
        middle: Tensor,
        radius: Tensor,
    ) -> None:
        """The remainders of the loss gradient: one symbol for each sample and output, or for each
        sample where two probabilities mirror each other."""
        sensitivity = linear.sensitivity
        total.middle = total.middle + torch.einsum("nc,ncq->q", middle, sensitivity)
        if total.hessian is None:
            total.radius = total.radius + gradients.standing(gradients.size).sum(0)
            return
        total.hessian = total.hessian + linear.hessian(None)
        if radius.shape[1] == 2 and type(self.problem.training.loss) is CrossEntropy:
            # Their remainders add up to zero, but for rounding.
            shared = radius.amin(1)
            total.symbols.append((sensitivity[:, 0] - sensitivity[:, 1]) * shared.unsqueeze(-1))
            rest = radius - shared.unsqueeze(-1) + ops.slack
            total.radius = total.radius + torch.einsum("nc,ncq->q", rest, sensitivity.abs())
        else:
            total.symbols.append((sensitivity * radius.unsqueeze(-1)).flatten(0, 1))


def apart(delta: Deviation) -> tuple[Deviation, Tensor, Tensor]:
    """A loss gradient whose remainder, as samples stand, is a number and a symbol of its own; and
    both, (n, outputs).

    What is left is the remainder of touched samples beyond it.
    """
    middle, radius = delta.standing(delta.middle), delta.standing(delta.radius)
    size = delta.size + radius
    if delta.middle.dim() == delta.nominal.dim():
        zero = torch.zeros_like(middle)
        return replace(delta, middle=zero, radius=zero, size=size), middle, radius
    low = delta.middle - delta.radius - (middle - radius)
    high = delta.middle + delta.radius - (middle + radius)
    spare = 8 * DOUBLE.unit * (delta.middle.abs() + delta.radius)
    low = (low - spare).clamp(max=0.0)
    high = (high + spare).clamp(min=0.0)
    low[0], high[0] = 0.0, 0.0
    rest = replace(delta, middle=0.5 * (low + high), radius=0.5 * (high - low), size=size)
    return rest, middle, radius


def touched(value: Deviation, part: Tensor) -> Tensor:
    """The largest over all variants."""
    return part.amax(0) if part.dim() > value.nominal.dim() else part


def flattened(parts: list[Deviation], many: int) -> Deviation:
    """Per-sample tensors behind each other, (…, n, q)."""
    lead = max(
        (part.low.shape[: part.low.dim() - part.nominal.dim()] for part in parts),
        key=len,
    )

    def joined(name: str, front: tuple[int, ...]) -> Tensor:
        pieces = []
        for part in parts:
            value: Tensor = getattr(part, name)
            flat = value.reshape(*value.shape[: value.dim() - part.nominal.dim()], many, -1)
            pieces.append(flat.expand(*front, many, flat.shape[-1]))
        return torch.cat(pieces, dim=-1)

    found = Deviation(
        joined("nominal", ()),
        *(joined(name, tuple(lead)) for name in ("low", "high", "middle", "radius", "size")),
    )
    own = [part.own for part in parts if part.own is not None]
    if not own:
        return found
    pieces = [
        torch.zeros((len(own[0]), many, part.nominal[0].numel()), dtype=part.nominal.dtype)
        if part.own is None
        else part.own.reshape(len(own[0]), many, -1)
        for part in parts
    ]
    return replace(found, own=torch.cat(pieces, dim=-1))
