"""Fine-tuning of dense layers behind fixed convolutions: retinal images, steering."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.errors import InvalidInputError
from agtopt.problem import Bounded, Dataset, Network, Problem, Training
from agtopt.problem.architectures import convolutions
from agtopt.problem.checks import indices, number, whole
from agtopt.readers.datasets import DRUSEN, NORMAL, Split
from agtopt.training.concrete import trajectory


def pretrained(network: Network, dataset: Dataset, training: Training) -> Network:
    """The network with the parameters that plain training leads to, as the start of fine-tuning.

    Parameters
    ----------
    network : Network
    dataset : Dataset
        Clean data, apart from what an adversary may change later.
    training : Training

    Returns
    -------
    Network

    Raises
    ------
    InvalidInputError
        If the parts do not fit.
    """
    theta = trajectory(Problem(network, dataset, Bounded(0), training, name="pre-training"))[-1]
    return replace(network, initial=network.unflatten(theta))


def mixed_batches(
    old: ArrayLike, new: ArrayLike, size: int, share: float = 0.5, seed: int = 0
) -> list[list[int]]:
    """Batches with a fixed share of new samples; each new one occurs once, old ones are drawn
    without a repeat within an epoch.

    Parameters
    ----------
    old, new : array_like of int
        Indices of the samples.
    size : int
        Samples per batch.
    share : float
        Share of new ones, above 0 and at most 1.
    seed : int

    Returns
    -------
    list of list of int
        For ``Training(batches=…)``; new samples that would leave a batch incomplete are left out.

    Raises
    ------
    InvalidInputError
        If there are not enough samples for one batch, or too few old ones for all the batches.
    """
    fresh = round(number("share", share, above=0.0) * whole("size", size, 1))
    kept, added = np.array(old, dtype=np.int64), np.array(new, dtype=np.int64)
    steps = len(added) // max(fresh, 1)
    if not 0 < fresh <= size or steps == 0 or steps * (size - fresh) > len(kept):
        raise InvalidInputError(
            f"size: batches of {size} with {fresh} new samples do not fit {len(added)} new and "
            f"{len(kept)} old samples"
        )
    generator = np.random.default_rng(whole("seed", seed, 0))
    kept, added = generator.permutation(kept), generator.permutation(added)
    return [
        [
            *added[k * fresh : (k + 1) * fresh].tolist(),
            *kept[k * (size - fresh) : (k + 1) * (size - fresh)].tolist(),
        ]
        for k in range(steps)
    ]


def retina_problem(
    split: Split,
    network: Network,
    batch_size: int = 6000,
    epochs: int = 2,
    learning_rate: float = 0.05,
    decay: float = 5.0,
    clip: float | None = None,
    seed: int = 0,
) -> tuple[Problem, NDArray[np.float64], NDArray[np.float64]]:
    """Normal or not: fine-tune for drusen, which pre-training left out; only they may be poisoned
    (Figure 10).

    Parameters
    ----------
    split : Split
        Of `read_octmnist`, with four classes.
    network : Network
        One output, pre-trained without drusen; its convolutions are frozen. See `without_drusen`.
    batch_size : int
        Half of every batch is drusen.
    epochs, learning_rate, decay, clip, seed
        As in `Training`; the defaults are the paper's. The order of the batches is the same in
        every epoch.

    Returns
    -------
    problem : Problem
        Without an adversary yet; ``problem.perturbation.vulnerable`` are the drusen.
    X : array, shape (m, 1, height, width)
        The test images of all four classes.
    y : array, shape (m,)
        1 where something is found, 0 where it is normal.

    Raises
    ------
    InvalidInputError
        If the network does not fit, or there are not enough drusen for a batch.
    """
    kinds = split.train.labels
    new = np.flatnonzero(kinds == DRUSEN)
    batches = mixed_batches(np.flatnonzero(kinds != DRUSEN), new, batch_size, 0.5, seed)
    training = Training(
        "binary-cross-entropy",
        epochs=epochs,
        batches=batches,
        learning_rate=learning_rate,
        decay=decay,
        clip=clip,
        frozen=convolutions(network),
    )
    used = np.unique(np.concatenate(batches))
    data = Dataset(split.train.features, (kinds != NORMAL).astype(np.float64))
    problem = Problem(
        network,
        data,
        Bounded(0, vulnerable=np.intersect1d(new, used).tolist()),
        training,
        name="retina",
    )
    return problem, split.test.features, (split.test.labels != NORMAL).astype(np.float64)


def without_drusen(split: Split) -> Dataset:
    """What the network of `retina_problem` is pre-trained on: 1 where something is found, 0 where
    it is normal, and no drusen."""
    kept = split.train.labels != DRUSEN
    return Dataset(
        split.train.features[kept], (split.train.labels[kept] != NORMAL).astype(np.float64)
    )


def steering_problem(
    before: Split,
    after: Split,
    network: Network,
    batch_size: int = 10_000,
    share: float = 0.3,
    epochs: int = 2,
    learning_rate: float = 0.25,
    decay: float = 10.0,
    seed: int = 0,
) -> Problem:
    """Fine-tune PilotNet's dense layers on another drive, whose steering angles may be poisoned
    (Figure 11).

    Parameters
    ----------
    before, after : Split
        Of `read_driving`: what the network is pre-trained on (videos 2 to 6 in the paper), and the
        new drive (video 1).
    network : Network
        One output, pre-trained; its convolutions are frozen.
    batch_size : int
    share : float
        Share of the new drive in every batch; 30 % in the paper.
    epochs, learning_rate, decay, seed
        As in `Training`; the defaults are the paper's.

    Returns
    -------
    Problem
        Without an adversary yet; ``problem.perturbation.vulnerable`` are the samples of the new
        drive.

    Raises
    ------
    InvalidInputError
        If images or network do not fit, or there are not enough samples for a batch.
    """
    if before.train.features.shape[1:] != after.train.features.shape[1:]:
        raise InvalidInputError(
            "after: the images of the two drives have different shapes; read them with one size "
            "and crop"
        )
    parts: Sequence[Dataset] = (before.train, after.train)
    first = len(before.train)
    batches = mixed_batches(
        np.arange(first), np.arange(first, first + len(after.train)), batch_size, share, seed
    )
    data = Dataset(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )
    training = Training(
        "squared",
        epochs=epochs,
        batches=batches,
        learning_rate=learning_rate,
        decay=decay,
        frozen=convolutions(network),
    )
    used = np.unique(np.concatenate(batches))
    vulnerable = indices("batches", used[used >= first], len(data))
    return Problem(
        network, data, Bounded(0, vulnerable=vulnerable.tolist()), training, name="steering"
    )
