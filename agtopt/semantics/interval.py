"""Training with intervals (IBP): Theorem 9 of Sosnin et al. (2025), rounded outward (S3)."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.domains import Interval
from agtopt.problem.network import Network
from agtopt.problem.problem import Problem
from agtopt.program import train
from agtopt.semantics.arithmetic import Range, outward, product, rounding_error

Array = NDArray[np.float64]


class IntervalOperations:
    """Interval arithmetic of the program; how a batch enters and how its gradients are aggregated is left to subclasses."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def constant(self, value: Tensor | NDArray[np.float64] | float) -> Range:
        point = torch.as_tensor(value, dtype=torch.float64)
        return Range(point, point)

    def add(self, first: Range, second: Range) -> Range:
        return outward(first.lower + second.lower, first.upper + second.upper)

    def scale(self, factor: float, value: Range) -> Range:
        if value.is_point and abs(factor) in (1.0, 2.0):
            return self.constant(factor * value.lower)
        low, high = (value.lower, value.upper) if factor >= 0 else (value.upper, value.lower)
        if abs(factor) in (1.0, 2.0):
            return Range(factor * low, factor * high)
        return outward(factor * low, factor * high)

    def contract(self, subscripts: str, first: Range, second: Range, at: str = "") -> Range:
        return product(subscripts, first, second)

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
        error = rounding_error(torch.maximum(parameter.lower.abs(), parameter.upper.abs()) + size, 4)
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
        error = rounding_error(error, 2 * size)
        return Range((low - error) / size, (high + error) / size)


class BudgetedIntervals(IntervalOperations):
    """The adversary spends its budget in every batch (section 6.4 of the paper).

    A batch that the adversary may touch has a leading axis of length 2: index 0 holds every sample as it stands, index 1 every
    vulnerable sample under its worst perturbation; index 1 contains index 0.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        data, model = problem.dataset, problem.perturbation
        touched = np.zeros(len(data), dtype=bool)
        touched[model.touchable(len(data))] = True
        clean = problem.encode(data.labels)
        self.features = _paired(data.features, _worst_features(problem, data.features, touched))
        self.labels = _paired(clean, _worst_labels(problem, clean, touched))

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
        self.clean_labels = problem.encode(problem.dataset.labels)

    def begin(self, t: int) -> tuple[Range, Range]:
        batch = self.problem.schedule[t]
        touched, features = self.touched[:, batch], self.problem.dataset.features[batch]
        certain = self.problem.perturbation.eps == 0
        return _worst_features(self.problem, features, touched), _worst_labels(self.problem, self.clean_labels[batch], touched, certain)

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


def _both(value: Range, apply: Callable[[Tensor], Tensor]) -> Range:
    if value.is_point:
        point = apply(value.lower)
        return Range(point, point)
    return Range(apply(value.lower), apply(value.upper))


def _paired(clean: Array, worst: Range) -> Range:
    """The leading axis of length 2: as it stands, and under the worst perturbation; a point where nothing moves."""
    if worst.is_point:
        return worst
    point = torch.from_numpy(np.array(clean))
    return Range(torch.stack([point, worst.lower]), torch.stack([point, worst.upper]))


def _worst_features(problem: Problem, features: Array, touched: NDArray[np.bool_]) -> Range:
    """Features (…, n, *shape) where the samples of the mask `touched` (…, n) take any admissible value."""
    return _ball(features, touched.reshape(*touched.shape, *(1,) * (features.ndim - 1)), problem.perturbation.eps)


def _worst_labels(problem: Problem, clean: Array, touched: NDArray[np.bool_], certain: bool = False) -> Range:
    """Encoded labels (…, n, c) where the samples of the mask `touched` (…, n) take any admissible value.

    With `certain` a touched sample *is* changed: of two classes, to the other one.
    """
    mask = touched[..., np.newaxis]
    if not problem.perturbation.flips:
        return _ball(clean, mask, problem.perturbation.nu)
    if not touched.any():
        return _ball(clean, mask, 0.0)
    if certain and clean.shape[-1] == 2:
        flipped = torch.from_numpy(np.where(mask, 1.0 - clean, clean))
        return Range(flipped, flipped)
    return Range(torch.from_numpy(np.where(mask, 0.0, clean)), torch.from_numpy(np.where(mask, 1.0, clean)))


def _ball(values: Array, mask: NDArray[np.bool_], radius: float) -> Range:
    point = torch.from_numpy(np.array(values))
    if radius == 0 or not mask.any():
        return Range(point, point)
    reach = torch.from_numpy(mask * radius)
    return outward(point - reach, point + reach)
