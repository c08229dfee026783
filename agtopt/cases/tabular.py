"""Networks of dense layers, trained from scratch: household power, digits under label flips,
reviews."""

from collections.abc import Sequence

from agtopt.problem import Bounded, Network, Problem, Substitution, Training
from agtopt.readers.datasets import Split


def household_problem(
    split: Split,
    hidden: Sequence[int] = (50,),
    batch_size: int = 10_000,
    learning_rate: float = 0.02,
    seed: int = 0,
) -> Problem:
    """Predict the power that a household draws (Figure 8): a dense network, squared error, one
    epoch.

    Parameters
    ----------
    split : Split
        Of `read_household`, standardised with its targets:
        ``read_household(path).standardised(labels=True)``.
    hidden : sequence of int
        Units of the hidden layers; 1 × 50 in the upper row of the figure.
    batch_size : int
        The paper: 100 to 10,000; at most the training set, of which an incomplete last batch is
        dropped.
    learning_rate : float
        The paper: 0.005 to 0.02.
    seed : int
        Of θ₀ and of the order.

    Returns
    -------
    Problem
        Without an adversary; give it one by `histories`. The squared error of the paper and of this
        package is (y − z)².
    """
    inputs = split.train.features.shape[1]
    training = Training(
        "squared",
        batch_size=min(batch_size, len(split.train)),
        learning_rate=learning_rate,
        seed=seed,
        drop_last=True,
    )
    return Problem(
        Network.dense([inputs, *hidden, 1], seed=seed),
        split.train,
        Bounded(0),
        training,
        name="household",
    )


def digits_problem(
    split: Split,
    batch_size: int | None = None,
    epochs: int = 3,
    learning_rate: float = 5.0,
    decay: float = 1.0,
    seed: int = 0,
) -> Problem:
    """A linear classifier on principal components, under label flips (Figure 9).

    Parameters
    ----------
    split : Split
        Of `read_mnist`, as 32 principal components:
        ``read_mnist(folder).principal_components(32)``.
    batch_size : int, optional
        The whole training set by default, as in the paper (60,000).
    epochs, learning_rate, decay, seed
        As in `Training`; the defaults are the paper's.

    Returns
    -------
    Problem
        Without an adversary; give it ``Bounded(n, nu=1, q=0)`` by `sweep`. Two classes are told
        apart by the binary cross-entropy, more by the cross-entropy: the paper lists the binary one
        for all ten digits, and does not say how.
    """
    classes = max(2, len(split.classes))
    network = Network.dense(
        [split.train.features.shape[1], 1 if classes == 2 else classes], seed=seed
    )
    training = Training(
        "binary-cross-entropy" if classes == 2 else "cross-entropy",
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        decay=decay,
        seed=None if batch_size is None else seed,
    )
    return Problem(network, split.train, Bounded(0), training, name="digits")


def reviews_problem(
    split: Split,
    hidden: Sequence[int] = (100,),
    epochs: int = 3,
    learning_rate: float = 0.2,
    decay: float = 0.5,
    clip: float = 0.02,
    seed: int = 0,
) -> Problem:
    """Good and bad reviews from embeddings, for private prediction (Figure 13, right).

    Parameters
    ----------
    split : Split
        Of `read_imdb` or `read_embeddings`.
    hidden : sequence of int
        Units of the hidden layers; the paper's number of nodes is lost in its text.
    epochs, learning_rate, decay, clip, seed
        As in `Training`; the defaults are the paper's, for batches of all samples.

    Returns
    -------
    Problem
        Under ``Substitution(1)``: one sample is replaced by anything, the neighbour that private
        prediction hides.
    """
    network = Network.dense([split.train.features.shape[1], *hidden, 1], seed=seed)
    training = Training(
        "binary-cross-entropy", epochs=epochs, learning_rate=learning_rate, decay=decay, clip=clip
    )
    return Problem(network, split.train, Substitution(1), training, name="reviews")
