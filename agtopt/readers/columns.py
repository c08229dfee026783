"""From the columns of a table to arrays: which are features, which is the label, and how both become numbers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict

from agtopt.errors import InvalidInputError, MissingFileError
from agtopt.files import write_text
from agtopt.names import checked
from agtopt.problem import Dataset
from agtopt.problem.loss import LOSSES
from agtopt.readers.toml import read_toml

COLUMNS = "columns.toml"
"""Name of the file beside a ``problem.toml``."""

SCALES = ("standard", "none")
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """How rows of a table are read as samples; the same for training data and for points to certify.

    The shifts and factors are numbers that were fixed once: what is certified is training on features that are scaled by *these*, so an
    adversary who moves a sample does not move them.

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
    def of(
        cls, frame: Any, label: str, features: Sequence[str] | None = None, loss: str | None = None, scale: str = "standard"
    ) -> "Columns":
        """Columns of a training table.

        Parameters
        ----------
        frame : pandas.DataFrame
        label : str
        features : sequence of str or None
            All columns but the label by default.
        loss : str or None
            By default hinge for two classes and cross-entropy for more, which are text; numbers of more than two values may be classes or
            targets, so that the loss must be named.
        scale : str
            ``"standard"``: each feature to mean 0 and standard deviation 1 on this table; ``"none"``.

        Raises
        ------
        InvalidInputError
            If a column does not exist, is empty somewhere or holds no numbers, or the loss does not fit the label.
        """
        _check_columns(frame, [label])
        if scale not in SCALES:
            raise InvalidInputError(f"scale: {scale!r} is not allowed; it must be one of {', '.join(SCALES)}")
        chosen = [name for name in frame.columns if name != label] if features is None else list(features)
        if not chosen or label in chosen or len(set(chosen)) < len(chosen):
            raise InvalidInputError(
                f"features: {chosen!r} is not allowed; name one column or more, none twice, and not the label {label!r}"
            )
        if len(frame) == 0:
            raise InvalidInputError("table: it has no rows; at least one sample is needed")
        values = _numbers(frame, chosen)
        standard = scale == "standard"
        spread = values.std(axis=0)
        shift = values.mean(axis=0) if standard else np.zeros(len(chosen))
        factor = np.where(spread > 0, spread, 1.0) if standard else np.ones(len(chosen))
        words = _words(frame, label)
        name = _loss_for(frame, label, words) if loss is None else loss
        return cls(tuple(chosen), label, name, _classes(name, label, words), tuple(shift.tolist()), tuple(factor.tolist()))

    def __post_init__(self) -> None:
        for field, names in (("features", self.features), ("label", (self.label,)), ("classes", self.classes or ())):
            for name in names:
                checked(f"columns.{field}", name)
        if self.loss not in LOSSES:
            raise InvalidInputError(f"loss: {self.loss!r} is unknown; allowed are {', '.join(LOSSES)}")

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
        _check_columns(frame, [self.label])
        X, y = self.points(frame)
        assert y is not None
        return Dataset(X, y)

    def points(self, frame: Any) -> tuple[Array, Array | None]:
        """Features (m, inputs) and, where the table has the label column, labels (m,) of the rows of a table.

        Raises
        ------
        InvalidInputError
            If a column is missing, empty somewhere or holds no numbers, or a class is unknown.
        """
        values = (_numbers(frame, self.features) - np.array(self.shift)) / np.array(self.factor)
        if self.label not in frame.columns:
            return values, None
        if self.classes is None:
            return values, _numbers(frame, [self.label])[:, 0]
        words = _words(frame, self.label)
        unknown = sorted(set(words) - set(self.classes))
        if unknown:
            raise InvalidInputError(f"column {self.label!r}: {unknown[0]!r} is no class; allowed are {', '.join(self.classes)}")
        labels = LOSSES[self.loss].classes(self.network_outputs) or ()
        return values, np.array([labels[self.classes.index(word)] for word in words], dtype=np.float64)

    def save(self, folder: str | Path) -> Path:
        """Write ``columns.toml`` into a problem folder."""
        path = Path(folder) / COLUMNS
        write_text(path, tomli_w.dumps({name: value for name, value in asdict(self).items() if value is not None}))
        return path

    @classmethod
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
            raise MissingFileError(f"columns: {path} does not exist; `agtopt new` writes it, and points of other problems are .npz files")
        schema = read_toml(path, _ColumnsSchema)
        if not len(schema.features) == len(schema.shift) == len(schema.factor) or 0.0 in schema.factor:
            raise InvalidInputError(f"{path}: shift and factor must have one number for each feature, and no factor may be 0")
        classes = None if schema.classes is None else tuple(schema.classes)
        found = cls(tuple(schema.features), schema.label, schema.loss, classes, tuple(schema.shift), tuple(schema.factor))
        if (classes is None) != (LOSSES[found.loss].classes(2) is None):
            raise InvalidInputError(f"{path}: loss {found.loss!r} does not fit the classes {schema.classes}")
        return found


class _ColumnsSchema(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    features: list[str]
    label: str
    loss: str
    classes: list[str] | None = None
    shift: list[float]
    factor: list[float]


def _check_columns(frame: Any, names: Sequence[str]) -> None:
    if not hasattr(frame, "columns"):
        raise InvalidInputError(f"table: {type(frame).__name__} is not allowed; it must be a pandas.DataFrame")
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InvalidInputError(f"column {missing[0]!r} does not exist; the table has {', '.join(map(str, frame.columns))}")
    twice = [name for name in names if list(frame.columns).count(name) > 1]
    if twice:
        raise InvalidInputError(f"column {twice[0]!r} occurs twice; every column needs a name of its own")


def _numbers(frame: Any, names: Sequence[str]) -> Array:
    """The columns as floats, (rows, columns)."""
    _check_columns(frame, names)
    return np.stack([_column(name, frame[name].to_numpy()) for name in names], axis=1)


def _column(name: str, values: ArrayLike) -> Array:
    array = np.empty(np.shape(values))
    for row, value in enumerate(np.asarray(values, dtype=object)):
        try:
            array[row] = float(value)
        except (TypeError, ValueError):
            what = "is empty" if value is None or str(value) in ("<NA>", "NaT") else f"holds {value!r}, which is no number"
            hint = "leave the column out (features), or encode it, e.g. by pandas.get_dummies"
            raise InvalidInputError(f"column {name!r}, row {row} (counted from 0) {what}; {hint}") from None
        if not np.isfinite(array[row]):
            what = "is empty" if np.isnan(array[row]) else f"is {value}"
            raise InvalidInputError(f"column {name!r}, row {row} (counted from 0) {what}; drop the row, or fill it in")
    return array


def _words(frame: Any, label: str) -> list[str]:
    """The label column as text; a number that is whole without its point, so that 1 and 1.0 are one class."""
    words = []
    for row, value in enumerate(np.asarray(frame[label].to_numpy(), dtype=object)):
        if value is None or str(value) in ("nan", "<NA>", "NaT"):
            raise InvalidInputError(f"column {label!r}, row {row} (counted from 0) is empty; drop the row, or fill it in")
        whole = isinstance(value, (float, np.floating)) and float(value).is_integer()
        words.append(str(int(value)) if whole else str(value))
    return words


def _loss_for(frame: Any, label: str, words: list[str]) -> str:
    distinct = len(set(words))
    if distinct == 2:
        return "hinge"
    if distinct > 2 and not np.issubdtype(np.asarray(frame[label].to_numpy()).dtype, np.number):
        return "cross-entropy"
    raise InvalidInputError(
        f"loss: the label {label!r} has {distinct} different values; name the loss: squared takes targets, cross-entropy and multi-hinge "
        "two or more classes, hinge and binary-cross-entropy two"
    )


def _classes(loss: str, label: str, words: list[str]) -> tuple[str, ...] | None:
    if loss not in LOSSES or LOSSES[loss].classes(2) is None:
        return None
    found = sorted(set(words), key=lambda word: (0, float(word), word) if _is_number(word) else (1, 0.0, word))
    two = LOSSES[loss].outputs[1] == 1
    if len(found) < 2 or (two and len(found) > 2):
        raise InvalidInputError(f"loss: {loss!r} takes {'two' if two else 'two or more'} classes; the label {label!r} has {len(found)}")
    return tuple(found)


def _is_number(word: str) -> bool:
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False
