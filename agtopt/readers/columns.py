"""From the columns of a table to arrays: which are features, which is the label, and how both
become numbers."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from pydantic import BaseModel, ConfigDict

from agtopt.arguments import typed
from agtopt.errors import InvalidInputError, MissingFileError
from agtopt.files import write_text
from agtopt.names import checked
from agtopt.problem import Dataset
from agtopt.problem.loss import LOSSES
from agtopt.readers.cells import Array, check_columns, exact, numbers, words
from agtopt.readers.toml import read_toml

COLUMNS = "columns.toml"
"""Name of the file beside a ``problem.toml``."""

SCALES = ("standard", "none")
CONSTANT = 1e-14
"""A column whose values differ by less than this part of the largest is constant: the differences
are those of rounding."""


@dataclass(frozen=True)
class Columns:
    """How rows of a table are read as samples; the same for training data and for points to
    certify.

    The shifts and factors are numbers that were fixed once: what is certified is training on
    features that are scaled by *these*, so an adversary who moves a sample does not move them.

    Attributes
    ----------
    features : tuple of str
        Columns in the order of the network's inputs.
    label : str
        Column of the class or the target.
    loss : str
        Name of the loss, which says how classes become numbers.
    classes : tuple of str or None
        The words of the label column, in the order of the loss's labels; None for targets.
    shift, factor : tuple of float
        A feature is read as (value − shift) / factor.

    Raises
    ------
    InvalidInputError
        If the loss is not one of agtopt's own, or a name is no text.
    """

    features: tuple[str, ...]
    label: str
    loss: str
    classes: tuple[str, ...] | None
    shift: tuple[float, ...]
    factor: tuple[float, ...]

    @classmethod
    @typed()
    def of(
        cls,
        frame: Any,
        label: str,
        features: Sequence[str] | None = None,
        loss: str | None = None,
        scale: str = "standard",
    ) -> "Columns":
        """Columns of a training table.

        Parameters
        ----------
        frame : pandas.DataFrame
        label : str
        features : sequence of str or None
            All columns but the label by default; then every column must have a name.
        loss : str or None
            By default hinge for two classes and cross-entropy for more, which are words; numbers of
            more than two values may be classes or targets, so that the loss must be named.
        scale : str
            ``"standard"``: each feature to mean 0 and standard deviation 1 on this table (constant
            columns to 0); ``"none"``.

        Raises
        ------
        InvalidInputError
            If a column does not exist, is missing somewhere or holds no finite numbers (dates are
            none), its deviation is no float, a column without a name or a second label would become
            a feature, or the loss does not fit the label.
        """
        check_columns(frame, [label])
        if scale not in SCALES:
            raise InvalidInputError(
                f"scale: {scale!r} is not allowed; it must be one of {', '.join(SCALES)}"
            )
        chosen = _all_but(frame, label) if features is None else list(features)
        if len(frame) == 0:
            raise InvalidInputError("table: it has no rows; at least one sample is needed")
        _check_features(label, chosen)
        shift, factor = _scaling(chosen, numbers(frame, chosen), scale)
        labels = words(frame, label)
        name = _loss_for(label, labels) if loss is None else loss
        return cls(
            tuple(chosen),
            label,
            name,
            _classes(name, label, labels),
            tuple(shift.tolist()),
            tuple(factor.tolist()),
        )

    def __post_init__(self) -> None:
        for field, names in (
            ("features", self.features),
            ("label", (self.label,)),
            ("classes", self.classes or ()),
        ):
            for name in names:
                checked(f"columns.{field}", name)
        if self.loss not in LOSSES:
            raise InvalidInputError(
                f"loss: {self.loss!r} is unknown; allowed are {', '.join(LOSSES)}"
            )
        _check_features(self.label, self.features)
        if not len(self.features) == len(self.shift) == len(self.factor):
            raise InvalidInputError("shift and factor must have one number for each feature")
        if not np.isfinite([*self.shift, *self.factor]).all() or min(self.factor) <= 0:
            raise InvalidInputError(
                "shift and factor must be finite, and every factor must be above 0"
            )
        if (self.classes is None) != (LOSSES[self.loss].classes(2) is None):
            raise InvalidInputError(f"loss {self.loss!r} does not fit the classes {self.classes}")
        if self.classes is not None:
            _check_classes(self.loss, self.label, self.classes)

    @cached_property
    def _places(self) -> dict[Any, int]:
        """The place of each class, by its word and, for numbers, by what it is equal to."""
        classes = self.classes or ()
        return {
            key: k
            for k, word in enumerate(classes)
            for key in (word, exact(word))
            if key is not None
        }

    @property
    def network_outputs(self) -> int:
        """How many outputs a network for these columns needs."""
        return 1 if self.classes is None or LOSSES[self.loss].outputs[1] == 1 else len(self.classes)

    def dataset(self, frame: Any) -> Dataset:
        """The rows of a table with labels as a `Dataset`.

        Raises
        ------
        InvalidInputError
            As in `points`, or if there is no label column.
        """
        check_columns(frame, [self.label])
        X, y = self.points(frame)
        assert y is not None
        return Dataset(X, y)

    def points(self, frame: Any) -> tuple[Array, Array | None]:
        """Features (m, inputs) and, where the table has the label column, labels (m,) of the rows
        of a table.

        Raises
        ------
        InvalidInputError
            If a column is missing, empty somewhere or holds no finite numbers, also after scaling,
            or a class is unknown.
        """
        values = self._scaled(numbers(frame, self.features))
        if self.label not in frame.columns:
            return values, None
        if self.classes is None:
            return values, numbers(frame, [self.label])[:, 0]
        labels = LOSSES[self.loss].classes(self.network_outputs) or ()
        return values, np.array(
            [labels[self._place(word)] for word in words(frame, self.label)], dtype=np.float64
        )

    def _scaled(self, values: Array) -> Array:
        with np.errstate(over="ignore"):
            scaled: Array = (values - np.array(self.shift)) / np.array(self.factor)
        wrong = np.flatnonzero(~np.isfinite(scaled).all(axis=0))
        if len(wrong):
            first = int(wrong[0])
            worst = values[np.argmax(np.abs(values[:, first])), first]
            raise InvalidInputError(
                f"column {self.features[first]!r}: {worst:g} is too large for a float after "
                f"scaling (shift {self.shift[first]:g}, factor "
                f"{self.factor[first]:g}); {_SENTINEL}"
            )
        return scaled

    def _place(self, word: str) -> int:
        """A class by its word, or by a number that is written in another way."""
        place = self._places.get(word, self._places.get(exact(word)))
        if place is None:
            raise InvalidInputError(
                f"column {self.label!r}: {word!r} is no class; allowed are "
                f"{', '.join(self.classes or ())}"
            )
        return place

    @typed()
    def save(self, folder: str | Path) -> Path:
        """Write ``columns.toml`` into a problem folder."""
        path = Path(folder) / COLUMNS
        write_text(
            path,
            tomli_w.dumps(
                {name: value for name, value in asdict(self).items() if value is not None}
            ),
        )
        return path

    @classmethod
    @typed()
    def load(cls, folder: str | Path) -> "Columns":
        """Read ``columns.toml`` of a problem folder.

        Raises
        ------
        MissingFileError
            If there is none.
        InvalidInputError
            If it cannot be read.
        """
        path = Path(folder) / COLUMNS
        if not path.is_file():
            raise MissingFileError(
                f"columns: {path} does not exist; `agtopt new` writes it, and points of other "
                f"problems are .npz files"
            )
        schema = read_toml(path, _ColumnsSchema)
        classes = None if schema.classes is None else tuple(schema.classes)
        try:
            return cls(
                tuple(schema.features),
                schema.label,
                schema.loss,
                classes,
                tuple(schema.shift),
                tuple(schema.factor),
            )
        except InvalidInputError as error:
            raise InvalidInputError(f"{path}: {error}") from None


class _ColumnsSchema(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    features: list[str]
    label: str
    loss: str
    classes: list[str] | None = None
    shift: list[float]
    factor: list[float]


_SENTINEL = (
    "a number like this often stands for a missing one: drop such rows, or leave the column out "
    "(features)"
)
_UNNAMED = re.compile(r"|Unnamed: \d+(_level_\d+)?")


def _all_but(frame: Any, label: str) -> list[Any]:
    """Every column but the label; refuses those that nobody can have meant as a feature."""
    chosen = [name for name in frame.columns if name != label]
    unnamed = next((name for name in chosen if _UNNAMED.fullmatch(str(name))), None)
    if unnamed is not None:
        place = list(frame.columns).index(unnamed) + 1
        raise InvalidInputError(
            f"column {place} has no name ({unnamed!r}): a saved index that counts the rows is no "
            f"feature; write the table without it "
            "(pandas: to_csv(index=False)), or name the features (features, --features)"
        )
    second = next(
        (name for name in chosen if re.fullmatch(re.escape(str(label)) + r"\.\d+", str(name))), None
    )
    if second is not None:
        raise InvalidInputError(
            f"column {second!r}: pandas gives this name to a second column {label!r}, which would "
            f"tell the label; take it out, or name the "
            "features (features, --features)"
        )
    return chosen


def _check_features(label: str, features: Sequence[str]) -> None:
    if not features or label in features or len(set(features)) < len(features):
        raise InvalidInputError(
            f"features: {list(features)!r} is not allowed; name one column or more, none twice, "
            f"and not the label {label!r}"
        )


def _scaling(names: Sequence[str], values: Array, scale: str) -> tuple[Array, Array]:
    """Shift and factor of each column."""
    if scale == "none":
        return np.zeros(len(names)), np.ones(len(names))
    lowest, highest = values.min(axis=0), values.max(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        constant = highest - lowest <= CONSTANT * np.maximum(np.abs(lowest), np.abs(highest))
        shift = np.where(constant, lowest, values.mean(axis=0))
        factor = np.where(constant, 1.0, values.std(axis=0))
    for name, mean, deviation, low, high in zip(names, shift, factor, lowest, highest, strict=True):
        if not (np.isfinite(mean) and np.isfinite(deviation) and deviation > 0):
            raise InvalidInputError(
                f"column {name!r}: from {low:g} to {high:g}, its mean is {mean:g} and its "
                f"deviation {deviation:g} as a float, which cannot "
                f"scale it; {_SENTINEL}"
            )
    return shift, factor


def _loss_for(label: str, found: list[str]) -> str:
    distinct = set(found)
    if len(distinct) == 2:
        return "hinge"
    if len(distinct) > 2 and any(exact(word) is None for word in distinct):
        return "cross-entropy"
    raise InvalidInputError(
        f"loss: the label {label!r} has {len(distinct)} different values; name the loss: squared "
        f"takes targets, cross-entropy and "
        "multi-hinge two or more classes, hinge and binary-cross-entropy two"
    )


def _classes(loss: str, label: str, found: list[str]) -> tuple[str, ...] | None:
    if loss not in LOSSES or LOSSES[loss].classes(2) is None:
        return None
    distinct = [(exact(word), word) for word in set(found)]
    in_order = tuple(
        word
        for _, word in sorted(distinct, key=lambda pair: (pair[0] is None, pair[0] or 0, pair[1]))
    )
    _check_classes(loss, label, in_order)
    return in_order


def _check_classes(loss: str, label: str, classes: Sequence[str]) -> None:
    two = LOSSES[loss].outputs[1] == 1
    if len(classes) < 2 or (two and len(classes) > 2):
        raise InvalidInputError(
            f"loss: {loss!r} takes {'two' if two else 'two or more'} classes; the label {label!r} "
            f"has {len(classes)}"
        )
    first: dict[Any, str] = {}
    for word in classes:
        number = exact(word)
        meant = word.strip() if number is None else number
        if meant in first:
            what = "blanks around them" if number is None else "how they write one number"
            raise InvalidInputError(
                f"column {label!r}: the classes {first[meant]!r} and {word!r} differ only in "
                f"{what}; write them in one way"
            )
        first[meant] = word
