"""The case studies on data of a few samples: sound against attacks, shaped like the figures."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import agtopt
from agtopt import Bounded, Dataset, InvalidInputError, Network, Training
from agtopt.attacks.predictions import predicted
from agtopt.cases import (
    MOONS_SEEDS,
    digits_problem,
    flip_baselines,
    histories,
    household_problem,
    mixed_batches,
    moons_problem,
    one_seven_problem,
    pretrained,
    retina_problem,
    reviews_problem,
    steering_problem,
    stopping_step,
    sweep,
    without_drusen,
)
from agtopt.problem.architectures import conv_small, convolutions, pilotnet
from agtopt.readers.datasets import DRUSEN, NORMAL, Split
from agtopt.report import plot_bands
from agtopt.training.concrete import outputs, trajectory


def tabular(samples=60, inputs=4, classes=0, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(samples) % max(classes, 2)
    x = rng.normal(size=(samples, inputs)) + (labels[:, None] * 1.5 if classes else 0.0)
    y = labels if classes else x @ rng.normal(size=inputs)
    cut = samples * 2 // 3
    return Split(
        Dataset(x[:cut], y[:cut]),
        Dataset(x[cut:], y[cut:]),
        classes=tuple(map(str, range(classes))),
    )


def images(samples=48, shape=(1, 8, 8), seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(samples) % 4
    x = rng.random((samples, *shape)) * 0.4 + 0.2 * (labels == NORMAL).reshape(-1, 1, 1, 1)
    return Split(Dataset(x[:36], labels[:36]), Dataset(x[36:], labels[36:]))


def test_household_histories_widen_with_the_adversary():
    split = tabular()
    problem = household_problem(split, hidden=(6,), batch_size=15)
    assert (problem.steps, problem.training.loss.name) == (2, "squared")
    found = histories(
        problem,
        {f"{n}": Bounded(n, eps=0.05, nu=0.05) for n in (0, 1, 10)},
        split.test.features,
        split.test.labels,
    )
    uppers = [frame["loss_upper"].iloc[-1] for frame in found.values()]
    assert uppers[0] < uppers[1] < uppers[2]
    assert all(
        (frame["loss_lower"] <= frame["loss"]).all()
        and (frame["loss"] <= frame["loss_upper"]).all()
        for frame in found.values()
    )
    adversary = replace(problem, perturbation=Bounded(10, eps=0.05, nu=0.05))
    for data in adversary.perturbation.sample(adversary, 10, np.random.default_rng(0)):
        scores = outputs(adversary, trajectory(adversary, data)[-1:], split.test.features)[0, :, 0]
        loss = np.mean((scores - split.test.labels) ** 2)
        assert found["10"]["loss_lower"].iloc[-1] <= loss <= found["10"]["loss_upper"].iloc[-1]
    assert plot_bands(found).get_xlabel() == "training step"


@pytest.mark.parametrize("classes", [2, 3])
def test_digits_under_flips_beside_the_baselines(classes):
    split = tabular(90, classes=classes)
    problem = digits_problem(split, learning_rate=2.0)
    assert problem.training.loss.name == (
        "binary-cross-entropy" if classes == 2 else "cross-entropy"
    )
    found = sweep(
        problem,
        {n: Bounded(n, nu=1, q=0) for n in (0, 1, 3)},
        split.test.features,
        split.test.labels,
        "n",
    )
    assert found["certified"].is_monotonic_decreasing
    assert found["certified"].iloc[0] == found["nominal"].iloc[0] > 0.5
    others = flip_baselines(problem, split, (0, 1, 3), parts=(9,), noise=(0.05,))
    assert list(others.index) == [0, 1, 3]
    assert all(column.is_monotonic_decreasing for _, column in others.items())
    assert others.iloc[0].min() > 0.4


def test_moons_are_those_of_fullcert():
    """The epochs that its own arithmetic keeps on what its script draws, and what is certified
    then."""
    for seed, epoch, certified in ((MOONS_SEEDS[1], 6, 0.865), (MOONS_SEEDS[9], 4, 0.875)):
        found = moons_problem(1e-3, seed, epochs=16)
        reach = agtopt.bound(found.problem, agtopt.IBP)
        steps = range(10, found.problem.steps + 1, 10)
        history = agtopt.certified_history(
            reach, found.validation.features, found.validation.labels, 1e-3, steps
        )
        assert stopping_step(history) == 10 * epoch
        kept = agtopt.certified_history(
            reach, found.test.features, found.test.labels, 1e-3, [10 * epoch]
        )
        assert kept["certified"].iloc[0] == certified
    problem = replace(
        found.problem,
        training=replace(found.problem.training, batches=found.problem.training.batches[:10]),
    )
    assert problem.perturbation == Bounded(1000, eps=1e-3)
    for data in problem.perturbation.sample(problem, 5, np.random.default_rng(0)):
        assert reach.steps[10].contains(trajectory(problem, data)[-1])


def test_moons_leave_the_generators_of_others_alone():
    before, drawn = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, again = moons_problem(0.01, 3, epochs=1), moons_problem(0.01, 3, epochs=1)
    assert (
        first.problem.fingerprint
        == again.problem.fingerprint
        != moons_problem(0.01, 4, epochs=1).problem.fingerprint
    )
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(drawn, np.random.get_state()[1])
    with pytest.raises(InvalidInputError, match="seed"):
        moons_problem(0.01, 2**32)


def test_training_stops_before_the_certified_accuracy_has_fallen():
    table = pd.DataFrame({"step": range(0, 60, 10), "certified": [0.2, 0.5, 0.5, 0.46, 0.3, 0.9]})
    assert stopping_step(table) == 10
    assert stopping_step(table, drop=0.5) == 50
    assert stopping_step(table[:1]) == 0
    with pytest.raises(InvalidInputError, match="drop"):
        stopping_step(table, drop=-0.1)
    for empty in (table[:0], table.drop(columns="certified"), table.drop(columns="step")):
        with pytest.raises(InvalidInputError, match="certified"):
            stopping_step(empty)


def test_one_seven_moves_everything():
    split = tabular(60, 5, 2)
    problem = one_seven_problem(
        split, Network.dense([5, 4, 1], seed=0), 1e-3, epochs=3, learning_rate=0.1
    )
    assert problem.perturbation == Bounded(40, eps=1e-3)
    reach = agtopt.bound(problem, agtopt.IBP)
    found = agtopt.certify(reach, split.test.features, split.test.labels, eps=1e-3)
    assert found.certified_accuracy <= found.nominal_accuracy
    for data in problem.perturbation.sample(problem, 5, np.random.default_rng(0)):
        assert reach.domain.contains(trajectory(problem, data)[-1])


def test_reviews_under_replacement():
    split = tabular(60, 5, 2)
    problem = reviews_problem(split, hidden=(4,), learning_rate=1.0)
    found = agtopt.private_predictions(agtopt.ladder(problem, range(1, 4)), split.test.features)
    assert found.distance.max() <= 3


def test_batches_are_mixed_in_the_share_asked_for():
    batches = mixed_batches(range(30), range(30, 40), 6, 0.5, seed=1)
    assert len(batches) == 3
    for batch in batches:
        assert (np.array(batch) >= 30).sum() == 3
    flat = np.concatenate(batches)
    assert len(set(flat)) == len(flat)
    assert batches != mixed_batches(range(30), range(30, 40), 6, 0.5, seed=2)
    for size, share in ((6, 0.0), (6, 1.5), (60, 0.5), (100, 0.1)):
        with pytest.raises(InvalidInputError):
            mixed_batches(range(30), range(30, 40), size, share)


def test_retina_fine_tuning_touches_drusen_only():
    split = images()
    network = pretrained(
        conv_small((1, 8, 8), width=0.125),
        without_drusen(split),
        Training("binary-cross-entropy", learning_rate=0.01),
    )
    assert (
        DRUSEN
        not in split.train.labels[
            np.isin(split.train.features, without_drusen(split).features).all(axis=(1, 2, 3))
        ]
    )
    problem, X, y = retina_problem(split, network, batch_size=12, epochs=1, learning_rate=0.01)
    np.testing.assert_array_equal(split.train.labels[list(problem.perturbation.vulnerable)], DRUSEN)
    np.testing.assert_array_equal(y, split.test.labels != NORMAL)
    adversary = replace(
        problem, perturbation=replace(problem.perturbation, n=1, eps=0.01, nu=1.0, q=0)
    )
    reach = agtopt.bound(adversary, agtopt.IBP)
    for node in convolutions(network):
        moved = reach.domain.upper - reach.domain.lower
        weights = problem.network.unflatten(moved)[f"{node}_weight"]
        assert not weights.any()
    stable = agtopt.certify(reach, X).stable
    nominal = predicted(problem, trajectory(problem)[-1], X)
    for data in adversary.perturbation.sample(adversary, 6, np.random.default_rng(0)):
        theta = trajectory(adversary, data)[-1]
        assert reach.domain.contains(theta)
        assert (predicted(problem, theta, X) == nominal)[stable].all()


def test_steering_touches_the_new_drive_only():
    rng = np.random.default_rng(0)
    day, dusk = (
        Split(*(Dataset(rng.random((n, 3, 6, 9)), rng.normal(0, 0.2, n)) for n in (20, 6)))
        for _ in range(2)
    )
    network = pilotnet((3, 6, 9), width=0.1)
    problem = steering_problem(
        day, dusk, network, batch_size=4, share=0.5, epochs=1, learning_rate=0.01
    )
    assert min(problem.perturbation.vulnerable) >= 20
    found = sweep(
        problem,
        {n: replace(problem.perturbation, n=n, nu=0.05) for n in (0, 3)},
        dusk.test.features,
        dusk.test.labels,
        "n",
    )
    width = found["loss_upper"] - found["loss_lower"]
    assert 0 <= width.iloc[0] < 1e-3 * width.iloc[1]
    with pytest.raises(InvalidInputError, match="shapes"):
        steering_problem(
            day,
            Split(*(Dataset(rng.random((4, 3, 6, 8)), np.zeros(4)) for _ in range(2))),
            network,
            batch_size=4,
        )


def test_sweeps_say_what_does_not_fit():
    split = tabular()
    problem = household_problem(split, hidden=(3,), batch_size=20)
    with pytest.raises(InvalidInputError, match="eps"):
        sweep(problem, {1: Bounded(1)}, split.test.features, split.test.labels, "n", eps={2: 0.1})
    with pytest.raises(InvalidInputError, match="none"):
        sweep(problem, {}, split.test.features, split.test.labels, "n")
