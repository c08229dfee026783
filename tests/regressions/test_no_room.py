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
