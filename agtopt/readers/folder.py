"""A problem as a folder: problem.toml for people, arrays.npz for numbers."""

import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import tomli_w
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray
from pydantic import ValidationError

from agtopt.errors import InvalidInputError, MissingFileError
from agtopt.problem import Bounded, Dataset, Dense, Flatten, Layer, Network, Problem, ReLU, Training
from agtopt.readers.schema import DenseSchema, ProblemSchema, ReLUSchema

PROBLEM, ARRAYS = "problem.toml", "arrays.npz"


def load(folder: str | Path) -> Problem:
    """Read a problem folder.

    Parameters
    ----------
    folder : str or Path
        Holds ``problem.toml`` (validated: a misspelt key is an error) and ``arrays.npz`` (read without pickle).

    Raises
    ------
    MissingFileError
        If the folder or one of the files does not exist.
    InvalidInputError
        If a file cannot be read or a value is not allowed.
    """
    path = Path(folder)
    for needed in (path, path / PROBLEM, path / ARRAYS):
        if not needed.exists():
            raise MissingFileError(f"{needed}: does not exist; a problem is a folder with {PROBLEM} and {ARRAYS}")
    try:
        schema = ProblemSchema.model_validate(tomllib.loads((path / PROBLEM).read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path / PROBLEM}: is not valid TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InvalidInputError(f"{path / PROBLEM}: {field}: {first['msg']} (it was {first['input']!r})") from None
    arrays = read_arrays(path / ARRAYS)
    missing = {"features", "labels"} - set(arrays)
    if missing:
        raise InvalidInputError(f"{path / ARRAYS}: has no array {sorted(missing)[0]!r}")
    weights = {name: value for name, value in arrays.items() if name not in ("features", "labels")}
    layers = [_layer(entry) for entry in schema.network.layers]
    perturbation = schema.perturbation.model_dump(exclude={"type"})
    return Problem(
        network=Network.chain(layers, tuple(schema.network.input_shape), weights),
        dataset=Dataset(arrays["features"], arrays["labels"]),
        perturbation=Bounded(**perturbation),
        training=Training(**schema.training.model_dump()),
        name=schema.name,
    )


def save(problem: Problem, folder: str | Path, description: str = "") -> Path:
    """Write a problem folder that `load` reads back exactly.

    Parameters
    ----------
    problem : Problem
    folder : str or Path
        Made if it does not exist; files in it are replaced.
    description : str
        Origin of the data, for people.
    """
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    network, training = problem.network, problem.training
    document = {
        "name": problem.name,
        "description": description,
        "network": {
            "input_shape": list(network.input_shape),
            "layers": [{"type": type(network.layer(node)).__name__.lower(), **asdict(network.layer(node))} for node in network.nodes],
        },
        "perturbation": {"type": "bounded", **_present(asdict(problem.perturbation))},
        "training": {**_present({name: getattr(training, name) for name in Training.__dataclass_fields__}), "loss": training.loss.name},
    }
    (path / PROBLEM).write_text(tomli_w.dumps(document), encoding="utf-8")
    np.savez(path / ARRAYS, features=problem.dataset.features, labels=problem.dataset.labels, **network.initial)  # type: ignore[arg-type]
    return path


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _layer(entry: Any) -> Layer:
    if isinstance(entry, DenseSchema):
        return Dense(entry.inputs, entry.outputs, entry.bias)
    return ReLU() if isinstance(entry, ReLUSchema) else Flatten()


def read_arrays(path: Path) -> dict[str, NDArray[np.float64]]:
    """The arrays of an .npz file, read without pickle; raises InvalidInputError if it is no such file."""
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, NpzFile):
            raise ValueError("it holds a single array, not an archive of named ones")
        with archive:
            return {name: archive[name] for name in archive.files}
    except (BadZipFile, ValueError, OSError, EOFError) as error:
        raise InvalidInputError(f"{path}: cannot be read as arrays without pickle: {error}") from None
