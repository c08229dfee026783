"""The decomposition by brute force: gradients on a grid, every choice of samples."""

from itertools import combinations, product

import numpy as np
import pytest

import agtopt
from agtopt import (
    CROWN,
    MIQCP,
    Bounded,
    Removal,
    Substitution,
    bound_samplewise,
)
from tests.drivers.samplewise.cases import one_unit


def sample_gradients(problem, theta, x, y):
    """By hand, (m, 4) for m rows of parameters, features and labels."""
    w, b, v, c = theta.T
    z = w * x + b
    a = np.maximum(z, 0.0)
    output = v * a + c
    delta = (
        2.0 * (output - y)
        if problem.training.loss.name == "squared"
        else -y * (1.0 - y * output > 0)
    )
    hidden = delta * v * (z > 0)
    found = np.stack([hidden * x, hidden, delta * a, delta], axis=1)
    return (
        found
        if problem.training.clip is None
        else found.clip(-problem.training.clip, problem.training.clip)
    )


def hull(problem, box, features, labels, parts=9):
    """Of the gradients over a grid of a box of parameters, features and labels."""
    axes = [
        np.unique(np.linspace(low, high, parts))
        for low, high in (*zip(box.lower, box.upper, strict=True), features)
    ]
    grid = np.array(list(product(*axes, labels)))
    found = sample_gradients(problem, grid[:, :4], grid[:, 4], grid[:, 5])
    return np.stack([found.min(axis=0), found.max(axis=0)])


def aggregated(problem, t, box):
    """The box of the next parameters: the extreme mean over all choices of touched samples."""
    data, model, batch = problem.dataset, problem.perturbation, problem.schedule[t].tolist()
    still = {i: hull(problem, box, (data.features[i, 0],) * 2, [data.labels[i]]) for i in batch}
    if isinstance(model, Substitution):
        ends = hull(
            problem,
            box,
            (float(model.features[0]), float(model.features[1])),
            model.labels or (-1.0, 1.0),
        )
        touched = dict.fromkeys(batch, ends)
    elif isinstance(model, Bounded):
        reach = np.array([-model.eps, model.eps])
        labels = {
            i: [-data.labels[i], data.labels[i]]
            if model.q == 0
            else data.labels[i] + model.nu * np.linspace(-1, 1, 3)
            for i in batch
        }
        touched = {
            i: hull(
                problem,
                box,
                data.features[i, 0] + reach,
                labels[i] if model.nu else [data.labels[i]],
            )
            for i in batch
        }
    means = []
    for count in range(model.budget + 1):
        for chosen in combinations([i for i in batch if i in model.touchable(problem)], count):
            if isinstance(model, Removal):
                means.append(np.mean([still[i] for i in batch if i not in chosen], axis=0))
            else:
                means.append(
                    np.mean([touched[i] if i in chosen else still[i] for i in batch], axis=0)
                )
    rate = problem.training.learning_rate
    return box.lower - rate * np.max(means, axis=0)[1], box.upper - rate * np.min(means, axis=0)[0]


@pytest.mark.parametrize(
    ("model", "loss", "clip"),
    [
        (Bounded(1, eps=0.2), "squared", None),
        (Bounded(2, eps=0.1, nu=0.2), "squared", None),
        (Bounded(2, eps=0.3, vulnerable=[0]), "squared", None),
        (Bounded(1, eps=0.2, nu=1, q=0), "hinge", None),
        (Bounded(2, nu=1, q=0), "hinge", 0.3),
        (Removal(2), "squared", None),
        (Substitution(1, features=(-1.0, 0.5), labels=(-0.5, 0.8)), "squared", None),
        (Substitution(2, features=(-1.0, 0.5)), "hinge", 0.2),
    ],
    ids=str,
)
def test_the_exact_kind_is_the_brute_force_over_grids_and_choices(model, loss, clip):
    problem = one_unit(model, loss, clip)
    reach = bound_samplewise(problem, MIQCP)
    for t in range(2):
        lower, upper = aggregated(problem, t, reach.states[t])
        after, width = reach.states[t + 1], upper - lower
        # The grid is an inner bound; its error is second order in its mesh.
        assert np.all(after.lower <= lower + 1e-12)
        assert np.all(upper <= after.upper + 1e-12)
        assert np.all(lower - after.lower <= 0.01 * width + 1e-5)
        assert np.all(after.upper - upper <= 0.01 * width + 1e-5)
    assert (
        loss == "hinge" or agtopt.bound(problem, CROWN).domain.width() > 1.02 * reach.domain.width()
    )
