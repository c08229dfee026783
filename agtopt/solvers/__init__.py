"""Solvers behind one face: one model, many objectives, and a dual bound for each."""

from agtopt.solvers.backend import Session, open_session
from agtopt.solvers.registry import SOLVERS, Solver, choose, describe_solvers
from agtopt.solvers.result import PROVED, TOLERANCE, SolveResult
from agtopt.solvers.status import Status

__all__ = [
    "PROVED",
    "SOLVERS",
    "TOLERANCE",
    "Session",
    "SolveResult",
    "Solver",
    "Status",
    "choose",
    "describe_solvers",
    "open_session",
]
