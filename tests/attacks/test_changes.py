"""Single changes: what a spent budget leaves, and what counts as the same."""

import numpy as np
import pytest

from agtopt import Bounded, Dataset, Network, Problem, Removal, Substitution, Training
from agtopt.attacks.changes import single_changes, untouched


def problem(model, loss="hinge"):
    rng = np.random.default_rng(0)
    data = Dataset(rng.normal(size=(4, 2)), [-1, 1, 1, -1])
    return Problem(Network.dense([2, 1]), data, model, Training(loss, epochs=2))


def changes(instance, datasets, most=99):
    return single_changes(
        instance, datasets, np.eye(3)[: len(datasets)], np.arange(len(datasets)), most
    )


def touched(instance, made, datasets):
    """Each change as (dataset, sample, whether its features differ from the nominal ones, whether
    its label does)."""
    data, found = instance.dataset, made.applied(datasets)
    rows = []
    for row, sample, dataset in zip(made.row.tolist(), made.sample.tolist(), found, strict=True):
        moved = bool((dataset.features[sample] != data.features[sample]).any())
        rows.append((row, sample, moved, bool(dataset.labels[sample] != data.labels[sample])))
    return rows


def test_every_sample_that_is_untouched_may_change():
    instance = problem(Bounded(2, nu=1, q=0))
    datasets = untouched(instance, 2)
    datasets.labels[1, 2] *= -1
    assert sorted(touched(instance, changes(instance, datasets), datasets)) == [
        *((0, sample, False, True) for sample in range(4)),
        *((1, sample, False, True) for sample in (0, 1, 3)),
    ]
    assert changes(instance, datasets, most=2).row.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    "model",
    [Bounded(1, nu=1, q=0), Bounded(1, eps=0.1), Removal(1), Substitution(1, features=(-1, 1))],
)
def test_a_spent_budget_leaves_nothing(model):
    instance = problem(model)
    datasets = untouched(instance, 1)
    spent = changes(instance, datasets).at(np.array([0])).applied(datasets)
    assert len(changes(instance, spent)) == 0
    assert len(changes(instance, spent).distinct(np.zeros(1, dtype=np.int64))) == 0


def test_separate_budgets_are_spent_apart():
    instance = problem(Bounded(n_features=1, n_labels=2, eps=0.1, nu=1, q=0, vulnerable=[0, 1]))
    datasets = untouched(instance, 3)
    datasets.features[:2, 0] += 0.1
    datasets.labels[1:, 1] *= -1
    assert set(touched(instance, changes(instance, datasets), datasets)) == {
        (0, 0, True, True),
        (0, 1, False, True),
        (1, 0, True, True),
        (2, 0, True, False),
        (2, 0, False, True),
        (2, 0, True, True),
        (2, 1, True, True),
    }


def test_the_same_change_of_the_same_dataset_counts_once():
    instance = problem(Bounded(2, nu=1, q=0))
    made = changes(instance, untouched(instance, 3))
    assert len(made) == 12
    assert made.distinct(np.array([0, 0, 1])).row.tolist() == [0] * 4 + [2] * 4
