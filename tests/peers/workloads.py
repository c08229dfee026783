"""The workloads on which two public implementations were measured, with their data and initial
weights (torch.nn.Linear's).

The figures are of AbstractGradientTraining (IBP with exact interval products, and CROWN), on one
thread.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from agtopt import (
    Bounded,
    Conv2d,
    Dataset,
    Dense,
    Flatten,
    Network,
    Problem,
    ReLU,
    Removal,
    Substitution,
    Training,
)

HERE = Path(__file__).parent

WIDTH_ROOM = 1e-5
"""Their widths were measured to six digits, and are not rounded outward."""


@dataclass(frozen=True)
class Workload:
    """A problem, and the total width and the ratio to plain torch training that the other
    implementation needs."""

    problem: Problem
    ibp_width: float
    ibp_ratio: float
    crown_width: float | None = None
    crown_ratio: float | None = None


def network(sizes):
    with np.load(HERE / f"init_{'-'.join(map(str, sizes))}.npz") as weights:
        tensors = [weights[f"{kind}{k}"] for k in range(len(sizes) - 1) for kind in ("W", "b")]
    layers = [
        part for inputs, outputs in pairwise(sizes) for part in (Dense(inputs, outputs), ReLU())
    ]
    return Network.chain(layers[:-1], (sizes[0],), tensors)


def data(name):
    with np.load(HERE / f"{name}.npz") as arrays:
        return Dataset(arrays["x"], arrays["y"].astype(float))


def moons(loss, outputs, perturbation, clip=None):
    return Problem(
        network([2, 128, outputs]),
        data("moons3000"),
        perturbation,
        Training(loss, epochs=4, learning_rate=1.0, clip=clip),
    )


def regression(*hidden):
    return Problem(
        network([11, *hidden, 1]),
        data("reg11"),
        Bounded(100, eps=0.01),
        Training("squared", batch_size=10_000, learning_rate=0.02),
    )


def convolutional():
    """Two fixed convolutions, of which the layers behind are trained, on images of 28 × 28
    pixels."""
    with np.load(HERE / "init_conv.npz") as weights, np.load(HERE / "img28.npz") as images:
        tensors = [weights[name] for name in ("C0", "c0", "C1", "c1", "W0", "b0", "W1", "b1")]
        data = Dataset(images["x"][:, np.newaxis] / 255.0, images["y"].astype(float))
    layers = [
        Conv2d(1, 16, 4, stride=2),
        ReLU(),
        Conv2d(16, 32, 4),
        ReLU(),
        Flatten(),
        Dense(3200, 100),
        ReLU(),
        Dense(100, 1),
    ]
    training = Training(
        "binary-cross-entropy",
        batch_size=600,
        epochs=2,
        learning_rate=0.05,
        frozen=("conv2d1", "conv2d2"),
    )
    return Problem(
        Network.chain(layers, (1, 28, 28), tensors), data, Bounded(50, eps=0.02), training
    )


def box():
    x = data("moons3000").features
    return x.min(axis=0), x.max(axis=0)


def workloads():
    """All of them by name."""
    found = {}
    for short, loss, outputs, figures in (
        (
            "bce",
            "binary-cross-entropy",
            1,
            (
                (0.890064, 187, 1.110),
                (11.7026, 183, None),
                (5.57320, 122, None),
                (0.952903, 122, None),
            ),
        ),
        (
            "ce",
            "cross-entropy",
            2,
            (
                (2.63041, 208, 2.977),
                (28.2723, 203, None),
                (13.7152, 132, None),
                (1.79810, 133, None),
            ),
        ),
    ):
        models = (
            ("feat20", Bounded(20, eps=0.01), None),
            ("label5", Bounded(5, nu=1, q=0), None),
            ("unlearn5", Removal(5), None),
            ("privacy5", Substitution(5), 0.06),
        )
        for (name, model, clip), (width, ratio, crown) in zip(models, figures, strict=True):
            found[f"moons-{short}-{name}"] = Workload(
                moons(loss, outputs, model, clip), width, ratio, crown
            )
    found["reg-shallow"] = Workload(regression(50), 0.0337898, 892, 0.03077)
    found["reg-deep"] = Workload(regression(64, 64, 64), 1.07227, 1474, 0.081, 8800)
    found["conv-tune"] = Workload(convolutional(), 69.0455, 996)
    return {
        name: replace(load, problem=replace(load.problem, name=name))
        for name, load in found.items()
    }
