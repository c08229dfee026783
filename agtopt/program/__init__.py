"""SGD written once over a few abstract operations; a semantics gives them their meaning."""

from agtopt.program.backward import backward
from agtopt.program.forward import between, forward
from agtopt.program.loss import loss_gradient
from agtopt.program.operations import Arithmetic, Operations
from agtopt.program.step import gradients, moved, step, train

__all__ = [
    "Arithmetic",
    "Operations",
    "backward",
    "between",
    "forward",
    "gradients",
    "loss_gradient",
    "moved",
    "step",
    "train",
]
