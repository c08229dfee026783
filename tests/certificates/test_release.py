"""Private answers: noise has its distribution, nothing but the answer leaves, and no budget is
spent twice."""

from collections import Counter
from dataclasses import fields, replace
from random import Random
from threading import Thread

import numpy as np
import pytest
from scipy import stats

import agtopt
from agtopt import Bounded, InvalidInputError, UnsupportedError
from agtopt.certificates import noise
from agtopt.certificates.account import Account
from agtopt.certificates.ladder import ladder
from agtopt.certificates.privacy import CAUCHY, LAPLACE, private_predictions, smooth_sensitivity
from agtopt.errors import BudgetSpentError
from tests.certificates.instances import UNIVERSE, small


@pytest.fixture
def private():
    rows = [UNIVERSE[k] for k in (0, 0, 2, 3, 0)]
    return private_predictions(
        ladder(small(rows), range(1, 6)), np.array([[-3.0], [0.0], [0.4], [3.0]] * 500)
    )


@pytest.mark.parametrize("mechanism", [CAUCHY, LAPLACE])
def test_accuracy_is_the_frequency_of_released_classes(private, mechanism):
    y = private.prediction.copy()
    y[::3] = 1 - y[::3]
    for epsilon in (0.5, 3.0, 20.0):
        classes = [
            private.release(epsilon, Account(1e9), mechanism, Random(seed)).classes
            for seed in range(10)
        ]
        assert np.mean(classes == y) == pytest.approx(
            private.accuracy(y, epsilon, mechanism), abs=4 * 0.5 / np.sqrt(20000)
        )


def test_the_noise_of_the_mechanisms_has_the_scale_of_the_theorem(private):
    epsilon = 3.0
    assert np.allclose(
        CAUCHY.scale(private.distance, epsilon),
        6 / epsilon * np.exp(-epsilon / 6 * private.distance),
    )
    assert np.allclose(private.sensitivity(epsilon), np.exp(-epsilon / 6 * private.distance))
    assert np.all(LAPLACE.scale(private.distance, epsilon) == 1 / epsilon)
    released = private.release(epsilon, Account(1e9), CAUCHY, Random(0))
    scaled = (released.values - (private.prediction == 1)) / CAUCHY.scale(private.distance, epsilon)
    assert stats.kstest(scaled, stats.cauchy.cdf).pvalue > 1e-3
    assert np.array_equal(released.classes, released.values > 0.5)


@pytest.mark.parametrize(
    ("draw", "law"), [(noise.cauchy, stats.cauchy), (noise.laplace, stats.laplace)]
)
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
    some = replace(
        private,
        problem=replace(
            private.problem, perturbation=replace(private.problem.perturbation, vulnerable=[0, 2])
        ),
    )
    assert some.release(0.5, Account(1e9)).neighbours.endswith("of the 2 that are vulnerable")
    assert (
        answers.neighbours
        == "at most 1 sample replaced by points of a box (batches keep their sizes)"
    )
    assert (answers.epsilon, answers.cost, answers.mechanism) == (0.5, 1000.0, "Cauchy")
    held = {field.name for field in fields(answers)}
    assert held == {
        "classes",
        "values",
        "epsilon",
        "cost",
        "mechanism",
        "neighbours",
        "cryptographic",
    }
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
    assert [(entry.epsilon, entry.queries) for entry in account.entries] == [
        (0.1, 4),
        (0.1, 4),
        (0.1, 2),
    ]


class Broken(Random):
    """A source that fails after some numbers."""

    left = 7

    def getrandbits(self, k):
        self.left -= 1
        if self.left < 0:
            raise OSError("no more numbers")
        return super().getrandbits(k)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"source": np.random.default_rng(0)}, "source: Generator"),
        ({"source": 7}, "source: int"),
        ({"mechanism": "Cauchy"}, "mechanism: str"),
        (
            {
                "mechanism": type(
                    "Quiet", (), {"scale": lambda *a: np.zeros(4), "noise": lambda *a: lambda x: x}
                )()
            },
            "mechanism: Quiet",
        ),
        ({"account": 2.0}, "account: float"),
        ({"epsilon": 1e-320}, "epsilon"),
        ({"epsilon": 1e-320, "mechanism": LAPLACE}, "epsilon"),
    ],
)
def test_a_release_is_refused_before_it_is_paid(private, arguments, words):
    account = Account(1e9)
    with pytest.raises(InvalidInputError, match=words):
        private.release(**{"epsilon": 0.1, "account": account} | arguments)
    assert account.spent == 0.0


@pytest.mark.parametrize("mechanism", [CAUCHY, LAPLACE])
def test_a_release_that_fails_costs_nothing(private, mechanism, monkeypatch):
    account = Account(1e9)
    private.release(0.5, account, mechanism, Random(0))
    paid = account.entries
    with pytest.raises(OSError, match="no more"):
        private.release(0.5, account, mechanism, Broken(0))
    assert account.entries == paid
    monkeypatch.setitem(__import__("sys").modules, "opendp.prelude", None)
    with pytest.raises(UnsupportedError, match="OpenDP"):
        private.release(0.5, account, LAPLACE)
    assert account.entries == paid


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


@pytest.mark.parametrize("epsilon", [0.0, -1.0, np.nan, np.inf, "1"])
def test_epsilon_must_be_above_zero(private, epsilon):
    account = Account(1e9)
    for use in (
        lambda: private.release(epsilon, account),
        lambda: private.accuracy(private.prediction, epsilon),
        lambda: Account(epsilon),
    ):
        with pytest.raises(InvalidInputError, match=r"epsilon|total"):
            use()
    assert account.spent == 0.0


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
