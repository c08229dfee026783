"""Training with Pyomo variables: every quantity is an affine expression with its own interval
alongside."""

from typing import Any

import numpy as np
import pyomo.environ as pyo
import torch
from numpy.typing import NDArray

from agtopt.domains import Interval, KnownBounds
from agtopt.domains.known import Address
from agtopt.errors import UnsupportedError
from agtopt.formulation import (
    EXPONENTIAL,
    SIGMOID,
    SOFTPLUS,
    AffineArray,
    Curve,
    Site,
    clip,
    curve_corridor,
    curve_itself,
    gated_indicator,
    relu,
)
from agtopt.formulation.site import Assignment
from agtopt.intervals.arithmetic import Range
from agtopt.intervals.propagation import CrownIntervals
from agtopt.intervals.states import state_ranges
from agtopt.kinds import Formulation
from agtopt.problem import Problem
from agtopt.problem.network import VELOCITY
from agtopt.program.subscripts import parse
from agtopt.symbolic.branches import BranchBounds
from agtopt.symbolic.choices import write_choices
from agtopt.symbolic.linear import LinearOperations
from agtopt.symbolic.products import product_written
from agtopt.symbolic.quantity import (
    Quantity,
    contracted,
    joined,
    linear_part,
    spread,
    spread_ends,
)
from agtopt.tolerances import (
    LARGEST_EXPONENT,
    LOGARITHM_MARGIN,
    ORDINARY,
    size_of,
    unit_of,
)

SUBSTITUTED = 16
"""Terms up to which a named quantity is substituted instead of getting a variable: it halves the
solving time (docs/decisions/0052-short-sums.md)."""

EVALUATION = 16
"""Roundings of a probability that a framework evaluates (`Rounding.evaluation`)."""

UPDATE = 4
"""Roundings of the factors of an update, as the product of a rate and a decay."""


class SymbolicOperations(LinearOperations):
    """Writes the training steps into `model` as the blocks ``data``, ``parameter[t]`` and
    ``step[t]``.

    Parameters
    ----------
    problem : Problem
    kind : Formulation
    model : pyomo ConcreteModel
        Receives the blocks.
    start, stop : int
        Steps start … stop−1 are written.
    known : KnownBounds
        Tightens the interval of every quantity that has an entry; the interval of each state is
        added to it.
    branches : BranchBounds
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
        branches: BranchBounds,
        conditional: bool,
    ) -> None:
        self.problem = problem
        self.kind = kind
        self.known = known
        self.conditional = conditional
        self.start = start
        self.branches = branches
        replay: list[Assignment] = []
        self.model = model
        model.data = pyo.Block()
        model.parameter = pyo.Block(range(start, stop + 1))
        model.step = pyo.Block(range(start, stop))
        occurring = np.zeros(len(problem.dataset), dtype=bool)
        for batch in problem.schedule[start:stop]:
            occurring[batch] = True
        self.choices = write_choices(
            problem.perturbation, problem, kind, Site(model.data, "", replay=replay), occurring
        )
        super().__init__(CrownIntervals(problem, self.choices.intervals), replay)
        self.moved: dict[str, AffineArray] = {}
        self.named: dict[Address, Quantity] = {}

    def state(self, t: int, domain: Interval) -> dict[str, Quantity]:
        """The state of the start domain: numbers where it is a point, variables elsewhere."""
        quantities = {}
        for name, value in state_ranges(self.problem, domain).items():
            low, high = value.lower.numpy(), value.upper.numpy()
            affine = Site(self.model.parameter[t], name).variables(
                "", low, high, low < high, otherwise=low
            )
            quantities[name] = Quantity(affine, value)
        return quantities

    def begin(self, t: int) -> tuple[Quantity, Quantity]:
        self.samples = self.problem.schedule[t]
        x, y = self.intervals.begin(t)
        features, labels, rows = self.choices.batch(self.samples)
        self.enter(t, self.model.step[t], rows)
        return Quantity(features, x), Quantity(labels, y, binary=self.problem.classes is not None)

    def contract(
        self,
        subscripts: str,
        first: Quantity,
        second: Quantity,
        at: str,
        shift: Quantity | None = None,
    ) -> Quantity:
        if shift is not None:
            return self.add(self.contract(subscripts, first, second, at), shift)
        axes = parse(subscripts)
        enclosure = self.intervals.contract(subscripts, first.range, second.range, at)
        if not (first.affine.varies.any() or second.affine.varies.any()):
            return Quantity(contracted(subscripts, first.affine, second.affine), enclosure)
        a, b = spread(first.affine, axes, axes.left), spread(second.affine, axes, axes.right)
        shape = np.broadcast_shapes(a.shape, b.shape)
        both = np.broadcast_to(a.varies, shape) & np.broadcast_to(b.varies, shape)
        linear = linear_part(a, b)
        if not both.any():
            return Quantity(linear.total(len(axes.contracted)), enclosure)
        linear = linear * (~both).astype(np.float64)
        result = self._checked(Quantity(linear.total(len(axes.contracted)), enclosure), at)
        factors = a.broadcast(shape), b.broadcast(shape)
        bounds = (
            spread_ends(first, axes, axes.left, shape),
            spread_ends(second, axes, axes.right, shape),
        )
        gate = next((k for k, value in enumerate((first, second)) if value.binary), None)
        product = product_written(
            self.site(at), self.kind, factors, bounds, gate, result, both, len(axes.contracted)
        )
        quantity = Quantity(product, enclosure, first.binary and second.binary)
        if self.conditional and at.startswith("gradient"):
            summed = tuple(range(quantity.affine.constant.ndim, both.ndim))
            self.choices.tie(
                self.site(at), quantity, self.samples, np.asarray(both.any(axis=summed))
            )
        return quantity

    def rectify(self, value: Quantity, at: str) -> tuple[Quantity, Quantity]:
        low, high = self._checked(value, at).ends()
        output, active = relu(self.site(at), value.affine, low, high, self.kind.binaries)
        enclosures = self.intervals.rectify(value.range)
        return Quantity(output, enclosures[0]), Quantity(
            active, enclosures[1].numbers(), binary=True
        )

    def positive(self, value: Quantity, given: Quantity, at: str) -> Quantity:
        low, high = self._checked(value, at).ends()
        gate = given.affine.broadcast(value.affine.shape)
        active = gated_indicator(
            self.site(at), value.affine, gate, low, high, self.kind.binaries, self.kind.bilinear
        )
        return Quantity(active, self.intervals.positive(value.range, given.range), binary=True)

    def sigmoid(self, value: Quantity, at: str) -> Quantity:
        return Quantity(
            self._curve(SIGMOID, value, self.intervals.sigmoid(value.range), at),
            self.intervals.sigmoid(value.range),
        )

    def softmax(self, value: Quantity, at: str) -> Quantity:
        """Two classes: σ of the difference of the logits (`_two_shares`). More: p_c = exp(z_c − A)
        with A = logsumexp(z) and Σ p_c = 1.

        Where functions are relaxed A is a chain of softplus, logsumexp(a, b) = a + softplus(b − a).
        """
        enclosure = self.intervals.softmax(value.range)
        logits = [self.column(value, c) for c in range(value.affine.shape[-1])]
        if len(logits) == 2:
            return Quantity(self._two_shares(logits[0], logits[1], enclosure, at), enclosure)
        normaliser, parts = self._normaliser(logits, at), []
        for c, logit in enumerate(logits):
            own = self.intervals.column(enclosure, c)
            exponent = self.add(logit, self.scale(-1.0, normaliser))
            narrowed = self.intervals.tightened(
                exponent.range, *_widened(own.lower.log(), own.upper.log()), at
            )
            parts.append(
                self._curve(EXPONENTIAL, Quantity(exponent.affine, narrowed), own, f"{at}_{c}")
            )
        shares_of_all = joined(parts, axis=1)
        varies = np.asarray(shares_of_all.varies.any(axis=1))
        self.site(at).rows(
            "_one", shares_of_all.total(1).loosened(0.0, EVALUATION), varies, lower=1.0, upper=1.0
        )
        return Quantity(shares_of_all, enclosure)

    def _two_shares(self, zero: Quantity, one: Quantity, enclosure: Range, at: str) -> AffineArray:
        """σ(z_1 − z_0) and 1 − σ(z_1 − z_0).

        The difference has lost the digits of a probability that is small, which intervals still
        have: that is σ(z_0 − z_1), in a unit of its own.
        """
        gap = self.add(one, self.scale(-1.0, zero))
        second = self.sigmoid(gap, at).affine
        first = (1.0 - second).loosened(0.0, EVALUATION)
        own = self.intervals.column(enclosure, 0)
        small = Quantity(first, own).ends()[1] < ORDINARY[0]
        if not small.any():
            return joined([first, second], axis=1)
        opposite = self.scale(-1.0, gap)
        share = self._curve(
            SIGMOID,
            Quantity(opposite.affine * small.astype(np.float64), opposite.range),
            own,
            f"{at}_0",
        )
        total = (share + second).loosened(0.0, EVALUATION)
        self.site(f"{at}_0").rows("_one", total, small & second.varies, lower=1.0, upper=1.0)
        first = share * small.astype(np.float64) + first * (~small).astype(np.float64)
        return joined([first, second], axis=1)

    def _normaliser(self, logits: list[Quantity], at: str) -> Quantity:
        """log Σ_c exp z_c."""
        ends = [logits[0].range]
        for logit in logits[1:]:
            ends.append(
                _widened(
                    *(
                        torch.logaddexp(before, now)
                        for before, now in zip(ends[-1], logit.range, strict=True)
                    )
                )
            )
        if self.kind.functions:
            enclosure = ends[-1]
            where = np.logical_or.reduce([logit.affine.varies for logit in logits])
            constants = np.logaddexp.reduce([logit.affine.constant for logit in logits])
            site = self.site(f"{at}_normaliser")
            low, high = Quantity(AffineArray.known(constants), enclosure).ends()
            total = site.variables(
                "", low, high, where, otherwise=AffineArray.known(constants, high - low)
            )
            site.assign(
                total,
                where,
                lambda: np.logaddexp.reduce([logit.affine.values() for logit in logits]),
            )
            return self._checked(Quantity(total, enclosure), at)
        total_ = logits[0]
        for c, logit in enumerate(logits[1:], start=1):
            gap = self.add(logit, self.scale(-1.0, total_))
            rise = _widened(*(torch.logaddexp(torch.zeros_like(end), end) for end in gap.range))
            total_ = Quantity(
                total_.affine + self._curve(SOFTPLUS, gap, rise, f"{at}_sum_{c}"), ends[c]
            )
        return total_

    def _curve(self, curve: Curve, value: Quantity, enclosure: Range, at: str) -> AffineArray:
        bounds = self._checked(value, at).ends()
        results = Quantity(value.affine, enclosure).ends()
        if self.kind.functions:
            exponents = curve.largest_exponent(*bounds, unit_of(size_of(*results)))
            largest = float(np.where(value.affine.varies, exponents, 0.0).max(initial=0.0))
            if largest > LARGEST_EXPONENT:
                raise UnsupportedError(
                    f"the exponent of {at} at step {self.t} reaches {largest:.3g}, and solvers "
                    f"take e^{LARGEST_EXPONENT:g} and more for "
                    "infinite; take MIQCP or MILP, whose corridors have no exponentials, shorten "
                    "the window, or scale the features down"
                )
            return curve_itself(self.site(at), curve, value.affine, bounds, results)
        return curve_corridor(
            self.site(at),
            curve,
            value.affine,
            bounds,
            results,
            self.kind.segments,
            self.kind.binaries,
        )

    def clip(self, value: Quantity, bound: float, at: str) -> Quantity:
        low, high = self._checked(value, at).ends()
        clipped = Quantity(
            clip(self.site(at), value.affine, low, high, bound, self.kind.binaries),
            self.intervals.clip(value.range, bound),
        )
        if self.conditional:
            cut = (low < -bound) | (high > bound)
            self.choices.tie(
                self.site(at), clipped, self.samples, np.asarray(clipped.affine.varies & cut)
            )
        return clipped

    def define(self, value: Quantity, at: str) -> Quantity:
        bounded = Quantity(
            value.affine,
            self._intersected(self.intervals.define(value.range, at), (self.t, at)),
            value.binary,
        )
        where, site = bounded.affine.varies, self.site(at)
        if int((bounded.affine.coefficients != 0.0).sum(axis=-1).max(initial=0)) <= SUBSTITUTED:
            site.name_expressions(bounded.affine, where)
            self.named[self.t, at] = bounded
            return bounded
        ends = self._checked(bounded, at).ends()
        variables = site.variables("", *ends, where, otherwise=bounded.affine.within(*ends))
        site.assign(variables, where, value.affine.values)
        site.rows("_definition", variables - value.affine, where, lower=0.0, upper=0.0)
        self.named[self.t, at] = Quantity(variables, bounded.range, value.binary)
        return self.named[self.t, at]

    def _intersected(self, enclosure: Range, address: tuple[Any, ...]) -> Range:
        entry = self.known.get(address)
        if entry is None:
            return enclosure
        lower, upper = (torch.tensor(end) for end in entry)
        return self.intervals.tightened(
            enclosure, lower, upper, f"{address[1]} at step {address[0]}"
        )

    def aggregate(self, gradient: Quantity, tensor: str) -> Quantity:
        enclosure = self.intervals.aggregate(gradient.range, tensor)
        descent = Quantity(self.choices.aggregate(self, gradient, tensor, enclosure), enclosure)
        self.named[self.t, f"descent.{tensor}"] = descent
        return descent

    def update(self, terms: list[tuple[float, Quantity]], tensor: str) -> Quantity:
        enclosure = self.intervals.update(
            [(factor, value.range) for factor, value in terms], tensor
        )
        if tensor.startswith(VELOCITY):
            # v = (θ_t − θ_{t+1}) / α_t: two terms instead of a sum over the batch.
            following = self.moved[tensor.removeprefix(VELOCITY)]
        else:
            (first, past), *others = terms
            # The first factor, 1 − α λ, is itself the rounded difference of two numbers.
            following = (past.affine * first).loosened(past.affine.magnitude, UPDATE)
            for factor, value in others:
                following = following + value.affine * factor
        address = (self.t + 1, tensor)
        self.known.shrink(address, *self._checked(Quantity(following, enclosure), tensor).ends())
        tightened = Quantity(following, self._intersected(enclosure, address))
        if tensor.startswith(VELOCITY):
            return tightened
        where = following.varies
        parameter_site = Site(self.model.parameter[self.t + 1], tensor, replay=self.replay)
        ends = tightened.ends()
        variables = parameter_site.variables("", *ends, where, otherwise=following.within(*ends))
        parameter_site.assign(variables, where, following.values)
        site = self.site(f"update.{tensor}", batch=False)
        site.rows("", variables - following, where, lower=0.0, upper=0.0)
        if len(self.branches.samples):
            self._tie_to_selectors(variables, tensor, where)
        if self.problem.training.momentum > 0:
            # The decayed θ_t is in the first term: θ_t itself is what the velocity moved.
            self.moved[tensor] = self._velocity(terms, variables)
        return Quantity(variables, tightened.range)

    def _velocity(self, terms: list[tuple[float, Quantity]], following: AffineArray) -> AffineArray:
        return (terms[0][1].affine - following) * (1.0 / float(self.problem.learning_rates[self.t]))

    def _tie_to_selectors(
        self, variables: AffineArray, tensor: str, where: NDArray[np.bool_]
    ) -> None:
        r"""θ ≤ U⁰ + Σ_i s_i (U^i − U⁰) and θ ≥ L⁰ + Σ_i s_i (L^i − L⁰): at most one sample is
        touched (n = 1)."""
        index = self.t - self.start
        lower, upper = (
            self.problem.unflatten(ends[index])[tensor]
            for ends in (self.branches.lower, self.branches.upper)
        )
        chosen = self.choices.touched[self.branches.samples]
        site = self.site(f"update.{tensor}", batch=False)
        for suffix, ends, side in (
            ("_branch_above", lower, "lower"),
            ("_branch_below", upper, "upper"),
        ):
            deviation = np.moveaxis(ends[1:] - ends[0], 0, -1)
            body = variables - (chosen * deviation).total(1)
            site.rows(suffix, body, where, **{side: ends[0]}, margin=True)


def _widened(low: torch.Tensor, high: torch.Tensor) -> Range:
    """The ends of logarithms, moved outward."""
    return Range(
        low - LOGARITHM_MARGIN * (1.0 + low.abs()), high + LOGARITHM_MARGIN * (1.0 + high.abs())
    )
