"""The gradients of the losses with respect to the network's output."""

from typing import Any

import numpy as np

from agtopt.problem.loss import (
    BinaryCrossEntropy,
    CrossEntropy,
    Hinge,
    Loss,
    MultiHinge,
    SquaredError,
)
from agtopt.program.forward import sum_of
from agtopt.program.operations import Maths
from agtopt.verbs import unregistered, verb


@verb
def loss_gradient(loss: Loss, ops: Maths, z: Any, y: Any, outputs: int) -> Any:
    """∂L/∂z (n, outputs) for outputs z (n, outputs) and encoded labels y (register a function per
    loss)."""
    raise unregistered("training.loss", loss, loss_gradient, "A loss")


@loss_gradient.register
def _(loss: SquaredError, ops: Maths, z: Any, y: Any, outputs: int) -> Any:
    """∂L/∂z = 2 (z − y)."""
    return ops.scale(2.0, ops.add(z, ops.scale(-1.0, y)))


@loss_gradient.register
def _(loss: Hinge, ops: Maths, z: Any, y: Any, outputs: int) -> Any:
    """∂L/∂z = Σ_c −c · 1[y = c] · 1[1 − c z > 0]: one indicator per label value, selected by the
    label."""
    terms = []
    for index, c in enumerate(loss.classes(outputs)):
        margin = ops.add(ops.constant(1.0), ops.scale(-c, z))
        active = ops.positive(
            margin, ops.column(y, index), f"loss.active_{'minus' if c < 0 else 'plus'}"
        )
        terms.append(ops.scale(-c, active))
    return sum_of(ops, terms)


@loss_gradient.register
def _(loss: BinaryCrossEntropy, ops: Maths, z: Any, y: Any, outputs: int) -> Any:
    """∂L/∂z = σ(z) − y."""
    return ops.add(ops.sigmoid(z, "loss.probability"), ops.scale(-1.0, ops.column(y, 1)))


@loss_gradient.register
def _(loss: CrossEntropy, ops: Maths, z: Any, y: Any, outputs: int) -> Any:
    """∂L/∂z = softmax(z) − y."""
    return ops.add(ops.softmax(z, "loss.probability"), ops.scale(-1.0, y))


@loss_gradient.register
def _(loss: MultiHinge, ops: Maths, z: Any, y: Any, outputs: int) -> Any:
    """∂L/∂z = (1/C) Σ_c Σ_{j≠c} 1[y = c] · 1[1 − z_c + z_j > 0] · (e_j − e_c): one indicator per
    pair, selected by the label."""
    unit, terms = np.eye(outputs), []
    for c in range(outputs):
        for j in range(outputs):
            if j == c:
                continue
            margin = ops.add(
                ops.constant(1.0), ops.add(ops.column(z, j), ops.scale(-1.0, ops.column(z, c)))
            )
            active = ops.positive(margin, ops.column(y, c), f"loss.active_{c}_{j}")
            direction = ops.constant((unit[j] - unit[c])[np.newaxis] / outputs)
            terms.append(ops.contract("na,ac->nc", active, direction, f"loss.pair_{c}_{j}"))
    return sum_of(ops, terms)
