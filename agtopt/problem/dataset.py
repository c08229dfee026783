"""The training data, and variants of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.arguments import fits
from agtopt.errors import InvalidInputError
from agtopt.frozen import Unchanging, frozen
from agtopt.problem.checks import finite_array, finite_map, unmasked, whole

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Dataset(Unchanging):
    """Features and labels.

    Parameters
    ----------
    features : array_like, shape (N, …)
        An array that is mapped from disk (`numpy.load` with ``mmap_mode="r"``) stays there: IBP,
        CROWN and plain training read its rows batch by batch. Leave the file as it is: what a
        problem is called (`Problem.fingerprint`) is found once.
    labels : array_like, shape (N,) or (N, outputs)
        Class labels as whole numbers, targets as floats for regression; the loss decides which.
    present : array_like of bool, shape (N,), or None
        Which samples take part; all by default. A sample that is left out keeps its place, so that
        the others keep their batches.

    Raises
    ------
    InvalidInputError
        If an entry is NaN or infinite, the data is empty, the lengths differ, or a mapped array is
        not of float64 or can be written.
    """

    features: Array
    labels: Array
    present: Mask | None = None

    def __post_init__(self) -> None:
        if self.mapped:
            finite_map("dataset.features", self.features)
        else:
            object.__setattr__(self, "features", finite_array("dataset.features", self.features))
        object.__setattr__(self, "labels", finite_array("dataset.labels", self.labels))
        if self.features.ndim < 2 or len(self.features) == 0:
            raise InvalidInputError(
                f"dataset.features: shape {self.features.shape} is not allowed; it must be (N, …), "
                f"N >= 1"
            )
        if self.labels.ndim not in (1, 2) or len(self.labels) != len(self.features):
            raise InvalidInputError(
                f"dataset.labels: shape {self.labels.shape} does not fit {len(self.features)} "
                f"samples; it must be (N,) or (N, outputs)"
            )
        if self.present is not None:
            unmasked("dataset.present", self.present)
            if not fits(self.present, Mask):
                raise InvalidInputError("dataset.present: it must be one bool per sample")
            present = frozen(np.array(self.present))
            if present.shape != (len(self.features),) or present.dtype != bool:
                raise InvalidInputError(
                    f"dataset.present: {self.present!r} is not allowed; it must be one bool per "
                    f"sample"
                )
            object.__setattr__(self, "present", None if present.all() else present)

    def __len__(self) -> int:
        return len(self.features)

    @property
    def mapped(self) -> bool:
        """Whether the features are on disk."""
        return isinstance(self.features, np.memmap) and self.features.mode is not None

    def changed(self, nominal: "Dataset") -> Mask:
        """Which samples differ from those of another dataset of the same shape; shape (N,)."""
        moved = np.any((self.features != nominal.features).reshape(len(self), -1), axis=1)
        relabelled = np.any((self.labels != nominal.labels).reshape(len(self), -1), axis=1)
        changed: Mask = moved | relabelled | (self.presence() != nominal.presence())
        return changed

    def presence(self) -> Mask:
        """Which samples take part; shape (N,)."""
        return np.ones(len(self), dtype=bool) if self.present is None else self.present


@dataclass(frozen=True, eq=False)
class Datasets:
    """D variants of one dataset; None for what no variant changes.

    Attributes
    ----------
    nominal : Dataset
    size : int
        The number D.
    features : array, shape (D, N, …), or None
    labels : array, shape (D, N) or (D, N, outputs), or None
    present : array of bool, shape (D, N), or None
    """

    nominal: Dataset
    size: int
    features: Array | None = None
    labels: Array | None = None
    present: Mask | None = None

    @classmethod
    def of(cls, nominal: Dataset, variants: Sequence[Dataset]) -> "Datasets":
        """Given datasets, all of the shape of `nominal`."""
        return cls(
            nominal,
            len(variants),
            np.stack([variant.features for variant in variants]),
            np.stack([variant.labels for variant in variants]),
            np.stack([variant.presence() for variant in variants])
            if any(v.present is not None for v in variants)
            else None,
        )

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Dataset:
        if not -self.size <= index < self.size:
            raise IndexError(index)
        data = self.nominal
        return Dataset(
            data.features if self.features is None else self.features[index],
            data.labels if self.labels is None else self.labels[index],
            data.present if self.present is None else self.present[index],
        )

    def __iter__(self) -> Iterator[Dataset]:
        return (self[k] for k in range(self.size))

    def part(self, first: int, last: int) -> "Datasets":
        """The variants first … last−1."""
        whole("first", first, 0)
        cut = [
            None if values is None else values[first:last]
            for values in (self.features, self.labels, self.present)
        ]
        return Datasets(self.nominal, min(last, self.size) - first, *cut)  # type: ignore[arg-type]

    def joined(self, *others: "Datasets") -> "Datasets":
        """These variants and those of others of the same nominal dataset, one behind the other."""
        parts = (self, *others)

        def column(name: str, nominal: ArrayLike) -> NDArray[np.generic] | None:
            if all(getattr(part, name) is None for part in parts):
                return None
            shape = np.shape(nominal)
            pieces = [
                np.broadcast_to(nominal, (part.size, *shape))
                if getattr(part, name) is None
                else getattr(part, name)
                for part in parts
            ]
            return np.concatenate(pieces)

        data = self.nominal
        columns = (
            column("features", data.features),
            column("labels", data.labels),
            column("present", data.presence()),
        )
        return Datasets(data, sum(map(len, parts)), *columns)  # type: ignore[arg-type]
