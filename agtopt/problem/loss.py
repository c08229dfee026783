"""The losses: which labels they take; their gradients are written in `program.loss`."""

from dataclasses import dataclass
from math import inf
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import InvalidInputError
from agtopt.frozen import Unchanging, frozen

Classes = tuple[int, ...]


@dataclass(frozen=True)
class Loss(Unchanging):
    """Base of all losses.

    Attributes
    ----------
    name : str
    outputs : (int, int or None)
        Fewest and most outputs of the network that the loss takes; None for any number.
    least : float
        No loss is below it; −∞ if nothing is known.
    kinks : tuple of float
        Outputs at which the gradient jumps, of a loss that is linear in between; empty for any
        other.
    """

    name: ClassVar[str]
    outputs: ClassVar[tuple[int, int | None]] = (1, None)
    least: ClassVar[float] = -inf
    kinks: ClassVar[tuple[float, ...]] = ()

    def classes(self, outputs: int) -> Classes | None:
        """The class labels, ascending, for a network with this many outputs; None for a regression
        target.

        What is predicted is the class of the largest output; one output decides between two classes
        by its sign.
        """
        return None

    def check(self, field: str, labels: NDArray[np.float64], outputs: int) -> None:
        """Raise InvalidInputError where the network's outputs or labels (N,) or (N, outputs) do not
        fit."""
        fewest, most = self.outputs
        if outputs < fewest or (most is not None and outputs > most):
            wanted = str(fewest) if fewest == most else f"at least {fewest}"
            raise InvalidInputError(
                f"network: {outputs} outputs do not fit loss {self.name!r}, which takes {wanted}"
            )
        classes = self.classes(outputs)
        if classes is None:
            if labels.shape[1:] not in ((outputs,), () if outputs == 1 else (outputs,)):
                raise InvalidInputError(
                    f"{field}: shape {labels.shape} does not fit {outputs} outputs of the network; "
                    f"loss {self.name!r} takes targets (N, {outputs})" + " or (N,)" * (outputs == 1)
                )
            return
        if len(classes) != max(outputs, 2) or list(classes) != sorted(set(classes)):
            raise InvalidInputError(
                f"training.loss: the classes {classes} of {self.name!r} do not fit {outputs} "
                f"outputs; they must ascend, one for each "
                "output, or two for a single one"
            )
        if labels.ndim != 1:
            raise InvalidInputError(
                f"{field}: shape {labels.shape} is not allowed; loss {self.name!r} takes class "
                f"labels (N,)"
            )
        unknown = ~np.isin(labels, classes)
        if unknown.any():
            raise InvalidInputError(
                f"{field}: {labels[unknown][0]:g} is not allowed; loss {self.name!r} takes the "
                f"labels {', '.join(map(str, classes))}"
            )


@dataclass(frozen=True)
class SquaredError(Loss):
    """L = Σ_c (z_c − y_c)², for any number of outputs."""

    name: ClassVar[str] = "squared"
    least: ClassVar[float] = 0.0


@dataclass(frozen=True)
class Hinge(Loss):
    """L = max(0, 1 − y z) with y ∈ {−1, +1} and one output."""

    name: ClassVar[str] = "hinge"
    outputs: ClassVar[tuple[int, int | None]] = (1, 1)
    least: ClassVar[float] = 0.0
    kinks: ClassVar[tuple[float, ...]] = (-1.0, 1.0)

    def classes(self, outputs: int) -> Classes:
        return (-1, 1)


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """L = softplus(z) − y z with y ∈ {0, 1} and one logit z."""

    name: ClassVar[str] = "binary-cross-entropy"
    outputs: ClassVar[tuple[int, int | None]] = (1, 1)
    least: ClassVar[float] = 0.0

    def classes(self, outputs: int) -> Classes:
        return (0, 1)


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """L = logsumexp(z) − z_y with y ∈ {0, …, C−1} and C logits."""

    name: ClassVar[str] = "cross-entropy"
    outputs: ClassVar[tuple[int, int | None]] = (2, None)
    least: ClassVar[float] = 0.0

    def classes(self, outputs: int) -> Classes:
        return tuple(range(outputs))


@dataclass(frozen=True)
class MultiHinge(Loss):
    """L = (1/C) Σ_{j≠y} max(0, 1 − z_y + z_j) with y ∈ {0, …, C−1}, as ``torch.nn.MultiMarginLoss``
    (Weston and Watkins, 1999)."""

    name: ClassVar[str] = "multi-hinge"
    outputs: ClassVar[tuple[int, int | None]] = (2, None)
    least: ClassVar[float] = 0.0

    def classes(self, outputs: int) -> Classes:
        return tuple(range(outputs))


LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (SquaredError(), Hinge(), BinaryCrossEntropy(), CrossEntropy(), MultiHinge())
}


def loss_named(name: "str | Loss") -> Loss:
    """Return the loss with this name; a `Loss` is returned as it is, but read-only."""
    if isinstance(name, Loss):
        loss: Loss = frozen(name)
        return loss
    if not isinstance(name, str) or name not in LOSSES:
        raise InvalidInputError(
            f"training.loss: {name!r} is unknown; allowed are {', '.join(LOSSES)}"
        )
    return LOSSES[name]
