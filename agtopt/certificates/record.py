"""A certificate as a small JSON file: what is claimed, of which problem, how it was found, and what
shows it."""

from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agtopt.arguments import typed
from agtopt.certificates.points import PointCertificates
from agtopt.certificates.queries import Queries
from agtopt.certificates.witness import Witness
from agtopt.domains import Interval
from agtopt.drivers import Reach, Settings
from agtopt.drivers.reach import FLOAT32
from agtopt.errors import InvalidInputError, MissingFileError, UnsupportedError
from agtopt.files import read_text, write_text
from agtopt.kinds import KINDS, Propagation
from agtopt.problem import Dataset, Problem
from agtopt.solvers import PROVED, TOLERANCE

FORMAT: Literal[3] = 3

PACKAGES = ("agtopt", "numpy", "torch", "pyomo", "highspy", "pyscipopt")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, ser_json_inf_nan="constants")


class ChangeRecord(_Strict):
    """What becomes of one sample."""

    sample: int
    removed: bool
    features: list[float]
    label: list[float]


class WitnessRecord(_Strict):
    """A `Witness` of one of the points."""

    query: int
    point: list[float]
    predicted: int
    changes: list[ChangeRecord]

    @classmethod
    def of(cls, query: int, witness: Witness, nominal: Dataset) -> "WitnessRecord":
        """The record of a witness of query `query`: only what it changes of the nominal data."""
        data = witness.dataset
        changes = [
            ChangeRecord(
                sample=int(i),
                removed=not data.presence()[i],
                features=data.features[i].ravel().tolist(),
                label=np.ravel(data.labels[i]).tolist(),
            )
            for i in np.flatnonzero(data.changed(nominal))
        ]
        return cls(
            query=query,
            point=witness.point.ravel().tolist(),
            predicted=witness.predicted,
            changes=changes,
        )

    def witness(self, problem: Problem) -> Witness:
        """The witness, on the problem's own data."""
        data = problem.dataset
        features, labels, present = data.features.copy(), data.labels.copy(), data.presence().copy()
        for change in self.changes:
            features[change.sample] = np.reshape(change.features, features.shape[1:])
            labels[change.sample] = np.reshape(change.label, labels.shape[1:])
            present[change.sample] = not change.removed
        return Witness(
            Dataset(features, labels, present),
            np.reshape(self.point, problem.network.input_shape),
            self.predicted,
        )


class Record(_Strict):
    """A certificate, and what shows it.

    Attributes
    ----------
    format : int
        Version of this file format.
    digest : str
        SHA-256 of all other fields: it shows a slip, not a forgery, which `verify` is for.
    problem : str
        `Problem.fingerprint`.
    name, perturbation : str
        The problem and its adversary in words; the budget is part of the latter (S8).
    method : str
        How the domain was found (`Reach.route`) and, after a comma, the margins over the compiled
        run.
    rigour : str
    domain : str
        What verdicts were taken over: ``Interval``, ``Polytope`` or ``Affine``.
    versions : dict
        Of the packages that found it.
    seconds : float
        Of the bounds.
    settings : dict or None
        How the domain was found by models (`Settings.to_dict`, without the folder of proofs); None
        for IBP, CROWN, AFFINE and domains that cannot be found again step by step.
    end_to_end : dict or None
        How margins were bounded over the compiled run.
    lower, upper : list of float
        The box of the final parameters.
    points, lowest, highest, labels : list
        The queries, flattened.
    nominal : list of int
        Predicted classes.
    stable : list of bool
        What is claimed: that no admissible adversary changes the prediction.
    reachable : list of list of int
        Likewise the only classes that one can bring about.
    witnesses : list of WitnessRecord
        What refutes the others.
    """

    format: Literal[3] = FORMAT
    digest: str = ""
    problem: str
    name: str
    perturbation: str
    method: str
    rigour: Annotated[str, Field(pattern=f"^({PROVED}|{TOLERANCE})$")]
    domain: Annotated[str, Field(pattern="^(Interval|Polytope|Affine)$")]
    versions: dict[str, str]
    seconds: float
    settings: dict[str, Any] | None
    end_to_end: dict[str, Any] | None
    lower: list[float]
    upper: list[float]
    points: list[list[float]]
    lowest: list[list[float]]
    highest: list[list[float]]
    labels: list[float] | None
    nominal: list[int]
    stable: list[bool]
    reachable: list[list[int]]
    witnesses: list[WitnessRecord]

    @classmethod
    @typed()
    def of(cls, reach: Reach, found: PointCertificates) -> "Record":
        """Of certificates over a domain, or over the compiled run.

        Raises
        ------
        InvalidInputError
            If the two are of different problems.
        UnsupportedError
            If the loss predicts no class.
        """
        problem = reach.problem
        if found.problem.fingerprint != problem.fingerprint:
            raise InvalidInputError(
                "record: the certificates are of another problem than the domain"
            )
        if found.nominal is None or found.reachable is None:
            raise UnsupportedError(f"record: loss {problem.training.loss.name!r} predicts no class")
        queries, box, classes = found.queries, reach.steps[-1], np.array(problem.classes)
        made = cls(
            problem=problem.fingerprint,
            name=problem.name,
            perturbation=problem.perturbation.describe(),
            method=reach.route if found.settings is None else f"{reach.route}, {found.method}",
            rigour=found.rigour,
            domain=found.domain,
            versions={name: version(name) for name in PACKAGES},
            seconds=reach.seconds + sum(row.seconds for row in found.rows),
            settings=_told(reach.settings),
            end_to_end=_told(found.settings),
            lower=box.lower.tolist(),
            upper=box.upper.tolist(),
            points=_flat(queries.points),
            lowest=_flat(queries.lowest),
            highest=_flat(queries.highest),
            labels=None if queries.labels is None else queries.labels.tolist(),
            nominal=found.nominal.tolist(),
            stable=found.stable.tolist(),
            reachable=[classes[row].tolist() for row in found.reachable],
            witnesses=[
                WitnessRecord.of(k, w, problem.dataset)
                for k, w in enumerate(found.witnesses)
                if w is not None
            ],
        )
        return made.model_copy(update={"digest": made.contents})

    @property
    def contents(self) -> str:
        """SHA-256 of all fields but the digest."""
        return sha256(self.model_dump_json(exclude={"digest"}).encode()).hexdigest()

    @typed()
    def save(self, path: str | Path) -> Path:
        """Write the JSON file.

        Raises
        ------
        MissingFileError
            If the folder does not exist.
        SaveError
            If it cannot be written; a file that was there before still is.
        """
        target = Path(path)
        if not target.parent.is_dir():
            raise MissingFileError(f"record: the folder {target.parent} does not exist")
        write_text(target, self.model_dump_json(indent=1))
        return target

    @classmethod
    @typed()
    def load(cls, path: str | Path) -> "Record":
        """Read what `save` wrote; nothing of it is believed before `verify`.

        Raises
        ------
        MissingFileError
            If the file does not exist.
        InvalidInputError
            If it is no record.
        """
        if not Path(path).is_file():
            raise MissingFileError(f"record: {path} does not exist")
        try:
            return cls.model_validate_json(read_text(path, f"record: {path} is no certificate"))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            if where == "format":
                raise InvalidInputError(
                    f"record: {path} is of another format than {FORMAT}; certify again with this "
                    f"version"
                ) from None
            raise InvalidInputError(
                f"record: {path} is no certificate: {where or 'file'}: {first['msg']}"
            ) from None

    @property
    def of_domain(self) -> Settings | None:
        """How the domain was found by models.

        Raises
        ------
        InvalidInputError, UnsupportedError
            If these are no settings.
        """
        return None if self.settings is None else Settings.from_dict(self.settings)

    @property
    def of_margins(self) -> Settings | None:
        """How margins were bounded over the compiled run.

        Raises
        ------
        InvalidInputError, UnsupportedError
            If these are no settings.
        """
        return None if self.end_to_end is None else Settings.from_dict(self.end_to_end)

    @property
    def route(self) -> str:
        """How the domain was found (`Reach.route`)."""
        return self.method.split(",")[0]

    @property
    def propagation(self) -> tuple[Propagation, str] | None:
        """IBP, CROWN or AFFINE, and the format, where propagation of the whole problem gave the
        domain."""
        name, _, variant = self.route.partition(" ")
        kind, dtype = KINDS.get(name), {"": "float64", FLOAT32: "float32"}.get(variant)
        return (
            (kind, dtype)
            if isinstance(kind, Propagation) and dtype and self.settings is None
            else None
        )

    @property
    def box(self) -> Interval:
        """The domain that is claimed of the final parameters."""
        return Interval(np.array(self.lower), np.array(self.upper))

    @typed()
    def queries(self, problem: Problem) -> Queries:
        """The queries in the shape of the problem's inputs."""
        shape = (len(self.points), *problem.network.input_shape)
        arrays = [np.reshape(values, shape) for values in (self.points, self.lowest, self.highest)]
        return Queries(
            arrays[0], arrays[1], arrays[2], None if self.labels is None else np.array(self.labels)
        )


def _told(settings: Settings | None) -> dict[str, Any] | None:
    return None if settings is None else replace(settings, proofs=None).to_dict()


def _flat(values: NDArray[np.float64]) -> list[list[float]]:
    rows: list[list[float]] = values.reshape(len(values), -1).tolist()
    return rows
