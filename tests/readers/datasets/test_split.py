import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from agtopt import Dataset, InvalidInputError
from agtopt.readers.datasets import Split
from agtopt.readers.datasets.split import split_at_random


def split(samples=40, features=5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, features)) @ rng.normal(size=(features, features)) + 3.0
    y = np.arange(samples) % 10
    half = samples // 2
    return Split(
        Dataset(x[:half], y[:half]), Dataset(x[half:], y[half:]), classes=tuple("abcdefghij")
    )


def test_between_keeps_the_named_classes_in_their_order():
    """Not the classes at the places of their names: a loader of FullCert keeps the digits 0 and 6
    for '1 and 7'."""
    whole = split()
    found = whole.between(7, 1)
    assert found.classes == ("h", "b")
    for part, all_of_it in ((found.train, whole.train), (found.test, whole.test)):
        kept = np.isin(all_of_it.labels, (1, 7))
        np.testing.assert_array_equal(part.features, all_of_it.features[kept])
        np.testing.assert_array_equal(part.labels, all_of_it.labels[kept] == 1)


@pytest.mark.parametrize("classes", [(), (1,), (1, 1), (1, 11)])
def test_between_refuses_what_there_is_not(classes):
    with pytest.raises(InvalidInputError, match="classes"):
        split().between(*classes)


def test_principal_components_are_those_of_scikit_learn():
    whole = split(200, 12)
    found = whole.principal_components(4)
    reference = PCA(4, svd_solver="full").fit(whole.train.features)
    signs = np.sign(
        reference.components_[np.arange(4), np.abs(reference.components_).argmax(axis=1)]
    )
    for part, source in ((found.train, whole.train), (found.test, whole.test)):
        np.testing.assert_allclose(
            part.features, reference.transform(source.features) * signs, atol=1e-9
        )
        np.testing.assert_array_equal(part.labels, source.labels)
    assert len(found.features) == 4


def test_principal_components_do_not_look_at_labels_or_at_the_test_set():
    whole = split()
    other = Split(
        Dataset(whole.train.features, whole.train.labels[::-1]),
        Dataset(7.0 * whole.test.features, whole.test.labels),
    )
    np.testing.assert_array_equal(
        whole.principal_components(3).train.features, other.principal_components(3).train.features
    )


def test_there_are_no_more_components_than_features_or_samples():
    with pytest.raises(InvalidInputError, match="5 components"):
        split().principal_components(6)


def test_standardised_by_the_training_set():
    whole = split()
    constant = Split(
        *(
            Dataset(np.c_[part.features, np.ones(len(part))], part.labels)
            for part in (whole.train, whole.test)
        )
    )
    found = constant.standardised(labels=True)
    np.testing.assert_allclose(found.train.features.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(found.train.features[:, :-1].std(axis=0), 1.0)
    np.testing.assert_array_equal(found.test.features[:, -1], 0.0)
    assert found.train.labels.std() == pytest.approx(1.0)
    back = found.test.features[:, :-1] * whole.train.features.std(
        axis=0
    ) + whole.train.features.mean(axis=0)
    np.testing.assert_allclose(back, whole.test.features)
    np.testing.assert_array_equal(constant.standardised().test.labels, whole.test.labels)


@given(st.integers(2, 60), st.floats(0.01, 0.99), st.integers(0, 3))
def test_random_splits_are_whole_and_disjoint(samples, share, seed):
    x = np.arange(float(samples))[:, np.newaxis]
    try:
        train, test = split_at_random(x, x[:, 0], share, seed)
    except InvalidInputError:
        assert np.ceil(share * samples) >= samples
        return
    assert sorted([*train.labels, *test.labels]) == list(range(samples))
    np.testing.assert_array_equal(train.features[:, 0], train.labels)
    assert len(test) == np.ceil(share * samples)


def test_parts_must_fit():
    with pytest.raises(InvalidInputError, match="do not fit"):
        Split(Dataset(np.ones((2, 3)), [0, 1]), Dataset(np.ones((2, 4)), [0, 1]))
    assert len(split().only(3, 100).train) == 3
    assert len(split().only(3, 100).test) == 20
    with pytest.raises(InvalidInputError, match="train"):
        split().only(0, 1)
