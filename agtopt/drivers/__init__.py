"""From a compiled problem to a domain: which models are solved, for which objectives, in which order."""

from agtopt.drivers.execute import processes
from agtopt.drivers.horizon import bound
from agtopt.drivers.reach import Reach
from agtopt.drivers.run import Run

__all__ = ["Reach", "Run", "bound", "processes"]
