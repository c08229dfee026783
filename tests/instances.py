"""Random small problems; plain torch SGD, the independent reference of the suite, is in
`tests.reference`."""

from dataclasses import replace

import numpy as np

import agtopt
from agtopt import Bounded, Dataset, Network, Problem, Training
from tests.reference import torch_model, torch_sgd, torch_states

__all__ = [
    "COMBINATIONS",
    "KINDS",
    "corrupted",
    "random_problem",
    "torch_model",
    "torch_sgd",
    "torch_states",
    "with_reach",
]

COMBINATIONS = [
    (depth, loss, reach)
    for depth in (1, 2)
    for loss, reaches in (
        ("hinge", ("flips", "features", "both")),
        ("squared", ("labels", "features", "both")),
    )
    for reach in reaches
]
"""Every depth, loss and reach of the adversary that the losses admit."""

KINDS = (agtopt.LP, agtopt.QCP, agtopt.MILP, agtopt.MIQCP)


def random_problem(
    seed, depth, loss, reach, samples=None, steps=None, n=None, vulnerable=None, eps=0.05
):
    """A problem of 4–8 samples and 2–3 steps; `vulnerable` None leaves it to chance."""
    rng = np.random.default_rng([seed, depth, *map(ord, loss + reach)])
    samples = samples or int(rng.integers(4, 9))
    steps = steps or int(rng.integers(2, 4))
    outputs = int(rng.integers(1, 3)) if loss == "squared" and seed % 3 == 0 else 1
    inputs = int(rng.integers(1, 4))
    network = Network.dense([inputs, *[2] * (depth - 1), outputs], seed=seed)
    labels = (
        rng.choice([-1.0, 1.0], samples) if loss == "hinge" else rng.normal(size=(samples, outputs))
    )
    if loss == "squared" and outputs == 1 and seed % 2:
        labels = labels[:, 0]
    some = rng.choice(samples, size=max(2, samples // 2), replace=False)
    chosen = (None if rng.random() < 0.5 else some.tolist()) if vulnerable is None else vulnerable
    return Problem(
        network,
        Dataset(rng.normal(size=(samples, inputs)), labels),
        Bounded(
            n=n if n is not None else int(rng.integers(1, 3)),
            eps=eps if reach in ("features", "both") else 0.0,
            nu=0.0 if reach == "features" else (1.0 if loss == "hinge" else 0.2),
            q=0 if loss == "hinge" else np.inf,
            vulnerable=chosen,
        ),
        random_training(rng, seed, loss, samples, steps),
        name=f"random{seed}",
    )


def random_training(rng, seed, loss, samples, steps):
    """Whole batches over several epochs, an incomplete last batch, or explicit batches; with and
    without shuffling and decay."""
    common = {
        "learning_rate": 0.5 if loss == "hinge" else 0.1,
        "decay": float(rng.choice([0.0, 0.5])),
    }
    if seed % 4 == 0:
        return Training(loss, epochs=steps, **common)
    if seed % 4 == 1:
        order = rng.permutation(samples).tolist()
        cuts = np.array_split(order, steps)
        return Training(loss, batches=[cut.tolist() for cut in cuts], **common)
    size = -(-samples // steps)
    return Training(
        loss,
        batch_size=size + (samples % size == 0 and size * (steps - 1) < samples - 1),
        seed=seed,
        **common,
    )


def corrupted(problem, count, seed=0):
    """Random admissible datasets."""
    return list(problem.perturbation.sample(problem, count, np.random.default_rng(seed)))


def with_reach(problem, **changes):
    """The same problem under a changed perturbation model."""
    return replace(problem, perturbation=replace(problem.perturbation, **changes))
