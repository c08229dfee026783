"""How the model is trained: SGD with a fixed order of the data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agtopt.arguments import fits
from agtopt.errors import InvalidInputError
from agtopt.frozen import Unchanging, read_only
from agtopt.problem.checks import indices, number, whole, whole_numbers
from agtopt.problem.loss import Loss, loss_named

MOST_VISITS, VISITS_PER_STEP = 2**28, 32
"""How often samples may be visited, and how many visits a step counts for: 2 GiB of indices, 250
bytes for each step."""


@dataclass(frozen=True)
class Training(Unchanging):
    """SGD: v_{t+1} = μ v_t + Δ_t + λ θ_t and θ_{t+1} = θ_t − α_t v_{t+1}, with v_0 = 0 and Δ_t the
    mean of the clipped gradients.

    Parameters
    ----------
    loss : str or Loss
        ``"squared"``, ``"hinge"``, ``"binary-cross-entropy"``, ``"cross-entropy"`` or
        ``"multi-hinge"``.
    epochs : int
    batch_size : int or None
        Samples per step; None takes the whole dataset.
    learning_rate : float
    decay : float
        η of the learning-rate decay α_t = max(learning_rate / (1 + η · epoch), floor); 0 keeps it
        constant.
    seed : int or None
        Each epoch's order is drawn with ``numpy.random.default_rng(seed)``; None keeps the stored
        order.
    batches : sequence of sequences of int or None
        One epoch's batches, explicitly; replaces `batch_size` and `seed`.
    drop_last : bool
        Whether an incomplete last batch is left out; it is kept by default.
    clip : float or None
        κ: every entry of every sample's gradient is truncated to [−κ, κ].
    momentum : float
        μ, as in ``torch.optim.SGD``; below 1.
    weight_decay : float
        λ, as in ``torch.optim.SGD``.
    floor : float
        Least learning rate.
    frozen : sequence of str
        Layers or tensors that keep their initial values (fine-tuning).

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
    clip: float | None = None
    momentum: float = 0.0
    weight_decay: float = 0.0
    floor: float = 0.0
    frozen: tuple[str, ...] = ()

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
        clip: float | None = None,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        floor: float = 0.0,
        frozen: Sequence[str] = (),
    ) -> None:
        explicit = (
            None
            if batches is None
            else tuple(whole_numbers("training.batches", batch) for batch in _listed(batches))
        )
        if explicit is not None and (not explicit or not all(explicit)):
            raise InvalidInputError("training.batches: an empty batch is not allowed; leave it out")
        if not isinstance(drop_last, bool):
            raise InvalidInputError(
                f"training.drop_last: {drop_last!r} is not allowed; it must be true or false"
            )
        if not fits(frozen, Sequence[str]):
            raise InvalidInputError(
                f"training.frozen: {frozen!r} is not allowed; it must be a list of names of layers "
                f"or tensors"
            )
        if number("training.momentum", momentum, least=0.0) >= 1.0:
            raise InvalidInputError(
                f"training.momentum: {momentum!r} is not allowed; it must be below 1"
            )
        for name, value in {
            "loss": loss_named(loss),
            "epochs": whole("training.epochs", epochs, 1),
            "batch_size": None
            if batch_size is None
            else whole("training.batch_size", batch_size, 1),
            "learning_rate": number("training.learning_rate", learning_rate, above=0.0),
            "decay": number("training.decay", decay, least=0.0),
            "seed": None if seed is None else whole("training.seed", seed, 0),
            "batches": explicit,
            "drop_last": drop_last,
            "clip": None if clip is None else number("training.clip", clip, above=0.0),
            "momentum": float(momentum),
            "weight_decay": number("training.weight_decay", weight_decay, least=0.0),
            "floor": number("training.floor", floor, least=0.0),
            "frozen": tuple(frozen),
        }.items():
            object.__setattr__(self, name, value)

    def schedule(self, samples: int) -> tuple[NDArray[np.int64], ...]:
        """The sample indices of each step, over all epochs, for a dataset of this many samples."""
        each = (
            -(-samples // (self.batch_size or samples))
            if self.batches is None
            else len(self.batches)
        )
        if self.epochs * max(each * VISITS_PER_STEP, samples) > MOST_VISITS:
            raise InvalidInputError(
                f"training.epochs: {self.epochs} are not allowed with {each} batches of {samples} "
                f"samples; at most "
                f"{MOST_VISITS // VISITS_PER_STEP:,} steps, in which {MOST_VISITS:,} samples are "
                f"visited, are"
            )
        if self.batches is not None:
            fixed = tuple(
                read_only(indices("training.batches", batch, samples)) for batch in self.batches
            )
            return fixed * self.epochs
        size = samples if self.batch_size is None else self.batch_size
        if size > samples:
            raise InvalidInputError(
                f"training.batch_size: {size} is more than the {samples} samples of the dataset"
            )
        generator = np.random.default_rng(self.seed)
        steps: list[NDArray[np.int64]] = []
        for _ in range(self.epochs):
            order = read_only(
                np.arange(samples) if self.seed is None else generator.permutation(samples)
            )
            epoch = [order[first : first + size] for first in range(0, samples, size)]
            steps += epoch[:-1] if self.drop_last and len(epoch[-1]) < size else epoch
        return tuple(steps)

    def learning_rates(self, steps: int) -> NDArray[np.float64]:
        """α_t for each of this many steps, shape (steps,)."""
        epoch = np.arange(steps) // (steps // self.epochs)
        rates: NDArray[np.float64] = np.maximum(
            self.learning_rate / (1.0 + self.decay * epoch), self.floor
        )
        return read_only(rates)


def _listed(batches: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
    if isinstance(batches, (str, bytes)) or not isinstance(batches, Sequence):
        raise InvalidInputError(
            f"training.batches: {batches!r} is not allowed; it must be a list of lists of sample "
            f"indices"
        )
    return batches
