"""Check a recorded certificate from the problem alone: nothing in the record is believed (S9)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from agtopt.arguments import typed
from agtopt.attacks import attack
from agtopt.attacks.predictions import predicted
from agtopt.certificates.claims import NOT_CHECKED, faults
from agtopt.certificates.end_to_end import certify_again
from agtopt.certificates.prediction import certificates_over, final_domain
from agtopt.certificates.record import Record
from agtopt.domains import Interval, contains
from agtopt.drivers import Reach, Run, Settings, bound
from agtopt.drivers.interrupt import uninterrupted
from agtopt.errors import AgtoptError
from agtopt.problem import Problem
from agtopt.problem.checks import instance
from agtopt.problem.fingerprint import mismatch
from agtopt.solvers import PROVED
from agtopt.training.concrete import trajectory

HOLDS, FAILS, UNPROVED, UNCHECKED = "holds", "fails", "not proved", "not checked"

REPRODUCED = 1e-9
"""By how much, relative to its size, a box that is found again may exceed the recorded one and
count as unproved, not as failed."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
    verdict : str
        ``holds``, ``fails``, ``not proved`` where it rests on a solver's word, or on rounding, and
        was not contradicted, or ``not checked`` for what nothing can show.
    detail : str
    """

    name: str
    verdict: str
    detail: str


class Checks(tuple[Check, ...]):
    """All that was looked at, in order."""

    __slots__ = ()

    def table(self) -> pd.DataFrame:
        """One row per check."""
        return pd.DataFrame([vars(check) for check in self], columns=["name", "verdict", "detail"])


@typed()
def verify(record: Record, problem: Problem, proofs: str | Path | None = None) -> Checks:
    """Check a certificate again.

    The problem's fingerprint; that every field fits the problem and the other fields; that the
    nominal run, and every attack, ends in the claimed box; every witness, by real training; the box
    itself, found again by propagation or from the kept proofs, whose models are compiled anew from
    the problem; which domain verdicts were taken over; and the claimed stability of every point
    over the one that was found again.

    Parameters
    ----------
    record : Record
    problem : Problem
    proofs : str or Path, optional
        Folder of the proofs of its bounds (`agtopt.bound(…, rigour="proved", proofs=folder)`).

    Returns
    -------
    Checks
        A tuple of `Check`, with a ``table()``. The certificate is verified when all that is checked
        holds.
    """
    instance("record", record, Record)
    instance("problem", problem, Problem)
    return Checks(_checks(record, problem, None if proofs is None else Path(proofs)))


def _checks(record: Record, problem: Problem, proofs: Path | None) -> Iterator[Check]:
    reason = mismatch(record.problem, problem.fingerprint)
    yield _check("problem", reason is None, reason or problem.fingerprint)
    if reason is not None:
        return
    whole = record.digest == record.contents
    yield _check(
        "contents",
        whole,
        "the digest of its fields" if whole else "it was changed after it was written",
    )
    yield _check(
        "adversary", record.perturbation == problem.perturbation.describe(), record.perturbation
    )
    wrong = list(faults(record, problem))
    yield _check(
        "record", not wrong, "; ".join(wrong[:5]) or "its fields fit the problem and each other"
    )
    if wrong:
        return
    yield Check("words", UNCHECKED, f"{', '.join(NOT_CHECKED)}: nothing can show them")
    runs, queries, box = attack(problem), record.queries(problem), record.box
    inside = np.array([contains(box, theta) for theta in runs.theta])
    yield _check(
        "nominal run",
        contains(box, trajectory(problem)[-1]),
        "its parameters are in the claimed box",
    )
    yield _check(
        "attacks",
        bool(inside.all()),
        f"{int(inside.sum())} of {len(inside)} attacked runs are in the claimed box",
    )
    seen = predicted(problem, trajectory(problem)[-1], queries.points)
    yield _check(
        "predictions",
        seen.tolist() == record.nominal,
        f"{len(seen)} predictions of the nominal run",
    )
    yield from _witnesses(record, problem)
    yield from _proved(record, problem, proofs)


def _check(name: str, holds: bool, detail: str) -> Check:
    return Check(name, HOLDS if holds else FAILS, detail)


def _witnesses(record: Record, problem: Problem) -> Iterator[Check]:
    if not record.witnesses:
        return
    queries, wrong = record.queries(problem), []
    for each in record.witnesses:
        try:
            witness, k = each.witness(problem), each.query
            within = np.all(
                (queries.lowest[k] <= witness.point) & (witness.point <= queries.highest[k])
            )
            admitted = problem.perturbation.admits(problem, witness.dataset)
            changed = witness.replay(problem) == each.predicted != record.nominal[k]
            if not (within and admitted and changed and not record.stable[k]):
                wrong.append(k)
        except (AgtoptError, IndexError, ValueError):
            wrong.append(each.query)
    detail = f"{len(record.witnesses)} trained on again" + (
        f"; wrong: {wrong[:5]}" if wrong else ""
    )
    yield _check("witnesses", not wrong, detail)


def _proved(record: Record, problem: Problem, proofs: Path | None) -> Iterator[Check]:
    try:
        reach = _found_again(record, problem, proofs)
    except AgtoptError as error:
        yield Check("domain", FAILS, str(error))
        return
    if reach is None:
        yield Check("domain", UNPROVED, f"{record.rigour}: no proofs of its bounds are at hand")
        yield Check("stability", UNPROVED, "it follows from the domain")
        if record.rigour == PROVED:
            yield Check("rigour", UNPROVED, "it says proved")
        return
    theirs, ours = record.box, reach.steps[-1]
    room = REPRODUCED * (1.0 + np.maximum(np.abs(ours.lower), np.abs(ours.upper)))
    excess = np.maximum(theirs.lower - ours.lower, ours.upper - theirs.upper)
    how = (
        "found again by propagation"
        if record.settings is None
        else "every bound proved again from its dual values"
    )
    if excess.max() > 0.0 and np.all(excess <= room):
        yield Check(
            "domain",
            UNPROVED,
            f"{how}, but {excess.max():.1e} wider than claimed: libraries of other versions round "
            f"otherwise",
        )
    else:
        yield _check(
            "domain",
            excess.max() <= 0.0,
            how if excess.max() <= 0.0 else "the proofs do not show the claimed box",
        )
    yield from _stability(record, problem, reach, proofs)


def _found_again(record: Record, problem: Problem, proofs: Path | None) -> Reach | None:
    if record.propagation is not None:
        kind, dtype = record.propagation
        return uninterrupted(bound(problem, kind, dtype=dtype))
    settings = record.of_domain
    if settings is None or not _provable(settings, proofs):
        return None
    run = Run.begin(problem, replace(settings, proofs=proofs), replay=True)
    while not run.finished:
        run.step()
    return uninterrupted(run.finish())


def _stability(
    record: Record, problem: Problem, reach: Reach, proofs: Path | None
) -> Iterator[Check]:
    # What holds over the box holds over what knows more: such a claim is checked as it is made.
    kept = final_domain(reach)
    domain = reach.steps[-1] if record.domain == Interval.__name__ else kept
    certified = certificates_over(reach, domain, trajectory(problem)[-1], record.queries(problem))
    known = certified.domain == record.domain
    yield _check(
        "verdicts",
        known,
        f"taken over {certified.domain}" + ("" if known else f", and {record.domain} is said"),
    )
    margins = record.of_margins
    shown = margins is None or _provable(margins, proofs)
    if margins is not None and shown:
        try:
            certified = uninterrupted(
                certify_again(
                    reach, certified, replace(margins, proofs=proofs), attack(reach.problem)
                )
            )
        except AgtoptError as error:
            yield Check("stability", FAILS, str(error))
            return
    classes = np.array(problem.classes)
    claimed = np.array([np.isin(classes, row) for row in record.reachable])
    assert certified.reachable is not None
    stable = np.array(record.stable)
    if record.rigour == PROVED:
        yield Check(
            "rigour", HOLDS if shown and certified.rigour == PROVED else UNPROVED, "it says proved"
        )
    missing = np.flatnonzero(
        (certified.reachable & ~claimed).any(axis=1) | (stable & ~certified.stable)
    )
    detail = f"{int(stable.sum())} of {len(stable)} predictions cannot be changed"
    if len(missing) and not shown:
        yield Check("stability", UNPROVED, f"{len(missing)} of {detail} by the word of a solver")
        return
    yield _check(
        "stability",
        not len(missing),
        detail + (f"; not shown of points {missing[:5].tolist()}" if len(missing) else ""),
    )


def _provable(settings: Settings, proofs: Path | None) -> bool:
    return settings.rigour == PROVED and proofs is not None
