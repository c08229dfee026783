r"""Scores of a network over an affine domain of its parameters (section 7(c) of the formulation).

Around the middle :math:`\bar θ` of its box a score is

.. math:: s(θ; x) = \bar s + J (θ − \bar θ) + G (x − \bar x) + \sum_k c_k e_k ,

with :math:`|e_k − m_k| ≤ r_k` for what single operations leave over: products of deviations, units
whose side is not known, rounding (S3). J, G and c are derivatives of the linearised pass; the form
bounds J (θ − θ̄) with all that it knows of how parameters move together.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.domains import Affine
from agtopt.domains.affine import deviations
from agtopt.intervals.affine.deviation import Deviation
from agtopt.intervals.affine.operations import DeviationOperations
from agtopt.intervals.affine.tangent import AdjointOperations, LinearisedOperations, adjoint, pushed
from agtopt.intervals.arithmetic import Range
from agtopt.problem import Network
from agtopt.program import backward, forward
from agtopt.tolerances import DOUBLE

Array = NDArray[np.float64]
Tensors = dict[str, Tensor]

AT = "forward.scores"


class SymbolOperations(DeviationOperations):
    """Deviations in which the remainder of every operation gets a symbol of its own.

    Parameters
    ----------
    many : int
        Number of points.

    Attributes
    ----------
    symbols : list of (Tensor, Tensor)
        Middle and radius of what the symbols of an operation stand for, in the order of the
        program.
    """

    def __init__(self, many: int) -> None:
        super().__init__(DOUBLE)
        self.many = many
        self.symbols: list[tuple[Tensor, Tensor]] = []

    def contract(
        self,
        subscripts: str,
        first: Deviation,
        second: Deviation,
        at: str = "",
        shift: Deviation | None = None,
    ) -> Deviation:
        return self._named(super().contract(subscripts, first, second, at, shift))

    def rectify(self, value: Deviation, at: str = "") -> tuple[Deviation, Deviation]:
        """With the chord as the slope of a unit whose side is not known: its remainder is the
        smallest of all slopes."""
        found, gate = super().rectify(value, at)
        z, spare = value.nominal, 8.0 * DOUBLE.unit * (value.nominal.abs() + value.reach)
        low, high = value.low - spare - DOUBLE.normal, value.high + spare + DOUBLE.normal
        least, most = z + low, z + high
        open_ = (least < 0) & (most > 0)
        slope = torch.where(open_, most / (most - least), self.slopes[-2])
        self.slopes[-2] = slope

        def rest(v: Tensor) -> Tensor:
            return (z + v).clamp(min=0.0) - z.clamp(min=0.0) - slope * v

        # Convex: least at the kink, and largest at an end.
        bottom, top = rest(torch.clamp(-z, low, high)), torch.maximum(rest(low), rest(high))
        chord = replace(
            found,
            middle=slope * value.middle + 0.5 * (bottom + top),
            radius=(slope * value.radius + 0.5 * (top - bottom)) * (1.0 + 8 * DOUBLE.unit)
            + 2.0 * spare
            + 4 * DOUBLE.unit * (slope * value.middle).abs()
            + DOUBLE.normal,
            size=slope * value.size,
        )
        return self._named(_where(open_, chord, found)), gate

    def _named(self, value: Deviation) -> Deviation:
        if len(value.nominal) != self.many:
            return value
        self.symbols.append((value.middle, value.radius))
        nothing = torch.zeros_like(value.middle)
        size = (value.size + value.middle.abs() + value.radius) * (1.0 + 8 * DOUBLE.unit)
        return replace(value, middle=nothing, radius=nothing, size=size)


class SymbolSlopes(LinearisedOperations):
    """The linearised pass with the symbols of `SymbolOperations`: zeros that torch differentiates
    by."""

    def __init__(self, slopes: list[Tensor], many: int) -> None:
        super().__init__(slopes)
        self.many = many
        self.symbols: list[Tensor] = []

    def contract(
        self, subscripts: str, first: Tensor, second: Tensor, at: str, shift: Tensor | None = None
    ) -> Tensor:
        return self._named(super().contract(subscripts, first, second, at, shift))

    def rectify(self, value: Tensor, at: str) -> tuple[Tensor, Tensor]:
        found, slope = super().rectify(value, at)
        return self._named(found), slope

    def _named(self, value: Tensor) -> Tensor:
        if len(value) != self.many:
            return value
        self.symbols.append(torch.zeros_like(value, requires_grad=True))
        return value + self.symbols[-1]


def affine_scores(
    network: Network, domain: Affine, inputs: Range, rows: Array
) -> tuple[Tensor, Tensor]:
    """Bounds of rows · outputs over an affine domain with a finite box, as any framework evaluates
    them in float64 (S3).

    Parameters
    ----------
    network : Network
    domain : Affine
        Of its parameters.
    inputs : Range
        Boxes of the inputs, (n, *input_shape).
    rows : array, shape (k, outputs)

    Returns
    -------
    lower, upper : Tensor, shape (n, k)
        NaN where a number overflows.
    """
    many = len(inputs.lower)
    box = domain.box
    # The middle of all that is moved leaves the smallest products of deviations.
    centre = np.clip(box.lower + (box.upper - box.lower) / 2, box.lower, box.upper)
    low, high = deviations(box, centre)
    moving = [
        name for name, same in network.unflatten(box.lower == box.upper).items() if not np.all(same)
    ]
    x = _around(inputs.lower + 0.5 * (inputs.upper - inputs.lower), inputs.lower, inputs.upper)
    parameters = _deviations(network, centre, low, high, moving)
    with torch.no_grad():
        ops: Any = SymbolOperations(many)
        outputs, _ = forward(ops, network, parameters, x)
        scores = ops.contract("nc,kc->nk", outputs, ops.constant(rows), AT)
    nominal = {name: value.nominal for name, value in parameters.items()}
    slopes: Any = SymbolSlopes(ops.slopes, many)
    point = x.nominal.clone().requires_grad_()
    values, saved = forward(slopes, network, nominal, point)
    values = slopes.contract("nc,kc->nk", values, torch.tensor(rows), AT)
    free = [
        (x.low, x.high),
        *((middle - radius, middle + radius) for middle, radius in ops.symbols),
    ]
    terms = 4 * ops.terms + sum(end.numel() for end, _ in free) // many + len(box)
    lows, highs = [], []
    for k, row in enumerate(rows):
        by_free = torch.autograd.grad(
            values[:, k].sum(), [point, *slopes.symbols], retain_graph=True, materialize_grads=True
        )
        with torch.no_grad():
            jacobian = _jacobian(network, ops.slopes, nominal, saved, row, moving, x.nominal)
        lower, upper = (torch.tensor(end) for end in _support(domain, centre, jacobian))
        for slope, (least, most) in zip(by_free, free, strict=True):
            ends = torch.stack([slope * least, slope * most])
            lower = lower + ends.amin(0).flatten(1).sum(1)
            upper = upper + ends.amax(0).flatten(1).sum(1)
        value, middle, radius, size = (
            part[:, k] for part in (scores.nominal, scores.middle, scores.radius, scores.size)
        )
        parts = value.abs() + middle.abs() + radius + lower.abs() + upper.abs() + size
        error = radius + DOUBLE.accumulated(terms) * parts + terms * DOUBLE.normal
        lows.append(value + lower + middle - error)
        highs.append(value + upper + middle + error)
    return torch.stack(lows, 1), torch.stack(highs, 1)


def _around(middle: Tensor, lower: Tensor, upper: Tensor) -> Deviation:
    """What lies between two ends."""
    low = torch.nextafter(lower - middle, torch.tensor(-torch.inf, dtype=middle.dtype))
    high = torch.nextafter(upper - middle, torch.tensor(torch.inf, dtype=middle.dtype))
    still = lower == upper
    low, high = torch.where(still, 0.0, low), torch.where(still, 0.0, high)
    return Deviation.linear(middle, low, high, torch.maximum(-low, high))


def _deviations(
    network: Network, centre: Array, low: Array, high: Array, moving: list[str]
) -> dict[str, Deviation]:
    named = [network.unflatten(part) for part in (centre, low, high)]
    found = {}
    for name in network.initial:
        value, least, most = (torch.tensor(np.array(part[name])) for part in named)
        found[name] = (
            Deviation.linear(value, least, most, torch.maximum(-least, most))
            if name in moving
            else Deviation.known(value)
        )
    return found


def _jacobian(
    network: Network,
    slopes: list[Tensor],
    parameters: Tensors,
    saved: Tensors,
    row: Array,
    moving: list[str],
    x: Tensor,
) -> Array:
    """Derivatives of a score by the parameters, (n, p); zero by those that do not move."""
    many = len(x)
    if adjoint(network):
        ops: Any = AdjointOperations(slopes)
        delta = torch.tensor(row).expand(many, len(row))
        found = backward(ops, network, parameters, saved, delta, moving)
    else:
        found = _pushed(network, slopes, parameters, row, moving, x)
    nothing = {
        name: torch.zeros((many, *value.shape), dtype=x.dtype)
        for name, value in parameters.items()
        if name not in moving
    }
    return network.flatten({name: value.numpy() for name, value in (found | nothing).items()})


def _pushed(
    network: Network,
    slopes: list[Tensor],
    parameters: Tensors,
    row: Array,
    moving: list[str],
    x: Tensor,
) -> Tensors:
    """The same where the backward pass of a layer need not be the adjoint of its forward pass."""

    def score(moved: Tensors) -> Tensor:
        ops: Any = LinearisedOperations(slopes)
        outputs: Tensor = forward(ops, network, parameters | moved, x)[0]
        return outputs @ torch.tensor(row)

    found = {}
    for name in moving:
        value = parameters[name]
        units = torch.eye(value.numel(), dtype=x.dtype).reshape(-1, *value.shape)

        def along(unit: Tensor, name: str = name) -> Tensor:
            return pushed(score, ({name: parameters[name]},), ({name: unit},))

        found[name] = torch.func.vmap(along)(units).T.reshape(len(x), *value.shape)
    return found


def _support(domain: Affine, centre: Array, rows: Array) -> tuple[Array, Array]:
    """Bounds of rows · (θ − centre), each (n,)."""
    usable = np.isfinite(rows).all(axis=1)
    low, high = np.full((2, len(rows)), np.nan)
    chosen = rows[usable]
    least, most = domain.deviation(chosen)
    shift = centre - domain.nominal
    moved = chosen @ shift
    error = DOUBLE.accumulated(len(domain) + 8) * (np.abs(chosen) @ np.abs(shift))
    low[usable] = np.nextafter(least - moved - error, -np.inf)
    high[usable] = np.nextafter(most - moved + error, np.inf)
    return low, high


def _where(chosen: Tensor, first: Deviation, second: Deviation) -> Deviation:
    return replace(
        second,
        **{
            name: torch.where(chosen, getattr(first, name), getattr(second, name))
            for name in ("middle", "radius", "size")
        },
    )
