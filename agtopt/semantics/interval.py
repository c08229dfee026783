"""Training with intervals (IBP): Theorem 9 of Sosnin et al. (2025), rounded outward (S3)."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.domains import Interval
from agtopt.problem.network import Network
from agtopt.problem.problem import Problem
from agtopt.program import train
from agtopt.semantics.concrete import einsum
from agtopt.tolerances import SMALLEST, UNIT_ROUNDOFF

CORNERS = 2**24
"""Entries up to which an interval product that is contracted is expanded to its four corners; beyond it Rump's form is used."""


class Range(NamedTuple):
    """Lower and upper bound; one and the same tensor for a point, so that points stay points."""

    lower: Tensor
    upper: Tensor

    @property
    def is_point(self) -> bool:
        return self.lower is self.upper


class IntervalOperations:
    """Interval arithmetic of the program; how a batch enters and how its gradients are aggregated is left to subclasses."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def constant(self, value: Tensor | NDArray[np.float64] | float) -> Range:
        point = torch.as_tensor(value, dtype=torch.float64)
        return Range(point, point)

    def add(self, first: Range, second: Range) -> Range:
        return _outward(first.lower + second.lower, first.upper + second.upper)

    def scale(self, factor: float, value: Range) -> Range:
        if value.is_point and abs(factor) in (1.0, 2.0):
            return self.constant(factor * value.lower)
        low, high = (value.lower, value.upper) if factor >= 0 else (value.upper, value.lower)
        if abs(factor) in (1.0, 2.0):
            return Range(factor * low, factor * high)
        return _outward(factor * low, factor * high)

    def contract(self, subscripts: str, first: Range, second: Range, at: str = "") -> Range:
        if first.is_point:
            return _point_product(_swap(subscripts), second, first.lower)
        if second.is_point:
            return _point_product(subscripts, first, second.lower)
        contracted, unions = _contracted(subscripts), _unions(subscripts)
        if contracted and bool((second.lower >= 0).all()):
            return _nonnegative_product(subscripts, first, second)
        if contracted and bool((first.lower >= 0).all()):
            return _nonnegative_product(_swap(subscripts), second, first)
        a, b = (Range(*(_spread(end, *letters) for end in value)) for value, letters in zip((first, second), unions, strict=True))
        shape = torch.Size(np.broadcast_shapes(a.lower.shape, b.lower.shape))
        if contracted and shape.numel() > CORNERS:
            return _rump_product(subscripts, first, second)
        corners = a.lower * b.lower, a.lower * b.upper, a.upper * b.lower, a.upper * b.upper
        low = torch.minimum(torch.minimum(corners[0], corners[1]), torch.minimum(corners[2], corners[3]))
        high = torch.maximum(torch.maximum(corners[0], corners[1]), torch.maximum(corners[2], corners[3]))
        if not contracted:
            return _outward(low, high)
        axes = tuple(range(-len(contracted), 0))
        terms = _extent(shape, axes)
        error = _error(torch.maximum(low.abs(), high.abs()).sum(axes), terms)
        return Range(low.sum(axes) - error, high.sum(axes) + error)

    def rectify(self, value: Range, at: str = "") -> tuple[Range, Range]:
        # S2 and trap 6: bounds are already outward; NaN must leave the derivative undecided.
        slope = Range((value.lower > 0).to(value.lower.dtype), (~(value.upper < 0)).to(value.lower.dtype))
        return Range(value.lower.clamp(min=0.0), value.upper.clamp(min=0.0)), slope

    def positive(self, value: Range, given: Range, at: str = "") -> Range:
        return Range((value.lower > 0) * given.lower, ~(value.upper < 0) * given.upper)

    def define(self, value: Range, at: str) -> Range:
        return value

    def flatten(self, value: Range) -> Range:
        return _both(value, lambda end: end.flatten(start_dim=-len(self.problem.network.input_shape)))

    def unflatten(self, value: Range, shape: tuple[int, ...]) -> Range:
        return _both(value, lambda end: end.reshape(*end.shape[:-1], *shape))

    def column(self, value: Range, index: int) -> Range:
        return _both(value, lambda end: end[..., index : index + 1])

    def per_sample(self, value: Range) -> Range:
        return _both(value, lambda end: end.unsqueeze(-2))

    def descend(self, parameter: Range, direction: Range, rate: float, tensor: str) -> Range:
        low, high = parameter.lower - rate * direction.upper, parameter.upper - rate * direction.lower
        size = rate * torch.maximum(direction.lower.abs(), direction.upper.abs())
        error = _error(torch.maximum(parameter.lower.abs(), parameter.upper.abs()) + size, 4)
        # A diverged interval is the whole line, never NaN, so that it certifies nothing.
        return Range(
            torch.nan_to_num(low - error, nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf),
            torch.nan_to_num(high + error, nan=torch.inf, posinf=torch.inf, neginf=-torch.inf),
        )

    def _mean(self, gradient: Range, axis: int, extra: Range | None = None) -> Range:
        size = gradient.lower.shape[axis]
        low, high = gradient.lower.sum(axis), gradient.upper.sum(axis)
        error = torch.maximum(gradient.lower.abs(), gradient.upper.abs()).sum(axis)
        if extra is not None:
            low, high = low + extra.lower, high + extra.upper
            error = error + torch.maximum(extra.lower.abs(), extra.upper.abs())
        error = _error(error, 2 * size)
        return Range((low - error) / size, (high + error) / size)


class BudgetedIntervals(IntervalOperations):
    """The adversary spends its budget in every batch (FORMULATION section 3).

    A batch that the adversary may touch has a leading axis of length 2: index 0 holds every sample as it stands, index 1 every
    vulnerable sample under its worst perturbation; index 1 contains index 0.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        data, model = problem.dataset, problem.perturbation
        touchable = model.touchable(len(data))
        self.touched = np.zeros(len(data), dtype=bool)
        self.touched[touchable] = True
        clean = problem.training.loss.encode(data.labels, problem.network.outputs)
        self.features = _pair(data.features, self.touched, model.eps)
        self.labels = _label_pair(problem, clean, self.touched)

    def begin(self, t: int) -> tuple[Range, Range]:
        batch = torch.from_numpy(self.problem.schedule[t])
        axis = -1 - len(self.problem.network.input_shape)
        return (
            _both(self.features, lambda end: end.index_select(axis, batch)),
            _both(self.labels, lambda end: end.index_select(-2, batch)),
        )

    def aggregate(self, gradient: Range, tensor: str) -> Range:
        """Theorem 9: ΔU = (1/b)(SEMax_n{δ̃_U − δ_U} + Σ δ_U), ΔL = (1/b)(SEMin_n{δ̃_L − δ_L} + Σ δ_L)."""
        rank = self.problem.network.initial[tensor].ndim
        axis = -1 - rank
        if gradient.lower.dim() == rank + 1:
            return self._mean(gradient, axis)
        clean = Range(gradient.lower.select(0, 0), gradient.upper.select(0, 0))
        rise = (gradient.upper.select(0, 1) - clean.upper).clamp(min=0.0)
        fall = (clean.lower - gradient.lower.select(0, 1)).clamp(min=0.0)
        budget = min(self.problem.perturbation.n, rise.shape[axis])
        extra = Range(-fall.topk(budget, axis).values.sum(axis), rise.topk(budget, axis).values.sum(axis))
        return self._mean(clean, axis, extra)


class BranchIntervals(IntervalOperations):
    """One branch of the adversary's choices per leading index: the samples that branch may touch are known.

    Parameters
    ----------
    problem : Problem
    touched : array of bool, shape (R, N)
        Which samples branch r touches: those take any admissible value (a flip of two classes is then certain), the others
        stand as they are.
    """

    def __init__(self, problem: Problem, touched: NDArray[np.bool_]) -> None:
        super().__init__(problem)
        self.touched = touched
        self.clean_labels = problem.training.loss.encode(problem.dataset.labels, problem.network.outputs)

    def begin(self, t: int) -> tuple[Range, Range]:
        batch = self.problem.schedule[t]
        touched, model = self.touched[:, batch], self.problem.perturbation
        features = torch.from_numpy(self.problem.dataset.features[batch])
        x = Range(features, features)
        if model.eps > 0:
            reach = torch.from_numpy(touched.astype(float) * model.eps)
            reach = reach.reshape(reach.shape + (1,) * (features.dim() - 1))
            x = _outward(features - reach, features + reach)
        return x, _touched_labels(self.problem, self.clean_labels[batch], touched)

    def aggregate(self, gradient: Range, tensor: str) -> Range:
        return self._mean(gradient, -1 - self.problem.network.initial[tensor].ndim)


def interval_steps(problem: Problem, start: int = 0, domain: Interval | None = None, stop: int | None = None) -> Iterator[Interval]:
    """IBP: the interval domains at steps start+1 … stop.

    Parameters
    ----------
    problem : Problem
    start, stop : int
        Steps start … stop−1 are propagated; `stop` is T by default.
    domain : Interval, optional
        Domain at step `start`; θ₀ by default.

    Yields
    ------
    Interval
        After each step; entries that diverged are infinite.
    """
    begin = Interval.point(problem.initial) if domain is None else domain
    parameters = ranges(problem.network, begin)
    for state in train(BudgetedIntervals(problem), problem, parameters, start, problem.steps if stop is None else stop):
        yield Interval(*flatten_ranges(problem.network, state))


def branch_steps(
    problem: Problem, touched: NDArray[np.bool_], start: int = 0, domain: Interval | None = None, stop: int | None = None
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Lower and upper parameters, each (R, p), after each step, where branch r touches exactly the samples `touched[r]`."""
    begin = Interval.point(problem.initial) if domain is None else domain
    lead = len(touched)
    parameters = {name: _both(value, lambda end: end.expand(lead, *end.shape)) for name, value in ranges(problem.network, begin).items()}
    for state in train(BranchIntervals(problem, touched), problem, parameters, start, problem.steps if stop is None else stop):
        yield flatten_ranges(problem.network, state)


def ranges(network: Network, domain: Interval) -> dict[str, Range]:
    """A domain as one range per parameter tensor."""
    lower, upper = network.unflatten(domain.lower), network.unflatten(domain.upper)
    if np.array_equal(domain.lower, domain.upper):
        points = {name: torch.from_numpy(np.array(value)) for name, value in lower.items()}
        return {name: Range(point, point) for name, point in points.items()}
    return {name: Range(torch.from_numpy(np.array(lower[name])), torch.from_numpy(np.array(upper[name]))) for name in lower}


def flatten_ranges(network: Network, state: dict[str, Range]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One range per tensor as flattened lower and upper ends, each (…, p)."""
    return (
        network.flatten({name: value.lower.numpy() for name, value in state.items()}),
        network.flatten({name: value.upper.numpy() for name, value in state.items()}),
    )


def _both(value: Range, apply) -> Range:  # type: ignore[no-untyped-def]
    if value.is_point:
        point = apply(value.lower)
        return Range(point, point)
    return Range(apply(value.lower), apply(value.upper))


def _outward(low: Tensor, high: Tensor) -> Range:
    # Two units: one covers our own rounding, the other that of a framework which evaluates the same operation (S3).
    minus, plus = low.new_tensor(-torch.inf), low.new_tensor(torch.inf)
    return Range(torch.nextafter(torch.nextafter(low, minus), minus), torch.nextafter(torch.nextafter(high, plus), plus))


def _error(magnitude: Tensor, terms: int) -> Tensor:
    # gamma_n <= n u / (1 - n u); two extra terms pay for the evaluation of the magnitude itself and the final addition.
    return (terms + 4) * UNIT_ROUNDOFF * magnitude + (terms + 1) * SMALLEST


def _extent(shape: torch.Size, axes: tuple[int, ...]) -> int:
    return int(np.prod([shape[axis] for axis in axes]))


def _terms(subscripts: str, second: Tensor) -> int:
    inputs, output = subscripts.split("->")
    right = inputs.split(",")[1]
    return int(np.prod([second.shape[axis - len(right)] for axis, letter in enumerate(right) if letter not in output]))


def _contracted(subscripts: str) -> str:
    inputs, output = subscripts.split("->")
    return "".join(sorted(set(inputs) - set(output) - {","}))


def _unions(subscripts: str) -> tuple[tuple[str, str], tuple[str, str]]:
    inputs, output = subscripts.split("->")
    left, right = inputs.split(",")
    union = output + _contracted(subscripts)
    return (left, union), (right, union)


def _swap(subscripts: str) -> str:
    inputs, output = subscripts.split("->")
    left, right = inputs.split(",")
    return f"{right},{left}->{output}"


def _point_product(subscripts: str, first: Range, point: Tensor) -> Range:
    # Centre-radius form is exact where one factor is a point: C = m_A P ± r_A |P|.
    if not _contracted(subscripts):
        a, b = (_spread(value, *letters) for value, letters in zip((first.lower, point), _unions(subscripts), strict=True))
        low, high = a * b, a * b if first.is_point else _spread(first.upper, *_unions(subscripts)[0]) * b
        return _outward(torch.minimum(low, high), torch.maximum(low, high))
    if first.is_point:
        centre = einsum(subscripts, first.lower, point)
        error = _error(einsum(subscripts, first.lower.abs(), point.abs()), _terms(subscripts, point))
        return Range(centre - error, centre + error)
    middle, size = 0.5 * (first.lower + first.upper), point.abs()
    radius = torch.maximum(first.upper - middle, middle - first.lower)
    centre, spread = einsum(subscripts, middle, point), einsum(subscripts, radius, size)
    reach = spread + _error(einsum(subscripts, middle.abs(), size) + spread, _terms(subscripts, point) + 2)
    return Range(centre - reach, centre + reach)


def _nonnegative_product(subscripts: str, first: Range, second: Range) -> Range:
    negative, positive = first.lower.clamp(max=0.0), first.lower.clamp(min=0.0)
    low = einsum(subscripts, positive, second.lower) + einsum(subscripts, negative, second.upper)
    negative, positive = first.upper.clamp(max=0.0), first.upper.clamp(min=0.0)
    high = einsum(subscripts, positive, second.upper) + einsum(subscripts, negative, second.lower)
    magnitude = einsum(subscripts, torch.maximum(first.lower.abs(), first.upper.abs()), second.upper)
    error = _error(magnitude, _terms(subscripts, second.upper) + 1)
    return Range(low - error, high + error)


def _rump_product(subscripts: str, first: Range, second: Range) -> Range:
    # Rump: centre m_A m_B, radius |m_A| r_B + r_A |m_B| + r_A r_B.
    middles = [0.5 * (value.lower + value.upper) for value in (first, second)]
    radii = [torch.maximum(value.upper - middle, middle - value.lower) for value, middle in zip((first, second), middles, strict=True)]
    centre = einsum(subscripts, middles[0], middles[1])
    spread = einsum(subscripts, middles[0].abs(), radii[1]) + einsum(subscripts, radii[0], middles[1].abs() + radii[1])
    magnitude = einsum(subscripts, middles[0].abs(), middles[1].abs()) + spread
    reach = spread + _error(magnitude, _terms(subscripts, second.upper) + 4)
    return Range(centre - reach, centre + reach)


@lru_cache(maxsize=256)
def _arrangement(letters: str, union: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    order = tuple(letters.index(letter) - len(letters) for letter in union if letter in letters)
    missing = tuple(position - len(union) for position, letter in enumerate(union) if letter not in letters)
    return order, missing


def _spread(value: Tensor, letters: str, union: str) -> Tensor:
    """Permute the named axes into the order of `union`, with axes of length 1 where a letter is missing."""
    order, missing = _arrangement(letters, union)
    lead = value.dim() - len(letters)
    arranged = value.permute(*range(lead), *(value.dim() + axis for axis in order))
    for position in reversed(missing):
        arranged = arranged.unsqueeze(arranged.dim() + 1 + position)
    return arranged


def _pair(features: NDArray[np.float64], touched: NDArray[np.bool_], eps: float) -> Range:
    clean = torch.from_numpy(np.array(features))
    if eps == 0 or not touched.any():
        return Range(clean, clean)
    reach = torch.from_numpy(touched * eps).reshape((-1,) + (1,) * (clean.dim() - 1))
    worst = _outward(clean - reach, clean + reach)
    return Range(torch.stack([clean, worst.lower]), torch.stack([clean, worst.upper]))


def _label_pair(problem: Problem, clean: NDArray[np.float64], touched: NDArray[np.bool_]) -> Range:
    point = torch.from_numpy(np.array(clean))
    if problem.perturbation.nu == 0 or not touched.any():
        return Range(point, point)
    if problem.perturbation.flips:
        mask = torch.from_numpy(touched).unsqueeze(-1)
        worst = Range(torch.where(mask, 0.0, point), torch.where(mask, 1.0, point))
    else:
        reach = torch.from_numpy(touched * problem.perturbation.nu).unsqueeze(-1)
        worst = _outward(point - reach, point + reach)
    return Range(torch.stack([point, worst.lower]), torch.stack([point, worst.upper]))


def _touched_labels(problem: Problem, clean: NDArray[np.float64], touched: NDArray[np.bool_]) -> Range:
    point, model = torch.from_numpy(np.array(clean)), problem.perturbation
    if model.nu == 0:
        return Range(point, point)
    mask = torch.from_numpy(touched).unsqueeze(-1)
    if not model.flips:
        reach = mask * model.nu
        return _outward(point - reach, point + reach)
    if model.eps == 0 and clean.shape[-1] == 2:
        flipped = torch.where(mask, 1.0 - point, point)
        return Range(flipped, flipped)
    return Range(torch.where(mask, 0.0, point), torch.where(mask, 1.0, point))
