"""Certificates of whole test sets hold every admissible model, step by step."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

import agtopt
from agtopt import InvalidInputError
from agtopt.certificates import certified_history, certify_dataset
from agtopt.certificates.losses import loss_range
from agtopt.problem.loss import LOSSES
from agtopt.training.concrete import outputs, trajectories, trajectory
from tests.conftest import MODELS

NAMES = [
    "half-moons",
    "tiny-mlp",
    "separate-bce",
    "flips-cross-entropy",
    "flips-limited-multi-hinge",
    "labels-squared",
    "residual-momentum",
]


def torch_losses(problem, theta, x, y):
    """Per model and point, shape (runs, m), by torch's own losses."""
    z, name = torch.tensor(outputs(problem, theta, x)), problem.training.loss.name
    labels = torch.tensor(np.array(y)).expand(len(z), *np.shape(y))
    if name == "squared":
        return ((z - labels.reshape(z.shape)) ** 2).sum(dim=-1).numpy()
    if name == "hinge":
        return (1 - labels * z[..., 0]).clamp(min=0).numpy()
    if name == "binary-cross-entropy":
        return torch.nn.functional.binary_cross_entropy_with_logits(
            z[..., 0], labels, reduction="none"
        ).numpy()
    flat, classes = z.reshape(-1, z.shape[-1]), labels.long().reshape(-1)
    function = (
        torch.nn.functional.cross_entropy
        if name == "cross-entropy"
        else torch.nn.functional.multi_margin_loss
    )
    return function(flat, classes, reduction="none").reshape(z.shape[:-1]).numpy()


@pytest.mark.parametrize("kind", ["CROWN", "AFFINE"])
@pytest.mark.parametrize("eps", [0.0, 0.05])
@pytest.mark.parametrize("name", NAMES)
def test_the_loss_of_every_attacked_model_is_within_its_bounds(name, eps, kind):
    problem = agtopt.load(MODELS / name)
    x, y = problem.dataset.features, problem.dataset.labels
    runs = agtopt.attack(problem)
    found = certify_dataset(agtopt.bound(problem, kind), x, y, eps).losses
    shifts = [0.0] if eps == 0.0 else [-eps, 0.0, eps]
    for shift in shifts:
        seen = torch_losses(problem, runs.theta, x + shift, y)
        assert np.all(found.lower <= seen)
        assert np.all(seen <= found.upper)
        assert np.all((found.mean[0] <= seen.mean(axis=1)) & (seen.mean(axis=1) <= found.mean[1]))
    np.testing.assert_allclose(
        found.nominal, torch_losses(problem, trajectory(problem)[-1:], x, y)[0], atol=1e-9
    )


def test_loss_bounds_are_the_losses_where_nothing_moves():
    """As tight as the domain: over a point they are the loss itself."""
    problem = agtopt.load(MODELS / "flips-cross-entropy")
    theta = trajectory(problem)[-1]
    reach = agtopt.drivers.Reach(problem, agtopt.IBP, (agtopt.Interval.point(theta),), (), 0.0)
    found = certify_dataset(reach, problem.dataset.features, problem.dataset.labels).losses
    np.testing.assert_allclose(found.upper - found.lower, 0.0, atol=1e-9)


@pytest.mark.parametrize("name", ["hinge", "binary-cross-entropy", "cross-entropy", "multi-hinge"])
def test_losses_grow_with_every_margin(name):
    low = np.random.default_rng(0).normal(size=(50, 1 if LOSSES[name].outputs[1] == 1 else 3))
    high = low + np.abs(np.random.default_rng(1).normal(size=low.shape))
    least, most = loss_range(LOSSES[name], SimpleNamespace(margins=lambda: (low, high)))
    assert np.all(least <= most)
    assert np.any(least < most)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("half-moons", "LP"),
        ("half-moons", "AFFINE"),
        ("labels-squared", "AFFINE"),
        ("flips-cross-entropy", "LP"),
        ("residual-momentum", "AFFINE"),
    ],
)
def test_the_history_holds_every_attacked_run_at_every_step(name, kind):
    problem = agtopt.load(MODELS / name)
    x, y = problem.dataset.features, problem.dataset.labels
    reach = agtopt.bound(problem, kind)
    history = certified_history(reach, x, y)
    boxes = certified_history(replace(reach, affines=()), x, y)
    assert np.all(history["loss_upper"] <= boxes["loss_upper"])
    assert np.all(history["loss_lower"] >= boxes["loss_lower"])
    narrower = history["loss_upper"] < boxes["loss_upper"]
    assert narrower.iloc[1:].all() == (kind == "AFFINE")
    assert list(history["step"]) == list(range(problem.steps + 1))
    last = certify_dataset(reach, x, y)
    assert history["loss_upper"].iloc[-1] == last.losses.mean[1]
    assert history["loss_lower"].iloc[0] == pytest.approx(history["loss_upper"].iloc[0])
    if problem.classes is not None:
        assert history["certified"].iloc[-1] == last.points.certified_accuracy
        assert np.all(history["certified"] <= history["nominal"])
    some = certified_history(reach, x, y, steps=[problem.steps, 1])
    pd.testing.assert_frame_equal(some, history.iloc[[-1, 1]].reset_index(drop=True))
    for steps in ([problem.steps + 1], [-1], 1):
        with pytest.raises(InvalidInputError, match="steps"):
            certified_history(reach, x, y, steps=steps)
    for _, states in trajectories(problem, agtopt.attack(problem).datasets):
        for t, row in history.iterrows():
            seen = torch_losses(problem, states[:, t, : problem.network.size], x, y).mean(axis=1)
            assert np.all((row["loss_lower"] <= seen) & (seen <= row["loss_upper"]))


def test_safe_sets():
    problem = agtopt.load(MODELS / "flips-cross-entropy")
    x, y = problem.dataset.features, problem.dataset.labels
    reach = agtopt.bound(problem, "MILP", time_limit=10.0)
    every = certify_dataset(reach, x, y, safe=[problem.classes] * len(x))
    assert every.safe.all()
    found = certify_dataset(reach, x, y, safe=[{label} for label in y.astype(int)])
    np.testing.assert_array_equal(found.safe, found.points.correct)
    two = certify_dataset(reach, x, y, safe=[{0, label} for label in y.astype(int)])
    assert np.all(found.safe <= two.safe)
    assert certify_dataset(reach, x, y, safe=[set()] * len(x)).safe.sum() == 0
    with pytest.raises(InvalidInputError, match="do not fit"):
        certify_dataset(reach, x, y, safe=[{0}])
    with pytest.raises(InvalidInputError, match="is no class"):
        certify_dataset(reach, x, y, safe=[{7}] * len(x))


def test_the_table_is_ordered(half_moons, half_moons_reach, half_moons_hull):
    row = (
        certify_dataset(
            half_moons_reach,
            half_moons.dataset.features,
            half_moons.dataset.labels,
            attack=half_moons_hull,
        )
        .table()
        .iloc[0]
    )
    assert row["certified"] <= row["attacked"] <= row["nominal"]
    assert row["loss_lower"] <= row["loss"] <= row["loss_upper"]


def test_what_no_attack_has_tried_is_not_called_attacked(half_moons, half_moons_reach):
    found = certify_dataset(
        half_moons_reach, half_moons.dataset.features, half_moons.dataset.labels
    )
    assert "attacked" not in found.table()


def test_backdoors_certify_less_and_larger_triggers_less_still(half_moons, half_moons_reach):
    x, y = half_moons.dataset.features, half_moons.dataset.labels
    found = [
        certify_dataset(half_moons_reach, x, y, eps).points.certified_accuracy
        for eps in (0.0, 0.01, 0.1, 3.0)
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[2] > found[3] == 0.0


def test_labels_are_needed(half_moons, half_moons_reach):
    with pytest.raises(InvalidInputError, match="labels"):
        certify_dataset(half_moons_reach, half_moons.dataset.features, None)
