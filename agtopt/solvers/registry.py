"""The table of solvers: how each is opened, what it can prove, and which one to take."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from pyomo.contrib.solver.common.factory import SolverFactory

from agtopt.errors import SolverUnavailableError
from agtopt.kinds import KINDS, Formulation
from agtopt.solvers.checked import CheckedSession
from agtopt.solvers.highs import HighsSession
from agtopt.solvers.proof import ProofSession
from agtopt.solvers.pyomo_session import PyomoSession
from agtopt.solvers.scip import ScipSession
from agtopt.solvers.session import Session

Opener = Callable[["Solver", Any], Session]


def checked_highs(_: "Solver", model: Any) -> Session:
    """A session of HiGHS, with which SCIP has to agree where there are binaries: HiGHS is wrong on
    about one small mixed-integer model in a hundred, and nothing in its answer says on which
    (docs/solver-faults.md)."""
    highs = HighsSession(model)
    if not highs.arrays.integer.any():
        return highs
    return CheckedSession(model, {"highs": highs, "scip": ScipSession(model)})


def through_pyomo(solver: "Solver", model: Any) -> Session:
    """A session of a solver for which nothing but Pyomo's interface is written."""
    return PyomoSession(solver.name, solver.interface, model)


@dataclass(frozen=True)
class Solver:
    """A solver that can prove dual bounds.

    Parameters
    ----------
    name : str
        As the user writes it.
    interface : str
        Name in Pyomo's ``contrib.solver`` factory.
    package : str or None
        Python package that brings it.
    quadratic : bool
        Whether it proves bounds of models with nonconvex products: whether its optima of them are
        global.
    open : callable
        From the solver and a Pyomo model to a session; through Pyomo's interface by default.
    proves : bool
        Whether it hands over a proof of every bound, also of models with binaries.
    """

    name: str
    interface: str
    package: str | None
    quadratic: bool
    open: Opener = through_pyomo
    proves: bool = False

    @property
    def installed(self) -> bool:
        """Whether its package is here (or, without a package, whether Pyomo finds the program)."""
        if self.package is not None:
            return find_spec(self.package) is not None
        return bool(SolverFactory(self.interface).available())

    def takes(self, kind: Formulation) -> bool:
        """Whether it can prove bounds of this kind."""
        return self.quadratic or not kind.bilinear


SOLVERS: dict[str, Solver] = {
    solver.name: solver
    for solver in (
        Solver("highs", "highs", "highspy", False, checked_highs),
        Solver("scip", "scip_direct", "pyscipopt", True, lambda _, model: ScipSession(model)),
        Solver("gurobi", "gurobi_direct_minlp", "gurobipy", True),
        Solver("proof", "highs", "highspy", False, lambda _, model: ProofSession(model), True),
    )
}

LINEAR, OTHERS = "highs", "scip"
"""What is taken by default: HiGHS for linear programs, whose bounds are proved, and SCIP for all
else, since HiGHS was wrong too often on mixed-integer models (docs/solver-faults.md)."""

PROVER = next(solver.name for solver in SOLVERS.values() if solver.proves)
"""What is taken where every bound is to be proved."""

LOCAL = {"ipopt", "knitro_direct"}
"""Interfaces that find points but prove no bound."""


def open_session(solver: Solver, model: Any) -> Session:
    """Hand a Pyomo model to a solver."""
    return solver.open(solver, model)


def proves(name: str) -> bool:
    """Whether the solver of this name hands over a proof of every bound."""
    return name in SOLVERS and SOLVERS[name].proves


def choose(name: str | None, quadratic: bool, binaries: bool = False) -> Solver:
    """The solver to take for a model.

    Parameters
    ----------
    name : str or None
        A name of `SOLVERS` or of Pyomo's ``contrib.solver`` factory; None takes `LINEAR` for linear
        programs and `OTHERS` for all else.
    quadratic : bool
        Whether the model keeps products.
    binaries : bool
        Whether it keeps binaries.

    Raises
    ------
    SolverUnavailableError
        If the name is unknown, the solver is not installed, or it cannot prove a bound of such a
        model.
    """
    wanted = name if name is not None else (OTHERS if quadratic or binaries else LINEAR)
    solver = SOLVERS.get(wanted) or _by_interface(wanted)
    if not solver.installed:
        hint = f"pip install {solver.package}" if solver.package else "install its program"
        raise SolverUnavailableError(
            f"solver: {wanted!r} is not installed; {hint}, or use one of {', '.join(_installed())}"
        )
    if quadratic and not solver.quadratic:
        raise SolverUnavailableError(
            f"solver: {wanted!r} cannot prove bounds of a model with products of continuous "
            f"variables; use {' or '.join(_global())}, or the kind MILP or LP"
        )
    return solver


def _by_interface(name: str) -> Solver:
    if name in LOCAL:
        raise SolverUnavailableError(
            f"solver: {name!r} finds points but proves no bounds; use one of {', '.join(SOLVERS)}"
        )
    if name not in set(SolverFactory):
        raise SolverUnavailableError(
            f"solver: {name!r} is unknown; allowed are {', '.join(SOLVERS)} and Pyomo's interfaces "
            f"{', '.join(sorted(SolverFactory))}"
        )
    family = SOLVERS.get(name.split("_")[0])
    if family is None:
        return Solver(name, name, None, quadratic=False)
    return Solver(name, name, family.package, family.quadratic)


def _global() -> list[str]:
    return [solver.name for solver in SOLVERS.values() if solver.quadratic]


def _installed() -> list[str]:
    return [solver.name for solver in SOLVERS.values() if solver.installed]


def describe_solvers() -> list[dict[str, str]]:
    """One row per solver: name, whether it is installed and licensed, its version, and the kinds it
    takes."""
    rows = []
    for solver in SOLVERS.values():
        version, licence = "", ""
        if solver.installed:
            interface = SolverFactory(solver.interface)
            version = ".".join(map(str, interface.version()))
            licence = (
                interface.available()
                .name.replace("FullLicense", "full")
                .replace("LimitedLicense", "size-limited")
            )
        kinds = [
            kind.name
            for kind in KINDS.values()
            if isinstance(kind, Formulation) and solver.takes(kind)
        ]
        rows.append(
            {
                "solver": solver.name,
                "installed": "yes" if solver.installed else f"no (pip install {solver.package})",
                "version": version,
                "licence": licence,
                "kinds": " ".join(kinds),
            }
        )
    return rows
