"""Randomised smoothing against enumeration of all noise and all flips."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtopt import Dataset, InvalidInputError
from agtopt.baselines import smoothed_least_squares
from agtopt.baselines.smoothing import log_tail


def base(x, points, noisy, classes, ridge):
    """Least squares on noisy labels (…, N) by its normal equations; what it predicts at the points,
    (…, m)."""
    x, points = (np.c_[array, np.ones(len(array))] for array in (x, points))
    solve = points @ np.linalg.pinv(x.T @ x + ridge * np.eye(x.shape[1])) @ x.T
    if classes == 2:
        return (noisy @ solve.T >= 0.5).astype(int)
    return np.stack([(noisy == c) @ solve.T for c in range(classes)]).argmax(axis=0)


def probabilities(votes, noisy, labels, classes, q):
    """Probability of each class at each point, (classes, m), over all noisy labels (D, N)."""
    weight = np.where(noisy == labels, 1 - q, q / (classes - 1)).prod(axis=1)
    assert weight.sum() == pytest.approx(1.0)
    return np.stack([(weight[:, None] * (votes == c)).sum(axis=0) for c in range(classes)])


def flipped(labels, flips, classes):
    for chosen in combinations(range(len(labels)), flips):
        for new in product(range(classes), repeat=flips):
            changed = labels.copy()
            changed[list(chosen)] = new
            yield changed


CASES = [
    (2, 13, 0.05, 1.0, 0),
    (2, 12, 0.15, 1.0, 1),
    (2, 13, 0.05, 50.0, 2),
    (2, 10, 0.3, 50.0, 3),
    (3, 9, 0.04, 50.0, 4),
    (3, 8, 0.2, 1.0, 5),
]


@pytest.mark.parametrize(("classes", "samples", "q", "ridge", "seed"), CASES)
def test_no_flips_within_the_radius_change_the_smoothed_prediction(
    classes, samples, q, ridge, seed
):
    """With a large ridge all samples count alike, most of them of class 1: there flips are
    certified."""
    rng = np.random.default_rng(seed)
    labels = np.arange(samples) % classes if ridge == 1.0 else np.minimum(np.arange(samples), 1)
    x = 3.0 * np.eye(classes)[labels][:, 1:] + 0.3 * rng.normal(size=(samples, classes - 1))
    points = np.concatenate([3.0 * np.eye(classes)[:, 1:], rng.normal(size=(6, classes - 1))])
    noisy = np.array(list(product(range(classes), repeat=samples)))
    found = smoothed_least_squares(Dataset(x, labels), points, classes, q, ridge)
    votes = base(x, points, noisy, classes, ridge)
    exact = probabilities(votes, noisy, labels, classes, q)
    sure = found.prediction >= 0
    assert sure.any()
    assert ridge == 1.0 or q == 0.3 or (found.radius >= 1).any()
    rows = np.flatnonzero(sure)
    assert (
        found.probability[rows] <= exact[found.prediction[rows], rows] + 1e-12
    ).all()  # the sum of all noise rounds
    assert (found.probability < 1.0).all()
    for flips in range(1, min(found.radius.max(), 2) + 1):
        held = np.flatnonzero(found.radius >= flips)
        for changed in flipped(labels, flips, classes):
            moved = probabilities(votes, noisy, changed, classes, q)
            assert (moved[:, held].argmax(axis=0) == found.prediction[held]).all()


def test_the_certificate_is_the_formula_of_the_paper():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    x = labels[:, None] + 0.8 * rng.normal(size=(300, 5))
    q = 0.2
    found = smoothed_least_squares(Dataset(x, labels), rng.normal(size=(50, 5)) + 0.5, q=q)
    p = found.probability[found.prediction >= 0]
    formula = np.log(4 * p * (1 - p)) / (2 * (1 - 2 * q) * np.log(q / (1 - q)))
    near = np.abs(formula - np.round(formula)) < 1e-6
    np.testing.assert_array_equal(
        found.radius[found.prediction >= 0][~near], np.floor(formula)[~near]
    )
    assert found.radius.max() > 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(2, 3), st.floats(-2, 2))
def test_tails_are_bounded(seed, samples, classes, threshold):
    """The Chernoff bound is above the tail itself, and not above 1."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(3, samples))
    noise = rng.dirichlet(np.ones(classes), samples)
    values = rng.choice([-1.0, 0.0, 1.0], classes)
    outcomes = np.array(list(product(range(classes), repeat=samples)))
    chance = noise[np.arange(samples), outcomes].prod(axis=1)
    tail = ((values[outcomes] @ weights.T <= threshold) * chance[:, None]).sum(axis=0)
    bound = np.exp(log_tail(weights, noise, values, threshold))
    assert (bound <= 1.0).all()
    assert (bound >= tail * (1 - 1e-12)).all()


def test_the_best_t_is_found():
    """Against the relative entropy, which is what Chernoff's bound of equal weights comes to."""
    n, q, k = 50, 0.2, 25
    noise = np.tile([q, 1 - q], (n, 1))
    found = log_tail(np.ones((1, n)), noise, np.array([0.0, 1.0]), float(k))[0]
    share = k / n
    entropy = share * np.log(share / (1 - q)) + (1 - share) * np.log((1 - share) / q)
    assert found == pytest.approx(-n * entropy, rel=1e-9)
    assert found >= -n * entropy


def test_what_is_not_allowed_is_refused():
    data = Dataset(np.ones((4, 2)), [0, 1, 0, 1])
    for arguments, said in (
        ({"X": np.ones((1, 3))}, "X"),
        ({"X": np.ones((1, 2)), "q": 0.5}, "below 0.5"),
        ({"X": np.ones((1, 2)), "q": 0.0}, "q"),
        ({"X": np.ones((1, 2)), "ridge": -1.0}, "ridge"),
        ({"X": np.ones((1, 2)), "classes": 1}, "classes"),
    ):
        with pytest.raises(InvalidInputError, match=said):
            smoothed_least_squares(data, **arguments)
    with pytest.raises(InvalidInputError, match="labels: 2"):
        smoothed_least_squares(Dataset(np.ones((2, 2)), [0, 2]), np.ones((1, 2)))
    assert (
        smoothed_least_squares(Dataset(np.ones((2, 2)), [0, 0]), np.ones((1, 2)))
        .certified()
        .certified_accuracy([1], 0)
        == 0.0
    )


def test_what_is_undecided_is_not_predicted():
    found = smoothed_least_squares(Dataset(np.zeros((4, 1)), [0, 1, 0, 1]), [[0.0]])
    assert (found.prediction[0], found.probability[0], found.radius[0]) == (-1, 0.0, 0)
    assert found.certified().certified_accuracy([0], 0) == 0.0
    with pytest.raises(InvalidInputError, match="y"):
        found.certified().certified_accuracy([0, 1], 0)
