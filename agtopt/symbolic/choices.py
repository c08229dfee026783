"""The adversary's choices as variables of a model, shared by all steps."""

import numpy as np
import torch
from numpy.typing import NDArray

from agtopt.errors import UnsupportedError
from agtopt.formulation import (
    AffineArray,
    Site,
    ball,
    budget,
    conditional_cuts,
    ghosts,
    label_flip,
    perturbed,
)
from agtopt.intervals.adversary import ReplacedSamples, interval_adversary
from agtopt.intervals.arithmetic import Range
from agtopt.kinds import Formulation
from agtopt.problem import Dataset, Moving, Perturbation, Problem, Removing, Substitution
from agtopt.problem.perturbation.base import within_ball
from agtopt.symbolic.protocol import (
    Batch,
    Choices,
    Values,
    Writer,
    batch_last,
    chosen_values,
    mean_rows,
    touchable,
)
from agtopt.symbolic.quantity import Quantity, joined
from agtopt.verbs import unregistered, verb

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@verb
def write_choices(
    model: Perturbation, problem: Problem, kind: Formulation, data: Site, occurring: Mask
) -> Choices:
    """Write the choices of a perturbation model for the samples that occur in the window (a
    mask)."""
    raise unregistered("perturbation", model, write_choices, "A perturbation model")


@write_choices.register
def _(model: Moving, problem: Problem, kind: Formulation, data: Site, occurring: Mask) -> Choices:
    return TouchedChoices(problem, kind, data, occurring)


@write_choices.register
def _(model: Removing, problem: Problem, kind: Formulation, data: Site, occurring: Mask) -> Choices:
    return RemovalChoices(problem, kind, data, occurring)


@write_choices.register
def _(
    model: Substitution, problem: Problem, kind: Formulation, data: Site, occurring: Mask
) -> Choices:
    return SubstitutionChoices(problem, kind, data, occurring)


class TouchedChoices:
    """Samples that move within a box or ball of their own, or change their class; one selector
    each, or two (features and labels)."""

    def __init__(self, problem: Problem, kind: Formulation, site: Site, occurring: Mask) -> None:
        self.problem = problem
        model = problem.perturbation
        self.intervals = interval_adversary(model, problem)
        where = touchable(problem, occurring)
        self.deciding = []
        for most, prefix in zip(
            model.budgets, ("feature_", "label_") if model.separate else ("",), strict=False
        ):
            selectors = site.named(f"{prefix}selector").variables(
                "", 0.0, 1.0, where, kind.binaries
            )
            if where.any():
                budget(site.named(f"{prefix}budget"), selectors, most)
            self.deciding.append(selectors)
        # Where both may move at once, being touched is no sum of selectors; nothing that needs it
        # is used then.
        self.touched = self.deciding[0]
        data = problem.dataset
        labels = problem.encode(data.labels)
        self.features = AffineArray.known(data.features)
        self.labels = AffineArray.known(labels)
        if model.moves_features and where.any():
            rows = _rows(where, data.features)
            moved = site.named("x")
            self.features = perturbed(
                moved,
                data.features,
                self.deciding[0],
                model.feature_box(problem, data.features),
                rows,
            )
            if model.ball is not None:
                many = len(data)
                flat = self.features.reshape(many, -1)
                ball(
                    moved,
                    flat,
                    data.features.reshape(many, -1),
                    self.deciding[0],
                    *model.ball,
                    kind.bilinear,
                    where,
                )
        box = model.label_box(problem, labels)
        others = (box[1] > 0) & (labels == 0)
        self.own_flips = bool(model.moves_features) or bool((others.sum(axis=1) > 1).any())
        if problem.classes is not None and model.moves_labels and where.any():
            possible = (
                model.label_box(problem, labels, certain=True)[1] if not self.own_flips else box[1]
            )
            self.labels = label_flip(
                site.named("y"),
                labels,
                self.deciding[-1],
                possible,
                self.own_flips,
                kind.binaries,
                where,
            )
        elif model.moves_labels and where.any():
            self.labels = perturbed(
                site.named("y"), labels, self.deciding[-1], box, _rows(where, labels)
            )

    def batch(self, samples: Batch) -> tuple[AffineArray, AffineArray, Batch]:
        return self.features[samples], self.labels[samples], samples

    def aggregate(
        self, ops: Writer, gradient: Quantity, tensor: str, enclosure: Range
    ) -> AffineArray:
        return mean_rows(gradient.affine)

    def tie(self, site: Site, quantity: Quantity, samples: Batch, where: Mask) -> None:
        if quantity.variants < 2:
            return
        shape = (-1,) + (1,) * (where.ndim - 1)
        selectors = [chosen[samples].reshape(*shape) for chosen in self.deciding]
        touched = np.logical_or.reduce([chosen.varies for chosen in selectors])
        clean, whole = quantity.ends(0), quantity.ends()
        gain = _gain(clean, whole)
        if len(selectors) == 1:
            conditional_cuts(
                site, "", quantity.affine, clean, [(selectors[0], *gain)], where & touched
            )
            return
        # One change first, then what the other adds to it; either order is valid.
        for first, suffix in ((0, "_features_first"), (1, "_labels_first")):
            alone, other = (
                _gain(clean, quantity.ends(1 + first)),
                _gain(clean, quantity.ends(2 - first)),
            )
            added = tuple(np.maximum(b, c - a) for a, b, c in zip(alone, other, gain, strict=True))
            reach = [(selectors[first], *alone), (selectors[1 - first], *added)]
            conditional_cuts(site, suffix, quantity.affine, clean, reach, where & touched)  # type: ignore[arg-type]

    def assignments(self, dataset: Dataset) -> Values:
        nominal = self.problem.dataset
        if len(self.deciding) == 1:
            changes = [dataset.changed(nominal)]
        else:
            changes = [
                Dataset(dataset.features, nominal.labels).changed(nominal),
                Dataset(nominal.features, dataset.labels).changed(nominal),
            ]
        for selectors, changed in zip(self.deciding, changes, strict=True):
            yield from chosen_values(selectors, changed.astype(np.float64))
        yield from chosen_values(self.features, dataset.features)
        if self.own_flips or self.problem.classes is None:
            yield from chosen_values(self.labels, self.problem.encode(dataset.labels))

    def dataset(self) -> Dataset:
        nominal, labels = self.problem.dataset, self.labels.values()
        moved, relabelled = (self.deciding[k].values() > 0.5 for k in (0, -1))
        where = moved.reshape(-1, *(1,) * (nominal.features.ndim - 1))
        features = np.where(where, self._within_ball(self.features.values()), nominal.features)
        if self.problem.classes is None:
            own = self.problem.encode(nominal.labels)
            ends = self.problem.perturbation.label_box(self.problem, own)
            chosen = np.clip(labels, *ends).reshape(nominal.labels.shape)
        else:
            chosen = np.array(self.problem.classes, dtype=np.float64)[labels.argmax(axis=1)]
        return Dataset(
            features,
            np.where(relabelled.reshape(-1, *(1,) * (chosen.ndim - 1)), chosen, nominal.labels),
        )

    def _within_ball(self, features: Array) -> Array:
        """Features pulled back to their boxes and balls, which a solver leaves by its tolerance."""
        model, nominal = self.problem.perturbation, self.problem.dataset.features
        inside = np.clip(features, *model.feature_box(self.problem, nominal))
        return inside if model.ball is None else nominal + within_ball(inside - nominal, model.ball)


class RemovalChoices:
    r"""Samples left out.

    With :math:`r = \sum_{i \in B} s_i` and :math:`c_k = [r = k]`, :math:`b \Delta - \sum_k k c_k
    \Delta = \sum_i g_i - \sum_i s_i g_i`.
    """

    def __init__(self, problem: Problem, kind: Formulation, site: Site, occurring: Mask) -> None:
        self.problem = problem
        self.kind = kind
        self.intervals = interval_adversary(problem.perturbation, problem)
        where = touchable(problem, occurring)
        self.touched = site.named("selector").variables("", 0.0, 1.0, where, kind.binaries)
        if where.any():
            budget(site.named("budget"), self.touched, problem.perturbation.budget)
        self.deciding = [self.touched]
        self.features = AffineArray.known(problem.dataset.features)
        self.labels = AffineArray.known(problem.encode(problem.dataset.labels))
        self._counts: dict[int, Quantity] = {}

    def batch(self, samples: Batch) -> tuple[AffineArray, AffineArray, Batch]:
        return self.features[samples], self.labels[samples], samples

    def counts(self, ops: Writer, selectors: AffineArray) -> Quantity:
        """c_1 … c_most of the step at hand, written once."""
        if ops.t not in self._counts:
            removed = selectors.total(1)[np.newaxis]
            most = min(self.problem.perturbation.budget, int(selectors.varies.sum()))
            counts = removed
            if most > 1:
                site, every = ops.site("removed.count"), np.ones(most, dtype=bool)
                site = Site(site.block, site.name, np.arange(1, most + 1), site.replay)
                counts = site.variables("", 0.0, 1.0, every, self.kind.binaries)
                steps = np.arange(1.0, most + 1.0)
                site.assign(counts, every, lambda: (removed.values() == steps).astype(np.float64))
                one = np.ones(1, dtype=bool)
                Site(site.block, "total").rows(
                    "", (counts * steps).total(1)[np.newaxis] - removed, one, lower=0.0, upper=0.0
                )
                Site(site.block, "one").rows("", counts.total(1)[np.newaxis], one, upper=1.0)
            self._counts[ops.t] = Quantity(counts, _unit(counts.shape), binary=True)
        return self._counts[ops.t]

    def aggregate(
        self, ops: Writer, gradient: Quantity, tensor: str, enclosure: Range
    ) -> AffineArray:
        selectors = self.touched[ops.samples]
        if not selectors.varies.any():
            return mean_rows(gradient.affine)
        axes = "abcd"[: len(gradient.affine.shape) - 1]
        gate = Quantity(selectors, _unit(selectors.shape), binary=True)
        removed = ops.contract(f"n,n{axes}->n{axes}", gate, gradient, f"removed.{tensor}")
        total = batch_last(gradient.affine - removed.affine).total(1)
        counts, size = self.counts(ops, selectors), len(ops.samples)
        where = total.varies | (total.constant != 0.0)
        site = ops.site(f"aggregate.{tensor}", batch=False)
        mean = Quantity(
            site.variables("", enclosure.lower.numpy(), enclosure.upper.numpy(), where), enclosure
        )
        site.assign(mean.affine, where, lambda: total.values() / (size - selectors.values().sum()))
        scaled = ops.contract(f"k,{axes}->k{axes}", counts, mean, f"remaining.{tensor}")
        many = counts.affine.shape[0]
        missing = batch_last(
            scaled.affine * np.arange(1.0, many + 1.0).reshape(-1, *(1,) * len(axes))
        ).total(1)
        site.rows("_mean", mean.affine * float(size) - missing - total, where, lower=0.0, upper=0.0)
        return mean.affine

    def tie(self, site: Site, quantity: Quantity, samples: Batch, where: Mask) -> None:
        """The gradient of a sample does not depend on whether it is left out."""

    def assignments(self, dataset: Dataset) -> Values:
        return chosen_values(self.touched, (~dataset.presence()).astype(np.float64))

    def dataset(self) -> Dataset:
        nominal = self.problem.dataset
        return Dataset(nominal.features, nominal.labels, self.touched.values() <= 0.5)


class SubstitutionChoices:
    r"""Samples replaced by ghosts: :math:`b \Delta = \sum_i (1 - \sum_j a_{ij}) g_i + \sum_j
    (\sum_{i \in B} a_{ij}) \hat g_j`.

    Only the ghosts have variable features and labels; a batch has a row for each of them behind its
    own.
    """

    def __init__(self, problem: Problem, kind: Formulation, site: Site, occurring: Mask) -> None:
        self.problem = problem
        data, model = problem.dataset, problem.perturbation
        where = touchable(problem, occurring)
        self.ghosts = many = min(model.budget, int(where.sum()))
        self.intervals = ReplacedSamples(problem, ghosts=many)
        labels = problem.encode(data.labels)
        self.assigned = site.named("assigned").variables(
            "", 0.0, 1.0, np.broadcast_to(where[:, np.newaxis], (len(data), many)), kind.binaries
        )
        if many:
            ghosts(site.named("assigned"), self.assigned, where)
        self.touched = self.assigned.total(1)
        self.deciding = [self.assigned]
        lower, upper = (
            np.array(end)
            for end in model.feature_box(problem, np.repeat(data.features[:1], many, axis=0))
        )
        if not (np.isfinite(lower).all() and np.isfinite(upper).all()):
            raise UnsupportedError(
                "perturbation.features: an unbounded box has no optimisation model; give a finite "
                "box, or use IBP"
            )
        self.ghost_features = site.named("ghost_x").variables(
            "", lower, upper, lower < upper, otherwise=lower
        )
        self.lower = lower
        self.upper = upper
        self.middle = 0.5 * (lower + upper)
        low, high = (
            np.array(end) for end in model.label_box(problem, np.repeat(labels[:1], many, axis=0))
        )
        classes = problem.classes is not None
        self.ghost_labels = site.named("ghost_y").variables(
            "", low, high, low < high, classes and kind.binaries, otherwise=low
        )
        if classes and many:
            site.named("ghost_y").rows(
                "_one",
                self.ghost_labels.total(1),
                np.asarray((low < high).any(axis=1)),
                lower=1.0,
                upper=1.0,
            )
        self.first_label = np.where(
            low < high, np.eye(labels.shape[1])[high.argmax(axis=1)] if classes else low, low
        )
        self.features = joined([AffineArray.known(data.features), self.ghost_features])
        self.labels = joined([AffineArray.known(labels), self.ghost_labels])
        self.where = where

    def batch(self, samples: Batch) -> tuple[AffineArray, AffineArray, Batch]:
        extra = self.ghosts if self.where[samples].any() else 0
        rows = np.concatenate([samples, len(self.problem.dataset) + np.arange(extra)])
        return self.features[rows], self.labels[rows], rows

    def aggregate(
        self, ops: Writer, gradient: Quantity, tensor: str, enclosure: Range
    ) -> AffineArray:
        size, rows = len(ops.samples), gradient.affine.shape[0]
        if rows == size:
            return mean_rows(gradient.affine)
        here = self.assigned[ops.samples]
        used = here.map(lambda array, extra: np.moveaxis(array, 0, 1)).total(1)
        gates = joined([1.0 - here.total(1), used])
        axes = "abcd"[: len(gradient.affine.shape) - 1]
        counted = ops.contract(
            f"n,n{axes}->n{axes}",
            Quantity(gates, _unit(gates.shape), binary=True),
            gradient,
            f"counted.{tensor}",
        )
        return batch_last(counted.affine).total(1) * (1.0 / size)

    def tie(self, site: Site, quantity: Quantity, samples: Batch, where: Mask) -> None:
        """The gradient of a sample does not depend on whether it is replaced."""

    def assignments(self, dataset: Dataset) -> Values:
        changed = np.flatnonzero(dataset.changed(self.problem.dataset) & self.where)
        assigned = np.zeros(self.assigned.shape)
        features, labels = self.middle.copy(), self.first_label.copy()
        encoded = self.problem.encode(dataset.labels)
        for ghost, sample in enumerate(changed):
            assigned[sample, ghost] = 1.0
            features[ghost], labels[ghost] = dataset.features[sample], encoded[sample]
        yield from chosen_values(self.assigned, assigned)
        yield from chosen_values(self.ghost_features, features)
        yield from chosen_values(self.ghost_labels, labels)

    def dataset(self) -> Dataset:
        nominal, assigned = self.problem.dataset, self.assigned.values()
        features, labels = nominal.features.copy(), nominal.labels.copy()
        ends = self.problem.perturbation.label_box(self.problem, self.ghost_labels.values())
        ghost_labels = np.clip(self.ghost_labels.values(), *ends)
        for sample, ghost in np.argwhere(assigned > 0.5):
            features[sample] = np.clip(
                self.ghost_features.values()[ghost], self.lower[ghost], self.upper[ghost]
            )
            label = ghost_labels[ghost]
            labels[sample] = (
                label.reshape(labels.shape[1:])
                if self.problem.classes is None
                else self.problem.classes[label.argmax()]
            )
        return Dataset(features, labels)


def _unit(shape: tuple[int, ...]) -> Range:
    return Range(torch.zeros(shape, dtype=torch.float64), torch.ones(shape, dtype=torch.float64))


def _gain(clean: tuple[Array, Array], reach: tuple[Array, Array]) -> tuple[Array, Array]:
    """By how much a touch may lower and raise the bounds."""
    return np.maximum(clean[0] - reach[0], 0.0), np.maximum(reach[1] - clean[1], 0.0)


def _rows(where: Mask, values: Array) -> Mask:
    return np.broadcast_to(where.reshape((-1,) + (1,) * (values.ndim - 1)), values.shape)
