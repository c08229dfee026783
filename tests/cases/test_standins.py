"""The stand-ins are files that the readers of the published data sets read, and that a model can
learn from."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from agtopt import InvalidInputError
from agtopt.cases import standins
from agtopt.readers.datasets import (
    bag_of_words,
    read_driving,
    read_embeddings,
    read_household,
    read_imdb,
    read_mnist,
    read_octmnist,
)


def learnt(split, **options):
    """Share of the test set that a linear classifier gets right."""
    flat = split.flat()
    model = LogisticRegression(max_iter=2000, **options).fit(flat.train.features, flat.train.labels)
    return model.score(flat.test.features, flat.test.labels)


def test_household(tmp_path):
    split = read_household(standins.write_household(tmp_path, rows=2000)).standardised(labels=True)
    assert 1900 < len(split.train) + len(split.test) < 2000  # some values are missing
    assert (
        Ridge()
        .fit(split.train.features, split.train.labels)
        .score(split.test.features, split.test.labels)
        > 0.9
    )
    assert np.ptp(split.train.features, axis=0).min() > 0


def test_digits(tmp_path):
    split = read_mnist(standins.write_digits(tmp_path))
    assert split.train.features.shape == (1437, 28, 28)
    assert split.train.features.max() == 1.0
    assert learnt(split.between(1, 7).principal_components(32)) > 0.95


def test_octmnist(tmp_path):
    split = read_octmnist(standins.write_octmnist(tmp_path, 300, 50))
    assert (split.train.features.shape, split.test.features.shape) == (
        (300, 1, 28, 28),
        (50, 1, 28, 28),
    )
    assert set(split.train.labels) == {0, 1, 2, 3}


def test_driving(tmp_path):
    bright = read_driving(standins.write_driving(tmp_path / "day", 60), size=(33, 100))
    dark = read_driving(
        standins.write_driving(tmp_path / "dusk", 20, light=0.5, shadows=True), size=(33, 100)
    )
    assert dark.train.features[:, 0].mean() < bright.train.features[:, 0].mean() - 0.2
    assert bright.train.labels.std() > 0.05
    with pytest.raises(InvalidInputError, match="light"):
        standins.write_driving(tmp_path, light=0.0)


def test_reviews_and_embeddings(tmp_path):
    assert (
        learnt(
            read_imdb(standins.write_reviews(tmp_path / "imdb", 100, 30), bag_of_words(256)),
            C=100.0,
        )
        > 0.8
    )
    assert (
        learnt(read_embeddings(standins.write_embeddings(tmp_path, 500, 200) / "embeddings.npz"))
        > 0.9
    )


@pytest.mark.parametrize(
    ("write", "read"),
    [
        (standins.write_household, read_household),
        (standins.write_octmnist, read_octmnist),
        (standins.write_embeddings, lambda folder: read_embeddings(folder / "embeddings.npz")),
    ],
)
def test_the_seed_decides(write, read, tmp_path):
    first, again, other = (
        read(write(tmp_path / str(k), 50, seed=seed)).train.features
        for k, seed in enumerate((1, 1, 2))
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()
