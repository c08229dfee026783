"""Networks of dense layers, trained from scratch: household power, digits under label flips, FullCert's ones and sevens, reviews."""

from collections.abc import Sequence

from agtopt.problem import Bounded, Network, Problem, Substitution, Training
from agtopt.readers.datasets import Split


def household_problem(
    split: Split, hidden: Sequence[int] = (50,), batch_size: int = 10_000, learning_rate: float = 0.02, seed: int = 0
) -> Problem:
    """Predict the power that a household draws (Figure 8): a dense network, squared error, one epoch.

    Parameters
    ----------
    split : Split
        Of `read_household`, standardised with its targets: ``read_household(path).standardised(labels=True)``.
    hidden : sequence of int
        Units of the hidden layers; 1 × 50 in the upper row of the figure.
    batch_size : int
        The paper: 100 to 10,000; at most the training set, of which an incomplete last batch is dropped.
    learning_rate : float
        The paper: 0.005 to 0.02.
    seed : int
        Of θ₀ and of the order.

    Returns
    -------
    Problem
        Without an adversary; give it one by `histories`. The squared error of the paper and of this package is (y − z)².
    """
    inputs = split.train.features.shape[1]
    training = Training("squared", batch_size=min(batch_size, len(split.train)), learning_rate=learning_rate, seed=seed, drop_last=True)
    return Problem(Network.dense([inputs, *hidden, 1], seed=seed), split.train, Bounded(0), training, name="household")


def digits_problem(
    split: Split, batch_size: int | None = None, epochs: int = 3, learning_rate: float = 5.0, decay: float = 1.0, seed: int = 0
) -> Problem:
    """A linear classifier on principal components, under label flips (Figure 9).

    Parameters
    ----------
    split : Split
        Of `read_mnist`, as 32 principal components: ``read_mnist(folder).principal_components(32)``.
    batch_size : int, optional
        The whole training set by default, as in the paper (60,000).
    epochs, learning_rate, decay, seed
        As in `Training`; the defaults are the paper's.

    Returns
    -------
    Problem
        Without an adversary; give it ``Bounded(n, nu=1, q=0)`` by `sweep`. Two classes are told apart by the binary cross-entropy, more by
        the cross-entropy: the paper lists the binary one for all ten digits, and does not say how.
    """
    classes = max(2, len(split.classes))
    network = Network.dense([split.train.features.shape[1], 1 if classes == 2 else classes], seed=seed)
    training = Training(
        "binary-cross-entropy" if classes == 2 else "cross-entropy",
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        decay=decay,
        seed=None if batch_size is None else seed,
    )
    return Problem(network, split.train, Bounded(0), training, name="digits")


def one_seven_problem(
    split: Split, network: Network, eps: float, epochs: int = 100, learning_rate: float = 0.0005, seed: int = 0
) -> Problem:
    """FullCert's MNIST 1/7: every training input moves by up to eps in every pixel (Lorenz et al., 2024, section 5 and appendix B).

    Inference is attacked as well: certify with ``agtopt.certify(reach, X, y, eps=eps)``. FullCert's own loader keeps the digits 0 and 6;
    here they are ones and sevens. It also divides gradients by the batch size twice, so its learning rate of 0.05 is 0.0005 here.

    Parameters
    ----------
    split : Split
        Of `read_mnist`: ``read_mnist(folder).between(1, 7).flat()``.
    network : Network
        One output and two hidden layers in the paper, which does not give their units; pre-trained on clean samples or not (its Figure 3).
    eps : float
        Radius of the ℓ∞ ball, in pixels scaled to [0, 1]; the paper: 0.0001.
    epochs, learning_rate, seed
        As in `Training`; batches of 100, as in the paper.

    Returns
    -------
    Problem
    """
    samples = len(split.train)
    training = Training("binary-cross-entropy", epochs=epochs, batch_size=min(100, samples), learning_rate=learning_rate, seed=seed)
    return Problem(network, split.train, Bounded(samples, eps=eps), training, name="1/7")


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
        Under ``Substitution(1)``: one sample is replaced by anything, the neighbour that private prediction hides.
    """
    network = Network.dense([split.train.features.shape[1], *hidden, 1], seed=seed)
    training = Training("binary-cross-entropy", epochs=epochs, learning_rate=learning_rate, decay=decay, clip=clip)
    return Problem(network, split.train, Substitution(1), training, name="reviews")
