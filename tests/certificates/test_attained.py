"""S9: what is said of points is compared with what trained models say, on both sides."""

import numpy as np
import pytest

import agtopt
from agtopt import SoundnessError
from agtopt.certificates import attained, dataset, end_to_end, prediction
from agtopt.certificates.attained import check_outputs
from agtopt.training.concrete import outputs, trajectory
from tests.conftest import MODELS
from tests.instances import random_problem


@pytest.fixture(scope="module")
def reach():
    return agtopt.bound(random_problem(1, 1, "hinge", "flips", samples=4, n=1), "IBP")


def lying_scores(monkeypatch, module, change):
    honest = module.score_bounds
    monkeypatch.setattr(
        module, "score_bounds", lambda *arguments, **options: change(*honest(*arguments, **options))
    )


@pytest.mark.parametrize("sense", [-1, 1])
@pytest.mark.parametrize("relative", [1e-9, 1.0])
def test_scores_that_exclude_the_nominal_model(monkeypatch, reach, sense, relative):
    """Without an attack, and by little."""
    points = reach.problem.dataset.features
    scores = outputs(reach.problem, trajectory(reach.problem)[-1:], points)[0]
    beyond = scores - sense * relative * (1.0 + np.abs(scores))

    def change(low, high):
        return (
            (np.minimum(low, beyond), beyond) if sense > 0 else (beyond, np.maximum(high, beyond))
        )

    lying_scores(monkeypatch, prediction, change)
    with pytest.raises(SoundnessError, match="S9: the outputs of points"):
        agtopt.certify(reach, points)


@pytest.mark.parametrize("loss", ["hinge", "squared"])
def test_the_last_run_of_an_attack_is_compared_like_the_first(monkeypatch, loss):
    """However few outputs are held at once; a regression has no classes to be ruled out."""
    reach = agtopt.bound(random_problem(1, 1, loss, "both", samples=4, n=1), "IBP")
    runs, points = agtopt.attack(reach.problem), reach.problem.dataset.features[:1]
    found = agtopt.certify(reach, points)
    scores = outputs(reach.problem, runs.theta, points)
    inside = ((found.lower <= scores) & (scores <= found.upper)).all()
    assert inside
    monkeypatch.setattr(attained, "CHUNK", 1)
    check_outputs(found, runs.theta)
    beyond = runs.theta[-1].copy()
    beyond[reach.problem.network.parameter_names.index("dense1_bias[0]")] += 1e3
    with pytest.raises(SoundnessError, match="S9: the outputs of points"):
        check_outputs(found, np.vstack([runs.theta, beyond]))


def test_scores_that_exclude_an_attack_only(monkeypatch, reach):
    points = reach.problem.dataset.features
    scores = outputs(reach.problem, trajectory(reach.problem)[-1:], points)[0]
    lying_scores(monkeypatch, prediction, lambda *_: (scores - 1e-3, scores + 1e-3))
    agtopt.certify(reach, points)
    with pytest.raises(SoundnessError, match="S9: the outputs of points"):
        agtopt.certify(reach, points, attack=agtopt.attack(reach.problem))


def test_a_class_that_is_ruled_out_and_predicted(monkeypatch):
    problem = agtopt.load(MODELS / "flips-cross-entropy")
    honest = prediction._by_margins

    def lying(*arguments):
        left = honest(*arguments)
        left[:, 0] = False
        return left

    monkeypatch.setattr(prediction, "_by_margins", lying)
    with pytest.raises(SoundnessError, match="S9: the class that a training run predicts"):
        agtopt.certify(agtopt.bound(problem, "IBP"), problem.dataset.features)


def test_a_margin_over_the_run_that_excludes_a_run(monkeypatch, reach):
    """What is known of a margin before any solve: a lower bound above what a run attains."""
    runs, shape = agtopt.attack(reach.problem), reach.problem.dataset.features.shape[1:]
    points = np.random.default_rng(0).normal(size=(200, *shape))
    points = points[np.array(agtopt.certify(reach, points, attack=runs).verdicts) == "unknown"][:2]
    assert len(points)
    lying_scores(monkeypatch, end_to_end, lambda low, high: (low + 100.0, high + 100.0))
    with pytest.raises(SoundnessError, match=r"S9: the bound .* on margin"):
        agtopt.certify_end_to_end(reach, points, attack=runs)


@pytest.mark.parametrize("attacked", [False, True])
def test_losses_that_exclude_a_run(monkeypatch, reach, attacked):
    data, runs = reach.problem.dataset, agtopt.attack(reach.problem)
    honest = dataset.loss_bounds

    def lying(*arguments):
        found = honest(*arguments)
        width = 1e-6 if attacked else -1e-6
        return type(found)(found.nominal - width, found.nominal + width, found.nominal)

    monkeypatch.setattr(dataset, "loss_bounds", lying)
    with pytest.raises(SoundnessError, match="S9: the losses of points"):
        agtopt.certify_dataset(reach, data.features, data.labels, attack=runs if attacked else None)
