"""Training with Pyomo variables: every quantity is an affine expression with its own interval alongside."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo
import torch
from numpy.typing import NDArray

from agtopt.domains import Interval, KnownBounds
from agtopt.errors import UnsupportedError
from agtopt.formulation import (
    Affine,
    Site,
    binary_product,
    budget,
    conditional_cuts,
    gated_indicator,
    kept_product,
    label_flip,
    mccormick,
    perturbed,
    relu,
)
from agtopt.formulation.affine import Assignment
from agtopt.kinds import Formulation
from agtopt.problem.problem import Problem
from agtopt.program import train
from agtopt.program.subscripts import Subscripts, parse
from agtopt.semantics.arithmetic import Range
from agtopt.semantics.interval import BudgetedIntervals, flatten_ranges, ranges
from agtopt.tolerances import outward

SUBSTITUTED = 16
"""Terms up to which a named quantity is substituted instead of getting a variable: it halves the solving time (docs/decisions.md)."""

Ends = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Quantity:
    """An array of affine expressions and the interval that encloses it.

    The interval of a sample's quantity may have a leading axis of length 2: the sample as it stands, and under its worst perturbation.
    """

    affine: Affine
    range: Range
    binary: bool = False

    def ends(self, which: int = 1) -> Ends:
        """Bounds in the shape of the expressions; 0 as the sample stands, 1 under its worst perturbation (the whole range)."""
        shape = self.affine.shape
        low, high = (end[which] if end.dim() > len(shape) else end for end in self.range)
        return np.broadcast_to(low.numpy(), shape), np.broadcast_to(high.numpy(), shape)


@dataclass(frozen=True, eq=False)
class BranchBounds:
    """Parameters when only sample i is touched, for every vulnerable sample i, and when none is; for a budget of one.

    Parameters
    ----------
    samples : array of int, shape (R,)
    lower, upper : array, shape (T, 1 + R, p)
        Row 0 without any change, row 1 + r with sample ``samples[r]`` touched; index 0 is step `start` + 1.
    """

    samples: NDArray[np.int64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


class SymbolicOperations:
    """Writes the training steps into `model` as the blocks ``data``, ``parameter[t]`` and ``step[t]``.

    Parameters
    ----------
    problem : Problem
    kind : Formulation
    model : pyomo ConcreteModel
        Receives the blocks.
    start, stop : int
        Steps start … stop−1 are written.
    known : KnownBounds
        Tightens the interval of every quantity that has an entry; the interval of each θ_t is added to it.
    branches : BranchBounds or None
        Ties each θ_t to the selectors (budget of one).
    conditional : bool
        Whether gradient entries are tied to their sample's selector.
    """

    def __init__(
        self,
        problem: Problem,
        kind: Formulation,
        model: Any,
        start: int,
        stop: int,
        known: KnownBounds,
        branches: BranchBounds | None,
        conditional: bool,
    ) -> None:
        self.problem, self.kind, self.known, self.conditional = problem, kind, known, conditional
        self.start, self.branches = start, branches
        self.intervals = BudgetedIntervals(problem)
        self.replay: list[Assignment] = []
        self.model = model
        model.data = pyo.Block()
        model.parameter = pyo.Block(range(start, stop + 1))
        model.step = pyo.Block(range(start, stop))
        self._write_data(start, stop)

    def _write_data(self, start: int, stop: int) -> None:
        problem, kind = self.problem, self.kind
        occurring = np.unique(np.concatenate(problem.schedule[start:stop]))
        touchable = np.intersect1d(problem.perturbation.touchable(len(problem.dataset)), occurring)
        where = np.zeros(len(problem.dataset), dtype=bool)
        where[touchable] = True
        block = self.model.data
        self.selectors = Site(block, "selector").variables("", 0.0, 1.0, where, kind.binaries)
        if where.any():
            budget(Site(block, "budget"), self.selectors, problem.perturbation.n)
        data, reach = problem.dataset, problem.perturbation
        labels = problem.encode(data.labels)
        self.features, self.labels = Affine.known(data.features), Affine.known(labels)
        if reach.eps > 0 and where.any():
            self.features = perturbed(Site(block, "x"), data.features, self.selectors, reach.eps, _rows(where, data.features))
        self.own_flips = labels.shape[-1] > 2 or reach.eps > 0
        if reach.flips and where.any():
            self.labels = label_flip(Site(block, "y"), labels, self.selectors, self.own_flips, kind.binaries, where)
        elif reach.nu > 0 and where.any():
            self.labels = perturbed(Site(block, "y"), labels, self.selectors, reach.nu, _rows(where, labels))

    def parameters(self, t: int, domain: Interval) -> dict[str, Quantity]:
        """θ_t of the start domain: numbers where it is a point, variables elsewhere."""
        found = {}
        for name, value in ranges(self.problem.network, domain).items():
            low, high = value.lower.numpy(), value.upper.numpy()
            free = low < high
            affine = Site(self.model.parameter[t], name).variables("", low, high, free, otherwise=low)
            found[name] = Quantity(affine, value)
        return found

    def begin(self, t: int) -> tuple[Quantity, Quantity]:
        self.t, self.samples = t, self.problem.schedule[t]
        x, y = self.intervals.begin(t)
        binary = self.problem.training.loss.classes is not None
        return Quantity(self.features[self.samples], x), Quantity(self.labels[self.samples], y, binary)

    def _site(self, at: str) -> Site:
        phase, _, name = at.partition(".")
        step = self.model.step[self.t]
        if step.component(phase) is None:
            step.add_component(phase, pyo.Block())
        return Site(step.component(phase), name, self.samples, self.replay)

    def _checked(self, quantity: Quantity, at: str) -> Quantity:
        if not all(bool(torch.isfinite(end).all()) for end in quantity.range):
            raise UnsupportedError(
                f"the interval of {at} at step {self.t} is unbounded, so no big-M exists; shorten the window or start from a tighter domain"
            )
        return quantity

    def constant(self, value: NDArray[np.float64] | float) -> Quantity:
        return Quantity(Affine.known(value), self.intervals.constant(value))

    def add(self, first: Quantity, second: Quantity) -> Quantity:
        return Quantity(first.affine + second.affine, self.intervals.add(first.range, second.range))

    def scale(self, factor: float, value: Quantity) -> Quantity:
        return Quantity(value.affine * factor, self.intervals.scale(factor, value.range))

    def contract(self, subscripts: str, first: Quantity, second: Quantity, at: str) -> Quantity:
        axes = parse(subscripts)
        enclosure = self.intervals.contract(subscripts, first.range, second.range)
        if not (first.affine.varies.any() or second.affine.varies.any()):
            return Quantity(Affine.known(np.einsum(subscripts, first.affine.constant, second.affine.constant)), enclosure)
        a, b = _spread(first.affine, axes, axes.left), _spread(second.affine, axes, axes.right)
        shape = np.broadcast_shapes(a.shape, b.shape)
        both = np.broadcast_to(a.varies, shape) & np.broadcast_to(b.varies, shape)
        linear = _linear_part(a, b)
        if not both.any():
            return Quantity(linear.total(len(axes.contracted)), enclosure)
        linear = linear * (~both).astype(np.float64)
        result = self._checked(Quantity(linear.total(len(axes.contracted)), enclosure), at)
        factors = a.broadcast(shape), b.broadcast(shape)
        site, suffix = self._site(at), "_product" if axes.contracted else ""
        bounds = _spread_ends(first, axes, axes.left, shape), _spread_ends(second, axes, axes.right, shape)
        gate = next((k for k, value in enumerate((first, second)) if value.binary), None)
        if self.kind.bilinear and (gate is None or not self.kind.binaries):
            product = self._kept(site, suffix, factors, result, both, len(axes.contracted))
        elif gate is not None:
            written = binary_product(site, suffix, factors[gate], factors[1 - gate], bounds[1 - gate], both)
            product = written.total(len(axes.contracted)) + result.affine
        else:
            product = mccormick(site, suffix, *factors, bounds, both).total(len(axes.contracted)) + result.affine
        quantity = Quantity(product, enclosure, first.binary and second.binary)
        if self.conditional and at.startswith("gradient") and not axes.contracted:
            self._tie(site, quantity, both)
        return quantity

    @staticmethod
    def _kept(site: Site, suffix: str, factors: tuple[Affine, Affine], result: Quantity, both: NDArray[np.bool_], axes: int) -> Affine:
        shape = result.affine.shape
        stacked = factors[0].reshape(*shape, -1), factors[1].reshape(*shape, -1)
        where = np.asarray(both.reshape(*shape, -1).any(axis=-1))
        inside = result.affine * where.astype(np.float64)
        return kept_product(site, suffix, *stacked, inside, result.ends(), where) + result.affine * (~where).astype(np.float64)

    def _tie(self, site: Site, quantity: Quantity, where: NDArray[np.bool_]) -> None:
        chosen = self.selectors[self.samples]
        touched = chosen.varies.reshape((-1,) + (1,) * (where.ndim - 1))
        conditional_cuts(site, "", quantity.affine, quantity.ends(0), quantity.ends(1), chosen.reshape(*touched.shape), where & touched)

    def rectify(self, value: Quantity, at: str) -> tuple[Quantity, Quantity]:
        low, high = self._checked(value, at).ends()
        output, active = relu(self._site(at), value.affine, low, high, self.kind.binaries)
        enclosures = self.intervals.rectify(value.range)
        return Quantity(output, enclosures[0]), Quantity(active, enclosures[1], binary=True)

    def positive(self, value: Quantity, given: Quantity, at: str) -> Quantity:
        low, high = self._checked(value, at).ends()
        gate = given.affine.broadcast(value.affine.shape)
        active = gated_indicator(self._site(at), value.affine, gate, low, high, self.kind.binaries, self.kind.bilinear)
        return Quantity(active, self.intervals.positive(value.range, given.range), binary=True)

    def define(self, value: Quantity, at: str) -> Quantity:
        bounded = Quantity(value.affine, self._intersected(value.range, (self.t, at)), value.binary)
        where, site = bounded.affine.varies, self._site(at)
        if int((bounded.affine.coefficients != 0.0).sum(axis=-1).max(initial=0)) <= SUBSTITUTED:
            site.name_expressions(bounded.affine, where)
            return bounded
        variables = site.variables("", *self._checked(bounded, at).ends(), where, otherwise=bounded.affine.constant)
        site.assign(variables, where, value.affine.values)
        site.rows("_definition", variables - value.affine, where, lower=0.0, upper=0.0)
        return Quantity(variables, bounded.range, value.binary)

    def _intersected(self, enclosure: Range, address: tuple[Any, ...]) -> Range:
        entry = self.known.get(address)
        if entry is None:
            return enclosure
        low, high = (torch.from_numpy(np.array(end)) for end in entry)
        return Range(torch.maximum(enclosure.lower, low), torch.minimum(enclosure.upper, high))

    def flatten(self, value: Quantity) -> Quantity:
        shape = value.affine.shape
        return Quantity(value.affine.reshape(shape[0], -1), self.intervals.flatten(value.range), value.binary)

    def unflatten(self, value: Quantity, shape: tuple[int, ...]) -> Quantity:
        many = value.affine.shape[0]
        return Quantity(value.affine.reshape(many, *shape), self.intervals.unflatten(value.range, shape), value.binary)

    def column(self, value: Quantity, index: int) -> Quantity:
        picked = value.affine[:, index : index + 1]
        return Quantity(picked, self.intervals.column(value.range, index), value.binary)

    def per_sample(self, value: Quantity) -> Quantity:
        return Quantity(value.affine.map(lambda array, extra: array[np.newaxis]), self.intervals.per_sample(value.range))

    def aggregate(self, gradient: Quantity, tensor: str) -> Quantity:
        rank = len(gradient.affine.shape) - 1
        batch_last = gradient.affine.map(lambda array, extra: np.moveaxis(array, 0, rank))
        mean = batch_last.total(1) * (1.0 / len(self.samples))
        return Quantity(mean, self.intervals.aggregate(gradient.range, tensor))

    def descend(self, parameter: Quantity, direction: Quantity, rate: float, tensor: str) -> Quantity:
        following = parameter.affine - direction.affine * rate
        enclosure = self.intervals.descend(parameter.range, direction.range, rate, tensor)
        address = (self.t + 1, tensor)
        self.known.shrink(address, *self._checked(Quantity(following, enclosure), tensor).ends())
        tightened = Quantity(following, self._intersected(enclosure, address))
        where = following.varies
        block = self.model.parameter[self.t + 1]
        parameter_site = Site(block, tensor, replay=self.replay)
        variables = parameter_site.variables("", *tightened.ends(), where, otherwise=following.constant)
        parameter_site.assign(variables, where, following.values)
        site = self._site(f"update.{tensor}")
        Site(site.block, tensor).rows("", variables - following, where, lower=0.0, upper=0.0)
        if self.branches is not None:
            self._tie_to_selectors(variables, tensor, where)
        return Quantity(variables, tightened.range)

    def _tie_to_selectors(self, variables: Affine, tensor: str, where: NDArray[np.bool_]) -> None:
        r"""θ ≤ U⁰ + Σ_i s_i (U^i − U⁰) and θ ≥ L⁰ + Σ_i s_i (L^i − L⁰): at most one sample is touched (n = 1)."""
        assert self.branches is not None
        index = self.t - self.start
        lower, upper = (self.problem.network.unflatten(ends[index])[tensor] for ends in (self.branches.lower, self.branches.upper))
        chosen = self.selectors[self.branches.samples]
        site = Site(self._site(f"update.{tensor}").block, tensor)
        for suffix, ends, side, sense in (("_branch_above", lower, "lower", -1), ("_branch_below", upper, "upper", 1)):
            deviation = np.moveaxis(ends[1:] - ends[0], 0, -1)
            body = variables - (chosen * deviation).total(1)
            site.rows(suffix, body, where, **{side: outward(ends[0], sense)})


def write_steps(ops: SymbolicOperations, start: int, stop: int, domain: Interval) -> Iterator[tuple[Affine, Interval]]:
    """Write the steps start … stop−1.

    Yields
    ------
    theta : Affine, shape (p,)
        The flattened parameters at step `start`, then after each step.
    domain : Interval
        Their interval.
    """
    network = ops.problem.network
    begin = ops.parameters(start, domain)
    for state in (begin, *train(ops, ops.problem, begin, start, stop)):
        tensors = [state[name].affine.reshape(-1) for name in network.initial]
        yield _concatenated(tensors), Interval(*flatten_ranges(network, {name: value.range for name, value in state.items()}))


def _concatenated(parts: Sequence[Affine]) -> Affine:
    width = max(part.coefficients.shape[-1] for part in parts)
    padded = [
        Affine(
            part.constant,
            np.pad(part.coefficients, ((0, 0), (0, width - part.coefficients.shape[-1]))),
            np.pad(part.variables, ((0, 0), (0, width - part.variables.shape[-1])), constant_values=None),  # type: ignore[call-overload]
        )
        for part in parts
    ]
    return Affine(
        np.concatenate([part.constant for part in padded]),
        np.concatenate([part.coefficients for part in padded]),
        np.concatenate([part.variables for part in padded]),
    )


def _rows(where: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.broadcast_to(where.reshape((-1,) + (1,) * (values.ndim - 1)), values.shape)


def _spread_ends(value: Quantity, axes: Subscripts, letters: str, shape: tuple[int, ...]) -> Ends:
    low, high = (np.broadcast_to(axes.spread(end, letters), shape) for end in value.ends())
    return low, high


def _spread(value: Affine, axes: Subscripts, letters: str) -> Affine:
    return value.map(lambda array, extra: axes.spread(array, letters, extra))


def _linear_part(a: Affine, b: Affine) -> Affine:
    """The product of the entries of which at most one varies."""
    if not a.varies.any():
        return b * a.constant
    if not b.varies.any():
        return a * b.constant
    return b * a.constant + a * b.constant - a.constant * b.constant
