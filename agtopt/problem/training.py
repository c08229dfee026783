"""How the model is trained: plain SGD with a fixed order of the data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import InvalidInputError
from agtopt.problem.checks import indices, number, whole, whole_numbers
from agtopt.problem.loss import Loss, loss_named


@dataclass(frozen=True)
class Training:
    """SGD: θ_{t+1} = θ_t − α_t Δ_t with α_t = learning_rate / (1 + decay · epoch).

    Parameters
    ----------
    loss : str or Loss
        ``"squared"`` or ``"hinge"``.
    epochs : int
    batch_size : int or None
        Samples per step; None takes the whole dataset.
    learning_rate : float
    decay : float
        η of the learning-rate decay; 0 keeps it constant.
    seed : int or None
        Each epoch's order is drawn with ``numpy.random.default_rng(seed)``; None keeps the stored order.
    batches : sequence of sequences of int or None
        One epoch's batches, explicitly; replaces `batch_size` and `seed`.
    drop_last : bool
        Whether an incomplete last batch is left out; it is kept by default.

    Raises
    ------
    InvalidInputError
        If a field is out of range; `schedule` raises it for batches that do not fit the dataset.
    """

    loss: Loss
    epochs: int = 1
    batch_size: int | None = None
    learning_rate: float = 0.1
    decay: float = 0.0
    seed: int | None = None
    batches: tuple[tuple[int, ...], ...] | None = None
    drop_last: bool = False

    def __init__(
        self,
        loss: str | Loss,
        epochs: int = 1,
        batch_size: int | None = None,
        learning_rate: float = 0.1,
        decay: float = 0.0,
        seed: int | None = None,
        batches: Sequence[Sequence[int]] | None = None,
        drop_last: bool = False,
    ) -> None:
        explicit = None if batches is None else tuple(whole_numbers("training.batches", batch) for batch in _listed(batches))
        if explicit is not None and (not explicit or not all(explicit)):
            raise InvalidInputError("training.batches: an empty batch is not allowed; leave it out")
        if not isinstance(drop_last, bool):
            raise InvalidInputError(f"training.drop_last: {drop_last!r} is not allowed; it must be true or false")
        for name, value in {
            "loss": loss_named(loss),
            "epochs": whole("training.epochs", epochs, 1),
            "batch_size": None if batch_size is None else whole("training.batch_size", batch_size, 1),
            "learning_rate": number("training.learning_rate", learning_rate, above=0.0),
            "decay": number("training.decay", decay, least=0.0),
            "seed": None if seed is None else whole("training.seed", seed, 0),
            "batches": explicit,
            "drop_last": drop_last,
        }.items():
            object.__setattr__(self, name, value)

    def schedule(self, samples: int) -> tuple[NDArray[np.int64], ...]:
        """The sample indices of each step, over all epochs, for a dataset of this many samples."""
        if self.batches is not None:
            fixed = tuple(indices("training.batches", batch, samples) for batch in self.batches)
            return fixed * self.epochs
        size = samples if self.batch_size is None else self.batch_size
        if size > samples:
            raise InvalidInputError(f"training.batch_size: {size} is more than the {samples} samples of the dataset")
        generator = np.random.default_rng(self.seed)
        steps: list[NDArray[np.int64]] = []
        for _ in range(self.epochs):
            order = np.arange(samples) if self.seed is None else generator.permutation(samples)
            epoch = [order[first : first + size] for first in range(0, samples, size)]
            steps += epoch[:-1] if self.drop_last and len(epoch[-1]) < size else epoch
        return tuple(steps)

    def learning_rates(self, steps: int) -> NDArray[np.float64]:
        """α_t for each of this many steps, shape (steps,)."""
        epoch = np.arange(steps) // (steps // self.epochs)
        return np.asarray(self.learning_rate / (1.0 + self.decay * epoch), dtype=np.float64)


def _listed(batches: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
    if isinstance(batches, (str, bytes)) or not isinstance(batches, Sequence):
        raise InvalidInputError(f"training.batches: {batches!r} is not allowed; it must be a list of lists of sample indices")
    return batches
