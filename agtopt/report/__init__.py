"""Tables and pictures."""

from agtopt.report.compare import Comparison, compare

__all__ = ["Comparison", "compare"]
