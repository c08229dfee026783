"""The gradients of the losses with respect to the network's output."""

from functools import singledispatch
from typing import Any

from agtopt.errors import UnsupportedError
from agtopt.problem.loss import Hinge, Loss, SquaredError
from agtopt.program.operations import Ops


@singledispatch
def loss_gradient(loss: Loss, ops: Ops, z: Any, y: Any) -> Any:
    """∂L/∂z (n, outputs) for outputs z (n, outputs) and encoded labels y (register a function per loss)."""
    raise UnsupportedError(f"training.loss: {loss.name!r} has no gradient")


@loss_gradient.register
def _(loss: SquaredError, ops: Ops, z: Any, y: Any) -> Any:
    """∂L/∂z = 2 (z − y)."""
    return ops.scale(2.0, ops.add(z, ops.scale(-1.0, y)))


@loss_gradient.register
def _(loss: Hinge, ops: Ops, z: Any, y: Any) -> Any:
    """∂L/∂z = Σ_c −c · 1[y = c] · 1[1 − c z > 0]: one indicator per label value, selected by the label."""
    terms = []
    for index, c in enumerate(loss.classes or ()):
        margin = ops.add(ops.constant(1.0), ops.scale(-c, z))
        active = ops.positive(margin, ops.column(y, index), f"loss.active_{'minus' if c < 0 else 'plus'}")
        terms.append(ops.scale(-c, active))
    return ops.add(*terms)
