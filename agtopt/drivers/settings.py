"""How a run of a driver goes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agtopt.arguments import typed
from agtopt.compiler import predicted_size
from agtopt.domains import Polytope
from agtopt.drivers.tighten import OBBT, linear_kind
from agtopt.drivers.windows import Window, windows
from agtopt.errors import InvalidInputError, UnsupportedError
from agtopt.kinds import Formulation, kind_named
from agtopt.problem import Problem
from agtopt.problem.checks import number, whole
from agtopt.problem.encoding import digest
from agtopt.solvers import PROVED, TOLERANCE, choose


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
        if self.solver not in (None, "proof"):
            raise InvalidInputError(
                f"solver: {self.solver!r} proves nothing by itself; leave it out, or take 'proof'"
            )
        if self.proofs is not None and self.obbt is not None and self.obbt.rounds > 1:
            raise InvalidInputError(
                "obbt: a folder of proofs holds those of one round; take rounds=1"
            )

    @typed()
    def agrees(self, other: "Settings") -> bool:
        """Whether both lead to the same run."""
        return digest(self._spelt_out()) == digest(other._spelt_out())

    def _spelt_out(self) -> "Settings":
        """The same settings with kinds for their names."""
        tighten = self.tighten if isinstance(self.tighten, bool) else self.between
        obbt = None if self.obbt is None else replace(self.obbt, kind=self.obbt.formulation)
        return replace(self, method=self.kind, tighten=tighten, obbt=obbt)

    @property
    def kind(self) -> Formulation:
        """The formulation."""
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
        return "proof" if self.rigour == PROVED and self.kind.binaries else self.solver

    @typed()
    def stages(self, problem: Problem) -> Iterator[Window]:
        """Every model that is solved, in order.

        Raises
        ------
        InvalidInputError
            If the stride is longer than the window, or the template does not fit the problem.
        SolverUnavailableError
            If the solver is not installed or cannot prove bounds of the kind.
        """
        if self.first >= problem.steps:
            raise InvalidInputError(
                f"first: {self.first} is not allowed; the run has {problem.steps} steps"
            )
        length = (
            problem.steps - self.first
            if self.window is None
            else min(self.window, problem.steps - self.first)
        )
        step = length if self.stride is None else self.stride
        if step > length:
            raise InvalidInputError(
                f"stride: {step} is not allowed; it must be at most the window, {length}"
            )
        if self.domain is not None:
            _check_template(self.domain, problem.network.size)
        choose(self.chosen, predicted_size(problem, self.kind).quadratic > 0, self.kind.binaries)
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
