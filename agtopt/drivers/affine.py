"""AFFINE through the whole run: domains beside training runs (S9), as a result."""

from collections.abc import Iterable, Iterator
from itertools import tee
from pathlib import Path
from time import perf_counter

import numpy as np

from agtopt.attacks import attained_states, probes, states_at_kinks
from agtopt.domains import Affine, Interval, refuse_excluded
from agtopt.drivers.attained import compared
from agtopt.drivers.interrupt import reached
from agtopt.drivers.reach import Reach
from agtopt.intervals.affine.affine_steps import affine_steps
from agtopt.intervals.affine.checkpoint import checkpointed_affine
from agtopt.intervals.scale.numerics import Numerics
from agtopt.kinds import Propagation
from agtopt.problem import Problem

KEPT = 2**29
"""Bytes of forms that a result keeps; of the steps before there is only the box."""


def affine_reach(
    problem: Problem,
    kind: Propagation,
    checkpoint: str | Path | None,
    memory: int,
    numerics: Numerics,
    variant: str,
) -> Reach:
    """What `agtopt.bound` returns of AFFINE; the steps that are done after Ctrl-C."""
    began = perf_counter()
    # One list, so that Ctrl-C never comes between a box and its form.
    kept = list[tuple[Interval, Affine | None]]()
    steps = (
        affine_steps(problem, memory=memory, numerics=numerics)
        if checkpoint is None
        else checkpointed_affine(problem, checkpoint, memory, numerics)
    )
    interrupted, size, oldest = False, 0, 0
    try:
        for domain in compared_forms(problem, steps):
            kept.append((domain.box, domain))
            size += domain.bytes
            while size > KEPT and oldest < len(kept) - 1:
                box, gone = kept[oldest]
                size -= 0 if gone is None else gone.bytes
                kept[oldest] = box, None
                oldest += 1
    except KeyboardInterrupt:
        interrupted = True
    return reached(
        problem,
        kind,
        [box for box, _ in kept],
        interrupted,
        perf_counter() - began,
        variant,
        numerics=numerics,
        affines=[None, *(form for _, form in kept)],
    )


def compared_forms(problem: Problem, domains: Iterable[Affine]) -> Iterator[Affine]:
    """The domains after each step, once the box of each holds the nominal run, at both sides of its
    kinks, and others, and its form holds them along the way to each (S9).

    Raises
    ------
    SoundnessError
        If one does not.
    """
    forms, others = tee(domains)
    boxes = compared(problem, (domain.box for domain in others))
    runs = attained_states(problem, probes(problem)), states_at_kinks(problem)
    for t, (domain, _, *every) in enumerate(zip(forms, boxes, *runs, strict=True), start=1):
        ways = np.concatenate(every) - domain.nominal
        length = np.linalg.norm(ways, axis=1)
        rows = ways[length > 0] / length[length > 0, np.newaxis]
        if len(rows):
            attained = ways[length > 0] @ rows.T
            refuse_excluded(f"the affine domain after step {t}", *domain.deviation(rows), attained)
        yield domain
