"""Certificates never contradict a model of the domain; ties and NaN certify nothing (traps 3 and
7)."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, make_moons
from sklearn.preprocessing import StandardScaler

import agtopt
from agtopt import (
    Bounded,
    Dataset,
    Dense,
    InvalidInputError,
    Network,
    Problem,
    Training,
    UnsupportedError,
)
from agtopt.certificates.prediction import certificates_over
from agtopt.certificates.queries import Queries
from agtopt.certificates.scores import score_bounds
from agtopt.domains import Interval, sample
from agtopt.drivers import Reach
from tests.conftest import MODELS
from tests.instances import corrupted, random_problem, torch_model, torch_sgd
from tests.matrix import CELLS, cell_problem


def predict(problem, theta, points):
    model = torch_model(problem.network)
    torch.nn.utils.vector_to_parameters(torch.tensor(theta), model.parameters())
    return model(torch.tensor(points)).detach().numpy()


def grid(problem):
    a, b = np.meshgrid(np.linspace(-1.5, 2.5, 30), np.linspace(-1.0, 1.5, 30))
    a, b = a.ravel(), b.ravel()
    return np.stack([a, b, a * a, a * b, b * b, a**3, a * a * b, a * b * b, b**3], axis=1)


def test_certified_points_agree_with_every_enumerated_model(
    half_moons, half_moons_reach, half_moons_hull
):
    """S1, S8."""
    points = grid(half_moons)
    found = agtopt.certify(half_moons_reach, points)
    scores = np.concatenate(
        [predict(half_moons, theta, points) for theta in half_moons_hull.theta], axis=1
    )
    assert np.all(found.lower <= scores.min(axis=1, keepdims=True))
    assert np.all(scores.max(axis=1, keepdims=True) <= found.upper)
    assert 0 < found.stable.sum() < len(points)
    for k in np.flatnonzero(found.stable):
        assert set(np.sign(scores[k])) == {found.nominal[k]}
    for column, sign in enumerate((-1, 1)):
        assert found.reachable[np.any(np.sign(scores) == sign, axis=1), column].all()
    assert found.problem is half_moons


def test_certified_accuracy_counts_stable_and_true(half_moons, half_moons_reach):
    data = half_moons.dataset
    found = agtopt.certify(half_moons_reach, data.features, data.labels)
    expected = np.mean(found.stable & (found.nominal == data.labels))
    assert found.certified_accuracy == expected <= found.nominal_accuracy
    assert found.nominal_accuracy == np.mean(
        np.where(
            predict(half_moons, agtopt.attack(half_moons).theta[0], data.features)[:, 0] > 0, 1, -1
        )
        == data.labels
    )
    wrong = agtopt.certify(half_moons_reach, data.features, -data.labels)
    assert not np.any(wrong.correct & found.correct)
    table = found.table()
    assert len(table) == len(data)
    assert table["correct"].sum() == found.correct.sum()


@pytest.mark.parametrize("cell", CELLS[::5], ids=str)
def test_certificates_over_a_form_hold_every_run_and_are_no_wider_than_over_its_box(cell):
    """S1, S6: of torch's own runs on random admissible data, also where inputs move."""
    problem, rng = cell_problem(cell, eps=0.1), np.random.default_rng(0)
    points, eps = rng.normal(size=(10, *problem.network.input_shape)), 0.05
    reach = agtopt.bound(problem, "AFFINE")
    boxes = replace(reach, affines=())
    found, moved = agtopt.certify(reach, points), agtopt.certify(reach, points, eps=eps)
    for tight, radius in ((found, 0.0), (moved, eps)):
        box = agtopt.certify(boxes, points, eps=radius)
        assert (tight.domain, box.domain) == ("Affine", "Interval")
        assert np.all(box.lower <= tight.lower)
        assert np.all(tight.upper <= box.upper)
        if problem.classes is not None:
            assert np.all(box.reachable | ~tight.reachable)
    for dataset in corrupted(problem, 10):
        theta = torch_sgd(problem, dataset)[-1]
        for tight, radius in ((found, 0.0), (moved, eps)):
            scores = predict(problem, theta, points + radius * rng.choice([-1, 1], points.shape))
            assert np.all((tight.lower <= scores) & (scores <= tight.upper))


def test_a_form_certifies_what_its_box_does_not():
    """Five flips of breast cancer in 12 steps, where intervals certify nothing."""
    features, labels = load_breast_cancer(return_X_y=True)
    features, labels = StandardScaler().fit_transform(features), labels.astype(float)
    problem = agtopt.Problem(
        agtopt.Network.dense([30, 1]),
        agtopt.Dataset(features[:400], labels[:400]),
        agtopt.Bounded(5, nu=1, q=0),
        agtopt.Training("binary-cross-entropy", learning_rate=0.5, batch_size=100, epochs=3),
    )
    reach, ibp = agtopt.bound(problem, "AFFINE"), agtopt.bound(problem, "IBP")
    form, box, plain = (
        agtopt.certify(domain, features[400:], labels[400:]).certified_accuracy
        for domain in (reach, replace(reach, affines=()), ibp)
    )
    assert form >= 0.85
    assert box <= 0.4
    assert plain == 0.0


@pytest.mark.parametrize("outputs", [1, 2])
def test_hidden_units_and_margins_keep_what_the_form_knows(outputs):
    """More points than over the box, also where two logits share most of what moves them."""
    x, y = make_moons(500, noise=0.1, random_state=0)
    points, _ = make_moons(300, noise=0.1, random_state=1)
    loss = "binary-cross-entropy" if outputs == 1 else "cross-entropy"
    problem = agtopt.Problem(
        agtopt.Network.dense([2, 24, outputs], seed=0),
        agtopt.Dataset(x, y.astype(float)),
        agtopt.Bounded(3, nu=1, q=0),
        agtopt.Training(loss, learning_rate=1.0, epochs=4),
    )
    reach = agtopt.bound(problem, "AFFINE")
    form, box = (agtopt.certify(domain, points) for domain in (reach, replace(reach, affines=())))
    assert np.mean(form.upper - form.lower) < 0.8 * np.mean(box.upper - box.lower)
    assert form.stable.sum() > box.stable.sum()
    assert not np.any(box.stable & ~form.stable)


def around(problem, lower, upper):
    return Reach(problem, agtopt.IBP, (Interval(lower, upper),), (), 0.0)


@pytest.fixture
def linear():
    return random_problem(1, 1, "hinge", "flips", samples=4, n=1)


def test_a_tie_is_no_win(linear):
    """Trap 7: the score 0 may be either class."""
    size = linear.network.size
    point = np.zeros((1, linear.network.input_shape[0]))
    nominal = np.zeros(size)
    found = certificates_over(
        around(linear, nominal, nominal),
        Interval.point(nominal),
        nominal,
        Queries.of(linear, point, None, 0.0),
    )
    assert not found.stable.any()
    assert found.reachable.all()


def test_a_diverged_domain_certifies_nothing(linear):
    """Trap 3."""
    size = linear.network.size
    points = np.concatenate([linear.dataset.features, np.zeros((1, linear.network.input_shape[0]))])
    found = agtopt.certify(around(linear, np.full(size, -np.inf), np.full(size, np.inf)), points)
    assert not found.stable.any()
    assert found.reachable.all()
    assert not np.isnan(found.lower).any()


def test_half_a_line_certifies_only_what_it_proves(linear):
    """inf − inf is NaN: an entry that is unbounded on one side proves no sign of a sum with both
    sides."""
    size = linear.network.size
    points = np.array([[1.0] * (size - 1), [-1.0] * (size - 1)])
    found = agtopt.certify(around(linear, np.full(size, 1.0), np.full(size, np.inf)), points)
    assert found.reachable[1].all()
    for theta in (np.full(size, 1.0), np.full(size, 1e9), np.append(np.full(size - 1, 1e9), 1.0)):
        z = predict(linear, theta, points)
        assert np.all((found.lower <= z) & (z <= found.upper))


def test_a_margin_that_may_be_zero_is_no_win(monkeypatch):
    """Trap 7: ends of exactly zero."""
    problem = agtopt.load(MODELS / "flips-cross-entropy")
    zeros = np.zeros((len(problem.dataset), 3))
    monkeypatch.setattr(
        "agtopt.certificates.prediction.score_bounds", lambda *arguments, **options: (zeros, zeros)
    )
    monkeypatch.setattr("agtopt.certificates.attained.outputs", lambda *_: zeros[np.newaxis])
    assert agtopt.certify(agtopt.bound(problem, "IBP"), problem.dataset.features).reachable.all()


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_output_bounds_of_regression_hold_sampled_models(seed):
    problem = random_problem(seed, 2, "squared", "both")
    reach = agtopt.bound(problem, "IBP")
    points = np.random.default_rng(seed).normal(size=(20, *problem.network.input_shape))
    found = agtopt.certify(reach, points)
    for theta in sample(reach.domain, 200, seed=1):
        z = predict(problem, theta, points)
        assert np.all((found.lower <= z) & (z <= found.upper))
    with pytest.raises(InvalidInputError, match="predicts no class"):
        _ = found.stable
    assert list(score_bounds(problem.network, reach.domain, points)[0].ravel()) == list(
        found.lower.ravel()
    )


def test_labels_are_needed_for_correctness(half_moons, half_moons_reach):
    found = agtopt.certify(half_moons_reach, half_moons.dataset.features)
    for name in ("correct", "nominal_accuracy", "certified_accuracy"):
        with pytest.raises(InvalidInputError, match="labels"):
            getattr(found, name)


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        (np.zeros((3, 2)), None, "X"),
        (np.zeros(9), None, "X"),
        (np.zeros((0, 9)), None, "X"),
        (np.full((1, 9), np.nan), None, "X"),
        (np.zeros((2, 9)), [1], "y"),
        (np.zeros((1, 9)), [0], "labels"),
        (np.zeros((2, 9)), [1, np.nan], "y"),
        (np.zeros((2, 9)), [[1], [1]], "y"),
        (np.zeros((2, 9)), 1, "y"),
        (np.zeros((2, 9)), [[1, 1], [1, 1]], "y"),
    ],
)
def test_misfits_are_named(half_moons_reach, X, y, words):
    """Trap 7: a column of labels must not be broadcast against a row of predictions."""
    with pytest.raises(InvalidInputError, match=words):
        agtopt.certify(half_moons_reach, X, y)


@pytest.fixture(scope="module")
def cancelling():
    """1e8 + 1 − 1e8 is 1, and 0 in float32: the same weights predict two classes."""
    weights = [np.array([[1e8, 1.0, -1e8]]), np.array([[1.0]]), np.array([-0.5])]
    return Problem(
        Network.chain([Dense(3, 1, bias=False), Dense(1, 1)], (3,), weights),
        Dataset([[0, 0, 0], [0, 0.5, 0], [0, 0.25, 0], [0, 1, 0]], [-1, 1, -1, 1]),
        Bounded(1, nu=1, q=0),
        Training("hinge", epochs=2, learning_rate=2.0**-11, frozen=("dense1",)),
    )


@pytest.mark.parametrize("kind", ["IBP", "CROWN", "AFFINE"])
def test_over_a_domain_in_float32_scores_are_those_of_float32(cancelling, kind):
    """S3: what trains in float32 predicts in float32."""
    reach = agtopt.bound(cancelling, kind, dtype="float32")
    query = np.ones((1, 3))
    model = torch_model(cancelling.network).float()
    with torch.no_grad():
        score = model(torch.tensor(query, dtype=torch.float32)).item()
    found = agtopt.certify(reach, query)
    assert found.nominal == [1]
    assert score < 0
    assert found.lower[0, 0] <= score <= found.upper[0, 0]
    assert not found.stable[0]
    assert agtopt.certify(agtopt.bound(cancelling, kind), query).stable[0]


@pytest.mark.parametrize("cell", CELLS[::9], ids=str)
def test_scores_in_float32_hold_torch_in_float32(cell):
    """At queries that float32 does not hold, too."""
    problem = cell_problem(cell, 5)
    rng = np.random.default_rng(5)
    points = rng.normal(size=(4, *problem.network.input_shape))
    reach = agtopt.bound(problem, "IBP", dtype="float32")
    lower, upper = score_bounds(problem.network, reach.steps[-1], points, numerics=reach.numerics)
    for theta in sample(reach.steps[-1], 8, rng):
        model = torch_model(problem.network)
        torch.nn.utils.vector_to_parameters(torch.tensor(theta), model.parameters())
        with torch.no_grad():
            scores = model.float()(torch.tensor(points, dtype=torch.float32)).double().numpy()
        assert np.all(lower <= scores)
        assert np.all(scores <= upper)


@pytest.mark.parametrize("verb", [agtopt.certify_end_to_end, agtopt.certify_together])
def test_models_of_the_run_say_nothing_of_float32(cancelling, verb):
    with pytest.raises(UnsupportedError, match="built in float64"):
        verb(agtopt.bound(cancelling, "IBP", dtype="float32"), np.ones((1, 3)))
