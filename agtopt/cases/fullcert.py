"""FullCert's experiments (Lorenz et al., 2024): every input moves, in training and at inference.

They are those of its published scripts, whose settings differ from the appendix of the paper. Its
gradients are divided by the batch size twice, so that its learning rates are a hundredth of
themselves here (batches of 100), and its layers draw θ₀ uniformly from ±1/√outputs, where
``torch.nn.Linear`` draws from ±1/√inputs.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader

from agtopt.errors import InvalidInputError, UnsupportedError
from agtopt.problem import Bounded, Dataset, Dense, Network, Problem, ReLU, Training
from agtopt.problem.checks import number, whole
from agtopt.readers.datasets import Split

BATCH = 100

MOONS_SEEDS = (
    923936036,
    1841009588,
    1579824767,
    862396893,
    1126136760,
    2053152965,
    1650170623,
    460952620,
    855928699,
    29318224,
)
"""The seeds of the ten runs of FullCert's Table 1."""


@dataclass(frozen=True, eq=False)
class Moons:
    """Training on two moons, with points to stop it by and points to judge it by.

    Attributes
    ----------
    problem : Problem
    validation, test : Dataset
        200 points each.
    """

    problem: Problem
    validation: Dataset
    test: Dataset


def moons_problem(
    eps: float, seed: int = MOONS_SEEDS[0], epochs: int = 200, learning_rate: float = 0.005
) -> Moons:
    """FullCert's two moons (Table 1): a 2-20-1 network, 1,000 points that all move by up to eps in
    both features.

    Points, θ₀ and orders are those that FullCert's script draws for this seed. It certifies after
    every epoch how many validation points are right, inputs attacked as well, and keeps the best
    epoch (`stopping_step`).

    Parameters
    ----------
    eps : float
        Radius of the ℓ∞ ball; FullCert: 1e-4, 1e-3, 1e-2, 1e-1.
    seed : int
        Of everything; `MOONS_SEEDS` are FullCert's.
    epochs : int
        Of ten batches of 100.
    learning_rate : float
        FullCert's 0.5 is 0.005 here.

    Returns
    -------
    Moons

    Raises
    ------
    InvalidInputError
        If a number is not allowed.
    UnsupportedError
        If scikit-learn is not installed.
    """
    if whole("seed", seed, 0) >= 2**32:
        raise InvalidInputError(f"seed: {seed!r} is not allowed; it must be below 2³²")
    draws = np.random.RandomState(seed)
    train, validation, test = (_moons(draws, count) for count in (1000, 200, 200))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _drawn_network([2, 20, 1])
        training, held_out = (  # type: ignore[var-annotated]
            DataLoader(range(len(part)), BATCH, shuffle=True)  # type: ignore[arg-type]
            for part in (train, validation)
        )
        batches: list[list[int]] = []
        for _ in range(whole("epochs", epochs, 1)):
            batches += [batch.tolist() for batch in training]
            # Its validation draws an order, too.
            list(held_out)
    recipe = Training("binary-cross-entropy", batches=batches, learning_rate=learning_rate)
    return Moons(
        Problem(network, train, Bounded(len(train), eps=eps), recipe, name="two moons"),
        validation,
        test,
    )


def stopping_step(history: pd.DataFrame, drop: float = 0.05) -> int:
    """The step that is certified best before the certified accuracy falls by more than `drop` below
    it, as FullCert stops.

    A certificate at that step is one of training for so many steps: that the number was chosen by
    means of the data is not part of it.

    Parameters
    ----------
    history : pandas.DataFrame
        Of `agtopt.certified_history`, on points of validation.
    drop : float
        Fraction of the points.

    Returns
    -------
    int
        The first of several.

    Raises
    ------
    InvalidInputError
        If there is no column of certified accuracies or of steps, no row, or `drop` is negative.
    """
    if not {"step", "certified"} <= set(history) or not len(history):
        raise InvalidInputError(
            "history: has no certified accuracies; take that of certified_history for a classifier"
        )
    fallen = history["certified"] < history["certified"].cummax() - number("drop", drop, 0.0)
    seen = history[~fallen.cummax()]
    return int(seen["step"].iloc[int(seen["certified"].to_numpy().argmax())])


def one_seven_problem(
    split: Split,
    network: Network,
    eps: float,
    epochs: int = 20,
    learning_rate: float = 0.0001,
    seed: int = 0,
) -> Problem:
    """FullCert's MNIST 1/7: every training input moves by up to eps in every pixel (section 5).

    Inference is attacked as well: certify with ``agtopt.certify(reach, X, y, eps=eps)``. FullCert's
    own loader keeps the digits 0 and 6; here they are ones and sevens.

    Parameters
    ----------
    split : Split
        Of `read_mnist`: ``read_mnist(folder).between(1, 7).flat()``.
    network : Network
        784-10-10-1 in FullCert's script; pre-trained on clean samples or not (its Figure 3).
    eps : float
        Radius of the ℓ∞ ball, in pixels scaled to [0, 1]; the paper: 0.0001.
    epochs, learning_rate, seed
        As in `Training`; batches of 100. FullCert's 0.01 is 0.0001 here.

    Returns
    -------
    Problem

    Raises
    ------
    InvalidInputError
        If a number is not allowed, or the network does not fit the samples.
    """
    samples = len(split.train)
    training = Training(
        "binary-cross-entropy",
        epochs=epochs,
        batch_size=min(BATCH, samples),
        learning_rate=learning_rate,
        seed=seed,
    )
    return Problem(network, split.train, Bounded(samples, eps=eps), training, name="1/7")


def _moons(draws: np.random.RandomState, count: int) -> Dataset:
    try:
        from sklearn.datasets import make_moons
    except ImportError:
        raise UnsupportedError(
            "the moons are scikit-learn's, which is not installed: pip install 'agtopt[data]'"
        ) from None
    features, labels = make_moons(count, noise=0.1, random_state=draws)
    return Dataset(features.astype(np.float32), labels.astype(float))


def _drawn_network(sizes: list[int]) -> Network:
    """With θ₀ from torch's generator, as FullCert draws it."""
    tensors = []
    for inputs, outputs in pairwise(sizes):
        weight, bias = torch.empty(inputs, outputs), torch.empty(outputs)
        torch.nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
        torch.nn.init.uniform_(bias, -1 / math.sqrt(outputs), 1 / math.sqrt(outputs))
        tensors += [weight.T.double().numpy(), bias.double().numpy()]
    layers = [part for pair in pairwise(sizes) for part in (Dense(*pair), ReLU())]
    return Network.chain(layers[:-1], (sizes[0],), tensors)
