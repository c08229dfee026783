"""From a compiled problem to a domain: which models are solved, for which objectives, in which order."""

from agtopt.drivers.execute import processes
from agtopt.drivers.horizon import bound
from agtopt.drivers.reach import Reach

__all__ = ["Reach", "bound", "processes"]
