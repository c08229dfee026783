"""One step of training on an affine domain (section 7 of the formulation)."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from agtopt.domains import Affine, Interval, Moves, Touched
from agtopt.domains.affine import deviations
from agtopt.intervals.affine.adversary import AffineAdversary
from agtopt.intervals.affine.deviation import Deviation
from agtopt.intervals.affine.gradient import BatchGradient, Total
from agtopt.intervals.affine.reduce import reduced
from agtopt.intervals.scale.numerics import Numerics
from agtopt.intervals.states import state_ranges
from agtopt.problem import Problem
from agtopt.tolerances import DOUBLE, Rounding

Array = NDArray[np.float64]

MATRICES = 8
"""Matrices over all that is trained that a step holds at once."""

PRODUCTS = 10**11
"""Products for the matrix of a step beyond which it is not found: a minute or so."""

ERRORS = 4
"""Columns of E for each entry of the state, beyond which they are reduced."""


class AffineStep:
    """Steps of one problem.

    Parameters
    ----------
    problem : Problem
    adversary : AffineAdversary
    numerics : Numerics
        In whose format training runs; what is here is in float64.
    memory : int
        Bytes that a fragment may take.
    matrix : bool
        Whether the second derivatives of the loss are held as a matrix (`keeps_matrix`).
    """

    def __init__(
        self,
        problem: Problem,
        adversary: AffineAdversary,
        numerics: Numerics,
        memory: int,
        matrix: bool = True,
    ) -> None:
        self.problem = problem
        self.adversary = adversary
        self.numerics = numerics
        self.rounding: Rounding = numerics.rounding
        self.batch = BatchGradient(problem, adversary, self.rounding, memory // 4, matrix)
        p = problem.network.size
        self.theta = np.flatnonzero(self.batch.trained[:p])
        self.velocity = np.arange(p, problem.state_size)

    def start(self) -> Affine:
        """The point θ₀, up to what the format of training rounds."""
        state = self.problem.flatten(self.problem.state)
        size, nothing = len(state), np.zeros(len(state))
        error = nothing
        if self.rounding != DOUBLE:
            error = np.abs(state) * self.rounding.unit + self.rounding.normal * (state != 0)
        box = Interval(state - error, state + error)
        touched = self.adversary.start()
        return Affine(state, nothing, touched, np.zeros((0, size)), error, box)

    def following(self, t: int, domain: Affine, box: Interval) -> Affine:
        """The domain after step t, of the state in `domain` and its box before it; without one of
        its own where numbers overflow."""
        low, high = deviations(box, domain.nominal)
        mass = domain.mass()
        if not np.isfinite(mass).all():
            domain = self._rebased(domain, box)
            mass = domain.mass()
        if not np.isfinite(mass).all():
            return self._lost(t, domain)
        parameters = self._parameters(domain, low, high, mass)
        self.adversary.bounded(
            {
                name: value
                for name, value in state_ranges(self.problem, box, self.numerics).items()
                if name in self.problem.network.initial
            }
        )
        with torch.no_grad():
            total = self.batch.total(t, parameters, domain)
        with np.errstate(over="ignore", invalid="ignore"):
            found = self._moved(t, domain, total, mass)
        return self._lost(t, domain) if found is None else found

    def _parameters(
        self, domain: Affine, low: Array, high: Array, mass: Array
    ) -> dict[str, Deviation]:
        named = [self.problem.unflatten(part) for part in (domain.nominal, low, high, mass)]
        found = {}
        for name in self.problem.network.initial:
            value, *others = (torch.tensor(np.array(part[name])) for part in named)
            if name in self.problem.trained:
                found[name] = Deviation.linear(value, *others)
            else:
                error = None
                if self.rounding != DOUBLE:
                    error = value.abs() * self.rounding.unit + self.rounding.normal
                found[name] = Deviation.known(value, error)
        return found

    def _rebased(self, domain: Affine, box: Interval) -> Affine:
        """A domain that knows its box only, around the nominal run."""
        low, high = deviations(box, domain.nominal)
        centre, radius = 0.5 * (low + high), 0.5 * (high - low)
        radius = radius + 4 * DOUBLE.unit * (np.abs(low) + np.abs(high)) + DOUBLE.normal
        size = len(box)
        if not np.isfinite(centre).all():
            return replace(domain, radius=np.full(size, np.inf))
        touched = self.adversary.start()
        return Affine(domain.nominal, centre, touched, np.zeros((0, size)), radius, box)

    def _lost(self, t: int, domain: Affine) -> Affine:
        nominal = self._nominal(t, domain)
        whole = Interval(np.full(len(nominal), -np.inf), np.full(len(nominal), np.inf))
        return Affine.of_box(nominal, whole)

    def _nominal(self, t: int, domain: Affine) -> Array:
        """Where numbers overflow the nominal point may stay where it is: it is only a reference."""
        return domain.nominal

    def _moved(self, t: int, domain: Affine, total: Total, mass: Array) -> Affine | None:
        problem, many = self.problem, len(self.problem.schedule[t])
        rate, momentum, decay = (
            float(problem.learning_rates[t]),
            problem.training.momentum,
            problem.training.weight_decay,
        )
        share = 1.0 / many
        hessian = None if total.hessian is None else total.hessian.numpy() * share
        theta, velocity = self.theta, self.velocity

        def linear(rows: Array, direction: Array | None = None) -> Array:
            """The step of columns of the state, which stand as rows, with a further direction of
            Δ."""
            found = rows.copy()
            change = np.zeros((len(rows), len(theta)))
            if hessian is not None:
                change = rows[:, theta] @ hessian
            if direction is not None:
                change = change + direction
            if momentum > 0:
                change = change + momentum * rows[:, velocity] + decay * rows[:, theta]
                found[:, velocity] = change
                found[:, theta] = rows[:, theta] - rate * change
            else:
                found[:, theta] = (1.0 - rate * decay) * rows[:, theta] - rate * change
            return found

        def only(direction: Array) -> Array:
            """What a direction of Δ moves the state by."""
            found = np.zeros((len(direction), len(mass)))
            found[:, theta] = -rate * direction
            if momentum > 0:
                found[:, velocity] = direction
            return found

        offset = linear(domain.offset[np.newaxis], (total.middle.numpy() * share)[np.newaxis])[0]
        touched = tuple(
            self._touched(g, part, total, linear, only, share)
            for g, part in enumerate(domain.touched)
        )
        errors = np.zeros((0, len(mass)))
        if hessian is not None:
            symbols = torch.cat(total.symbols).numpy() * share
            old = [domain.errors, np.diag(domain.radius)[domain.radius > 0]]
            errors = np.concatenate([linear(np.concatenate(old)), only(symbols)])
        nominal = self._nominal_step(domain.nominal, total.nominal.numpy() * share, t)
        radius = self._radius(domain, total, hessian, mass, share, t)
        parts = (nominal, offset, errors, radius, *(d for d in _all_directions(touched)))
        if not all(np.isfinite(part).all() for part in parts):
            return None
        whole = Interval(np.full(len(nominal), -np.inf), np.full(len(nominal), np.inf))
        found = Affine(nominal, offset, touched, errors, radius, whole)
        # Coefficients were rounded: as much as all of them together are large.
        spare = DOUBLE.accumulated(24) * (found.mass() + mass) * (1.0 + decay) * (1.0 + rate)
        return reduced(
            replace(found, radius=found.radius + spare), max(ERRORS * len(nominal), 1500)
        )

    def _touched(self, g, part, total, linear, only, share):  # type: ignore[no-untyped-def]
        moves: list[Moves] = []
        for m, each in enumerate(part.moves):
            samples, columns, size = each.directions.shape
            flat = each.directions.reshape(samples * columns, size)
            found = (linear(flat) if flat.any() else flat.copy()).reshape(samples, columns, size)
            for direction in total.directions:
                if (direction.group, direction.move) == (g, m):
                    rows, k, q = direction.columns.shape
                    added = only(direction.columns.reshape(rows * k, q) * share)
                    found[direction.rows] += added.reshape(rows, k, size)
            if not np.isfinite(found).all():
                found = np.zeros_like(found)
                total.radius[:] = np.inf
            moves.append(replace(each, directions=found))
        return Touched(part.budget, part.samples, tuple(moves))

    def _kept_radius(self, domain: Affine, rate: float, momentum: float, decay: float) -> Array:
        """What is left of the radius, and of errors, after the step where these are no columns."""
        before = domain.radius + np.abs(domain.errors).sum(axis=0)
        found = before.copy()
        theta = before[self.theta]
        found[self.theta] = abs(1.0 - rate * decay) * theta
        if momentum > 0:
            speed = before[self.velocity]
            found[self.theta] += rate * momentum * speed
            found[self.velocity] = momentum * speed + decay * theta
        return np.asarray(found * (1.0 + DOUBLE.accumulated(16)))

    def _nominal_step(self, state: Array, direction: Array, t: int) -> Array:
        """The nominal run itself: one evaluation of many, the rest of which are in the radius."""
        problem = self.problem
        rate, momentum, decay = (
            float(problem.learning_rates[t]),
            problem.training.momentum,
            problem.training.weight_decay,
        )
        found = state.copy()
        theta = state[self.theta]
        if momentum > 0:
            change = momentum * state[self.velocity] + decay * theta + direction
            found[self.velocity] = change
        else:
            change = decay * theta + direction
        found[self.theta] = theta - rate * change
        return found

    def _radius(
        self, domain: Affine, total: Total, hessian: Array | None, mass: Array, share: float, t: int
    ) -> Array:
        """The remainder of the gradients, the rounding of coefficients, and that of the step in
        training."""
        problem, many = self.problem, len(self.problem.schedule[t])
        rate, momentum, decay = (
            float(problem.learning_rates[t]),
            problem.training.momentum,
            problem.training.weight_decay,
        )
        rounding = self.rounding
        removed = 1.0
        if problem.perturbation.removes:
            left = max(1, many - min(problem.perturbation.budget, many))
            removed = many / left
        remainder = total.radius.numpy() * share * (1.0 + DOUBLE.accumulated(many + 16))
        size, largest = total.size.numpy() * share, total.largest.numpy() * share * removed
        # Sums over the batch: those of training, and ours.
        remainder = remainder + rounding.accumulated(many + 12) * largest + many * rounding.smallest
        coefficients = DOUBLE.accumulated(2 * total.terms + many + 32) * (
            size + np.abs(total.middle.numpy()) * share + remainder
        )
        direction = remainder + coefficients
        if hessian is not None:
            columns = np.linalg.norm(hessian, axis=0) * domain.length()
            direction = direction + DOUBLE.accumulated(len(self.theta) + 16) * columns
        theta, speed = np.abs(domain.nominal) + mass, np.zeros(len(self.theta))
        radius = np.zeros(len(mass))
        if momentum > 0:
            speed = momentum * theta[self.velocity]
            change = speed + decay * theta[self.theta] + largest
            radius[self.velocity] = direction + rounding.accumulated(10) * change
        change = speed + decay * theta[self.theta] + largest + direction
        radius[self.theta] = rate * direction + rounding.accumulated(12) * (
            (2.0 + rate * decay) * theta[self.theta] + rate * change
        )
        if hessian is None:
            radius = radius + self._kept_radius(domain, rate, momentum, decay)
        radius = radius + (rounding.smallest * 16 if rounding.smallest > 0 else 0.0) * (radius > 0)
        return radius


def keeps_matrix(problem: Problem, memory: int) -> bool:
    """Whether a matrix over all that is trained fits, and is worth its products."""
    q = sum(problem.network.initial[name].size for name in problem.trained)
    longest = max(map(len, problem.schedule))
    return MATRICES * 8 * q * q <= memory and longest * q * q <= PRODUCTS


def _all_directions(touched: tuple[Touched, ...]) -> list[Array]:
    return [each.directions for part in touched for each in part.moves]
