"""Deep partition aggregation (Levine and Feizi, 2021): many models, each trained on a part of the
data, vote."""

from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.attacks.predictions import predicted
from agtopt.baselines.certified import RobustPredictions
from agtopt.errors import InvalidInputError
from agtopt.problem import Bounded, Dataset, Network, Problem, Training
from agtopt.problem.checks import finite_array, whole
from agtopt.training.concrete import trajectory


@dataclass(frozen=True, eq=False)
class Votes:
    """How many of the models vote for which class.

    Attributes
    ----------
    counts : array of int, shape (m, classes)
    classes : tuple of int
        Class labels, in the order of the columns; of two with as many votes the first wins.
    """

    counts: NDArray[np.int64]
    classes: tuple[int, ...]

    @property
    def prediction(self) -> NDArray[np.int64]:
        """The class with the most votes, shape (m,)."""
        return np.asarray(np.array(self.classes)[self.counts.argmax(axis=1)])

    @property
    def radius(self) -> NDArray[np.int64]:
        """How many models may be trained on other parts before the prediction may change, shape
        (m,).

        ⌊(n₁ − max_c (n_c + 1[c wins ties]))/2⌋ over all other classes c (Theorem 1 of the paper):
        every model moves one vote at most.
        """
        winner = self.counts.argmax(axis=1)
        rows = np.arange(len(self.counts))
        wins_ties = np.arange(len(self.classes)) < winner[:, np.newaxis]
        others = self.counts + wins_ties
        others[rows, winner] = -1
        return np.asarray((self.counts[rows, winner] - others.max(axis=1)) // 2)

    def certified(self) -> RobustPredictions:
        """Under an adversary who inserts, removes or relabels samples: each of these changes one
        part."""
        return RobustPredictions(
            self.prediction, self.radius, "samples inserted, removed or relabelled"
        )

    def substituted(self) -> RobustPredictions:
        """Under an adversary who changes samples, features and all: one leaves a part, and another
        comes to a second part."""
        return RobustPredictions(
            self.prediction, self.radius // 2, "samples replaced by any others"
        )


def deep_partition_aggregation(
    network: Network, dataset: Dataset, training: Training, X: ArrayLike, parts: int
) -> Votes:
    """Train one model on each part of the data, and let them vote.

    A sample's part is a hash of its features. So which part it is in depends on nothing but the
    sample (insertions and removals change one part each) and not on its label (nor do flips change
    two, as in the variant SS-DPA). Within a part samples have an order of their own, by their
    bytes: training is a function of the set of samples. A part without samples votes as θ₀ does.

    Parameters
    ----------
    network : Network
        With θ₀, the same for all models.
    dataset : Dataset
        The training set, shape (N, *input_shape).
    training : Training
        Of every model on its part; a part with fewer samples than a batch is one batch.
    X : array_like, shape (m, *input_shape)
    parts : int
        How many models there are, at least 1.

    Returns
    -------
    Votes

    Raises
    ------
    InvalidInputError
        If the parts of the problem do not fit, the loss predicts no class, or batches are given by
        indices (a part has its own).
    """
    count, points = whole("parts", parts, 1), finite_array("X", X)
    if training.batches is not None:
        raise InvalidInputError(
            "training.batches: indices of the whole dataset mean nothing within a part; give a "
            "batch_size"
        )
    # The whole problem is checked before the first model is trained.
    problem = Problem(network, dataset, Bounded(0), replace(training, batch_size=None))
    if problem.classes is None:
        raise InvalidInputError(
            f"training.loss: {training.loss.name!r} predicts no class, so there is nothing to vote "
            f"for"
        )
    classes = np.array(problem.classes)
    votes = np.zeros((len(points), len(classes)), dtype=np.int64)
    for members in _members(dataset, count):
        theta = (
            _trained(network, _part(dataset, members), training)
            if len(members)
            else problem.initial
        )
        votes += predicted(problem, theta, points)[:, np.newaxis] == classes
    return Votes(votes, problem.classes)


def _members(dataset: Dataset, parts: int) -> list[NDArray[np.int64]]:
    """Indices of the samples of every part, in the order in which a model sees them."""
    # Adding 0 makes −0 and 0 the same bytes, since they are the same number.
    keys = [(sample + 0.0).tobytes() for sample in dataset.features]
    homes = np.array([int.from_bytes(sha256(key).digest()[:8]) % parts for key in keys])
    order = sorted(range(len(keys)), key=lambda i: (keys[i], dataset.labels[i].tobytes()))
    return [
        np.array([i for i in order if homes[i] == part], dtype=np.int64) for part in range(parts)
    ]


def _part(dataset: Dataset, members: NDArray[np.int64]) -> Dataset:
    return Dataset(dataset.features[members], dataset.labels[members])


def _trained(network: Network, part: Dataset, training: Training) -> NDArray[np.float64]:
    size = (
        None
        if training.batch_size is None or training.batch_size >= len(part)
        else training.batch_size
    )
    return np.asarray(
        trajectory(Problem(network, part, Bounded(0), replace(training, batch_size=size)))[-1]
    )
