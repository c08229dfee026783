"""Parameter-space domains: sets that hold the parameters of every admissible training run (S1)."""

from agtopt.domains.interval import Interval
from agtopt.domains.known import KnownBounds
from agtopt.domains.operations import contains, hull, intersect, sample, width

__all__ = ["Interval", "KnownBounds", "contains", "hull", "intersect", "sample", "width"]
