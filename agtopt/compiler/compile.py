"""Compile a window of training steps into a Pyomo model."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyomo.environ as pyo

from agtopt.arguments import typed
from agtopt.compiler.branches import learn_branches
from agtopt.compiler.model import CompiledModel
from agtopt.domains import Interval, KnownBounds, Polytope, interval_hull
from agtopt.errors import InvalidInputError
from agtopt.formulation.affine import AffineArray
from agtopt.formulation.site import Site
from agtopt.intervals.states import initial_domain
from agtopt.kinds import Formulation, kind_named
from agtopt.names import title
from agtopt.problem import Problem
from agtopt.problem.checks import instance
from agtopt.symbolic.branches import BranchBounds
from agtopt.symbolic.operations import SymbolicOperations
from agtopt.symbolic.steps import write_steps


@typed()
def compile(
    problem: Problem,
    kind: str | Formulation,
    start: int = 0,
    stop: int | None = None,
    domain: Interval | Polytope | None = None,
    known: KnownBounds | None = None,
    conditional: bool = True,
    branches: BranchBounds | None = None,
) -> CompiledModel:
    """Compile the steps start … stop−1 into an optimisation model.

    Parameters
    ----------
    problem : Problem
    kind : str or Formulation
        LP, QCP, MILP, MIQCP or MINLP.
    start, stop : int
        The window; the whole horizon by default. Both the number of steps: no training, but the
        parameters in their domain, for a query.
    domain : Interval or Polytope, optional
        Valid domain of the state at `start` (`Problem.flatten`: the parameters, then with momentum
        the velocities); the initial one by default, and needed for a later start. Intervals follow
        from the box of a polytope, whose rows become constraints.
    known : KnownBounds, optional
        Bounds that are known to hold; those found on the way are added to it.
    conditional : bool
        Whether cuts tie θ_t and the gradient entries to the selectors
        (docs/decisions/0048-conditional-bounds.md).
    branches : BranchBounds, optional
        Found here, and their hull added to `known`, when they are not given.

    Returns
    -------
    CompiledModel
        A fresh model at every call.

    Raises
    ------
    InvalidInputError
        If the kind is no formulation or the window does not fit.
    UnsupportedError
        If an interval is unbounded, so that no big-M exists.
    """
    instance("problem", problem, Problem)
    formulation = kind_named(kind)
    if not isinstance(formulation, Formulation):
        raise InvalidInputError(
            f"kind: {formulation} has no model; compile takes LP, QCP, MILP, MIQCP or MINLP"
        )
    last = problem.steps if stop is None else stop
    if not (0 <= start < last <= problem.steps or start == last == problem.steps):
        raise InvalidInputError(
            f"window: steps {start}…{last} do not fit; the run has {problem.steps} steps"
        )
    if domain is None:
        if start != 0:
            raise InvalidInputError(
                f"domain: a window that starts at step {start} needs the domain of that step"
            )
        domain = initial_domain(problem)
    instance("domain", domain, Interval, Polytope)
    if len(domain) != problem.state_size:
        raise InvalidInputError(
            f"domain: {len(domain)} entries do not fit; the state of a step has "
            f"{problem.state_size}"
        )
    store = KnownBounds() if known is None else known
    box = domain if isinstance(domain, Interval) else domain.box or interval_hull(domain)
    if branches is None:
        branches = (
            learn_branches(problem, store, start, box, last).bounds
            if conditional and start < last
            else BranchBounds.nothing()
        )
    model = pyo.ConcreteModel(name=f"{title(problem.name)}_{formulation}_{start}_{last}")
    with _collector_paused():
        ops = SymbolicOperations(
            problem, formulation, model, start, last, store, branches, conditional
        )
        written = list(write_steps(ops, start, last, box))
        states, boxes = [list(column) for column in zip(*written, strict=True)]
        if isinstance(domain, Polytope):
            _constrain(Site(model.parameter[start], "polytope"), states[0], domain)
    rows = list(model.component_objects(pyo.Constraint))
    compiled = CompiledModel(problem, formulation, start, last, model, boxes, rows, states, ops)
    if compiled.decisive:
        _prioritise(model, ops)
    return compiled


def _constrain(site: Site, state: AffineArray, polytope: Polytope) -> None:
    """The rows of a start domain, with room for a solver (S9)."""
    body = (state * polytope.directions).total(1)
    for suffix, side, ends in (
        ("_above", "lower", polytope.lower),
        ("_below", "upper", polytope.upper),
    ):
        site.rows(suffix, body, body.varies & np.isfinite(ends), **{side: ends}, margin=True)


def _prioritise(model: Any, ops: SymbolicOperations) -> None:
    # Pyomo's own way to tell a solver what to branch on first.
    model.priority = pyo.Suffix(direction=pyo.Suffix.LOCAL)
    for selectors in ops.choices.deciding:
        for variable in selectors.variables[selectors.coefficients != 0.0]:
            model.priority[variable] = 1000


@contextmanager
def _collector_paused() -> Iterator[None]:
    # Building makes many small objects and no garbage: a pause is three times faster.
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
