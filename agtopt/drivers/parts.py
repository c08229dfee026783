"""Selector branching: the adversary's choices in parts, each bounded by any method, and the hull of
all."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import chain, combinations
from math import comb
from time import perf_counter

import numpy as np

from agtopt.arguments import typed
from agtopt.compiler.branches import learn_branches
from agtopt.domains import Interval, KnownBounds, Polytope, hull, intersect
from agtopt.drivers.attained import compared
from agtopt.drivers.contradiction import room_of
from agtopt.drivers.execute import completed
from agtopt.drivers.interrupt import reached, until_interrupted
from agtopt.drivers.progress import Progress
from agtopt.drivers.reach import PARTS, Reach
from agtopt.drivers.row import Row, rigour_of
from agtopt.drivers.run import Run
from agtopt.drivers.settings import Settings
from agtopt.errors import InvalidInputError
from agtopt.intervals.affine.affine_steps import affine_steps
from agtopt.intervals.propagation import interval_steps
from agtopt.intervals.states import initial_domain
from agtopt.kinds import CROWN, IBP, Formulation, Propagation, kind_named
from agtopt.problem import Problem
from agtopt.problem.checks import instance, whole
from agtopt.solvers import PROVED, TOLERANCE

MOST_PARTS = 10_000
"""Parts beyond which groups are refused: each is a bounding problem of its own."""


@dataclass(frozen=True, eq=False)
class Part:
    """A problem with fewer vulnerable samples, and how to bound it."""

    problem: Problem
    method: Propagation | Settings


@typed()
def bound_parts(
    problem: Problem,
    method: str | Formulation | Propagation | Settings,
    groups: int | Sequence[Sequence[int]] | None = None,
    executor: Executor | None = None,
    progress: bool = False,
) -> Reach:
    """Bound the parameters by branching on which samples the adversary touches.

    The vulnerable samples are divided into groups. At most n samples are touched, and they lie in n
    of the groups: the problems in which only those are vulnerable cover all admissible datasets, so
    that the hull of their domains is a domain (S1). In small parts every set of touched samples has
    an interval run of its own: flips of two classes and removals of linear models are exact without
    a solver.

    Parameters
    ----------
    problem : Problem
    method : str, Formulation, Propagation or Settings
        How each part is bounded; `Settings` give windows, limits and whatever else.
    groups : int, sequence of sequences of int, or None
        A number of groups of consecutive vulnerable samples, or the groups themselves; by default
        each sample is alone.
    executor : concurrent.futures.Executor or None
        Bounds the parts side by side; in this process by default.
    progress : bool
        Whether a progress bar is shown.

    Returns
    -------
    Reach
        For every bound the row of the part that decides it. After Ctrl-C the intervals of the whole
        problem, without rows: parts that are missing may go as far.

    Raises
    ------
    InvalidInputError
        If the groups leave out a vulnerable sample, or the parts are too many.
    """
    instance("problem", problem, Problem)
    how = _how(method)
    parts = [
        Part(replace(problem, perturbation=problem.perturbation.only(*chosen)), how)
        for chosen in _parts(problem, groups)
    ]
    began, bounded = perf_counter(), dict[int, Reach]()
    kind = how if isinstance(how, Propagation) else how.kind
    # Before the parts: they hold what an interrupted part would have been bounded by.
    whole_boxes, interrupted = until_interrupted(compared(problem, _boxes(problem, kind)))
    if interrupted:
        return reached(problem, kind, whole_boxes, True, perf_counter() - began, PARTS)
    with Progress(progress, len(parts), f"{method} {problem.name}") as bar:
        try:
            for part, reach in _solved(parts, executor):
                bounded[parts.index(part)] = reach
                bar.advance(hull(*(each.steps[-1] for each in bounded.values())).width())
        except KeyboardInterrupt:
            return reached(problem, kind, whole_boxes, True, perf_counter() - began, PARTS)
    reaches = [bounded[k] for k in range(len(parts))]
    boxes = [
        intersect(hull(*column), box)
        for *column, box in zip(*(reach.states[1:] for reach in reaches), whole_boxes, strict=True)
    ]
    room = room_of(rigour_of(chain(*(reach.rows for reach in reaches))))
    states = (initial_domain(problem), *compared(problem, boxes, room))
    interrupted = any(reach.interrupted for reach in reaches)
    rows, polytopes = tuple(_deciding(reaches)), tuple(_polytopes(reaches))
    return Reach(
        problem, kind, states, rows, perf_counter() - began, interrupted, polytopes, variant=PARTS
    )


def _how(method: str | Formulation | Propagation | Settings) -> Propagation | Settings:
    if isinstance(method, Settings):
        return method
    kind = kind_named(method)
    return kind if isinstance(kind, Propagation) else Settings(kind)


def _parts(problem: Problem, groups: int | Sequence[Sequence[int]] | None) -> list[tuple[int, ...]]:
    """All unions of n groups, in order."""
    samples = problem.perturbation.touchable(problem)
    if not isinstance(groups, Sequence):
        many = len(samples) if groups is None else min(whole("groups", groups, 1), len(samples))
        divided = [part.tolist() for part in np.array_split(samples, max(1, many))]
    else:
        divided = [list(group) for group in groups]
        if sorted(chain(*divided)) != samples.tolist():
            raise InvalidInputError(
                "groups: each vulnerable sample must be in exactly one of them, and no other "
                "sample in any"
            )
    chosen = min(problem.perturbation.budget, len(divided))
    if (count := comb(len(divided), chosen)) > MOST_PARTS:
        raise InvalidInputError(
            f"groups: {len(divided)} of them make {count} parts; at most {MOST_PARTS} are allowed, "
            f"so take fewer groups"
        )
    return [tuple(sorted(chain(*part))) for part in combinations(divided, chosen)] or [()]


def _solved(parts: list[Part], executor: Executor | None) -> Iterator[tuple[Part, Reach]]:
    # A part takes as long as its models do: the solves inside have their own limits.
    yield from completed(executor, _bounded, parts, _propagated, None)


def _bounded(part: Part) -> Reach:
    if isinstance(part.method, Propagation):
        return _propagated(part)
    run = Run.begin(part.problem, part.method)
    while not run.finished:
        run.step()
    return run.finish()


def _propagated(part: Part) -> Reach:
    """The part by intervals, and by one run of intervals for every set of touched samples where
    these are few."""
    problem, known, began = part.problem, KnownBounds(), perf_counter()
    kind = part.method if isinstance(part.method, Propagation) else CROWN
    start = initial_domain(problem)
    learn_branches(problem, known, 0, start, problem.steps)
    states: list[Interval] = []
    for t, box in enumerate(_boxes(problem, kind), start=1):
        ends = [known.get((t, name)) for name in problem.state]
        if all(end is not None for end in ends):
            lower, upper = (
                np.concatenate([np.ravel(end[side]) for end in ends if end is not None])
                for side in (0, 1)
            )
            box = intersect(box, Interval(lower, upper))
        states.append(box)
    return Reach(
        problem,
        kind,
        (start, *compared(problem, states)),
        (),
        perf_counter() - began,
        variant=PARTS,
    )


def _boxes(problem: Problem, kind: Formulation | Propagation) -> Iterator[Interval]:
    """By propagation of a kind, or of CROWN for a formulation."""
    if isinstance(kind, Propagation) and kind.affine:
        return (domain.box for domain in affine_steps(problem))
    return interval_steps(problem, linear=kind != IBP)


def _deciding(reaches: list[Reach]) -> Iterator[Row]:
    """For every bound that all parts have, the row of the one that allows most, with what is
    attained in any part and the seconds of all."""
    grouped: dict[tuple[int, int, str, str], list[Row]] = {}
    for row in chain(*(reach.rows for reach in reaches)):
        grouped.setdefault((row.start, row.stop, row.objective, row.sense), []).append(row)
    for rows in grouped.values():
        if len(rows) < len(reaches):
            continue
        extreme = min if rows[0].sense == "min" else max
        deciding = extreme(rows, key=lambda row: row.bound)
        yield replace(
            deciding,
            attained=extreme(row.attained for row in rows),
            rigour=PROVED if all(row.rigour == PROVED for row in rows) else TOLERANCE,
            seconds=sum(row.seconds for row in rows),
            building=sum(row.building for row in rows),
        )


def _polytopes(reaches: list[Reach]) -> Iterator[Polytope | None]:
    for column in zip(*(reach.polytopes for reach in reaches), strict=False):
        polytopes = [polytope for polytope in column if polytope is not None]
        yield hull(*polytopes) if len(polytopes) == len(reaches) else None
