"""Problems, models and results as HTML, for notebooks.

One function with a meaning per noun: nouns know nothing of HTML. ``%load_ext agtopt`` gives them all to IPython, which shows them
wherever a cell ends in one; without it, `html` returns the text.
"""

from collections.abc import Iterable
from functools import singledispatch
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from agtopt.certificates import PointCertificates
from agtopt.compiler import CompiledModel
from agtopt.drivers import Reach
from agtopt.errors import InvalidInputError
from agtopt.problem import Problem
from agtopt.report.compare import Comparison
from agtopt.report.drawing import network_svg
from agtopt.report.tree import block_tree

MOST_ROWS = 60
"""Rows of a table that are shown; the rest is one call of `table()` away."""


@singledispatch
def html(noun: Any) -> str:
    """A problem, a compiled model or a result as HTML, with all text escaped.

    Parameters
    ----------
    noun : Problem, CompiledModel, Reach, Comparison or PointCertificates

    Returns
    -------
    str

    Raises
    ------
    InvalidInputError
        If it is something else.
    """
    allowed = ", ".join(sorted(kind.__name__ for kind in html.registry if kind is not object))
    raise InvalidInputError(f"html: {type(noun).__name__} is not allowed; it must be one of {allowed}")


@html.register
def _(noun: Problem) -> str:
    network, training, data = noun.network, noun.training, noun.dataset
    count = noun.perturbation.count(noun)
    vulnerable = len(noun.perturbation.touchable(noun))
    decay = f" / (1 + {training.decay:g} · epoch)" if training.decay else ""
    extras = [
        f"{name.replace('_', ' ')} {value:g}"
        for name, value in (("momentum", training.momentum), ("weight_decay", training.weight_decay), ("floor", training.floor))
        if value
    ]
    extras += [] if training.clip is None else [f"gradients clipped to ±{training.clip:g}"]
    facts = {
        "adversary": noun.perturbation.describe(),
        "may touch": f"{vulnerable} of {len(data)} samples",
        "admissible datasets": "infinitely many" if np.isinf(count) else f"{int(count):,}",
        "data": f"{len(data)} samples of shape {_shape(data.features.shape[1:])}"
        + (f", classes {', '.join(map(str, noun.classes))}" if noun.classes else ", real targets"),
        "training": f"{noun.steps} steps of SGD ({training.epochs} epochs), {training.loss.name} loss, learning rate "
        f"{training.learning_rate:g}{decay}" + "".join(f", {extra}" for extra in extras),
        "parameters": f"{network.size}" + (f", frozen: {', '.join(training.frozen)}" if training.frozen else ""),
    }
    return _section(noun.name, _facts(facts), network_svg(network, set(noun.trained)))


@html.register
def _(noun: CompiledModel) -> str:
    size = noun.size
    title = f"{noun.problem.name}: {noun.kind}, steps {noun.start} … {noun.stop}"
    words = {
        "variables": f"{size.binaries:,} binary, {size.continuous:,} continuous",
        "constraints": f"{size.linear:,} linear, {size.quadratic:,} quadratic or more",
    }
    return _section(title, _facts(words), block_tree(noun.pyomo))


@html.register
def _(noun: Reach) -> str:
    box, network = noun.steps[-1], noun.problem.network
    words = {
        "problem": noun.problem.describe(),
        "domain": f"total width {box.width():.6g} of {network.size} parameters after {noun.problem.steps} steps",
        "time": f"{noun.seconds:.2f} s" + (", interrupted: what stands here holds all the same" if noun.interrupted else ""),
    }
    frame = pd.DataFrame({"parameter": network.parameter_names, "lower": box.lower, "upper": box.upper, "width": box.upper - box.lower})
    solves = noun.table()
    fold = _fold(f"{len(solves)} bounds", _table(solves)) if len(solves) else ""
    return _section(f"Bounds by {noun.method}", _facts(words), _table(frame), fold)


@html.register
def _(noun: Comparison) -> str:
    words = {}
    for found in noun.instances:
        exact = "the exact hull, enumerated" if found.inner.exact else "by attacks: a part of it"
        words[found.problem.name] = f"{found.problem.describe()}; attained: total width {found.inner.domain.width():.6g} ({exact})"
    return _section("Comparison", _facts(words), _table(noun.table))


@html.register
def _(noun: PointCertificates) -> str:
    words = {"problem": noun.problem.describe(), "bounds": f"{noun.method}, {noun.rigour}"}
    if noun.nominal is not None:
        counts = pd.Series(noun.verdicts).value_counts()
        words["predictions"] = ", ".join(f"{number} {verdict}" for verdict, number in counts.items()) + f" of {len(noun.verdicts)}"
        if noun.labels is not None:
            words["accuracy"] = (
                f"certified {noun.certified_accuracy:.4f}, attacked {noun.attacked_accuracy:.4f}, nominal {noun.nominal_accuracy:.4f}"
            )
    return _section("Certificates of predictions", _facts(words), _table(noun.table()))


def load_ipython_extension(ipython: Any) -> None:
    """Show agtopt's problems, models and results as HTML in this notebook: ``%load_ext agtopt``; loading twice is safe."""
    formatter = ipython.display_formatter.formatters["text/html"]
    for kind in _shown():
        formatter.for_type(kind, html)


def unload_ipython_extension(ipython: Any) -> None:
    """Undo `load_ipython_extension`: ``%unload_ext agtopt``."""
    formatter = ipython.display_formatter.formatters["text/html"]
    for kind in _shown():
        formatter.pop(kind, None)


def _shown() -> Iterable[type]:
    return [kind for kind in html.registry if kind is not object]


def _section(title: str, *parts: str) -> str:
    return f'<div class="agtopt"><b>{escape(title)}</b>{"".join(parts)}</div>'


def _facts(facts: dict[str, str]) -> str:
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(k)}</th><td style="text-align:left">{escape(v)}</td></tr>' for k, v in facts.items()
    )
    return f"<table>{rows}</table>"


def _table(frame: pd.DataFrame) -> str:
    shown = frame.head(MOST_ROWS).to_html(index=False, escape=True, border=0, float_format=lambda value: f"{value:.6g}", na_rep="")
    rest = len(frame) - MOST_ROWS
    return shown + (f"<p>… and {rest} rows more</p>" if rest > 0 else "")


def _fold(title: str, inner: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{inner}</details>"


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "1"
