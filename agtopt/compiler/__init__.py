"""From a problem, a kind and a window to an optimisation model."""

from agtopt.compiler.compile import CompiledModel, compile
from agtopt.compiler.query import Query, append_query, flips_of, inputs_of, outputs_of
from agtopt.compiler.size import Size, predicted_memory, predicted_size

__all__ = [
    "CompiledModel",
    "Query",
    "Size",
    "append_query",
    "compile",
    "flips_of",
    "inputs_of",
    "outputs_of",
    "predicted_memory",
    "predicted_size",
]
