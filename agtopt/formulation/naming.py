"""Names of components: what Pyomo, and every format that it writes, takes."""

import re
from itertools import chain, count
from typing import Any

import pyomo.environ as pyo

from agtopt.names import shortened

MOST = 60
"""Characters of a name that stays; GAMS takes 63, and LP files 255 with everything around it."""

_READABLE = 40
"""Characters of a longer name that are kept before its mark."""

_RESERVED = frozenset(
    chain(*(dir(block) for block in (pyo.Block(), pyo.Block(concrete=True), pyo.ConcreteModel())))
)
"""What Pyomo's blocks have for themselves; it is asked, as every version has other words."""


def component_name(name: str) -> str:
    """A name that a component of a block may have: the same where it may, and another for each that
    may not.

    Letters, digits and underscores remain; a reserved word (``keys``, ``values``) gets a mark.
    """
    if len(name) <= MOST and re.fullmatch(r"\w+", name, re.ASCII) and name not in _RESERVED:
        return name
    return shortened(name, "A-Za-z0-9_", _READABLE, "_h")


def add_component(block: Any, name: str, component: Any) -> None:
    """Add a component to a block under a name of its own: a layer may be called as a part of
    another one is."""
    wanted = component_name(name)
    tries = chain((wanted,), (f"{wanted}_again{k}" for k in count(2)))
    block.add_component(next(free for free in tries if block.component(free) is None), component)
