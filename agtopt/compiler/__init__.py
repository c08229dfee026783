"""From a problem, a kind and a window to an optimisation model."""

from agtopt.compiler.compile import CompiledModel, compile
from agtopt.compiler.size import Size, predicted_size

__all__ = ["CompiledModel", "Size", "compile", "predicted_size"]
