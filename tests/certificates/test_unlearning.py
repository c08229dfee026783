"""Serving while removals are pending: no served answer changes when the model is retrained without
what was requested (S8, trap 8)."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch

import agtopt
from agtopt import (
    Bounded,
    Dataset,
    InvalidInputError,
    Network,
    Problem,
    Removal,
    Training,
    UnsupportedError,
)
from agtopt.certificates.unlearning import serve
from tests.instances import torch_model, torch_sgd


def problem(n=2, vulnerable=None, samples=10, loss="hinge", inputs=2, **training):
    rng = np.random.default_rng(5)
    features = rng.normal(size=(samples, inputs))
    labels = np.where(
        features[:, 0] + 0.3 * rng.normal(size=samples) > 0, 1.0, -1.0 if loss == "hinge" else 0.0
    )
    common = {"epochs": 3, "learning_rate": 0.1, **training}
    return Problem(
        Network.dense([inputs, 1], seed=2),
        Dataset(features, labels),
        Removal(n, vulnerable),
        Training(loss, **common),
    )


def queries(many=60):
    return np.random.default_rng(1).uniform(-2, 2, size=(many, 2))


def predicted(problem, dataset, X):
    """By torch's own SGD and forward pass."""
    model = torch_model(problem.network)
    torch.nn.utils.vector_to_parameters(
        torch.tensor(torch_sgd(problem, dataset)[-1]), model.parameters()
    )
    return np.where(model(torch.tensor(X)).detach().numpy()[:, 0] > 0, 1, -1)


def without(problem, removed):
    present = np.ones(len(problem.dataset), dtype=bool)
    present[list(removed)] = False
    return Dataset(problem.dataset.features, problem.dataset.labels, present)


@pytest.mark.parametrize("method", ["IBP", "AFFINE", "MILP"])
def test_no_answer_that_is_served_changes_by_retraining(method):
    instance, X = problem(), queries()
    server = serve(agtopt.bound(instance, method))
    waiting = np.zeros(len(X), dtype=bool)
    for removed in [chosen for k in range(3) for chosen in combinations(range(10), k)]:
        answers = server.request_removal(removed).answer(X)
        retrained = predicted(instance, without(instance, removed), X)
        assert np.array_equal(answers.prediction[~answers.wait], retrained[~answers.wait])
        waiting |= answers.wait
    assert 0 < waiting.sum() < len(X)
    assert answers.problem is instance
    assert answers.method == method


def test_requests_are_counted_once_and_against_the_budget():
    server = serve(agtopt.bound(problem(n=2), "IBP"))
    X = queries()
    stable = server.answer(X).stable
    assert stable.any()
    assert not stable.all()
    assert not server.answer(X).wait.any()
    one = server.request_removal([3, 3]).request_removal([3])
    assert (one.pending, one.remaining, one.covered) == ((3,), 1, True)
    assert np.array_equal(one.answer(X).wait, ~stable)
    two = one.request_removal([3, 7])
    assert (two.pending, two.remaining, two.covered) == ((3, 7), 0, True)
    assert np.array_equal(two.answer(X).wait, ~stable)
    three = two.request_removal([0])
    assert (three.remaining, three.covered) == (0, False)
    assert three.answer(X).wait.all()
    # Immutable: the earlier servers answer as before.
    assert server.requested == ()
    assert np.array_equal(two.answer(X).wait, ~stable)


def test_what_is_not_vulnerable_is_not_covered_and_what_is_not_used_changes_nothing():
    instance = problem(n=1, vulnerable=[0, 1, 2], batches=[[0, 1, 2, 3], [4, 5, 6, 7]])
    server, X = serve(agtopt.bound(instance, "IBP")), queries()
    unused = server.request_removal([8, 9])
    assert (unused.pending, unused.remaining) == ((), 1)
    assert not unused.answer(X).wait.any()
    other = server.request_removal([5])
    assert (other.pending, other.uncovered, other.remaining, other.covered) == (
        (5,),
        (5,),
        1,
        False,
    )
    assert other.answer(X).wait.all()
    assert server.request_removal([2]).covered


@pytest.mark.parametrize(
    "training",
    [
        {"decay": 0.5, "momentum": 0.5},
        {"batch_size": 4, "decay": 0.5},
        {"batch_size": 5, "seed": 3, "weight_decay": 0.1},
        {"batches": [[0, 3, 5, 9], [1, 2, 8, 7]], "decay": 0.5},
        {"batch_size": 4, "drop_last": True, "seed": 1},
    ],
)
def test_the_retrained_problem_keeps_the_slots(training):
    """Trap 8: what remains keeps its batches, so that the retrained run is one of those that the
    domain covers."""
    instance = problem(n=2, vulnerable=[1, 3, 5, 8], **training)
    reach = agtopt.bound(instance, "IBP")
    server = serve(reach).request_removal([8, 3])
    after = server.retrained()
    expected = torch_sgd(instance, without(instance, [3, 8]))
    np.testing.assert_allclose(torch_sgd(after), expected, atol=1e-12)
    assert reach.domain.contains(torch_sgd(after)[-1])
    assert not np.allclose(expected[-1], torch_sgd(instance)[-1])
    assert after.perturbation.n == 2
    assert server.kept[list(after.perturbation.vulnerable)].tolist() == [1, 5]
    np.testing.assert_array_equal(after.dataset.features, instance.dataset.features[server.kept])
    assert server.retrained(n=1).perturbation.n == 1
    assert serve(agtopt.bound(after, "IBP")).remaining == 2


def test_what_cannot_be_retrained_in_its_slots_is_said():
    shuffled = problem(n=1, batch_size=5, seed=0, decay=0.5)
    with pytest.raises(UnsupportedError, match="decay"):
        serve(agtopt.bound(shuffled, "IBP")).request_removal([1]).retrained()
    small = serve(agtopt.bound(problem(n=1, batches=[[0, 1], [2, 3]]), "IBP"))
    with pytest.raises(InvalidInputError, match="batch of step 1"):
        small.request_removal([2, 3]).retrained()
    with pytest.raises(InvalidInputError, match="nothing is left"):
        small.request_removal(range(10)).retrained()


@pytest.mark.parametrize(
    ("samples", "words"),
    [([10], "sample 10"), ([-1], "-1"), ([0.5], "0.5"), (["a"], "'a'"), (3, "3"), ([True], "True")],
)
def test_bad_indices_are_named(samples, words):
    with pytest.raises(InvalidInputError, match=words):
        serve(agtopt.bound(problem(), "IBP")).request_removal(samples)


def test_only_domains_of_removals_of_a_classifier_are_served():
    flips = replace(problem(), perturbation=Bounded(1, nu=1, q=0))
    with pytest.raises(InvalidInputError, match="Removal"):
        serve(agtopt.bound(flips, "IBP"))
    with pytest.raises(InvalidInputError, match="squared"):
        serve(agtopt.bound(problem(loss="squared"), "IBP"))
    with pytest.raises(InvalidInputError, match="X"):
        serve(agtopt.bound(problem(), "IBP")).answer(np.zeros(2))
