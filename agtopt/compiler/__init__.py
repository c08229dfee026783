"""From a problem, a kind and a window to an optimisation model."""

from agtopt.compiler.compile import compile
from agtopt.compiler.export_set import export, export_file
from agtopt.compiler.exported import Exported, ExportedSet
from agtopt.compiler.model import CompiledModel
from agtopt.compiler.query import Query, append_query, flips_of, inputs_of, outputs_of
from agtopt.compiler.replay import Replay, replay
from agtopt.compiler.size import Size, predicted_memory, predicted_size
from agtopt.compiler.target import (
    Target,
    all_targets,
    direction_target,
    output_target,
    parameter_target,
)

__all__ = [
    "CompiledModel",
    "Exported",
    "ExportedSet",
    "Query",
    "Replay",
    "Size",
    "Target",
    "all_targets",
    "append_query",
    "compile",
    "direction_target",
    "export",
    "export_file",
    "flips_of",
    "inputs_of",
    "output_target",
    "outputs_of",
    "parameter_target",
    "predicted_memory",
    "predicted_size",
    "replay",
]
