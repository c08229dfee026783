"""Private prediction: the bound is a smooth one (Nissim et al., 2007)."""

from dataclasses import replace
from itertools import pairwise, product
from random import Random

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import make_blobs

import agtopt
from agtopt import (
    Bounded,
    Dataset,
    InvalidInputError,
    Network,
    Problem,
    Removal,
    Substitution,
    Training,
    UnsupportedError,
)
from agtopt.certificates.account import Account
from agtopt.certificates.ladder import ladder
from agtopt.certificates.privacy import CAUCHY, LAPLACE, private_predictions, smooth_sensitivity
from agtopt.problem import Datasets
from agtopt.training.concrete import outputs, trajectories, trajectory
from tests.certificates.instances import UNIVERSE, grid, moons, small


@pytest.fixture(scope="module")
def enumerated():
    """Prediction at each query after training on every one of the 4⁵ datasets, and the distances
    that are certified there."""
    queries = np.array([[-3.0], [-0.5], [0.0], [0.4], [1.0], [3.0]])
    every = list(product(range(len(UNIVERSE)), repeat=5))
    instance = small([UNIVERSE[k] for k in every[0]])
    variants = Datasets.of(
        instance.dataset, [small([UNIVERSE[k] for k in row]).dataset for row in every]
    )
    theta = np.concatenate([states[:, -1] for _, states in trajectories(instance, variants)])
    answers = (outputs(instance, theta, queries)[..., 0] > 0).reshape(
        *(len(UNIVERSE),) * 5, len(queries)
    )
    # The order within a batch does not matter, so every multiset is certified once.
    certified = {
        chosen: private_predictions(
            ladder(small([UNIVERSE[k] for k in chosen]), range(1, 6)), queries
        )
        for chosen in sorted({tuple(sorted(row)) for row in every})
    }
    distances = np.array([certified[tuple(sorted(row))].distance for row in every]).reshape(
        answers.shape
    )
    for row in every:
        assert np.array_equal(certified[tuple(sorted(row))].prediction == 1, answers[row])
    return answers, distances


def local_sensitivity(answers):
    """1 where some neighbour answers otherwise."""
    return np.any(
        [
            answers.any(axis=k, keepdims=True) & ~answers.all(axis=k, keepdims=True)
            | np.zeros_like(answers)
            for k in range(5)
        ],
        axis=0,
    )


@pytest.mark.parametrize("beta", [0.05, 1.0])
def test_the_bound_is_at_least_the_smooth_sensitivity_by_enumeration(enumerated, beta):
    """max over D' of exp(−β d(D, D')) LS(D'), over all datasets of five samples."""
    answers, distances = enumerated
    near, exact = local_sensitivity(answers), np.zeros(answers.shape)
    for d in range(6):
        exact = np.maximum(exact, np.exp(-beta * d) * near)
        near = np.any(
            [np.broadcast_to(near.any(axis=k, keepdims=True), near.shape) for k in range(5)], axis=0
        )
    bound = smooth_sensitivity(distances.ravel(), beta).reshape(distances.shape)
    assert np.all(bound >= exact)
    # The comparison means something: the bound is attained in places and far below 1 in others.
    assert np.mean(np.isclose(bound, exact)) > 0.05
    assert bound.min() <= np.exp(-3 * beta) * (1 + 1e-9)
    assert len(np.unique(distances)) >= 4


def test_the_bound_is_smooth(enumerated):
    """Definition 2.1 of Nissim et al.: distances of neighbouring datasets differ by at most one, or
    the noise itself tells them apart."""
    _, distances = enumerated

    def largest_step(found):
        return max(np.max(found.max(axis=k) - found.min(axis=k)) for k in range(5))

    assert largest_step(distances) == 1
    # Why a ladder with gaps is refused.
    assert largest_step(np.where(distances >= 3, 3, 0)) == 3


@pytest.mark.parametrize("epsilon", [0.3, 2.0, 6.0])
def test_the_noisy_prediction_is_private_for_every_pair_of_neighbours(enumerated, epsilon):
    """The definition: densities of what is released differ by at most a factor e^ε, for all pairs
    of datasets that differ in one sample."""
    answers, distances = enumerated
    pairs = set()
    for axis in range(5):
        for first, second in product(range(len(UNIVERSE)), repeat=2):
            sides = [
                [found.take(k, axis=axis).ravel() for found in (answers, distances)]
                for k in (first, second)
            ]
            pairs |= set(zip(*(column.tolist() for side in sides for column in side), strict=True))
    assert any(f != g for f, _, g, _ in pairs)
    assert any(k != j for _, k, _, j in pairs)
    z = np.concatenate(
        [np.linspace(-3, 4, 2001), np.geomspace(4, 1e9, 50), -np.geomspace(3, 1e9, 50)]
    )
    worst = 0.0
    for f, k, g, j in pairs:
        scales = CAUCHY.scale(np.array([k, j]), epsilon)
        first, second = (
            stats.cauchy.logpdf(z, loc=float(answer), scale=scale)
            for answer, scale in zip((f, g), scales, strict=True)
        )
        worst = max(worst, np.max(np.abs(first - second)))
    assert 0.1 * epsilon < worst <= epsilon


def test_distances_are_never_beyond_the_true_ones(enumerated):
    """Within the certified distance no dataset answers otherwise (S1)."""
    answers, distances = enumerated
    low = high = answers
    for d in range(1, 6):
        low = np.all(
            [np.broadcast_to(low.all(axis=k, keepdims=True), low.shape) for k in range(5)], axis=0
        )
        high = np.any(
            [np.broadcast_to(high.any(axis=k, keepdims=True), high.shape) for k in range(5)], axis=0
        )
        constant = low == high
        assert constant[distances >= d].all()


@pytest.mark.parametrize(
    ("loss", "labels", "network"),
    [
        ("binary-cross-entropy", (0.0, 1.0), Network.dense([2, 6, 1], seed=1)),
        ("hinge", (-1.0, 1.0), Network.dense([2, 1], seed=1)),
        ("cross-entropy", (0.0, 1.0), Network.dense([2, 5, 2], seed=1)),
    ],
)
@pytest.mark.parametrize("box", [(-2.0, 2.0), None])
def test_neighbours_of_networks_differ_by_at_most_one(loss, labels, network, box):
    rng = np.random.default_rng(0)
    training = Training(
        loss,
        epochs=2,
        batch_size=15,
        learning_rate=0.1,
        clip=0.2,
        momentum=0.3,
        weight_decay=0.01,
        seed=1,
    )
    features = rng.uniform(-2, 2, size=(30, 2))
    data = Dataset(features, np.where(features[:, 0] > 0, *labels[::-1]))
    queries = rng.uniform(-2, 2, size=(60, 2))

    def distances(dataset):
        return private_predictions(
            ladder(Problem(network, dataset, Substitution(1, features=box), training), range(1, 9)),
            queries,
        ).distance

    found = distances(data)
    assert found.min() < found.max()
    differ = 0
    for sample in range(12):
        features, labelled = data.features.copy(), data.labels.copy()
        features[sample], labelled[sample] = rng.choice([-2.0, 2.0], 2), rng.choice(labels)
        other = distances(Dataset(features, labelled))
        assert np.max(np.abs(other - found)) <= 1
        differ += np.sum(other != found)
    assert differ > 0


def test_removal_is_the_tightest_and_substitution_the_loosest():
    """Figure 7: the uncertified region of the four perturbation models."""
    training = {"epochs": 10, "learning_rate": 3.0, "decay": 0.6, "clip": 0.5}
    models = [Removal(1), Bounded(1, nu=1, q=0), Bounded(1, eps=0.1, nu=1, q=0), Substitution(1)]
    rungs, X = (1, 5, 10, 20, 50), grid()
    found = [ladder(moons(model, **training), rungs).distances(X) for model in models]
    open_ = np.array([[np.mean(distance < n) for n in rungs] for distance in found])
    assert np.all(open_[0] < open_[1])
    assert np.all(np.diff(open_, axis=0) >= 0)
    assert np.all(open_[1:3] <= open_[3])
    assert np.all(np.diff(open_, axis=1) > 0)
    for tighter, looser in pairwise(found):
        assert np.all(tighter >= looser)


def test_smooth_sensitivity_falls_by_orders_of_magnitude_away_from_the_boundary():
    """Figure 12, with clipped gradients: without, a substitute could be anything."""
    instance = moons(Substitution(1), "hinge", epochs=9, learning_rate=2.0, clip=0.06)
    X = grid()
    bound = smooth_sensitivity(ladder(instance, range(1, 201)).distances(X), 0.1)
    margin = np.abs(outputs(instance, trajectory(instance)[-1:], X)[0, :, 0])
    assert bound.max() == 1.0
    assert bound.min() < 1e-6
    near, far = margin < np.quantile(margin, 0.05), margin > np.quantile(margin, 0.9)
    assert np.median(bound[near]) > 0.1
    assert np.median(bound[far]) < 1e-3


def blobs(hidden):
    """The instance of Figure 13, and test points."""
    features, labels = make_blobs(3100, centers=[(-2, -2), (2, 2)], cluster_std=1.0, random_state=0)
    training = Training("binary-cross-entropy", epochs=4, learning_rate=1.0, decay=0.6, clip=0.06)
    data = Dataset(features[:3000], labels[:3000].astype(float))
    return (
        Problem(Network.dense([2, hidden, 1], seed=0), data, Substitution(1), training),
        features[3000:],
        labels[3000:],
    )


@pytest.mark.slow
def test_private_accuracy_at_small_epsilon_beats_global_sensitivity():
    """Figure 13."""
    instance, X, y = blobs(32)
    found = private_predictions(ladder(instance, range(1, 257)), X)
    exact = np.mean(found.prediction == y)
    assert exact > 0.95
    for epsilon in (0.2, 0.5, 1.0, 2.0):
        assert found.accuracy(y, epsilon) > found.accuracy(y, epsilon, LAPLACE) + 0.1
    assert found.accuracy(y, 0.5) > exact - 0.02
    assert found.accuracy(y, 0.5, LAPLACE) < 0.65
    answers = found.release(0.5, Account(100.0), source=Random(1))
    assert np.mean(answers.classes == y) == pytest.approx(found.accuracy(y, 0.5), abs=0.1)


def test_a_scale_is_never_zero():
    bound = smooth_sensitivity([0, 1, 10**6], 2.0)
    assert bound[0] == 1.0
    assert bound[1] >= np.exp(-2.0)
    assert bound[2] > 0.0
    scale = CAUCHY.scale(np.array([10**6]), 12.0)
    assert CAUCHY.flipped(scale)[0] > 0.0


def test_what_gives_no_smooth_bound_is_refused():
    instance, X = small([UNIVERSE[0]] * 5), np.zeros((1, 1))
    with pytest.raises(InvalidInputError, match="gaps"):
        private_predictions(ladder(instance, (1, 3)), X)
    with pytest.raises(InvalidInputError, match="gaps"):
        private_predictions(ladder(instance, (2, 3)), X)
    # Neither is told by what a `Reach` says of its method: branches of parts have linear bounds,
    # and float32 rounds otherwise.
    for bounder in (
        lambda problem: agtopt.bound(problem, "CROWN"),
        lambda problem: agtopt.bound(problem, "AFFINE"),
        lambda problem: agtopt.bound_parts(problem, "IBP"),
        lambda problem: agtopt.bound(problem, "IBP", dtype="float32"),
    ):
        with pytest.raises(UnsupportedError, match=r"bounder.*AFFINE"):
            private_predictions(ladder(instance, (1,), bounder), X)
    derived = replace(
        instance, perturbation=type("Derived", (Substitution,), {})(1, features=(-1.0, 1.0))
    )
    with pytest.raises(InvalidInputError, match="Substitution"):
        private_predictions(ladder(derived, (1,)), X)
    with pytest.raises(InvalidInputError, match="Substitution"):
        private_predictions(ladder(replace(instance, perturbation=Removal(1)), (1,)), X)
    outside = replace(instance, perturbation=Substitution(1, features=(0.0, 1.0)))
    with pytest.raises(InvalidInputError, match="sample 0"):
        private_predictions(ladder(outside, (1,)), X)
    labelled = replace(
        instance, perturbation=Substitution(1, features=(-1.0, 1.0), labels=[1], vulnerable=[3])
    )
    with pytest.raises(InvalidInputError, match="sample 3"):
        private_predictions(ladder(labelled, (1,)), X)
    three = Problem(
        Network.dense([1, 3], seed=0),
        instance.dataset,
        Substitution(1, features=(-1.0, 1.0)),
        Training("cross-entropy", epochs=1),
    )
    with pytest.raises(UnsupportedError, match="binary"):
        private_predictions(ladder(three, (1,)), X)
