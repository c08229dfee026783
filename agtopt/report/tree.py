"""The blocks of a Pyomo model as a foldable tree."""

from html import escape
from typing import Any

import pyomo.environ as pyo

from agtopt.compiler.size import counted_size

MOST_BLOCKS = 100
"""Blocks of one level that are shown."""

LEFT = 'style="text-align:left; white-space:nowrap"'


def block_tree(model: Any) -> str:
    """Nested ``<details>``: every block with its size, its indexed variables and constraints with
    their numbers of entries.

    Parameters
    ----------
    model : pyomo ConcreteModel or BlockData
    """
    blocks = [
        block
        for component in model.component_objects(pyo.Block, descend_into=False)
        for block in component.values()
    ]
    items = "".join(_block(block) for block in blocks[:MOST_BLOCKS])
    rest = len(blocks) - MOST_BLOCKS
    more = f"… and {rest} blocks more" if rest > 0 else ""
    return f'<div style="margin-left:1em">{_components(model)}{items}{more}</div>'


def _block(block: Any) -> str:
    counts = (
        ", ".join(f"{many:,} {word}" for word, many in vars(counted_size(block)).items() if many)
        or "empty"
    )
    return (
        f"<details><summary><code>{escape(block.local_name)}</code> "
        f"{counts}</summary>{block_tree(block)}</details>"
    )


def _many(entries: int, word: str) -> str:
    return f"{entries:,} {word}{'s' * (entries != 1)}"


def _components(block: Any) -> str:
    rows = []
    for kind, word in (
        (pyo.Var, "variable"),
        (pyo.Constraint, "constraint"),
        (pyo.Objective, "objective"),
    ):
        for component in block.component_objects(kind, descend_into=False):
            entries = list(component.values())
            if entries:
                example = (
                    entries[0].name
                    if len(entries) == 1
                    else f"{entries[0].name} … {entries[-1].name}"
                )
                cells = (
                    f"<code>{escape(component.local_name)}</code>",
                    _many(len(entries), word),
                    f"<code>{escape(example)}</code>",
                )
                rows.append("<tr>" + "".join(f"<td {LEFT}>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table>{''.join(rows)}</table>" if rows else ""
