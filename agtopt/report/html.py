"""Problems, models and domains as HTML, for notebooks; results in `html_results`.

One function with a meaning per noun: nouns know nothing of HTML. `agtopt.notebook` gives them all
to IPython, which shows them wherever a cell ends in one; `html` returns the text.
"""

from functools import singledispatch
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agtopt.compiler import CompiledModel
from agtopt.domains import Affine, Interval, Polytope
from agtopt.drivers import Reach, Run
from agtopt.errors import InvalidInputError
from agtopt.problem import Dataset, Network, Problem
from agtopt.report.compare import Comparison
from agtopt.report.drawing import network_svg
from agtopt.report.markup import facts, fold, section, table
from agtopt.report.tree import block_tree
from agtopt.solvers import SolveResult

MOST_CLASSES = 12
"""Different labels that are counted one by one."""

MOST_COMPONENTS = 200_000
"""Variables and rows of a model whose tree is drawn: 43 µs for each were measured, and a cell
should not wait for its view."""


@singledispatch
def html(noun: Any) -> str:
    """A problem, a compiled model or a result as HTML, with all text escaped.

    Parameters
    ----------
    noun : object
        A problem or its network or dataset, a compiled model, a run, domain or comparison, any
        certificate, attack, exported file, record or list of checks.

    Returns
    -------
    str

    Raises
    ------
    InvalidInputError
        If it is something else.
    """
    allowed = ", ".join(sorted(kind.__name__ for kind in html.registry if kind is not object))
    raise InvalidInputError(
        f"html: {type(noun).__name__} is not allowed; it must be one of {allowed}"
    )


@html.register
def _(noun: Problem) -> str:
    network, training, data = noun.network, noun.training, noun.dataset
    count = noun.perturbation.count(noun)
    vulnerable = len(noun.perturbation.touchable(noun))
    decay = f" / (1 + {training.decay:g} · epoch)" if training.decay else ""
    extras = [
        f"{name.replace('_', ' ')} {value:g}"
        for name, value in (
            ("momentum", training.momentum),
            ("weight_decay", training.weight_decay),
            ("floor", training.floor),
        )
        if value
    ]
    extras += [] if training.clip is None else [f"gradients clipped to ±{training.clip:g}"]
    words = {
        "adversary": noun.perturbation.describe(),
        "may touch": f"{vulnerable} of {len(data)} samples",
        "admissible datasets": "infinitely many" if np.isinf(count) else f"{int(count):,}",
        "data": f"{len(data)} samples of shape {_shape(data.features.shape[1:])}"
        + (f", classes {', '.join(map(str, noun.classes))}" if noun.classes else ", real targets"),
        "training": f"{noun.steps} steps of SGD ({training.epochs} epochs), {training.loss.name} "
        f"loss, learning rate {training.learning_rate:g}{decay}"
        + "".join(f", {extra}" for extra in extras),
        "parameters": f"{network.size}"
        + (f", frozen: {', '.join(training.frozen)}" if training.frozen else ""),
    }
    return section(noun.name, facts(words), network_svg(network, set(noun.trained)))


@html.register
def _(noun: CompiledModel) -> str:
    size = noun.size
    title = f"{noun.problem.name}: {noun.kind}, steps {noun.start} … {noun.stop}"
    words = {
        "variables": f"{size.binaries:,} binary, {size.continuous:,} continuous",
        "constraints": f"{size.linear:,} linear, {size.quadratic:,} quadratic or more",
    }
    if size.binaries + size.continuous + size.linear + size.quadratic > MOST_COMPONENTS:
        return section(
            title, facts(words | {"blocks": "too many to be drawn here; browse model.pyomo"})
        )
    return section(title, facts(words), block_tree(noun.pyomo))


@html.register
def _(noun: Reach) -> str:
    box, network = noun.steps[-1], noun.problem.network
    words = {
        "problem": noun.problem.describe(),
        "domain": (
            f"total width {box.width():.6g} of {network.size} parameters after "
            f"{noun.problem.steps} steps"
        ),
        "time": f"{noun.seconds:.2f} s"
        + (", interrupted: what stands here holds all the same" if noun.interrupted else ""),
    }
    if noun.stopped:
        words["stopped"] = (
            f"{noun.stopped} of {len(noun.rows)} bounds at their time limit: they hold, and a "
            f"longer one may tighten them"
        )
    frame = pd.DataFrame(
        {
            "parameter": network.parameter_names,
            "lower": box.lower,
            "upper": box.upper,
            "width": box.upper - box.lower,
        }
    )
    solves = noun.table()
    behind = fold(f"{len(solves)} bounds", table(solves)) if len(solves) else ""
    return section(f"Bounds by {noun.method}", facts(words), table(frame), behind)


@html.register
def _(noun: Comparison) -> str:
    words = {}
    for instance in noun.instances:
        inner = instance.inner
        exact = "the exact hull, enumerated" if inner.exact else "by attacks: a part of it"
        words[instance.problem.name] = (
            f"{instance.problem.describe()}; attained: total width {inner.domain.width():.6g} "
            f"({exact})"
        )
    return section("Comparison", facts(words), table(noun.table))


@html.register
def _(noun: Run) -> str:
    words = {
        "problem": noun.problem.describe(),
        "method": str(noun.settings.kind),
        "models": f"{noun.done} of {len(noun.stages)} solved"
        + ("" if noun.finished else "; step() goes on, finish() takes what holds so far"),
        "bounds": f"{len(noun.rows)} found in {noun.found.seconds:.2f} s",
    }
    return section("Run", facts(words))


@html.register
def _(noun: Network) -> str:
    return section(f"Network of {noun.size} parameters", network_svg(noun, set(noun.initial)))


@html.register
def _(noun: Dataset) -> str:
    words = {
        "samples": f"{int(noun.presence().sum())} of shape {_shape(noun.features.shape[1:])}"
        + ("" if noun.present is None else f"; {int((~noun.presence()).sum())} are left out"),
        "features": f"{noun.features.min():.6g} … {noun.features.max():.6g}",
        "labels": _labels(noun.labels),
    }
    return section("Dataset", facts(words))


@html.register
def _(noun: Interval) -> str:
    widths = pd.DataFrame(
        {
            "parameter": range(len(noun)),
            "lower": noun.lower,
            "upper": noun.upper,
            "width": noun.upper - noun.lower,
        }
    )
    return section(
        f"Box of {len(noun)} parameters, total width {noun.width():.6g}",
        fold("Bounds", table(widths)),
    )


@html.register
def _(noun: Affine) -> str:
    box, columns = noun.to_box(), noun.columns - len(noun.errors)
    widths = pd.DataFrame(
        {
            "parameter": range(len(noun)),
            "nominal": noun.nominal,
            "lower": box.lower,
            "upper": box.upper,
        }
    )
    touched = ", ".join(
        f"at most {part.budget} of {len(part.samples)} samples touched" for part in noun.touched
    )
    return section(
        f"Affine domain of {len(noun)} parameters, total width {box.width():.6g}: {columns} "
        f"directions of samples, {len(noun.errors)} of errors"
        + (f"; {touched}" if touched else ""),
        fold("Bounds", table(widths)),
    )


@html.register
def _(noun: Polytope) -> str:
    finite = int(np.isfinite(noun.lower).sum() + np.isfinite(noun.upper).sum())
    inside = "" if noun.box is None else f" within a box of total width {noun.box.width():.6g}"
    state = f"{finite} bounds" if finite else "a template without bounds"
    return section(
        f"Polytope of {len(noun)} parameters: {len(noun.directions)} directions, {state}{inside}"
    )


@html.register
def _(noun: SolveResult) -> str:
    words = {
        "status": noun.status,
        "bound": "none" if noun.bound is None else f"{noun.bound:.9g} ({noun.rigour})",
        "best point": "none"
        if noun.incumbent is None
        else f"{noun.incumbent:.9g}, which bounds nothing",
        "time": f"{noun.seconds:.2f} s",
    }
    return section("Result of a solver", facts(words))


def _labels(labels: NDArray[np.float64]) -> str:
    values, counts = np.unique(labels, return_counts=True)
    if len(values) > MOST_CLASSES:
        return f"{labels.min():.6g} … {labels.max():.6g}"
    return ", ".join(f"{count} of {value:g}" for value, count in zip(values, counts, strict=True))


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "1"
