"""Data to train on and data to judge by, with what is known of them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import InvalidInputError
from agtopt.problem import Dataset
from agtopt.problem.checks import number, whole

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Split:
    """A training set and a test set of one origin.

    Attributes
    ----------
    train, test : Dataset
        Features (N, …) and labels (N,), float64.
    features : tuple of str
        Names of the features, with their units; empty where they are pixels or have no names.
    classes : tuple of str
        Names of the classes 0, 1, …; empty for regression.
    origin : str
        Where the data is from and what was done to it, for people.
    """

    train: Dataset
    test: Dataset
    features: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    origin: str = ""

    def __post_init__(self) -> None:
        shapes = self.train.features.shape[1:], self.test.features.shape[1:]
        if shapes[0] != shapes[1]:
            raise InvalidInputError(
                f"split: training samples of shape {shapes[0]} and test samples of shape "
                f"{shapes[1]} do not fit"
            )

    def only(self, train: int, test: int) -> "Split":
        """The first samples of both.

        Parameters
        ----------
        train, test : int
            How many to keep, at most all that there are.

        Returns
        -------
        Split

        Raises
        ------
        InvalidInputError
            If a number is not at least 1.
        """
        counts = whole("train", train, 1), whole("test", test, 1)
        parts = [
            Dataset(part.features[:n], part.labels[:n])
            for part, n in zip((self.train, self.test), counts, strict=True)
        ]
        return replace(self, train=parts[0], test=parts[1])

    def between(self, *classes: int) -> "Split":
        """The samples of some classes, relabelled 0, 1, … in the order in which the classes are
        given.

        Parameters
        ----------
        classes : int
            Two classes or more, as they are labelled now: ``between(1, 7)`` calls ones 0 and sevens
            1.

        Returns
        -------
        Split

        Raises
        ------
        InvalidInputError
            If fewer than two classes are given, one is given twice, or one has no sample.
        """
        if len(classes) < 2 or len(set(classes)) < len(classes):
            raise InvalidInputError(
                f"classes: {list(classes)!r} is not allowed; two different ones at least are needed"
            )
        train, test = (
            _between(name, part, classes)
            for name, part in (("train", self.train), ("test", self.test))
        )
        names = tuple(self.classes[c] for c in classes) if self.classes else ()
        return replace(
            self,
            train=train,
            test=test,
            classes=names,
            origin=f"{self.origin}; classes {', '.join(map(str, classes))}",
        )

    def flat(self) -> "Split":
        """Features as vectors, (N, d)."""
        parts = [
            Dataset(part.features.reshape(len(part), -1), part.labels)
            for part in (self.train, self.test)
        ]
        return replace(self, train=parts[0], test=parts[1])

    def standardised(self, labels: bool = False) -> "Split":
        """Every feature with mean 0 and standard deviation 1 over the training set; the test set is
        scaled alike.

        Parameters
        ----------
        labels : bool
            Whether the targets of a regression are standardised as well.

        Returns
        -------
        Split
        """
        mean, spread = _moments(self.train.features)
        middle, reach = _moments(self.train.labels) if labels else (np.zeros(1), np.ones(1))
        parts = [
            Dataset(
                (part.features - mean) / spread,
                (part.labels - middle) / reach if labels else part.labels,
            )
            for part in (self.train, self.test)
        ]
        return replace(self, train=parts[0], test=parts[1], origin=f"{self.origin}; standardised")

    def principal_components(self, count: int) -> "Split":
        """The leading principal components of the training set, from its centred features,
        flattened; the test set is projected alike.

        A component's sign is such that its largest entry by size is positive, so that the result
        does not depend on the machine's LAPACK. Projection is sound for an adversary who moves
        labels only: the features that it is fitted on are then clean (section 9.3 of Sosnin et al.
        2025).

        Parameters
        ----------
        count : int
            At most the number of features and of training samples.

        Returns
        -------
        Split
            Features of shape (N, count), in the units of the features that were projected.

        Raises
        ------
        InvalidInputError
            If there are not so many components.
        """
        vectors = self.flat()
        x = vectors.train.features
        if whole("count", count, 1) > min(x.shape):
            raise InvalidInputError(
                f"count: {count} is more than the {min(x.shape)} components that {x.shape[0]} "
                f"samples have"
            )
        mean = x.mean(axis=0)
        # The second moments are symmetric: fewer numbers than a decomposition of all samples, and
        # enough for leading components.
        _, axes = np.linalg.eigh((x - mean).T @ (x - mean))
        leading = axes[:, ::-1][:, :count]
        largest = leading[np.abs(leading).argmax(axis=0), np.arange(count)]
        leading = leading * np.sign(largest)
        parts = [
            Dataset((part.features - mean) @ leading, part.labels)
            for part in (vectors.train, vectors.test)
        ]
        names = tuple(f"component {k + 1}" for k in range(count))
        return replace(
            self,
            train=parts[0],
            test=parts[1],
            features=names,
            origin=f"{self.origin}; {count} principal components",
        )


def split_at_random(
    features: Array, labels: Array, test: float, seed: int
) -> tuple[Dataset, Dataset]:
    """A random share of the samples is set aside as a test set.

    Parameters
    ----------
    features : array, shape (N, …)
    labels : array, shape (N,)
    test : float
        Share of the test set, between 0 and 1; rounded up to whole samples.
    seed : int
        Of ``numpy.random.default_rng``.

    Returns
    -------
    (Dataset, Dataset)
        To train on, to test on; both in the order that was drawn.

    Raises
    ------
    InvalidInputError
        If the share leaves one of them empty.
    """
    order = np.random.default_rng(whole("seed", seed, 0)).permutation(len(features))
    last = len(features) - held_out(len(features), test)
    train, rest = order[:last], order[last:]
    return Dataset(features[train], labels[train]), Dataset(features[rest], labels[rest])


def held_out(samples: int, test: float) -> int:
    """How many of the samples a share of them is, rounded up; raises InvalidInputError where
    nothing or everything would be left."""
    count = int(np.ceil(number("test", test, above=0.0) * samples))
    if not 0 < count < samples:
        raise InvalidInputError(
            f"test: {test!r} of {samples} samples leaves {samples - count} to train on; it must be "
            f"between 0 and 1"
        )
    return count


def _between(name: str, part: Dataset, classes: tuple[int, ...]) -> Dataset:
    missing = [c for c in classes if not np.any(part.labels == c)]
    if missing:
        raise InvalidInputError(
            f"classes: {missing[0]} has no sample in split.{name}; it has "
            f"{sorted(set(part.labels.astype(int)))}"
        )
    kept = np.isin(part.labels, classes)
    places = part.labels[kept, np.newaxis] == np.array(classes)
    return Dataset(part.features[kept], places.argmax(axis=1))


def _moments(values: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of every entry; 1 where it is constant."""
    spread = values.std(axis=0)
    return values.mean(axis=0), np.where(spread > 0, spread, 1.0)
