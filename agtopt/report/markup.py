"""The pieces that every HTML view is made of; all text is escaped here."""

from html import escape

import pandas as pd

from agtopt.names import visible

MOST_ROWS = 60
"""Rows of a table that are shown; the rest is one call of `table()` away."""


def text(words: str) -> str:
    """Words as HTML shows them, whatever they are."""
    return escape(visible(words))


def section(title: str, *parts: str) -> str:
    """A titled view."""
    return f'<div class="agtopt"><b>{text(title)}</b>{"".join(parts)}</div>'


def facts(words: dict[str, str]) -> str:
    """A table of names and what is to be said of them."""
    rows = "".join(
        f'<tr><th style="text-align:left">{text(k)}</th><td '
        f'style="text-align:left">{text(v)}</td></tr>'
        for k, v in words.items()
    )
    return f"<table>{rows}</table>"


def table(frame: pd.DataFrame) -> str:
    """The first rows of a frame."""
    # None too is nothing to read; pandas leaves only NaN out.
    some = frame.head(MOST_ROWS).copy()
    for name in some.columns[some.isna().any()]:
        some[name] = some[name].astype(object).where(some[name].notna(), "")
    some = some.map(lambda cell: visible(cell) if isinstance(cell, str) else cell).rename(
        columns=lambda name: visible(str(name))
    )
    shown = some.to_html(
        index=False, escape=True, border=0, float_format=lambda value: f"{value:.6g}", na_rep=""
    )
    rest = len(frame) - MOST_ROWS
    return shown + (f"<p>… and {rest} rows more</p>" if rest > 0 else "")


def fold(title: str, inner: str) -> str:
    """Something that opens on a click."""
    return f"<details><summary>{text(title)}</summary>{inner}</details>"
