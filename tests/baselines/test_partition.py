"""Deep partition aggregation against all removals, flips and some insertions."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtopt import Dataset, InvalidInputError, Network, Training
from agtopt.baselines import Votes, deep_partition_aggregation

LINEAR = Network.dense([2, 1], seed=0)
TRAINING = Training("hinge", epochs=3, batch_size=2, learning_rate=0.5, seed=1)


def data(samples=8, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.where(np.arange(samples) % 2, 1.0, -1.0)
    return Dataset(labels[:, None] * [1.0, 1.5] + 0.5 * rng.normal(size=(samples, 2)), labels)


def points():
    return np.random.default_rng(9).normal(size=(12, 2))


def votes(dataset, parts=7):
    return deep_partition_aggregation(LINEAR, dataset, TRAINING, points(), parts)


def unchanged(before, after, touched):
    held = before.radius >= touched
    return (after.prediction == before.prediction)[held].all()


def test_no_removals_or_flips_within_the_radius_change_the_vote():
    whole = data()
    before = votes(whole)
    assert before.radius.max() >= 2
    for touched in (1, 2):
        for chosen in combinations(range(len(whole)), touched):
            kept = np.setdiff1d(np.arange(len(whole)), chosen)
            assert unchanged(
                before, votes(Dataset(whole.features[kept], whole.labels[kept])), touched
            )
            labels = whole.labels.copy()
            labels[list(chosen)] *= -1
            assert unchanged(before, votes(Dataset(whole.features, labels)), touched)


def test_insertions_and_substitutions_within_the_radius_change_no_vote():
    whole = data()
    before = votes(whole)
    rng = np.random.default_rng(3)
    for _ in range(25):
        new, label = 3.0 * rng.normal(size=(1, 2)), rng.choice([-1.0, 1.0], 1)
        place = int(rng.integers(0, len(whole) + 1))
        longer = Dataset(
            np.insert(whole.features, place, new, axis=0), np.insert(whole.labels, place, label)
        )
        assert unchanged(before, votes(longer), 1)
        features, labels = whole.features.copy(), whole.labels.copy()
        features[place % len(whole)], labels[place % len(whole)] = new, label[0]
        after = votes(Dataset(features, labels))
        held = before.substituted().radius >= 1
        assert (after.prediction == before.prediction)[held].all()
        assert np.abs(after.counts - before.counts).sum(axis=1).max() <= 4


def test_votes_do_not_depend_on_the_order_of_the_samples():
    whole = data(12)
    order = np.random.default_rng(0).permutation(12)
    again = Dataset(whole.features[order], whole.labels[order])
    np.testing.assert_array_equal(votes(whole).counts, votes(again).counts)


def test_one_part_is_plain_training():
    whole = data()
    found = votes(whole, 1)
    assert (found.counts.sum(axis=1) == 1).all()
    assert (found.radius == 0).all()


@given(st.lists(st.integers(0, 6), min_size=2, max_size=4))
def test_the_radius_is_that_of_the_worst_moves(counts):
    """So many models may vote otherwise, in any way, and one more may not."""
    found = Votes(np.array([counts]), tuple(range(len(counts))))
    winner, radius = int(found.prediction[0]), int(found.radius[0])
    assert winner == counts.index(max(counts))

    def beaten(moves):
        moves = min(moves, counts[winner])
        for targets in product(range(len(counts)), repeat=moves):
            moved = list(counts)
            moved[winner] -= moves
            for target in targets:
                moved[target] += 1
            if moved.index(max(moved)) != winner:
                return True
        return False

    assert not beaten(radius)
    if sum(counts):
        assert beaten(radius + 1)


def test_adversaries_are_named_and_substitutions_cost_two():
    found = Votes(np.array([[9, 2, 0], [4, 4, 0], [0, 4, 4]]), (0, 1, 2))
    np.testing.assert_array_equal(found.prediction, [0, 0, 1])
    np.testing.assert_array_equal(found.certified().radius, [3, 0, 0])
    np.testing.assert_array_equal(found.substituted().radius, [1, 0, 0])
    assert "removed" in found.certified().adversary
    assert found.certified().certified_accuracy([0, 0, 1], 0) == 1.0
    assert found.certified().certified_accuracy([0, 0, 1], 3) == pytest.approx(1 / 3)
    with pytest.raises(InvalidInputError, match="n"):
        found.certified().certified_accuracy([0, 0, 1], -1)


def test_empty_parts_vote_as_the_initial_model_does():
    many = votes(data(2), 50)
    assert (many.counts.sum(axis=1) == 50).all()
    scores = points() @ LINEAR.initial["dense1_weight"][0] + LINEAR.initial["dense1_bias"][0]
    assert (many.counts[np.arange(12), (scores > 0).astype(int)] >= 48).all()


def test_what_is_not_allowed_is_refused():
    with pytest.raises(InvalidInputError, match="parts"):
        votes(data(), 0)
    with pytest.raises(InvalidInputError, match="batches"):
        deep_partition_aggregation(LINEAR, data(), Training("hinge", batches=[[0, 1]]), points(), 3)
    with pytest.raises(InvalidInputError, match="no class"):
        deep_partition_aggregation(LINEAR, data(), Training("squared"), points(), 3)
