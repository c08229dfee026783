"""The losses: which labels they take and how labels are encoded; their gradients are written in `program.loss`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import InvalidInputError


@dataclass(frozen=True)
class Loss:
    """Base of all losses.

    Attributes
    ----------
    classes : tuple of int or None
        The labels that are allowed, or None for a regression target.
    """

    name: str
    classes: tuple[int, ...] | None = None

    def check(self, field: str, labels: NDArray[np.float64], outputs: int) -> None:
        """Raise InvalidInputError where labels (N,) or (N, outputs) do not fit: a class that is not allowed, or the wrong shape."""
        if self.classes is None:
            if labels.shape[1:] not in ((outputs,), () if outputs == 1 else (outputs,)):
                raise InvalidInputError(
                    f"{field}: shape {labels.shape} does not fit {outputs} outputs of the network; "
                    f"loss {self.name!r} takes targets (N, {outputs})" + " or (N,)" * (outputs == 1)
                )
            return
        if labels.ndim != 1:
            raise InvalidInputError(f"{field}: shape {labels.shape} is not allowed; loss {self.name!r} takes class labels (N,)")
        unknown = ~np.isin(labels, self.classes)
        if unknown.any():
            raise InvalidInputError(
                f"{field}: {labels[unknown][0]:g} is not allowed; loss {self.name!r} takes the labels {', '.join(map(str, self.classes))}"
            )

    def encode(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Labels as the program reads them: class labels (…, N) as indicators (…, N, classes), targets (…, N, outputs) as they are."""
        if self.classes is None:
            return labels
        indicators: NDArray[np.float64] = (labels[..., np.newaxis] == np.array(self.classes)).astype(np.float64)
        return indicators


@dataclass(frozen=True)
class SquaredError(Loss):
    """L = Σ_c (z_c − y_c)²."""

    name: str = "squared"


@dataclass(frozen=True)
class Hinge(Loss):
    """L = max(0, 1 − y z) with y ∈ {−1, +1} and one output."""

    name: str = "hinge"
    classes: tuple[int, ...] | None = (-1, 1)


LOSSES: dict[str, Loss] = {loss.name: loss for loss in (SquaredError(), Hinge())}


def loss_named(name: "str | Loss") -> Loss:
    """Return the loss with this name; a `Loss` is returned as it is."""
    if isinstance(name, Loss):
        return name
    if name not in LOSSES:
        raise InvalidInputError(f"training.loss: {name!r} is unknown; allowed are {', '.join(LOSSES)}")
    return LOSSES[name]
