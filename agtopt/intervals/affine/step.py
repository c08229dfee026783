"""One step of training on an affine domain (section 7 of the formulation)."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from agtopt.domains import Affine, Interval, Touched
from agtopt.domains.affine import deviations
from agtopt.intervals.affine.deviation import Deviation
from agtopt.intervals.affine.gradient import BatchGradient, Total
from agtopt.intervals.affine.reduce import reduced
from agtopt.intervals.affine.touching import AffineAdversary
from agtopt.intervals.affine.update import Update
from agtopt.intervals.scale.numerics import Numerics
from agtopt.intervals.states import state_ranges
from agtopt.problem import Problem
from agtopt.tolerances import DOUBLE

Array = NDArray[np.float64]

MATRICES = 8
"""Matrices over all that is trained that a step holds at once."""

PRODUCTS = 10**11
"""Products for the matrix of a step beyond which it is not found: a minute or so."""

ERRORS = 4
"""Columns of E for each entry of the state, beyond which they are reduced."""

FEW, ENTRIES = 6000, 2**18
"""Of few entries more columns are kept: so many, or so many numbers. Breast cancer was four times
as narrow after 400 steps as with 1,500 columns."""


class AffineStep:
    """Steps of one problem.

    Parameters
    ----------
    problem : Problem
    adversary : AffineAdversary
    numerics : Numerics
        In whose format training runs; what is here is in float64.
    memory : int
        Bytes that a step may take.
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
        self.rounding = numerics.rounding
        self.batch = BatchGradient(problem, adversary, self.rounding, memory // 4, matrix)

    def start(self) -> Affine:
        """The point θ₀, up to what the format of training rounds."""
        state = self.problem.flatten(self.problem.state)
        size, nothing = len(state), np.zeros(len(state))
        error = nothing
        if self.rounding != DOUBLE:
            error = np.abs(state) * self.rounding.unit + self.rounding.normal * (state != 0)
        box = Interval(state - error, state + error)
        ball = float(np.linalg.norm(error)) * (1.0 + DOUBLE.accumulated(size + 8))
        touched = self.adversary.start()
        return Affine(state, nothing, touched, np.zeros((0, size)), error, box, ball)

    def following(self, t: int, domain: Affine, box: Interval) -> Affine:
        """The form after step t, of the state in `domain` and its box before it; one that says
        nothing where numbers overflow."""
        with np.errstate(over="ignore", invalid="ignore"):
            low, high = deviations(box, domain.nominal)
            if not np.isfinite(domain.mass()).all():
                domain = self._rebased(domain, box)
            mass = domain.mass()
            if not np.isfinite(mass).all():
                return nothing_known(domain)
            parameters = self._parameters(domain, low, high, mass)
            ranges = state_ranges(self.problem, box, self.numerics)
            self.adversary.bounded({name: ranges[name] for name in self.problem.network.initial})
            with torch.no_grad():
                total = self.batch.total(t, parameters, domain)
            found = self._moved(t, domain, total, mass)
        return nothing_known(domain) if found is None else found

    def _parameters(
        self, domain: Affine, low: Array, high: Array, mass: Array
    ) -> dict[str, Deviation]:
        named = [self.problem.unflatten(part) for part in (domain.nominal, low, high, mass)]
        found = {}
        for name in self.problem.network.initial:
            value, least, most, size = (torch.tensor(np.array(part[name])) for part in named)
            if name in self.problem.trained:
                found[name] = Deviation.linear(value, least, most, size)
            else:
                error = None
                if self.rounding != DOUBLE:
                    error = value.abs() * self.rounding.unit + self.rounding.normal
                found[name] = Deviation.known(value, error)
        return found

    def _rebased(self, domain: Affine, box: Interval) -> Affine:
        """A domain that knows its box only."""
        low, high = deviations(box, domain.nominal)
        centre, radius = 0.5 * (low + high), 0.5 * (high - low)
        radius = radius + 4 * DOUBLE.unit * (np.abs(low) + np.abs(high)) + DOUBLE.normal
        if not np.isfinite(centre).all():
            return domain
        errors = np.zeros((0, len(box)))
        return Affine(domain.nominal, centre, self.adversary.start(), errors, radius, box)

    def _moved(self, t: int, domain: Affine, total: Total, mass: Array) -> Affine | None:
        share = 1.0 / len(self.problem.schedule[t])
        update = Update.of(self.problem, t)
        hessian = None if total.hessian is None else total.hessian.numpy() * share
        middle, direction = (
            part.numpy()[np.newaxis] * share for part in (total.middle, total.nominal)
        )
        nominal = update(domain.nominal[np.newaxis], direction)[0]
        offset = update.linear(domain.offset[np.newaxis], hessian)[0] + update.along(middle)[0]
        errors = np.zeros((0, update.size))
        if hessian is not None:
            symbols = torch.cat(total.symbols).numpy() * share
            old = np.concatenate([domain.errors, np.diag(domain.radius)[domain.radius > 0]])
            errors = np.concatenate([update.linear(old, hessian), update.along(symbols)])
        radius = self._radius(t, update, domain, total, hessian, mass)
        moved = [
            _directions(g, part, total, update, hessian, share)
            for g, part in enumerate(domain.touched)
        ]
        parts = (nominal, offset, errors, radius, *(each for part in moved for each in part))
        if not all(np.isfinite(part).all() for part in parts):
            return None
        touched = tuple(
            replace(
                part,
                moves=tuple(
                    replace(each, directions=found)
                    for each, found in zip(part.moves, directions, strict=True)
                ),
            )
            for part, directions in zip(domain.touched, moved, strict=True)
        )
        form = Affine(nominal, offset, touched, errors, radius, _whole(len(nominal)))
        # Coefficients were rounded: by some units of all of them together, before and after.
        terms = DOUBLE.accumulated(24) * (1.0 + update.decay) * (1.0 + update.rate)
        form = replace(form, radius=form.radius + terms * (form.mass() + mass))
        most = max(ERRORS * len(nominal), min(FEW, ENTRIES // len(nominal)))
        return reduced(form, most)

    def _radius(
        self,
        t: int,
        update: Update,
        domain: Affine,
        total: Total,
        hessian: Array | None,
        mass: Array,
    ) -> Array:
        """The remainder of the gradients, the rounding of coefficients, and that of the step in
        training."""
        problem, rounding, many = self.problem, self.rounding, len(self.problem.schedule[t])
        left = many
        if problem.perturbation.removes:
            left = max(1, many - min(problem.perturbation.budget, many))
        size, middle, remainder = (
            part.numpy() / many for part in (total.size, total.middle.abs(), total.radius)
        )
        largest = total.largest.numpy() / left
        direction = remainder * (1.0 + DOUBLE.accumulated(many + 16))
        # Sums over the batch: those of training, and ours.
        direction = direction + rounding.accumulated(many + 12) * largest + many * rounding.smallest
        direction = direction + DOUBLE.accumulated(2 * total.terms + many + 32) * (
            size + middle + remainder
        )
        if hessian is not None:
            columns = np.linalg.norm(hessian, axis=0) * domain.length()
            direction = direction + DOUBLE.accumulated(len(update.theta) + 16) * columns
        state = np.abs(domain.nominal) + mass
        run = update.radius(state, largest + direction)
        run[update.theta] += 2.0 * state[update.theta]
        before = np.zeros(update.size)
        if hessian is None:
            before = domain.radius + np.abs(domain.errors).sum(axis=0)
        found = update.radius(before, direction)
        moves = np.concatenate([update.theta, update.velocity])
        found[moves] += rounding.accumulated(12) * run[moves] + 16 * rounding.smallest
        return found


def keeps_matrix(problem: Problem, memory: int) -> bool:
    """Whether a matrix over all that is trained fits, and is worth its products."""
    q = sum(problem.network.initial[name].size for name in problem.trained)
    longest = max(map(len, problem.schedule))
    return MATRICES * 8 * q * q <= memory and longest * q * q <= PRODUCTS


def nothing_known(domain: Affine) -> Affine:
    """A form that holds any state."""
    return Affine.of_box(domain.nominal, _whole(len(domain)))


def _whole(size: int) -> Interval:
    return Interval(np.full(size, -np.inf), np.full(size, np.inf))


def _directions(
    group: int, part: Touched, total: Total, update: Update, hessian: Array | None, share: float
) -> list[Array]:
    """The columns D_i after a step, of every way in which samples of a group are touched."""
    moved = []
    for move, each in enumerate(part.moves):
        samples, columns, size = each.directions.shape
        flat = each.directions.reshape(samples * columns, size)
        if flat.any():
            flat = update.linear(flat, hessian)
        found = flat.reshape(samples, columns, size).copy()
        for direction in total.directions:
            if (direction.group, direction.move) == (group, move):
                many, _, q = direction.columns.shape
                added = update.along(direction.columns.reshape(many * columns, q) * share)
                found[direction.rows] += added.reshape(many, columns, size)
        moved.append(found)
    return moved
