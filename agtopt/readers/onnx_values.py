"""What is known of a value in an ONNX graph, and what follows from constants alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agtopt.problem.layers import Shape
from agtopt.readers.draft import require
from agtopt.readers.onnx_file import FLOATS, OnnxFile

if TYPE_CHECKING:
    from onnx import NodeProto

Array = NDArray[Any]


@dataclass(frozen=True)
class Value:
    """A value in a graph that is run on one batch.

    Attributes
    ----------
    array : array
    layer : str or None
        Whose output it is, for the samples along the first axis; None for a constant.
    root : str or None
        The constant of the file that has the same entries; None for one that was computed from
        others.
    name : str
        What the file calls the value, or the parameter that it is.
    """

    array: Array
    layer: str | None = None
    root: str | None = None
    name: str = ""

    @property
    def shape(self) -> Shape:
        """Shape of one sample."""
        return tuple(self.array.shape[1:])

    def parameter(self, role: str, axes: int) -> Array:
        """Its entries, which a layer is to train.

        Raises
        ------
        UnsupportedError
            If it is no constant of real numbers with so many axes, or was computed from others.
        """
        require(
            self.layer is None and self.array.ndim == axes,
            f"its {role} must be a constant with {axes} axes",
        )
        return self.trained(role)

    def trained(self, role: str) -> Array:
        """The constant that plays this role, with any number of axes; refused where it is none."""
        require(self.layer is None, f"its {role} must be a constant")
        require(
            self.array.dtype == np.float64,
            f"its {role} has type {self.array.dtype}; it must be one of {', '.join(FLOATS)}: "
            f"convert the model, and train that",
        )
        # To train what comes out of a computation is not to train what goes in.
        require(
            self.root is not None,
            f"its {role} is computed from other constants; it must be a constant itself",
        )
        return self.array


MOVING = ("Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast")
"""Operations whose output has the entries of their first input, each once."""

COMPUTING = (
    *(
        "Gather",
        "Slice",
        "Concat",
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Mod",
        "Neg",
        "Abs",
        "Min",
        "Max",
        "Where",
    ),
    *(
        "Equal",
        "Less",
        "Greater",
        "Not",
        "And",
        "Or",
        "ReduceProd",
        "ReduceSum",
        "ReduceMin",
        "ReduceMax",
    ),
)
"""Operations that shapes are computed with. What draws at random, makes large arrays or has a graph
inside is not among them."""

LARGEST_COMPUTED = 10**6
"""Entries that such an operation may give, at most the product of those that it takes: enough for
shapes."""


def folded(file: OnnxFile, node: "NodeProto", values: Sequence[Value | None]) -> Value | None:
    """The output of a node that follows from constants and the shapes of its inputs; None for any
    other node."""
    arrays = [None if value is None else value.array for value in values]
    if node.op_type in ("Shape", "Size"):
        return Value(file.evaluate(node, arrays))
    if any(value is not None and value.layer is not None for value in values):
        return None
    if node.op_type == "Constant":
        require(
            all(entry.name != "sparse_value" for entry in node.attribute),
            "it is sparse; write it as a dense one",
        )
        return Value(file.evaluate(node, arrays), root=node.output[0], name=node.output[0])
    if node.op_type in MOVING and values and (first := values[0]) is not None:
        array = file.evaluate(node, arrays)
        # Training moves a number in its own format: what is cast from another is computed.
        same = node.op_type != "Cast" or (
            array.dtype == first.array.dtype and np.array_equal(array, first.array)
        )
        return Value(
            array,
            None,
            first.root if same else None,
            node.output[0] if node.op_type == "Identity" else first.name,
        )
    if node.op_type in COMPUTING:
        entries = prod(array.size for array in arrays if array is not None)
        require(
            entries <= LARGEST_COMPUTED,
            "it computes with constants; only shapes may be computed, from few entries",
        )
        return Value(file.evaluate(node, arrays))
    return None
