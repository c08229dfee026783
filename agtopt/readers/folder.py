"""A problem as a folder: problem.toml for people, arrays.npz for numbers."""

from collections.abc import Mapping
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray
from pydantic import BaseModel

from agtopt.arguments import typed
from agtopt.errors import InvalidInputError, MissingFileError, UnsupportedError
from agtopt.files import opened, put_arrays, saving, staged
from agtopt.problem import (
    Add,
    AvgPool2d,
    Bounded,
    Conv2d,
    Dataset,
    Dense,
    Flatten,
    Layer,
    LeakyReLU,
    Network,
    Perturbation,
    Problem,
    ReLU,
    Removal,
    Substitution,
    Training,
)
from agtopt.problem.checks import instance
from agtopt.problem.loss import LOSSES
from agtopt.readers.draft import Draft
from agtopt.readers.schema import NetworkSchema, ProblemSchema
from agtopt.readers.toml import read_toml

PROBLEM, ARRAYS = "problem.toml", "arrays.npz"
BOX = ("perturbation_lower", "perturbation_upper")
Arrays = dict[str, NDArray[np.float64]]


def _by_type(*kinds: Any) -> dict[str, Any]:
    return {kind.__name__.lower(): kind for kind in kinds}


LAYERS: dict[str, type[Layer]] = _by_type(Dense, Conv2d, AvgPool2d, ReLU, LeakyReLU, Flatten, Add)
PERTURBATIONS: dict[str, type[Perturbation]] = _by_type(Bounded, Removal, Substitution)


@typed()
def load(folder: str | Path) -> Problem:
    """Read a problem folder.

    Parameters
    ----------
    folder : str or Path
        Holds ``problem.toml`` (validated: a misspelt key is an error) and ``arrays.npz`` (read
        without pickle).

    Returns
    -------
    Problem

    Raises
    ------
    MissingFileError
        If the folder or one of the files does not exist.
    InvalidInputError
        If a file cannot be read or a value is not allowed.
    UnsupportedError
        If a layer takes one input twice.
    """
    instance("folder", folder, str, PathLike)
    path = Path(folder)
    for needed in (path, path / PROBLEM, path / ARRAYS):
        if not needed.exists():
            raise MissingFileError(
                f"{needed}: does not exist; a problem is a folder with {PROBLEM} and {ARRAYS}"
            )
    # pydantic names the chosen type as well.
    schema = read_toml(path / PROBLEM, ProblemSchema, {*LAYERS, *PERTURBATIONS})
    draft, shape = _draft(schema.network), tuple(schema.network.input_shape)
    with opened(path / ARRAYS, f"{path / ARRAYS}: cannot be read") as archive:
        archive.only(
            ("features", "labels", *draft.shapes()),
            BOX if schema.perturbation.type == "substitution" else (),
        )
        labels = archive.array("labels", (None,), (None, None))
        features = archive.array("features", (len(labels), *shape))
        box = {end: archive.array(end) for end in BOX if end in archive.names}
        draft.initial = {
            name: archive.array(name, extents) for name, extents in draft.shapes().items()
        }
    return Problem(
        network=draft.network(shape, schema.network.parameters),
        dataset=Dataset(features, labels),
        perturbation=_perturbation(schema.perturbation, box),
        training=Training(**schema.training.model_dump()),
        name=schema.name,
    )


@typed()
def save(problem: Problem, folder: str | Path, description: str = "") -> Path:
    """Write a problem folder that `load` reads back exactly.

    Parameters
    ----------
    problem : Problem
    folder : str or Path
        Made if it does not exist; files in it are replaced.
    description : str
        Origin of the data, for people.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    SaveError
        If the files cannot be written; those that were there before still are.
    UnsupportedError
        If a layer, the loss or the perturbation model is not one of agtopt's own: a file cannot say
        what it does.
    """
    instance("problem", problem, Problem)
    instance("description", description, str)
    training, box = problem.training, _box(problem.perturbation)
    if training.loss not in LOSSES.values():
        raise UnsupportedError(
            f"training.loss: {training.loss!r} cannot be saved; allowed are {', '.join(LOSSES)}"
        )
    document = {
        "name": problem.name,
        "description": description,
        "network": _described_network(problem.network),
        "perturbation": _described(
            "perturbation",
            problem.perturbation,
            PERTURBATIONS,
            without=("features",) if box else (),
        ),
        "training": {**_plain_fields(training), "loss": training.loss.name},
    }
    arrays = {
        "features": problem.dataset.features,
        "labels": problem.dataset.labels,
        **box,
        **problem.network.initial,
    }
    path = Path(folder)
    with saving(path):
        path.mkdir(parents=True, exist_ok=True)
    # Both files or neither: the text of one problem beside the arrays of another would be a third.
    with staged(path) as stage:
        (stage / PROBLEM).write_text(tomli_w.dumps(document), encoding="utf-8")
        put_arrays(stage / ARRAYS, arrays)
    return path


def read_arrays(path: Path, *names: str) -> dict[str, NDArray[Any]]:
    """Arrays of numbers of an .npz file, read without pickle: those named and there; others are not
    looked at.

    Raises
    ------
    InvalidInputError
        If it is no such file.
    """
    with opened(path, f"{path}: cannot be read as arrays without pickle") as archive:
        return {name: archive.array(name) for name in names if name in archive.names}


def _draft(schema: NetworkSchema) -> Draft:
    draft = Draft()
    for entry in schema.layers:
        layer = LAYERS[entry.type](**entry.model_dump(exclude={"type", "name", "sources"}))
        draft.add(layer, [draft.last] if entry.sources is None else entry.sources, entry.name)
    return draft


def _described_network(network: Network) -> dict[str, Any]:
    draft, layers = Draft(), []
    for node in network.nodes:
        layer, sources = network.layer(node), list(network.inputs_of(node))
        entry = _described(f"layer {node!r}", layer, LAYERS)
        # A chain needs neither names nor sources.
        entry |= {"name": node} if node != draft.numbered(layer) else {}
        entry |= {"sources": sources} if sources != [draft.last] else {}
        layers.append(entry)
        draft.add(layer, sources, node)
    parameters = list(network.initial)
    order = {"parameters": parameters} if parameters != draft.tensors_of() else {}
    return {"input_shape": list(network.input_shape), **order, "layers": layers}


def _perturbation(schema: BaseModel, arrays: Arrays) -> Perturbation:
    entries = schema.model_dump()
    kind = PERTURBATIONS[entries.pop("type")]
    if kind is Substitution and any(end in arrays for end in BOX):
        for end in BOX:
            if end not in arrays or entries["features"] is not None:
                raise InvalidInputError(
                    f"perturbation.features: give two numbers, or both of the arrays "
                    f"{' and '.join(BOX)}"
                )
        entries["features"] = [arrays.pop(end) for end in BOX]
    return kind(**entries)


def _box(perturbation: Perturbation) -> Arrays:
    """The ends of a box that are not just numbers."""
    if not isinstance(perturbation, Substitution) or perturbation.features is None:
        return {}
    ends = [np.asarray(end, dtype=np.float64) for end in perturbation.features]
    return dict(zip(BOX, ends, strict=True)) if any(end.ndim for end in ends) else {}


def _described(
    field: str, part: Any, known: Mapping[str, type], without: tuple[str, ...] = ()
) -> dict[str, Any]:
    kind = type(part).__name__.lower()
    if known.get(kind) is not type(part):
        raise UnsupportedError(
            f"{field}: {type(part).__name__} cannot be saved; allowed are "
            f"{', '.join(each.__name__ for each in known.values())}"
        )
    return {
        "type": kind,
        **{name: value for name, value in _plain_fields(part).items() if name not in without},
    }


def _plain_fields(part: Any) -> dict[str, Any]:
    """The fields that are not None, in the types that TOML knows."""
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    return {name: _plain(value) for name, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
