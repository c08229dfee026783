"""Parameter-space domains: sets that hold the parameters of every admissible training run (S1)."""

from agtopt.domains.affine import Affine
from agtopt.domains.attained import attains, excluded, refuse_excluded
from agtopt.domains.interval import Interval
from agtopt.domains.known import KnownBounds
from agtopt.domains.moves import Balls, Boxes, Choices, Moves, Touched
from agtopt.domains.operations import contains, hull, intersect, sample, width
from agtopt.domains.polytope import (
    Polytope,
    chebyshev,
    interval_hull,
    minima,
    minimum,
    without_redundant,
)

__all__ = [
    "Affine",
    "Balls",
    "Boxes",
    "Choices",
    "Interval",
    "KnownBounds",
    "Moves",
    "Polytope",
    "Touched",
    "attains",
    "chebyshev",
    "contains",
    "excluded",
    "hull",
    "intersect",
    "interval_hull",
    "minima",
    "minimum",
    "refuse_excluded",
    "sample",
    "width",
    "without_redundant",
]
