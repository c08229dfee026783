"""Networks from ONNX files."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.errors import InvalidInputError, MissingFileError, UnsupportedError
from agtopt.problem import Add, AvgPool2d, Conv2d, Dense, Flatten, LeakyReLU, Network, ReLU
from agtopt.problem.layers import Shape
from agtopt.problem.network import INPUT
from agtopt.readers.draft import Draft, Part, flat_bias, naming, require, understand

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, NodeProto, ValueInfoProto

DOMAINS = ("", "ai.onnx")
OLDEST_OPSET = 7
"""Before it Add and Gemm broadcast, and Dropout trains, by other rules."""
LEAK = float(np.float32(0.01))
"""Default slope of LeakyRelu: a file's numbers are 32 bits wide."""


def read(path: str | Path) -> Network:
    """Read an ONNX file, with its initializers as θ₀ (in float64).

    Layers are named as by `Network.chain` and θ is flattened in the order of the nodes. A constant that is added to a matrix product is
    its bias. The first axis of the input is that of the samples, of whatever extent the file gives it.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    MissingFileError
        If the file does not exist.
    InvalidInputError
        If it is no valid ONNX model, or its layers do not fit each other.
    UnsupportedError
        If a node is of another kind than allowed, weights are shared, the graph has several inputs or outputs or no fixed sample shape,
        or the package onnx is not installed.
    """
    graph, constants = _load(Path(path))
    sample, output = _ends(path, graph, set(constants))
    values = {sample.name: INPUT}
    draft, used = Draft(), set[str]()
    for node in graph.node:
        with naming(f"{path}: node {node.name or node.output[0]!r} ({node.op_type})", ", ".join(OPERATIONS)):
            result = node.output[0]
            if node.op_type == "Constant":
                constants[result] = np.asarray(*_attributes(node).values())
                continue
            part = _part(node, {**constants, **values})
            weights = constants.keys() & set(node.input) if part.tensors else set()
            require(not weights & used, "its weights are shared with another layer")
            used |= weights
            if part.layer is not None:
                values[result] = draft.add(part.layer, part.sources, None, part.tensors, part.shape)
                continue
            values[result] = part.sources[0]
            for bias in part.tensors:
                draft.add_bias(values[result], bias)
                # The product without the bias is no longer there to be read.
                values = {name: value for name, value in values.items() if value != values[result] or name == result}
    if output not in values:
        raise UnsupportedError(f"{path}: the output {output!r} is not supported; it must be the output of a layer")
    draft.cut(values[output])
    return draft.network(_sample_shape(path, sample))


def _load(path: Path) -> tuple["GraphProto", dict[str, NDArray[Any]]]:
    try:
        onnx = import_module("onnx")
    except ImportError:
        raise UnsupportedError(f"{path}: cannot be read without the package onnx; pip install agtopt[onnx]") from None
    if not path.exists():
        raise MissingFileError(f"{path}: does not exist")
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
        constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    except Exception as error:  # protobuf, the checker and the file system each have errors of their own
        raise InvalidInputError(f"{path}: is not a valid ONNX model: {' '.join(str(error).split())}") from None
    opset = next((entry.version for entry in model.opset_import if entry.domain in DOMAINS), 0)
    if opset < OLDEST_OPSET:
        raise UnsupportedError(f"{path}: opset {opset} is not supported; it must be at least {OLDEST_OPSET}")
    return model.graph, constants


def _ends(path: str | Path, graph: "GraphProto", constants: set[str]) -> tuple["ValueInfoProto", str]:
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise UnsupportedError(f"{path}: {len(inputs)} inputs and {len(graph.output)} outputs are not supported; one of each is needed")
    return inputs[0], graph.output[0].name


def _sample_shape(path: str | Path, value: "ValueInfoProto") -> Shape:
    shape = tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)[1:]
    if not shape or 0 in shape:
        raise UnsupportedError(f"{path}: input {value.name!r} has no fixed shape; only the first axis, that of the samples, may be open")
    return shape


def _part(node: "NodeProto", values: Mapping[str, Any]) -> Part:
    """What a node stands for, given its inputs: names of layers and constant arrays."""
    require(node.domain in DOMAINS and node.op_type in OPERATIONS, "no layer does the same")
    for name in filter(None, node.input):
        require(name in values, f"it takes {name!r}, which is neither a constant nor the output of a layer")
    part = understand(OPERATIONS[node.op_type], [values.get(name) for name in node.input], _attributes(node))
    require(all(isinstance(source, str) for source in part.sources), "it does not take the output of a layer")
    return part


def _attributes(node: "NodeProto") -> dict[str, Any]:
    return {attribute.name: _value(attribute) for attribute in node.attribute}


def _value(attribute: "AttributeProto") -> Any:
    from onnx import TensorProto, helper, numpy_helper

    value = helper.get_attribute_value(attribute)
    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    return value.decode() if isinstance(value, bytes) else value


def _constant(value: Any, role: str, axes: int) -> NDArray[Any]:
    require(isinstance(value, np.ndarray) and value.ndim == axes, f"its {role} must be a constant with {axes} axes")
    array: NDArray[Any] = value
    return array


def _with_bias(weight: NDArray[Any], bias: Any) -> tuple[ArrayLike, ...]:
    require(not isinstance(bias, str), "its bias must be a constant")
    return (weight,) if bias is None else (weight, flat_bias(bias, len(weight)))


def _pair(values: Sequence[int]) -> tuple[int, int]:
    return values[0], values[1]


# The operations' own signatures: inputs first, then attributes with the defaults of ONNX. What is not listed is refused.


def _gemm(a: Any, b: Any, c: Any = None, *, alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0) -> Part:
    require(alpha == beta == 1.0, f"alpha and beta must be 1, not {alpha:g} and {beta:g}")
    require(transA == 0, "transA must be 0")
    b = _constant(b, "B", 2)
    weight = b if transB else b.T
    outputs, inputs = weight.shape
    return Part(Dense(inputs, outputs, c is not None), (a,), _with_bias(weight, c))


def _matmul(a: Any, b: Any) -> Part:
    b = _constant(b, "B", 2)
    inputs, outputs = b.shape
    return Part(Dense(inputs, outputs, bias=False), (a,), (b.T,))


def _conv(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] = (1, 1),
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    pads: Sequence[int] = (0, 0, 0, 0),
    strides: Sequence[int] = (1, 1),
) -> Part:
    w = _constant(w, "W", 4)
    require(group == 1, f"group must be 1, not {group}")
    require(auto_pad == "NOTSET", f"auto_pad must be NOTSET, not {auto_pad}")
    require(all(d == 1 for d in dilations), f"dilations must be 1, not {list(dilations)}")
    require(list(pads[:2]) == list(pads[2:]), f"pads must be the same on both sides, not {list(pads)}")
    outputs, inputs, *kernel = w.shape
    layer = Conv2d(inputs, outputs, _pair(kernel), _pair(strides), _pair(pads), b is not None)
    return Part(layer, (x,), _with_bias(w, b))


def _average_pool(
    x: Any,
    *,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    strides: Sequence[int] = (1, 1),
) -> Part:
    require(auto_pad == "NOTSET", f"auto_pad must be NOTSET, not {auto_pad}")
    require(not ceil_mode, "ceil_mode must be 0")
    require(all(d == 1 for d in dilations), f"dilations must be 1, not {list(dilations)}")
    require(not any(pads), f"pads must be 0, not {list(pads)}")
    return Part(AvgPool2d(_pair(kernel_shape), _pair(strides)), (x,))


def _flatten(x: Any, *, axis: int = 1) -> Part:
    require(axis == 1, f"axis must be 1, not {axis}")
    return Part(Flatten(), (x,))


def _reshape(x: Any, shape: Any, *, allowzero: int = 0) -> Part:
    match _constant(shape, "shape", 1).tolist():
        case [0 | 1, -1] if not allowzero:
            return Part(Flatten(), (x,))
        case [-1 | 0 | 1, int(size)] if size > 0 and not allowzero:
            return Part(Flatten(), (x,), shape=(size,))
    raise UnsupportedError("the shape must be (0, -1) or (-1, size): the samples by all else")


def _add(a: Any, b: Any) -> Part:
    if isinstance(a, str) and isinstance(b, str):
        return Part(Add(), (a, b))
    value, bias = (a, b) if isinstance(a, str) else (b, a)
    return Part(None, (value,), (bias,))


def _dropout(data: Any, ratio: Any = None, training_mode: Any = None, *, seed: int = 0) -> Part:
    require(training_mode is None or (isinstance(training_mode, np.ndarray) and not training_mode.any()), "training_mode must be false")
    return Part(None, (data,))


OPERATIONS: dict[str, Callable[..., Part]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Conv": _conv,
    "AveragePool": _average_pool,
    "Relu": lambda X: Part(ReLU(), (X,)),
    "LeakyRelu": lambda X, *, alpha=LEAK: Part(LeakyReLU(alpha), (X,)),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Add": _add,
    "Identity": lambda input: Part(None, (input,)),
    "Dropout": _dropout,
}
