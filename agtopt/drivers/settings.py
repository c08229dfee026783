"""How a run of a driver goes: what is given, saved, compared and recorded of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from agtopt.arguments import typed
from agtopt.compiler import predicted_size
from agtopt.domains import Polytope
from agtopt.drivers.obbt import OBBT, linear_kind
from agtopt.drivers.windows import Window, windows
from agtopt.errors import InvalidInputError, UnsupportedError
from agtopt.kinds import Formulation, kind_named
from agtopt.problem import Problem
from agtopt.problem.checks import finite_array, instance, number, whole
from agtopt.solvers import PROVED, PROVER, TOLERANCE, choose, proves


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _PlainOBBT(_Strict):
    solves: int
    rounds: int
    kind: str


class _Plain(_Strict):
    """Settings as JSON has them."""

    method: str
    window: int | None
    stride: int | None
    solver: str | None
    time_limit: float | None
    conditional: bool
    tighten: bool | str
    directions: list[list[float]] | None
    obbt: _PlainOBBT | None
    rigour: str
    first: int
    proofs: str | None = None


@typed()
@dataclass(frozen=True, eq=False)
class Settings:
    """How a formulation is solved over a horizon.

    Parameters
    ----------
    method : str or Formulation
        LP, QCP, MILP, MIQCP or MINLP.
    window, stride, solver, time_limit, conditional, tighten, domain, obbt, rigour, proofs
        As in `agtopt.bound`.
    first : int
        The step at which optimisation begins; those before it are propagated by CROWN.

    Raises
    ------
    InvalidInputError
        If a value is not allowed.
    UnsupportedError
        If a kind with products is to be proved.
    """

    method: str | Formulation
    window: int | None = None
    stride: int | None = None
    solver: str | None = None
    time_limit: float | None = None
    conditional: bool = True
    tighten: bool | str | Formulation = True
    domain: Polytope | None = None
    obbt: OBBT | None = None
    rigour: str = TOLERANCE
    proofs: str | Path | None = None
    first: int = 0

    def __post_init__(self) -> None:
        if not isinstance(kind_named(self.method), Formulation):
            raise InvalidInputError(
                f"method: {self.method} is propagated at once and has no windows; a run takes a "
                f"formulation"
            )
        if not isinstance(self.tighten, bool):
            linear_kind("tighten", self.tighten)
        for name, least in (("window", self.window), ("stride", self.stride)):
            if least is not None:
                whole(name, least, 1)
        whole("first", self.first, 0)
        if self.time_limit is not None:
            number("time_limit", self.time_limit, above=0.0)
        instance("conditional", self.conditional, bool)
        if self.solver is not None:
            instance("solver", self.solver, str)
        for name, value, kind in (("domain", self.domain, Polytope), ("obbt", self.obbt, OBBT)):
            if value is not None and not isinstance(value, kind):
                raise InvalidInputError(
                    f"{name}: {value!r} is not allowed; it must be None or {kind.__name__}(…)"
                )
        if self.rigour not in (TOLERANCE, PROVED):
            raise InvalidInputError(
                f"rigour: {self.rigour!r} is not allowed; it must be {TOLERANCE!r} or {PROVED!r}"
            )
        if self.rigour == PROVED:
            self._check_provable()
        elif self.proofs is not None:
            raise InvalidInputError(f"proofs: a folder of proofs needs rigour={PROVED!r}")

    def _check_provable(self) -> None:
        if self.kind.bilinear:
            raise UnsupportedError(
                f"rigour: bounds of {self.kind} cannot be proved; MILP and LP can"
            )
        if self.solver is not None and not proves(self.solver):
            raise InvalidInputError(
                f"solver: {self.solver!r} proves nothing by itself; leave it out, or take "
                f"{PROVER!r}"
            )
        if self.proofs is not None and self.obbt is not None and self.obbt.rounds > 1:
            raise InvalidInputError(
                "obbt: a folder of proofs holds those of one round; take rounds=1"
            )

    @typed()
    def agrees(self, other: "Settings") -> bool:
        """Whether both lead to the same run."""
        return self.to_dict() == other.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values, which JSON takes: equal for settings that agree.

        Kinds are named, a template is a list of its directions, and the folder of proofs is left
        out where there is none.
        """
        obbt, proofs = self.obbt, self.proofs
        return {
            "method": str(self.kind),
            "window": None if self.window is None else int(self.window),
            "stride": None if self.stride is None else int(self.stride),
            "solver": self.solver,
            "time_limit": None if self.time_limit is None else float(self.time_limit),
            "conditional": self.conditional,
            "tighten": self.tighten if isinstance(self.tighten, bool) else str(self.between),
            "directions": None if self.domain is None else self.domain.directions.tolist(),
            "obbt": None if obbt is None else obbt.to_dict(),
            "rigour": self.rigour,
            "first": int(self.first),
        } | ({} if proofs is None else {"proofs": str(proofs)})

    @classmethod
    @typed()
    def from_dict(cls, values: Mapping[str, Any]) -> "Settings":
        """Read what `to_dict` wrote.

        Raises
        ------
        InvalidInputError, UnsupportedError
            If a value is missing, has no meaning here, or is not allowed.
        """
        try:
            plain = _Plain.model_validate(dict(values))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, ("settings", *first["loc"])))
            raise InvalidInputError(f"{where}: {first['msg']}") from None
        others = plain.model_dump(exclude={"directions", "obbt"})
        directions, obbt = plain.directions, plain.obbt
        return cls(
            **others,
            domain=None
            if directions is None
            else Polytope(finite_array("settings.directions", directions)),
            obbt=None if obbt is None else OBBT(**obbt.model_dump()),
        )

    @property
    def kind(self) -> Formulation:
        """The formulation that `method` names, where it is one."""
        kind = kind_named(self.method)
        assert isinstance(kind, Formulation)
        return kind

    @property
    def between(self) -> Formulation:
        """The formulation of the models that only tighten: those of steps within a window."""
        return (
            self.kind.linear
            if isinstance(self.tighten, bool)
            else linear_kind("tighten", self.tighten)
        )

    @property
    def chosen(self) -> str | None:
        """The solver by name; None leaves the choice to the model."""
        if self.solver is None and self.rigour == PROVED and self.kind.binaries:
            return PROVER
        return self.solver

    def check(self, problem: Problem) -> None:
        """Refuse settings that do not fit a problem, before anything is done.

        Raises
        ------
        InvalidInputError
            If the stride is longer than the window, or the template does not fit.
        SolverUnavailableError
            If the solver is not installed or cannot prove bounds of the kind.
        """
        self.stages(problem)
        if self.domain is not None:
            _check_template(self.domain, problem.network.size)
        choose(self.chosen, predicted_size(problem, self.kind).quadratic > 0, self.kind.binaries)

    @typed()
    def stages(self, problem: Problem) -> Iterator[Window]:
        """Every model that is solved, in order.

        Raises
        ------
        InvalidInputError
            If no step is left to them, or the stride is longer than the window.
        """
        if self.first >= problem.steps:
            raise InvalidInputError(
                f"first: {self.first} is not allowed; the run has {problem.steps} steps"
            )
        left = problem.steps - self.first
        length = left if self.window is None else min(self.window, left)
        step = length if self.stride is None else self.stride
        if step > length:
            raise InvalidInputError(
                f"stride: {step} is not allowed; it must be at most the window, {length}"
            )
        return windows(problem.steps, length, step, self.tighten is not False, self.first)


def _check_template(domain: Polytope, size: int) -> None:
    if len(domain) != size:
        raise InvalidInputError(
            f"domain: directions of {len(domain)} parameters do not fit; the network has {size}"
        )
    if np.isfinite([domain.lower, domain.upper]).any() or domain.box is not None:
        raise InvalidInputError(
            "domain: it must be a template, directions without bounds: Polytope(directions)"
        )
