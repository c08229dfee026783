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

    def encode(self, labels: NDArray[np.float64], outputs: int) -> NDArray[np.float64]:
        """Labels as the program reads them: targets (…, N, outputs), or class indicators (…, N, classes).

        Raises
        ------
        InvalidInputError
            If a label is not one of the classes, or targets do not fit the outputs.
        """
        if self.classes is None:
            targets = labels[..., np.newaxis] if outputs == 1 and labels.shape[-1:] != (1,) else labels
            if targets.shape[-1] != outputs:
                raise InvalidInputError(
                    f"dataset.labels: shape {labels.shape} does not fit {outputs} outputs of the network; "
                    f"loss {self.name!r} takes targets (N, {outputs})"
                )
            return targets
        allowed = ~np.isin(labels, self.classes)
        if allowed.any():
            raise InvalidInputError(
                f"dataset.labels: {labels[allowed][0]:g} is not allowed; "
                f"loss {self.name!r} takes the labels {', '.join(map(str, self.classes))}"
            )
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
