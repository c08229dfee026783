r"""Bounds of a network's scores, which are its outputs or differences of them, over a
parameter-space domain.

Over a box scores are propagated: the tighter of IBP and CROWN. An affine domain adds what its form
knows (`agtopt.intervals.affine.scores`), a polytope the mean-value form around the centre c of its
box,

.. math:: v^T f(x; \theta) \in v^T f(x; c) + J (\theta - c), \qquad
    J \ni \nabla_\theta \, v^T f(x; \theta') \text{ for all } \theta' ,

with J from the backward pass on intervals. Linear programs over the polytope bound :math:`m \theta`
for the middle m of J (S5), and the rest is at most :math:`r |\theta - c|` for its radius r. Where
the output is affine in the parameters that move (one layer, or one trained layer among fixed ones),
r is rounding and the form is exact. Inputs may move within boxes of their own: :math:`f(x; c)` and
J then hold for all of these.
"""

from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.domains import Affine, Interval, Polytope, minima
from agtopt.errors import InvalidInputError
from agtopt.intervals.affine.scores import affine_scores
from agtopt.intervals.arithmetic import Range, largest, rounding_error
from agtopt.intervals.crown import LinearIntervals, Traced, substituted
from agtopt.intervals.interval import IntervalOperations
from agtopt.intervals.scale.numerics import FLOAT64, Numerics, array_of
from agtopt.intervals.states import tensor_ranges
from agtopt.problem import Network
from agtopt.program import backward, forward
from agtopt.program.forward import Parameters
from agtopt.verbs import verb

Array = NDArray[np.float64]
Domain = Interval | Polytope | Affine
"""What scores are bounded over."""

CHUNK = 2**22
"""Entries of gradients, or scores, held at once; it bounds memory and changes no result."""

AT = "forward.scores"


def score_bounds(
    network: Network,
    domain: Domain,
    points: Array,
    rows: Array | None = None,
    highest: Array | None = None,
    numerics: Numerics = FLOAT64,
) -> tuple[Array, Array]:
    """Bounds of rows · outputs over all parameters in a domain, as any framework evaluates them in
    a format (S3).

    Parameters
    ----------
    network : Network
    domain : Interval, Polytope or Affine
    points : array, shape (m, *input_shape)
        The inputs, or the lowest ones where they move.
    rows : array, shape (k, outputs), optional
        The outputs themselves by default.
    highest : array, shape (m, *input_shape), optional
        The highest inputs, where they move: each then takes any value of its box.
    numerics : Numerics
        The format; in float32 inputs are rounded to it, too.

    Returns
    -------
    lower, upper : array, shape (m, k)
        Infinite where nothing is known, never NaN. Those over a polytope, or an affine domain, lie
        within those over its box.

    Raises
    ------
    SoundnessError
        If what rows and box of a polytope, or form and box, prove does not meet: it is empty
        (S6).
    """
    width = network.outputs if rows is None else len(rows)
    step = max(1, CHUNK // max(width, _entries(domain, network)))
    inputs = [
        _inputs(points, highest, slice(first, first + step), numerics)
        for first in range(0, len(points), step)
    ]
    parts = [_bounded(network, domain, part, rows, numerics) for part in inputs]
    # NaN certifies nothing: it becomes the whole line.
    lower, upper = (
        np.nan_to_num(array_of(torch.cat(ends)), nan=worst, posinf=np.inf, neginf=-np.inf)
        for ends, worst in zip(zip(*parts, strict=True), (-np.inf, np.inf), strict=True)
    )
    return lower, upper


def _inputs(points: Array, highest: Array | None, part: slice, numerics: Numerics) -> Range:
    return numerics.enclose(points[part], None if highest is None else highest[part])


def _bounded(
    network: Network, domain: Domain, inputs: Range, rows: Array | None, numerics: Numerics
) -> Range:
    box = domain if isinstance(domain, Interval) else domain.box or _everything(network)
    scores, saved, parameters = _propagated(network, box, inputs, rows, numerics)
    # What else a domain knows is found in float64.
    if numerics != FLOAT64:
        return scores
    if not np.isfinite([box.lower, box.upper]).all():
        return scores
    wanted = np.eye(network.outputs) if rows is None else rows
    ends = _beyond_box(domain, network, inputs, wanted, saved, parameters)
    return scores if ends is None else IntervalOperations().tightened(scores, *ends, AT)


@verb
def _entries(domain: object, network: Network) -> int:
    """Numbers that are held for a point at once, at most."""
    raise _refused(domain)


@_entries.register
def _(domain: Interval, network: Network) -> int:
    return 1


@_entries.register
def _(domain: Polytope, network: Network) -> int:
    return network.size


@_entries.register
def _(domain: Affine, network: Network) -> int:
    return max(network.size, domain.columns)


@verb
def _beyond_box(
    domain: object,
    network: Network,
    inputs: Range,
    rows: Array,
    saved: Parameters,
    parameters: Parameters,
) -> tuple[Tensor, Tensor] | None:
    """Lower and upper ends by what a domain knows beside its box, each (m, k); NaN where a number
    overflows, None where it knows nothing."""
    raise _refused(domain)


@_beyond_box.register
def _(domain: Interval, *others: Any) -> None:
    return None


@_beyond_box.register
def _(
    domain: Polytope,
    network: Network,
    inputs: Range,
    rows: Array,
    saved: Parameters,
    parameters: Parameters,
) -> tuple[Tensor, Tensor]:
    gradients = [_gradient(network, parameters, saved, row, len(inputs.lower)) for row in rows]
    return _mean_value(network, domain, inputs, rows, gradients)


@_beyond_box.register
def _(
    domain: Affine, network: Network, inputs: Range, rows: Array, *others: Any
) -> tuple[Tensor, Tensor]:
    return affine_scores(network, domain, inputs, rows)


def _refused(domain: object) -> InvalidInputError:
    return InvalidInputError(
        f"domain: {type(domain).__name__} is not allowed; it must be an Interval, a Polytope or an "
        f"Affine"
    )


def _propagated(
    network: Network,
    box: Interval,
    inputs: Range,
    rows: Array | None,
    numerics: Numerics = FLOAT64,
) -> tuple[Range, Parameters, Parameters]:
    """Scores by intervals and linear bounds over boxes of parameters and inputs; what the backward
    pass needs; the parameters."""
    ops, parameters = LinearIntervals(), _parameters(network, box, numerics)
    ops.numerics = numerics
    outputs, saved = forward(ops, network, parameters, ops.trace(inputs, len(network.input_shape)))
    if rows is None:
        return outputs, saved, parameters
    scores = ops.contract("nc,kc->nk", outputs, ops.constant(rows), AT)
    if isinstance(scores, Traced):
        # Also without a rectifier: what outputs have in common cancels in their difference.
        scores = ops.tightened(scores, *substituted(scores), AT)
    return scores, saved, parameters


def _gradient(
    network: Network, parameters: Parameters, saved: Parameters, row: Array, samples: int
) -> Range:
    """Gradients of a score by the parameters, (samples, p), for all values of these; zero for
    tensors that do not move."""
    ops = LinearIntervals()
    moving = [name for name, value in parameters.items() if not value.is_point]
    slopes = backward(
        ops, network, parameters, saved, ops.constant(np.tile(row, (samples, 1))), moving
    )
    tensors = {
        name: slopes.get(name) or ops.constant(np.zeros((samples, *value.shape)))
        for name, value in network.initial.items()
    }
    low, high = (
        network.flatten({name: value[side].numpy() for name, value in tensors.items()})
        for side in (0, 1)
    )
    return Range(torch.tensor(low), torch.tensor(high))


def _mean_value(
    network: Network,
    polytope: Polytope,
    inputs: Range,
    rows: Array,
    gradients: list[Range],
) -> tuple[Tensor, Tensor]:
    """Lower and upper ends by the mean-value form, each (m, k); NaN where a number overflows."""
    box = polytope.box or _everything(network)
    with np.errstate(over="ignore"):
        middle = np.clip(box.lower + (box.upper - box.lower) / 2, box.lower, box.upper)
        reach = torch.tensor(np.maximum(box.upper - middle, middle - box.lower))
    scores, error = (
        _propagated(network, Interval.point(middle), inputs, rows)[0],
        _evaluation_error(network, box, inputs, rows),
    )
    centre, lower, upper = torch.tensor(middle), [], []
    for k, gradient in enumerate(gradients):
        slope = 0.5 * (gradient.lower + gradient.upper)
        rest = torch.maximum(gradient.upper - slope, slope - gradient.lower) @ reach + error[:, k]
        at = Range(scores.lower[:, k], scores.upper[:, k])
        size, shift = slope.abs() @ centre.abs() + rest + largest(at), slope @ centre
        least, most = _least(polytope, slope), -_least(polytope, -slope)
        lower.append(
            least + (at.lower - shift) - rest - rounding_error(size + least.abs(), len(middle) + 8)
        )
        upper.append(
            most + (at.upper - shift) + rest + rounding_error(size + most.abs(), len(middle) + 8)
        )
    return torch.stack(lower, dim=1), torch.stack(upper, dim=1)


def _least(polytope: Polytope, slopes: Tensor) -> Tensor:
    """Lower bounds of slopes · θ, shape (m,); NaN where a slope overflows."""
    usable = torch.isfinite(slopes).all(dim=1)
    least = torch.full((len(slopes),), torch.nan, dtype=slopes.dtype)
    least[usable] = torch.from_numpy(minima(polytope, slopes[usable].numpy()))
    return least


def _evaluation_error(network: Network, box: Interval, inputs: Range, rows: Array) -> Tensor:
    """How far any framework's scores are from the exact ones, (m, k): γ_n times what the magnitudes
    of all numbers give (S3)."""
    most = np.maximum(np.abs(box.lower), np.abs(box.upper))
    size, _ = forward(
        IntervalOperations(), network, _parameters(network, Interval(-most, most)), inputs
    )
    terms = sum(
        prod(network.shapes[source]) + 4
        for node in network.nodes
        for source in network.inputs_of(node)
    )
    return rounding_error(largest(size), terms) @ torch.tensor(np.abs(rows)).T


def _parameters(network: Network, box: Interval, numerics: Numerics = FLOAT64) -> Parameters:
    return dict(tensor_ranges(network.unflatten(box.lower), network.unflatten(box.upper), numerics))


def _everything(network: Network) -> Interval:
    whole = np.full(network.size, np.inf)
    return Interval(-whole, whole)
