"""Solvers behind one face: one model, many objectives, and a dual bound for each."""

from agtopt.solvers.registry import (
    PROVER,
    SOLVERS,
    Solver,
    choose,
    describe_solvers,
    open_session,
    proves,
)
from agtopt.solvers.result import PROVED, TOLERANCE, SolveResult
from agtopt.solvers.session import Session
from agtopt.solvers.status import Status

__all__ = [
    "PROVED",
    "PROVER",
    "SOLVERS",
    "TOLERANCE",
    "Session",
    "SolveResult",
    "Solver",
    "Status",
    "choose",
    "describe_solvers",
    "open_session",
    "proves",
]
