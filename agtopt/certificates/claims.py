"""A record held against its problem and against itself, before anything is trained or bounded
again."""

from collections import Counter
from collections.abc import Iterator
from math import prod

import numpy as np

from agtopt.certificates.end_to_end import over_the_run
from agtopt.certificates.record import Record
from agtopt.domains import Affine, Interval, Polytope
from agtopt.drivers import Settings
from agtopt.drivers.reach import FLOAT32, PARTS, SAMPLES
from agtopt.errors import AgtoptError, InvalidInputError
from agtopt.kinds import AFFINE, Propagation, kind_named
from agtopt.problem import Problem

NOT_CHECKED = (
    *("name", "versions", "seconds", "labels"),
    *(
        f"settings.{name}"
        for name in (
            "window",
            "stride",
            "solver",
            "time_limit",
            "conditional",
            "tighten",
            "obbt",
        )
    ),
    *("end_to_end.solver", "end_to_end.time_limit"),
)
"""What nothing in a problem or a proof can show: words for people, the user's own labels, and how
a search went. Proofs show a box, whichever settings led to them."""

NO_MEANING = ("window", "stride", "tighten", "directions", "obbt")
"""Settings that margins over the compiled run do not have."""


def faults(record: Record, problem: Problem) -> Iterator[str]:
    """Everything in a record that contradicts its problem or another of its fields, in words.

    Parameters
    ----------
    record : Record
    problem : Problem
        The one of its fingerprint.
    """
    for check in (_sizes, _method):
        try:
            yield from check(record, problem)
        except AgtoptError as error:
            yield str(error)


def _sizes(record: Record, problem: Problem) -> Iterator[str]:
    """Those of the lists; of what is in them, once they fit."""
    many, width, size = len(record.points), prod(problem.network.input_shape), problem.network.size
    if not many:
        yield "points: there is none"
        return
    lists = {
        name: getattr(record, name)
        for name in ("lowest", "highest", "nominal", "stable", "reachable", "labels")
    }
    wrong = [
        f"{name}: {len(values)} entries for {many} points"
        for name, values in lists.items()
        if values is not None and len(values) != many
    ]
    wrong += [
        f"{name}: a point has not {width} entries"
        for name in ("points", "lowest", "highest")
        if _ragged(getattr(record, name), width)
    ]
    wrong += [
        f"{name}: {len(values)} entries for {size} parameters"
        for name in ("lower", "upper")
        if len(values := getattr(record, name)) != size
    ]
    yield from wrong
    if not wrong:
        if not np.all(np.array(record.lower) <= record.upper):
            yield "lower, upper: a lower bound exceeds its upper bound or is NaN"
        yield from _inputs(record, problem)
        yield from _predictions(record, problem)
        yield from _witnesses(record, problem)


def _ragged(rows: list[list[float]], width: int) -> bool:
    return any(len(row) != width for row in rows)


def _inputs(record: Record, problem: Problem) -> Iterator[str]:
    points, lowest, highest = (
        np.array(values) for values in (record.points, record.lowest, record.highest)
    )
    if not (np.isfinite(points).all() and np.isfinite(lowest).all() and np.isfinite(highest).all()):
        yield "points, lowest, highest: every entry must be finite"
    elif not (np.all(lowest <= points) and np.all(points <= highest)):
        yield "points: one lies outside its own box, lowest … highest"
    if record.labels is not None:
        try:
            problem.training.loss.check("labels", np.array(record.labels), problem.network.outputs)
        except InvalidInputError as error:
            yield str(error)


def _predictions(record: Record, problem: Problem) -> Iterator[str]:
    classes = problem.classes or ()
    for k, (nominal, stable, reachable) in enumerate(
        zip(record.nominal, record.stable, record.reachable, strict=True)
    ):
        if not {nominal, *reachable} <= set(classes) or len(set(reachable)) < len(reachable):
            yield (
                f"reachable: point {k} names {nominal} and {reachable}; the classes are "
                f"{', '.join(map(str, classes))}"
            )
        elif nominal not in reachable:
            yield f"reachable: point {k} leaves out {nominal}, which the nominal run predicts"
        elif stable != (len(reachable) == 1):
            yield f"stable: point {k} says {stable}, and {reachable} may be predicted"


def _witnesses(record: Record, problem: Problem) -> Iterator[str]:
    places = Counter(witness.query for witness in record.witnesses)
    for witness in record.witnesses:
        k, changed = witness.query, [change.sample for change in witness.changes]
        if not 0 <= k < len(record.points) or places[k] > 1:
            yield f"witnesses: point {k} does not exist, or has two"
        elif witness.predicted not in set(record.reachable[k]) - {record.nominal[k]}:
            yield (
                f"witnesses: {witness.predicted} is predicted of point {k}, for which only "
                f"{record.reachable[k]} is claimed possible"
            )
        if len(set(changed)) < len(changed) or not all(
            0 <= sample < len(problem.dataset) for sample in changed
        ):
            yield (
                f"witnesses: that of point {k} changes samples {changed}; each must exist, and "
                "occur once"
            )


def _method(record: Record, problem: Problem) -> Iterator[str]:
    route, _, margins = record.method.partition(", ")
    kind, _, variant = route.partition(" ")
    settings, end_to_end = record.of_domain, record.of_margins
    if settings is not None:
        if route != str(settings.kind):
            yield f"method: {route!r} is said, and the settings are those of {settings.kind}"
    elif record.propagation is None and variant not in (PARTS, SAMPLES):
        yield f"method: {route!r} is no way to find a domain without settings"
    elif isinstance(kind_named(kind), Propagation) and variant == SAMPLES:
        yield f"method: {route!r} is no way to find a domain; samples are bounded by models"
    if record.domain not in (known := _domains(kind, variant, settings)):
        yield f"domain: {record.domain!r} is said, and {route!r} gives {' or '.join(known)}"
    if record.end_to_end is not None and end_to_end is not None:
        plain = Settings(end_to_end.kind).to_dict()
        for name in NO_MEANING:
            if (given := record.end_to_end[name]) != plain[name]:
                yield f"end_to_end.{name}: {given!r} has no meaning for margins"
    if end_to_end is not None and variant == FLOAT32:
        yield "end_to_end: models of the run are built in float64, and the domain is of float32"
    words = "" if end_to_end is None else over_the_run(end_to_end)
    if margins != words:
        yield f"method: {margins!r} is said of margins, and their settings say {words!r}"


def _domains(kind: str, variant: str, settings: Settings | None) -> tuple[str, ...]:
    """What verdicts can be taken over where a domain was found so, in `Record.domain`."""
    box = Interval.__name__
    if isinstance(kind_named(kind), Propagation):
        forms = kind_named(kind) == AFFINE and not variant
        return (box, Affine.__name__) if forms else (box,)
    templates = variant == PARTS or (settings is not None and settings.domain is not None)
    return (box, Polytope.__name__) if templates else (box,)
