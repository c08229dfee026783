"""Problems whose samples are bounded one by one, and what their domains must hold."""

import numpy as np
import pytest

from agtopt import (
    Dataset,
    Network,
    Problem,
    Training,
)
from tests.matrix import CELLS
from tests.reference import torch_states

TOLERATED = 1e-6
"""What kinds may differ by that nest: the outward margin of bounds."""

# Every perturbation model, loss and layer, small enough for SCIP.
CHOSEN = [
    cell
    for cell in CELLS
    if str(cell)
    in {
        "box-hinge-shuffled-unbiased-n2-plain",
        "l2-multi-hinge-shrinking-unbiased-n1-cuts",
        "l1-binary-cross-entropy-shuffled-linear-n1-cuts",
        "labels-multi-hinge-floor-leaky-n1-plain",
        "targeted-multi-hinge-shuffled-pool-n1-cuts",
        "targeted-cross-entropy-frozen-residual-n1-plain",
        "both-multi-hinge-frozen-rectified-n2-cuts",
        "both-hinge-batches-residual-n1-cuts",
        "separate-multi-hinge-batches-linear-n1-cuts",
        "separate-hinge-heavy-unbiased-n1-cuts",
        "removal-squared-batches-residual-n1-cuts",
        "substitution-multi-hinge-plain-leaky-n1-cuts",
        "substitution-squared-clip-residual-n1-cuts",
        "substitution-cross-entropy-batches-convolution-n1-cuts",
    }
]
every_cell = pytest.mark.parametrize("cell", CHOSEN, ids=str)


def assert_within(inner, outer, slack=TOLERATED):
    for one, other in zip(inner.states, outer.states, strict=True):
        size = 1.0 + np.maximum(np.abs(other.lower), np.abs(other.upper))
        assert np.all(one.lower >= other.lower - slack * size), float(
            np.max(other.lower - one.lower)
        )
        assert np.all(one.upper <= other.upper + slack * size), float(
            np.max(one.upper - other.upper)
        )


def assert_holds_runs(reach, datasets):
    for dataset in datasets:
        for t, (box, state) in enumerate(
            zip(reach.states, torch_states(reach.problem, dataset), strict=True)
        ):
            assert box.contains(state, 1e-9), (reach.method, t)


def one_unit(model, loss="squared", clip=None):
    """v max(0, w x + b) + c with both signs of the pre-activation, 4 samples, one batch of 3 and
    one of 4."""
    rng = np.random.default_rng(5)
    network = Network.dense([1, 1, 1], seed=1)
    labels = rng.normal(size=4) if loss == "squared" else np.array([1.0, -1.0, -1.0, 1.0])
    training = Training(loss, batches=[[0, 1, 3], [0, 1, 2, 3]], learning_rate=0.3, clip=clip)
    return Problem(network, Dataset(rng.normal(size=(4, 1)), labels), model, training)
