"""Admissible changes of one more sample: the moves of a search over datasets."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from agtopt.attacks.first_order import (
    best_features,
    best_labels,
    flip_gains,
    slopes,
    unrolled_at_once,
)
from agtopt.problem import Datasets, Problem

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Changes:
    """Changes of datasets in one sample each.

    Attributes
    ----------
    row, sample : array of int, shape (c,)
        Which of the datasets is changed, and where.
    features, labels : array, shape (c, …), or None
        What becomes of the sample; None where the adversary cannot change them. Where it can change
        neither, the sample is left out.
    """

    row: Indices
    sample: Indices
    features: Array | None
    labels: Array | None

    def __len__(self) -> int:
        return len(self.row)

    def at(self, places: Indices) -> "Changes":
        """The changes whose indices are `places`, in that order."""
        columns = [
            None if values is None else values[places] for values in (self.features, self.labels)
        ]
        return Changes(self.row[places], self.sample[places], *columns)

    def joined(self, other: "Changes") -> "Changes":
        """These changes and others of the same datasets."""
        columns = [
            None if mine is None or more is None else np.concatenate([mine, more])
            for mine, more in ((self.features, other.features), (self.labels, other.labels))
        ]
        return Changes(
            np.concatenate([self.row, other.row]),
            np.concatenate([self.sample, other.sample]),
            *columns,
        )

    def distinct(self, origin: Indices) -> "Changes":
        """Each change once; datasets with the same number in `origin`, shape (m,), are the same."""
        columns = [
            values.reshape(len(self), -1)
            for values in (self.features, self.labels)
            if values is not None and len(self)
        ]
        keys = np.column_stack([origin[self.row], self.sample, *columns])
        return self.at(np.sort(np.unique(keys, axis=0, return_index=True)[1]))

    def applied(self, datasets: Datasets) -> Datasets:
        """One dataset for each of the c changes: its row of `datasets`, changed in one sample."""
        changed, every = rows(datasets, self.row), np.arange(len(self))
        if changed.features is not None:
            changed.features[every, self.sample] = self.features
        if changed.labels is not None:
            changed.labels[every, self.sample] = self.labels
        if changed.present is not None:
            changed.present[every, self.sample] = False
        return changed


def untouched(problem: Problem, many: int) -> Datasets:
    """The nominal dataset, `many` times, with a column of its own for all that the adversary
    changes."""
    data, model = problem.dataset, problem.perturbation
    wanted = (model.moves_features, model.moves_labels, model.removes)
    nominal = (data.features, data.labels, data.presence())
    columns = [
        np.repeat(values[np.newaxis], many, axis=0) if some else None
        for values, some in zip(nominal, wanted, strict=True)
    ]
    return Datasets(data, many, *columns)  # type: ignore[arg-type]


def rows(datasets: Datasets, chosen: Indices) -> Datasets:
    """The datasets at the indices `chosen`, as a copy that may be overwritten."""
    columns = [
        None if values is None else values[chosen]
        for values in (datasets.features, datasets.labels, datasets.present)
    ]
    return Datasets(datasets.nominal, len(chosen), *columns)  # type: ignore[arg-type]


def kept(problem: Problem) -> tuple[Mask, Mask]:
    """Which samples may keep their features, and which their label, once they are touched, (N,): a
    substitute's box need not hold them."""
    model, data = problem.perturbation, problem.dataset
    labels = problem.encode(data.labels)
    boxes = (
        (data.features, model.feature_box(problem, data.features)),
        (labels, model.label_box(problem, labels)),
    )
    within = [
        np.asarray((low <= values) & (values <= high)).reshape(len(data), -1)
        for values, (low, high) in boxes
    ]
    return np.all(within[0], axis=1), np.all(within[1], axis=1)


def admitted(problem: Problem, datasets: Datasets) -> Datasets:
    """Those of the datasets that the perturbation model admits: boxes and budgets need not be all
    that it asks for."""
    admissible = [problem.perturbation.admits(problem, dataset) for dataset in datasets]
    return datasets if all(admissible) else rows(datasets, np.flatnonzero(admissible))


def single_changes(
    problem: Problem, datasets: Datasets, directions: Array, chosen: Indices, most: int
) -> Changes:
    """Admissible changes of one more sample.

    A label may become that of any other class or an end of its interval, features the point of
    their box that the derivative points to or the one that it points away from, as a flip turns the
    derivative round. Pairs of both are tried too.

    Parameters
    ----------
    problem : Problem
    datasets : Datasets
        m datasets with columns as in `untouched`.
    directions : array, shape (m, p)
        The derivative of direction · θ_T is what counts for each dataset.
    chosen : array of int
        The datasets that are changed.
    most : int
        The largest number of changes of each dataset: those that gain most to first order.
    """
    step = unrolled_at_once(problem)
    changes = _part(problem, datasets, directions, chosen[:step], most)
    for first in range(step, len(chosen), step):
        changes = changes.joined(
            _part(problem, datasets, directions, chosen[first : first + step], most)
        )
    return changes


def _part(
    problem: Problem, datasets: Datasets, directions: Array, chosen: Indices, most: int
) -> Changes:
    present = rows(datasets, chosen)
    options = _options(problem, present, *slopes(problem, present, directions[chosen]))
    touchable = problem.perturbation.touchable(problem)
    gain = np.stack([option.gain[:, touchable] for option in options], axis=1).reshape(
        len(chosen), -1
    )
    order = np.argsort(-gain, axis=1, kind="stable")[:, :most]
    row, column = np.nonzero(np.take_along_axis(gain, order, axis=1) > -np.inf)
    which, place = np.divmod(order[row, column], len(touchable))
    sample = touchable[place]
    features = None if present.features is None else present.features[row, sample]
    labels = None if present.labels is None else present.labels[row, sample]
    for number, option in enumerate(options):
        mine = which == number
        if features is not None and option.features is not None:
            features[mine] = option.features[row[mine], sample[mine]]
        if labels is not None and option.labels is not None:
            labels[mine] = option.labels[row[mine], sample[mine]]
    return Changes(chosen[row], sample, features, labels)


@dataclass(frozen=True, eq=False)
class _Option:
    """One thing that may become of every sample.

    Attributes
    ----------
    gain : array, shape (m, N)
        To first order; −∞ for samples of which this must not become.
    features, labels : array, shape (m, N, …), or None
        None for what stays.
    """

    gain: Array
    features: Array | None = None
    labels: Array | None = None


def _options(
    problem: Problem, present: Datasets, by_features: Array, by_labels: Array, by_presence: Array
) -> list[_Option]:
    may_move, may_relabel = _free(problem, present)
    if problem.perturbation.removes:
        return [_Option(np.where(may_relabel, -by_presence, -np.inf))]
    moves = [
        option
        for sign in (1, -1)
        if (option := _moved(problem, by_features, sign, may_move)) is not None
    ]
    relabels = _relabelled(problem, by_labels, may_relabel)
    stay_features, stay_labels = _staying(problem, len(present))
    pairs = list(product([stay_features, *moves], [stay_labels, *relabels]))[1:]
    return [
        _Option(move.gain + relabel.gain, move.features, relabel.labels) for move, relabel in pairs
    ]


def _free(problem: Problem, present: Datasets) -> tuple[Mask, Mask]:
    """Of which samples the features, and of which the label or presence, may still change; shape
    (m, N) each."""
    model, data, many = problem.perturbation, problem.dataset, len(present)
    moved = relabelled = np.zeros((many, len(data)), dtype=bool)
    if present.features is not None:
        moved = (present.features != data.features).reshape(many, len(data), -1).any(axis=-1)
    if present.labels is not None:
        relabelled = (present.labels != data.labels).reshape(many, len(data), -1).any(axis=-1)
    if model.separate:
        pairs = zip((moved, relabelled), model.budgets, strict=True)
        free = [
            ~touched & (touched.sum(axis=1, keepdims=True) < budget) for touched, budget in pairs
        ]
        return free[0], free[1]
    touched = moved | relabelled if present.present is None else ~present.present
    within = ~touched & (touched.sum(axis=1, keepdims=True) < model.budget)
    return within, within


def _moved(problem: Problem, slope: Array, sign: int, allowed: Mask) -> _Option | None:
    features, gain = best_features(problem, sign * slope)
    return (
        None
        if features is None
        else _Option(np.where(allowed, sign * gain, -np.inf), features=features)
    )


def _relabelled(problem: Problem, slope: Array, allowed: Mask) -> list[_Option]:
    if not problem.perturbation.moves_labels:
        return []
    shape = (len(slope), *problem.dataset.labels.shape)
    if problem.classes is None:
        ends = [(sign, *best_labels(problem, sign * slope)) for sign in (1, -1)]
        return [
            _Option(np.where(allowed, sign * gain, -np.inf), labels=labels)
            for sign, labels, gain in ends
        ]
    gains = flip_gains(problem, slope)
    return [
        _Option(
            np.where(allowed, gains[..., place], -np.inf),
            labels=np.broadcast_to(float(label), shape),
        )
        for place, label in enumerate(problem.classes)
    ]


def _staying(problem: Problem, many: int) -> tuple[_Option, _Option]:
    """Features and labels as they are, where a sample that is touched may keep them."""
    gains = [
        np.broadcast_to(np.where(inside, 0.0, -np.inf), (many, len(problem.dataset)))
        for inside in kept(problem)
    ]
    return _Option(gains[0]), _Option(gains[1])
