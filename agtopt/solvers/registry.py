"""Which solvers there are, what each can prove, and which one to take."""

from dataclasses import dataclass
from importlib.util import find_spec

from pyomo.contrib.solver.common.factory import SolverFactory

from agtopt.errors import SolverUnavailableError
from agtopt.kinds import KINDS, Formulation


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
        Whether it proves bounds of models with nonconvex products.
    """

    name: str
    interface: str
    package: str | None
    quadratic: bool

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
        Solver("highs", "highs", "highspy", quadratic=False),
        Solver("scip", "scip_direct", "pyscipopt", quadratic=True),
        Solver("gurobi", "gurobi_direct_minlp", "gurobipy", quadratic=True),
        Solver("proof", "highs", "highspy", quadratic=False),
    )
}

LOCAL = {"ipopt", "knitro_direct"}
"""Interfaces that find points but prove no bound."""


def choose(name: str | None, quadratic: bool, binaries: bool = False) -> Solver:
    """The solver to take for a model.

    Parameters
    ----------
    name : str or None
        A name of `SOLVERS` or of Pyomo's ``contrib.solver`` factory; None takes HiGHS for linear
        programs, whose bounds are proved, and SCIP for all else: HiGHS was wrong too often on
        mixed-integer models (docs/solver-faults.md).
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
    wanted = name if name is not None else ("scip" if quadratic or binaries else "highs")
    solver = SOLVERS.get(wanted) or _by_interface(wanted)
    if not solver.installed:
        hint = f"pip install {solver.package}" if solver.package else "install its program"
        raise SolverUnavailableError(
            f"solver: {wanted!r} is not installed; {hint}, or use one of {', '.join(_installed())}"
        )
    if quadratic and not solver.quadratic:
        raise SolverUnavailableError(
            f"solver: {wanted!r} cannot prove bounds of a model with products of continuous "
            f"variables; "
            "use scip or gurobi, or the kind MILP or LP"
        )
    return solver


def _by_interface(name: str) -> Solver:
    known = {solver.interface: solver for solver in SOLVERS.values()}
    if name in LOCAL:
        raise SolverUnavailableError(
            f"solver: {name!r} finds points but proves no bounds; use one of {', '.join(SOLVERS)}"
        )
    if name not in set(SolverFactory):
        raise SolverUnavailableError(
            f"solver: {name!r} is unknown; allowed are {', '.join(SOLVERS)} and Pyomo's interfaces "
            f"{', '.join(sorted(SolverFactory))}"
        )
    family = name.split("_")[0]
    package = next((solver.package for solver in known.values() if solver.name == family), None)
    return Solver(name, name, package, quadratic=family in ("scip", "gurobi"))


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
