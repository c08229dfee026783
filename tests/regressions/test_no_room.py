"""Ordinary problems that were refused: boxes narrower than a solver's tolerance, and exponents
beyond what a solver takes for finite."""

import numpy as np
import pytest

import agtopt
from agtopt import Bounded, Dataset, Dense, Network, Problem, Settings, Training, UnsupportedError
from agtopt.solvers import Status
from tests.instances import corrupted, torch_sgd


def linear(features, labels, weight, bias, model, loss, **training):
    network = Network.chain([Dense(len(weight[0]), len(weight))], (len(weight[0]),), [weight, bias])
    return Problem(network, Dataset(features, labels), model, Training(loss, **training))


@pytest.fixture(scope="module")
def saturated():
    """Probabilities between 1e-116 and 1 − 1e-15, some of which move by 1e-81: HiGHS called the LP
    of each half infeasible."""
    features = [2.4716411515735297, 44.54164608380326, 106.29428287956051, 184.99117063904282]
    features += [-15.138144908878754, -81.43297500346486, -140.8908437473895]
    return linear(
        np.reshape(features, (-1, 1)),
        [0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0],
        [[-0.2552797625558778], [0.7223761360755638], [0.9694514652918889]],
        [-0.13927139567854385, 0.6324256167146494, 0.03137452323232459],
        Bounded(1, eps=30.0, nu=1.0, q=0),
        "cross-entropy",
        epochs=3,
        batch_size=3,
        learning_rate=0.0003062885162526623,
    )


@pytest.mark.parametrize("driver", ["LP", "parts", "samples"])
def test_probabilities_that_hardly_move(saturated, driver):
    """No call is refused, every row has an answer, and every run is inside."""
    reach = {
        "LP": lambda: agtopt.bound(saturated, "LP", tighten=False),
        "parts": lambda: agtopt.bound_parts(saturated, Settings("LP"), groups=2),
        "samples": lambda: agtopt.bound_samplewise(saturated, "LP"),
    }[driver]()
    assert {row.status for row in reach.rows} <= {Status.OPTIMAL, Status.ATTAINED}
    for dataset in corrupted(saturated, 20):
        for box, theta in zip(reach.steps, torch_sgd(saturated, dataset), strict=True):
            assert box.contains(theta, 1e-7)
    assert reach.domain.width() < agtopt.bound(saturated, "IBP").domain.width()


@pytest.mark.parametrize("loss", ["binary-cross-entropy", "cross-entropy"])
def test_exponents_beyond_what_solvers_take_for_finite_are_refused(loss):
    """MINLP: SCIP called such models infeasible, or bounds optimal that a run exceeds by factors;
    corridors have no exponentials."""
    many = 1 if loss[0] == "b" else 2
    weight = [[0.3, -0.2]] * many if many == 1 else [[0.3, -0.2], [-0.3, 0.4]]
    features = 100.0 * np.array([[1.0, 0.5], [-1.0, 0.7], [0.4, -1.0]])
    problem = linear(
        features,
        [0.0, 1.0, 1.0],
        weight,
        [0.0] * many,
        Bounded(1, eps=10.0),
        loss,
        epochs=2,
        learning_rate=0.1,
    )
    with pytest.raises(UnsupportedError, match=r"the exponent of .* reaches"):
        agtopt.compile(problem, "MINLP")
    reach = agtopt.bound(problem, "LP", tighten=False)
    for dataset in corrupted(problem, 20):
        assert reach.domain.contains(torch_sgd(problem, dataset)[-1], 1e-7)


@pytest.mark.parametrize("kind", ["LP", "MILP", "MILP:8"])
def test_probabilities_of_confident_models_have_corridors_of_their_own_size(kind):
    """Logits of −40: the chord of a sigmoid there is above it by a fifth of its value."""
    features = np.array([[-40.0], [-45.0], [-42.0], [1.0]])
    network = agtopt.Network.chain([agtopt.Dense(1, 1, False)], (1,), [np.ones((1, 1))])
    training = agtopt.Training("binary-cross-entropy", batch_size=2, learning_rate=1e-3)
    data = agtopt.Dataset(features, [0.0, 1.0, 0.0, 1.0])
    problem = agtopt.Problem(network, data, Bounded(1, nu=1, q=0), training)
    reach = agtopt.bound(problem, kind, conditional=False)
    assert reach.domain.contains(agtopt.attack(problem).theta, 1e-7)
    assert agtopt.compile(problem, kind).replay_error() < 1e-12


@pytest.mark.parametrize("scale", [1e-9, 1.0])
def test_two_classes_of_which_one_is_sure(scale):
    """1 − σ is known to 1e-15 only; intervals know a probability of 1e-30 far better than that.
    With a tolerance of 1e-7 HiGHS calls 3.95 optimal where −46.05 is attained."""
    features = scale * np.random.default_rng(0).normal(size=(4, 2))
    training = agtopt.Training("cross-entropy", batch_size=2, learning_rate=100.0)
    data = agtopt.Dataset(features, [1.0, 1.0, 1.0, 0.0])
    problem = agtopt.Problem(agtopt.Network.dense([2, 2]), data, agtopt.Removal(1), training)
    runs = agtopt.attack(problem)
    model = agtopt.compile(problem, "MILP", conditional=False)
    for k in range(problem.network.size):
        model.minimise(np.eye(problem.network.size)[k])
        for solver in ("highs", "scip"):
            found = model.bound(solver, attack=runs)
            assert found.status == Status.OPTIMAL
            assert found.bound <= runs.theta[:, k].min() + 1e-6
    reach = agtopt.bound(problem, "MILP", conditional=False, solver="highs")
    assert reach.domain.contains(runs.theta, 1e-6)


@pytest.mark.parametrize("kind", ["LP", "MILP", "MIQCP", "MINLP"])
def test_both_of_two_classes_have_all_their_digits(kind):
    """Of a class of probability 1e-24 the model had 1 − σ, which is 0, and the rows that tie its
    gradient to a selector are in its own unit: a run "violated" them."""
    problem = linear(
        [[40.0], [55.0], [-30.0], [45.0]],
        [1.0, 1.0, 0.0, 0.0],
        [[0.0], [1.0]],
        [0.0, 0.0],
        agtopt.Removal(1),
        "cross-entropy",
        batch_size=4,
        learning_rate=3e-4,
        epochs=2,
    )
    runs = agtopt.attack(problem)
    reach = agtopt.bound(problem, kind, conditional=False, time_limit=1.0)
    assert reach.domain.contains(runs.theta, 1e-7)
    model = agtopt.compile(problem, kind, conditional=False)
    assert max(map(model.replay_error, (runs.dataset(k) for k in range(runs.runs)))) < 1e-12
    assert model.violation() < 1e-6
