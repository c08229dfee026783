"""Private prediction: the bound is a smooth one (Nissim et al., 2007), noise has its distribution, and no budget is spent twice."""

from collections import Counter
from dataclasses import fields, replace
from itertools import pairwise, product
from random import Random
from threading import Thread

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import make_blobs, make_moons

import agtopt
from agtopt import Bounded, Dataset, InvalidInputError, Network, Problem, Removal, Substitution, Training, UnsupportedError
from agtopt.certificates import noise
from agtopt.certificates.account import Account
from agtopt.certificates.ladder import ladder
from agtopt.certificates.privacy import CAUCHY, LAPLACE, private_predictions, smooth_sensitivity
from agtopt.errors import BudgetSpentError
from agtopt.problem import Datasets
from agtopt.semantics.concrete import outputs, trajectories, trajectory

UNIVERSE = [((x,), y) for x in (-1.0, 1.0) for y in (0.0, 1.0)]
"""Every sample that a dataset of the enumeration may hold."""


def small(rows, **training):
    """Five samples, each any point of the box [−1, 1] with any label."""
    features, labels = (np.array(column) for column in zip(*rows, strict=True))
    common = {"epochs": 3, "learning_rate": 0.25, **training}
    return Problem(
        Network.dense([1, 1], seed=3),
        Dataset(features, labels),
        Substitution(1, features=(-1.0, 1.0)),
        Training("binary-cross-entropy", **common),
    )


def cubic(points):
    a, b = points.T
    return np.stack([a, b, a * a, a * b, b * b, a**3, a * a * b, a * b * b, b**3], axis=1)


def moons(perturbation, loss="binary-cross-entropy", **training):
    """The instances of Figures 7 and 12 of Sosnin et al. 2025 (table 4)."""
    features, labels = make_moons(3000, noise=0.1, random_state=0)
    labels = labels if loss == "binary-cross-entropy" else 2 * labels - 1
    return Problem(Network.dense([9, 1], seed=0), Dataset(cubic(features), labels.astype(float)), perturbation, Training(loss, **training))


def grid(many=24):
    a, b = np.meshgrid(np.linspace(-1.5, 2.5, many), np.linspace(-1.2, 1.7, many))
    return cubic(np.stack([a.ravel(), b.ravel()], axis=1))


@pytest.fixture(scope="module")
def enumerated():
    """Prediction at each query after training on every one of the 4⁵ datasets, and the distances that are certified there."""
    queries = np.array([[-3.0], [-0.5], [0.0], [0.4], [1.0], [3.0]])
    every = list(product(range(len(UNIVERSE)), repeat=5))
    instance = small([UNIVERSE[k] for k in every[0]])
    variants = Datasets.of(instance.dataset, [small([UNIVERSE[k] for k in row]).dataset for row in every])
    theta = np.concatenate([states[:, -1] for _, states in trajectories(instance, variants)])
    answers = (outputs(instance, theta, queries)[..., 0] > 0).reshape(*(len(UNIVERSE),) * 5, len(queries))
    # The order within a batch does not matter, so every multiset is certified once.
    certified = {
        chosen: private_predictions(ladder(small([UNIVERSE[k] for k in chosen]), range(1, 6)), queries)
        for chosen in sorted({tuple(sorted(row)) for row in every})
    }
    distances = np.array([certified[tuple(sorted(row))].distance for row in every]).reshape(answers.shape)
    for row in every:
        assert np.array_equal(certified[tuple(sorted(row))].prediction == 1, answers[row])
    return answers, distances


def local_sensitivity(answers):
    """1 where some neighbour answers otherwise."""
    return np.any(
        [answers.any(axis=k, keepdims=True) & ~answers.all(axis=k, keepdims=True) | np.zeros_like(answers) for k in range(5)], axis=0
    )


@pytest.mark.parametrize("beta", [0.05, 1.0])
def test_the_bound_is_at_least_the_smooth_sensitivity_by_enumeration(enumerated, beta):
    """max over D' of exp(−β d(D, D')) LS(D'), over all datasets of five samples."""
    answers, distances = enumerated
    near, exact = local_sensitivity(answers), np.zeros(answers.shape)
    for d in range(6):
        exact = np.maximum(exact, np.exp(-beta * d) * near)
        near = np.any([np.broadcast_to(near.any(axis=k, keepdims=True), near.shape) for k in range(5)], axis=0)
    bound = smooth_sensitivity(distances.ravel(), beta).reshape(distances.shape)
    assert np.all(bound >= exact)
    # The comparison means something: the bound is attained in places and far below 1 in others.
    assert np.mean(np.isclose(bound, exact)) > 0.05
    assert bound.min() <= np.exp(-3 * beta) * (1 + 1e-9)
    assert len(np.unique(distances)) >= 4


def test_the_bound_is_smooth(enumerated):
    """Definition 2.1 of Nissim et al.: distances of neighbouring datasets differ by at most one, or the noise itself tells them apart."""
    _, distances = enumerated

    def largest_step(found):
        return max(np.max(found.max(axis=k) - found.min(axis=k)) for k in range(5))

    assert largest_step(distances) == 1
    # Why a ladder with gaps is refused.
    assert largest_step(np.where(distances >= 3, 3, 0)) == 3


@pytest.mark.parametrize("epsilon", [0.3, 2.0, 6.0])
def test_the_noisy_prediction_is_private_for_every_pair_of_neighbours(enumerated, epsilon):
    """The definition: densities of what is released differ by at most a factor e^ε, for all pairs of datasets that differ in one sample."""
    answers, distances = enumerated
    pairs = set()
    for axis in range(5):
        for first, second in product(range(len(UNIVERSE)), repeat=2):
            sides = [[found.take(k, axis=axis).ravel() for found in (answers, distances)] for k in (first, second)]
            pairs |= set(zip(*(column.tolist() for side in sides for column in side), strict=True))
    assert any(f != g for f, _, g, _ in pairs)
    assert any(k != j for _, k, _, j in pairs)
    z = np.concatenate([np.linspace(-3, 4, 2001), np.geomspace(4, 1e9, 50), -np.geomspace(3, 1e9, 50)])
    worst = 0.0
    for f, k, g, j in pairs:
        scales = CAUCHY.scale(np.array([k, j]), epsilon)
        first, second = (stats.cauchy.logpdf(z, loc=float(answer), scale=scale) for answer, scale in zip((f, g), scales, strict=True))
        worst = max(worst, np.max(np.abs(first - second)))
    assert 0.1 * epsilon < worst <= epsilon


def test_distances_are_never_beyond_the_true_ones(enumerated):
    """Within the certified distance no dataset answers otherwise (S1)."""
    answers, distances = enumerated
    low = high = answers
    for d in range(1, 6):
        low = np.all([np.broadcast_to(low.all(axis=k, keepdims=True), low.shape) for k in range(5)], axis=0)
        high = np.any([np.broadcast_to(high.any(axis=k, keepdims=True), high.shape) for k in range(5)], axis=0)
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
    training = Training(loss, epochs=2, batch_size=15, learning_rate=0.1, clip=0.2, momentum=0.3, weight_decay=0.01, seed=1)
    features = rng.uniform(-2, 2, size=(30, 2))
    data = Dataset(features, np.where(features[:, 0] > 0, *labels[::-1]))
    queries = rng.uniform(-2, 2, size=(60, 2))

    def distances(dataset):
        return private_predictions(
            ladder(Problem(network, dataset, Substitution(1, features=box), training), range(1, 9)), queries
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


@pytest.mark.parametrize("model", [Removal(1), Bounded(1, nu=1, q=0), Bounded(1, eps=0.1), Substitution(1)])
def test_ladders_find_the_largest_certified_budget(model):
    """Bisection against a loop over all rungs; stable under a budget is stable under every smaller one."""
    instance, X = moons(model, epochs=4, learning_rate=3.0, decay=0.6, clip=0.5), grid(8)
    rungs = (1, 2, 5, 9, 20, 60)
    found = ladder(instance, rungs)
    stable = np.array([agtopt.certify(agtopt.bound(found.at(n), "IBP"), X).stable for n in rungs])
    assert np.all(np.diff(stable.astype(int), axis=0) <= 0)
    expected = np.array([0, *rungs])[stable.sum(axis=0)]
    assert np.array_equal(found.distances(X), expected)
    assert len(np.unique(expected)) > 2
    assert found.reach(5) is found.reach(5)
    assert found.reach(5).problem.perturbation.n == 5


def test_rungs_are_bounded_when_they_are_needed():
    asked = []

    def bounder(problem):
        asked.append(problem.perturbation.n)
        return agtopt.bound(problem, "CROWN")

    found = ladder(moons(Removal(1), epochs=2, learning_rate=1.0, clip=0.5), range(1, 1025), bounder)
    assert not asked
    found.distances(grid(8)[:1])
    assert 1 <= len(asked) <= 11


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
    return Problem(Network.dense([2, hidden, 1], seed=0), data, Substitution(1), training), features[3000:], labels[3000:]


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


@pytest.fixture
def private():
    rows = [UNIVERSE[k] for k in (0, 0, 2, 3, 0)]
    return private_predictions(ladder(small(rows), range(1, 6)), np.array([[-3.0], [0.0], [0.4], [3.0]] * 500))


@pytest.mark.parametrize("mechanism", [CAUCHY, LAPLACE])
def test_accuracy_is_the_frequency_of_released_classes(private, mechanism):
    y = private.prediction.copy()
    y[::3] = 1 - y[::3]
    for epsilon in (0.5, 3.0, 20.0):
        classes = [private.release(epsilon, Account(1e9), mechanism, Random(seed)).classes for seed in range(10)]
        assert np.mean(classes == y) == pytest.approx(private.accuracy(y, epsilon, mechanism), abs=4 * 0.5 / np.sqrt(20000))


def test_the_noise_of_the_mechanisms_has_the_scale_of_the_theorem(private):
    epsilon = 3.0
    assert np.allclose(CAUCHY.scale(private.distance, epsilon), 6 / epsilon * np.exp(-epsilon / 6 * private.distance))
    assert np.allclose(private.sensitivity(epsilon), np.exp(-epsilon / 6 * private.distance))
    assert np.all(LAPLACE.scale(private.distance, epsilon) == 1 / epsilon)
    released = private.release(epsilon, Account(1e9), CAUCHY, Random(0))
    scaled = (released.values - (private.prediction == 1)) / CAUCHY.scale(private.distance, epsilon)
    assert stats.kstest(scaled, stats.cauchy.cdf).pvalue > 1e-3
    assert np.array_equal(released.classes, released.values > 0.5)


@pytest.mark.parametrize(("draw", "law"), [(noise.cauchy, stats.cauchy), (noise.laplace, stats.laplace)])
def test_noise_has_its_distribution_and_precise_tails(draw, law):
    source = Random(0)
    drawn = np.array([draw(source) for _ in range(20000)])
    assert stats.kstest(drawn, law.cdf).pvalue > 1e-3
    assert stats.kstest([draw(noise.cryptographic()) for _ in range(2000)], law.cdf).pvalue > 1e-6

    class Rare(Random):
        """The least uniform number."""

        def getrandbits(self, k):
            return 0

    assert np.isfinite(draw(Rare()))
    assert abs(draw(Rare())) > 600
    assert noise.uniform(Rare()) == 2.0**-noise.BITS


def test_laplace_comes_from_opendp(private, monkeypatch):
    drawn = private.release(0.5, Account(1e9), LAPLACE)
    assert drawn.cryptographic
    scaled = (drawn.values - (private.prediction == 1)) * 0.5
    assert stats.kstest(scaled, stats.laplace.cdf).pvalue > 1e-6
    monkeypatch.setitem(__import__("sys").modules, "opendp.prelude", None)
    with pytest.raises(UnsupportedError, match="privacy"):
        private.release(0.5, Account(1e9), LAPLACE)


def test_noise_is_cryptographic_unless_a_test_says_otherwise(private):
    twice = [private.release(1.0, Account(1e9), source=Random(5)) for _ in range(2)]
    assert np.array_equal(twice[0].values, twice[1].values)
    assert not twice[0].cryptographic
    fresh = [private.release(1.0, Account(1e9)) for _ in range(2)]
    assert fresh[0].cryptographic
    assert not np.array_equal(fresh[0].values, fresh[1].values)


def test_a_release_says_what_it_hides_and_carries_no_data(private):
    """S8, and nothing else: no dataset, no distances, no exact prediction."""
    answers = private.release(0.5, Account(1e9), source=Random(0))
    some = replace(private, problem=replace(private.problem, perturbation=replace(private.problem.perturbation, vulnerable=[0, 2])))
    assert some.release(0.5, Account(1e9)).neighbours.endswith("of the 2 that are vulnerable")
    assert answers.neighbours == "at most 1 sample replaced by points of a box (batches keep their sizes)"
    assert (answers.epsilon, answers.cost, answers.mechanism) == (0.5, 1000.0, "Cauchy")
    held = {field.name for field in fields(answers)}
    assert held == {"classes", "values", "epsilon", "cost", "mechanism", "neighbours", "cryptographic"}
    grid_steps = answers.values / noise.GRID
    assert np.array_equal(grid_steps, np.round(grid_steps))
    assert np.all(np.abs(answers.values) <= noise.RANGE)


def test_the_account_refuses_what_it_cannot_pay_and_releases_nothing(private):
    few = replace(private, prediction=private.prediction[:4], distance=private.distance[:4])
    account = Account(1.0)
    few.release(0.1, account, source=Random(0))
    few.release(0.1, account, source=Random(0))
    assert account.spent == pytest.approx(0.8)
    source = Random(0)
    before = source.getstate()
    with pytest.raises(BudgetSpentError, match="4 answers"):
        few.release(0.1, account, source=source)
    assert source.getstate() == before
    assert account.remaining == pytest.approx(0.2)
    account.spend(0.1, 2)
    assert account.remaining == 0.0
    with pytest.raises(agtopt.AgtoptError):
        account.spend(1e-9)
    assert [(entry.epsilon, entry.queries) for entry in account.entries] == [(0.1, 4), (0.1, 4), (0.1, 2)]


def test_ten_tenths_are_one_and_threads_cannot_overspend():
    account, refused = Account(1.0), Counter()

    def spend():
        try:
            account.spend(0.1)
        except BudgetSpentError:
            refused["times"] += 1

    threads = [Thread(target=spend) for _ in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(account.entries) == 10
    assert refused["times"] == 15
    assert account.remaining == 0.0


def test_a_scale_is_never_zero():
    bound = smooth_sensitivity([0, 1, 10**6], 2.0)
    assert bound[0] == 1.0
    assert bound[1] >= np.exp(-2.0)
    assert bound[2] > 0.0
    scale = CAUCHY.scale(np.array([10**6]), 12.0)
    assert CAUCHY.flipped(scale)[0] > 0.0


@pytest.mark.parametrize("epsilon", [0.0, -1.0, np.nan, np.inf, "1"])
def test_epsilon_must_be_above_zero(private, epsilon):
    account = Account(1e9)
    for use in (lambda: private.release(epsilon, account), lambda: private.accuracy(private.prediction, epsilon), lambda: Account(epsilon)):
        with pytest.raises(InvalidInputError, match=r"epsilon|total"):
            use()
    assert account.spent == 0.0


def test_what_gives_no_smooth_bound_is_refused():
    instance, X = small([UNIVERSE[0]] * 5), np.zeros((1, 1))
    with pytest.raises(InvalidInputError, match="gaps"):
        private_predictions(ladder(instance, (1, 3)), X)
    with pytest.raises(InvalidInputError, match="gaps"):
        private_predictions(ladder(instance, (2, 3)), X)
    with pytest.raises(UnsupportedError, match="CROWN"):
        private_predictions(ladder(instance, (1,), lambda problem: agtopt.bound(problem, "CROWN")), X)
    with pytest.raises(InvalidInputError, match="Substitution"):
        private_predictions(ladder(replace(instance, perturbation=Removal(1)), (1,)), X)
    outside = replace(instance, perturbation=Substitution(1, features=(0.0, 1.0)))
    with pytest.raises(InvalidInputError, match="sample 0"):
        private_predictions(ladder(outside, (1,)), X)
    labelled = replace(instance, perturbation=Substitution(1, features=(-1.0, 1.0), labels=[1], vulnerable=[3]))
    with pytest.raises(InvalidInputError, match="sample 3"):
        private_predictions(ladder(labelled, (1,)), X)
    three = Problem(
        Network.dense([1, 3], seed=0), instance.dataset, Substitution(1, features=(-1.0, 1.0)), Training("cross-entropy", epochs=1)
    )
    with pytest.raises(UnsupportedError, match="binary"):
        private_predictions(ladder(three, (1,)), X)


@pytest.mark.parametrize("budgets", [(), (0, 1), (2, 1), (1, 1), (6,), (1.5,)])
def test_ladders_must_climb(budgets):
    with pytest.raises(InvalidInputError):
        ladder(small([UNIVERSE[0]] * 5), budgets)


def test_misfits_are_named(private):
    instance = small([UNIVERSE[0]] * 5)
    found = ladder(instance, (1, 2))
    for X in (np.zeros((2, 2)), np.zeros(1), np.zeros((0, 1)), [[np.nan]]):
        with pytest.raises(InvalidInputError, match="X"):
            found.distances(X)
    with pytest.raises(InvalidInputError, match="3"):
        found.reach(3)
    with pytest.raises(InvalidInputError, match="bounder"):
        ladder(instance, (2,), lambda problem: agtopt.bound(instance, "IBP")).reach(2)
    separate = replace(instance, perturbation=Bounded(n_features=1, n_labels=1, eps=0.1))
    with pytest.raises(InvalidInputError, match="separate"):
        ladder(separate, (1,))
    with pytest.raises(InvalidInputError, match="y"):
        private.accuracy([1.0], 1.0)
    with pytest.raises(InvalidInputError, match="labels"):
        private.accuracy(np.full(len(private.prediction), 2.0), 1.0)
    with pytest.raises(InvalidInputError, match="distances"):
        smooth_sensitivity([-1], 1.0)
    with pytest.raises(InvalidInputError, match="beta"):
        smooth_sensitivity([1], 0.0)
    with pytest.raises(InvalidInputError, match="queries"):
        Account(1.0).spend(0.1, 0)
