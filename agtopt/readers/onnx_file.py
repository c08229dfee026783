"""ONNX files: opened, checked, and evaluated node by node by onnx itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from math import prod
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import InvalidInputError, MissingFileError, UnsupportedError
from agtopt.problem.layers import Shape

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

DOMAINS = ("", "ai.onnx")
OLDEST_OPSET = 7
"""Before it Add and Gemm broadcast, and Dropout trains, by other rules."""
FLOATS = ("float32", "float64")
"""Formats in which a training run can be bounded."""
LARGEST = 2**26
"""Entries of the largest array that is evaluated: a few bytes of a file can ask for any number of
them."""


@dataclass(frozen=True)
class OnnxFile:
    """A valid ONNX model with one input and one output.

    Attributes
    ----------
    label : str
        What errors call it.
    model : onnx.ModelProto
    opset : int
    constants : mapping of str to array
        Its initializers; real numbers as float64, which holds each of the `FLOATS` exactly.
    """

    label: str
    model: "ModelProto"
    opset: int
    constants: Mapping[str, NDArray[Any]]

    @cached_property
    def input(self) -> "ValueInfoProto":
        """The only input that is no initializer."""
        inputs, outputs = (
            [value for value in self.model.graph.input if value.name not in self.constants],
            self.model.graph.output,
        )
        if len(inputs) != 1 or len(outputs) != 1:
            raise UnsupportedError(
                f"{self.label}: {len(inputs)} inputs and {len(outputs)} outputs are not supported; "
                f"one of each is needed"
            )
        value: ValueInfoProto = inputs[0]
        return value

    @property
    def output(self) -> str:
        """Name of the output."""
        return str(self.model.graph.output[0].name)

    @cached_property
    def sample_shape(self) -> Shape:
        """Shape of one sample.

        Raises
        ------
        UnsupportedError
            If it is not fixed, or there is no axis for samples, or its entries are no real numbers.
        """
        value, described = self.input, f"{self.label}: input {self.input.name!r}"
        kind = value.type.tensor_type.elem_type
        if type_name(kind) not in FLOATS:
            raise UnsupportedError(
                f"{described} has entries of type {type_name(kind)}; they must be one of "
                f"{', '.join(FLOATS)}"
            )
        axes = value.type.tensor_type.shape.dim
        shape = tuple(axis.dim_value for axis in axes)[1:]
        if len(axes) == 1 and axes[0].dim_value > 0:
            raise UnsupportedError(
                f"{described} has shape ({axes[0].dim_value},); an axis of the samples is needed "
                f"before it"
            )
        if not shape or min(shape) < 1:
            raise UnsupportedError(
                f"{described} has no fixed shape; only the first axis, that of the samples, may be "
                f"open"
            )
        self.check_size(described, prod(shape) * max(self.batches))
        return shape

    @property
    def batches(self) -> tuple[int, int]:
        """Sizes of batches to read the graph with: the file's own, or two of more than one sample
        where it is open."""
        axis = self.input.type.tensor_type.shape.dim[0]
        return (axis.dim_value, axis.dim_value) if axis.dim_value > 0 else (2, 3)

    def nodes(self) -> Iterator["NodeProto"]:
        """The nodes that lead to the output, in order."""
        needed = {self.output}
        leading: list[NodeProto] = []
        for node in reversed(self.model.graph.node):
            if needed & set(node.output):
                needed |= set(filter(None, node.input))
                leading.append(node)
        return reversed(leading)

    def evaluate(self, node: "NodeProto", inputs: Sequence[NDArray[Any] | None]) -> NDArray[Any]:
        """First output of a node by onnx's reference evaluator, in float64.

        Raises
        ------
        InvalidInputError
            If the node cannot take these inputs.
        """
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        given = {name: array for name, array in zip(node.input, inputs, strict=True) if name}
        try:
            entries, results = (
                [helper.make_empty_tensor_value_info(name) for name in names]
                for names in (given, node.output[:1])
            )
            graph = helper.make_graph([node], "node", entries, results)
            with np.errstate(all="ignore"):
                (found,) = ReferenceEvaluator(graph, opsets={"": self.opset}).run(None, given)
            return real(np.asarray(found))
        except Exception as error:  # each operator fails in its own way
            raise InvalidInputError(f"onnx cannot evaluate it: {line(error)}") from None

    def check_size(self, what: str, entries: int) -> None:
        """Refuse an array that is too large to be evaluated."""
        if entries > LARGEST:
            raise UnsupportedError(
                f"{what} has {entries:,} entries for a batch; at most {LARGEST:,} are read, try a "
                f"smaller batch"
            )


def load(source: Any) -> OnnxFile:
    """Open and check a model.

    Parameters
    ----------
    source : str, path, bytes or onnx.ModelProto

    Raises
    ------
    MissingFileError, InvalidInputError, UnsupportedError
        As `agtopt.readers.onnx_model.read` says.
    """
    path = fspath(source) if isinstance(source, (str, PathLike)) else None
    label = "ONNX model" if path is None else line(path)
    try:
        onnx = import_module("onnx")
        inliner = import_module("onnx.inliner")
    except ImportError:
        raise UnsupportedError(
            f"{label}: cannot be read without the package onnx; pip install agtopt[onnx]"
        ) from None
    if path is None and not isinstance(source, (bytes, onnx.ModelProto)):
        raise InvalidInputError(
            f"{label}: {type(source).__name__} is not allowed; it must be the path of a file, its "
            f"bytes, or an onnx.ModelProto"
        )
    try:
        if path is not None:
            model = onnx.load(path)
        else:
            model = onnx.load_from_string(
                source if isinstance(source, bytes) else source.SerializeToString()
            )
        if any(isinstance(text, bytes) for text in _texts(model)):
            raise InvalidInputError("it has text that is not UTF-8")
        _check_own_data(label, model)
        onnx.checker.check_model(model)
        if model.functions:
            model = inliner.inline_local_functions(model)
        constants = {
            tensor.name: real(onnx.numpy_helper.to_array(tensor))
            for tensor in model.graph.initializer
        }
    except FileNotFoundError as error:
        missing = (
            "does not exist"
            if error.filename in (path, None)
            else f"needs {error.filename}, which does not exist"
        )
        raise MissingFileError(f"{label}: {missing}") from None
    except UnsupportedError:
        raise
    except (
        Exception
    ) as error:  # protobuf, the checker and the file system each have errors of their own
        raise InvalidInputError(f"{label}: is not a valid ONNX model: {line(error)}") from None
    for node in model.graph.node:
        # Two names of one domain, of which the evaluator knows the shorter.
        node.domain = "" if node.domain in DOMAINS else node.domain
    opset, newest = (
        max((entry.version for entry in model.opset_import if entry.domain in DOMAINS), default=0),
        onnx.defs.onnx_opset_version(),
    )
    if not OLDEST_OPSET <= opset <= newest:
        raise UnsupportedError(
            f"{label}: opset {opset} is not supported; it must be at least {OLDEST_OPSET} and at "
            f"most {newest}, onnx {onnx.__version__}'s"
        )
    return OnnxFile(label, model, opset, constants)


def real(array: NDArray[Any]) -> NDArray[Any]:
    """An array of real numbers in float64; of whatever else as it is."""
    return array.astype(np.float64) if array.dtype.name in FLOATS else array


def _texts(message: Any) -> Iterator[str | bytes]:
    """All text in a message of protobuf, which leaves what is not UTF-8 as bytes."""
    for field, value in message.ListFields():
        if field.type in (field.TYPE_MESSAGE, field.TYPE_STRING):
            for entry in (
                (value,)
                if isinstance(value, (str, bytes)) or not isinstance(value, Sequence)
                else value
            ):
                yield from _texts(entry) if field.type == field.TYPE_MESSAGE else (entry,)


def _check_own_data(label: str, model: "ModelProto") -> None:
    from onnx.external_data_helper import uses_external_data

    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    tensors: list[TensorProto] = [
        *model.graph.initializer,
        *(entry.t for node in nodes for entry in node.attribute),
    ]
    if any(map(uses_external_data, tensors)):
        raise UnsupportedError(
            f"{label}: has tensors in files of their own; give the path of the model, not what is "
            f"in it"
        )
    if model.graph.sparse_initializer:
        raise UnsupportedError(
            f"{label}: sparse initializers are not supported; write them as dense ones"
        )


def type_name(kind: int) -> str:
    """NumPy's name of a type of ONNX, where it has one."""
    from onnx import TensorProto

    names = {value: name.lower() for name, value in TensorProto.DataType.items()}
    name: str = names.get(kind, f"number {kind}")
    return {"float": "float32", "double": "float64"}.get(name, name)


def line(words: object) -> str:
    """Words on one line."""
    return " ".join(str(words).split())
