"""From a compiled problem to a domain: which models are solved, for which objectives, in which
order."""

from agtopt.drivers.execute import processes
from agtopt.drivers.horizon import bound
from agtopt.drivers.obbt import OBBT
from agtopt.drivers.parts import bound_parts
from agtopt.drivers.reach import Reach
from agtopt.drivers.run import Run
from agtopt.drivers.samplewise import bound_samplewise
from agtopt.drivers.settings import Settings

__all__ = [
    "OBBT",
    "Reach",
    "Run",
    "Settings",
    "bound",
    "bound_parts",
    "bound_samplewise",
    "processes",
]
