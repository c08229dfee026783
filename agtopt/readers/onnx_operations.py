"""What the operations of ONNX stand for, where they take the output of a layer."""

from collections.abc import Callable, Sequence
from math import ceil, prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import UnsupportedError
from agtopt.problem import Add, AvgPool2d, Conv2d, Dense, Flatten, LeakyReLU, ReLU
from agtopt.problem.layers import Shape
from agtopt.readers.draft import LayerPart, flat_bias, require, understand
from agtopt.readers.onnx_file import DOMAINS, FLOATS, OnnxFile, type_name
from agtopt.readers.onnx_values import Value

if TYPE_CHECKING:
    from onnx import AttributeProto, NodeProto

LEAK = float(np.float32(0.01))
"""Default slope of LeakyRelu: a file's numbers are 32 bits wide."""


def understood(
    file: OnnxFile, node: "NodeProto", inputs: Sequence[Value | None]
) -> tuple[LayerPart, NDArray[Any]]:
    """What a node stands for, and its output by onnx's evaluator.

    Raises
    ------
    UnsupportedError
        If no layer does the same.
    InvalidInputError
        If it does not fit its inputs.
    """
    require(node.domain in DOMAINS and node.op_type in ALLOWED, "no layer does the same")
    arrays = [None if value is None else value.array for value in inputs]
    if node.op_type in RESHAPING:
        return _reshaped(file, node, *inputs)
    part = understand(
        OPERATIONS[node.op_type],
        inputs,
        {entry.name: _attribute(entry) for entry in node.attribute},
    )
    sources = [_output_of_a_layer(source) for source in part.sources]
    samples, shapes = len(sources[0].array), [source.shape for source in sources]
    shape = shapes[0] if part.layer is None else part.layer.output_shape(*shapes)
    file.check_size("its output", samples * prod(shape))
    if isinstance(part.layer, (Conv2d, AvgPool2d)):
        patches = part.layer.patches(shapes[0])
        padded = (
            extent + 2 * pad for extent, pad in zip(shapes[0][1:], patches.padding, strict=True)
        )
        file.check_size(
            "what it slides over",
            samples * max(patches.entries * prod(patches.places), shapes[0][0] * prod(padded)),
        )
    # The evaluator would round to the narrower format; agtopt reads real numbers as such, whatever
    # the width of their format.
    result = sources[0].array if node.op_type == "Cast" else file.evaluate(node, arrays)
    require(
        result.shape == (samples, *shape),
        f"it gives shape {result.shape}, where a layer gives {(samples, *shape)}",
    )
    return part, result


def _output_of_a_layer(value: Value | None) -> Value:
    if value is None or value.layer is None:
        raise UnsupportedError("it does not take the output of a layer")
    return value


def _attribute(entry: "AttributeProto") -> Any:
    from onnx import helper

    value = helper.get_attribute_value(entry)
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _reshaped(
    file: OnnxFile, node: "NodeProto", first: Value | None, *others: Value | None
) -> tuple[LayerPart, NDArray[Any]]:
    """A flattening, or nothing at all: where samples stay along the first axis, rows stay rows, as
    entries are in row-major order."""
    value = _output_of_a_layer(first)
    require(
        all(other is None or other.layer is None for other in others),
        "its shape must be a constant",
    )
    result = file.evaluate(
        node, [None if other is None else other.array for other in (first, *others)]
    )
    before, flat = value.array.shape, (len(value.array), prod(value.shape))
    require(
        result.shape in (before, flat),
        f"it turns {before} into {result.shape}; it must flatten the samples into {flat}",
    )
    return LayerPart(None if result.shape == before else Flatten(), (value,)), result


def _biased(weight: NDArray[Any], bias: Value | None, outputs: int) -> tuple[Any, ...]:
    return (weight,) if bias is None else (weight, flat_bias(bias.trained("bias"), outputs))


def _pair(values: Sequence[int], what: str) -> tuple[int, int]:
    require(len(values) == 2, f"{what} must be of two axes, not {list(values)}")
    return values[0], values[1]


def _padding(
    auto_pad: str,
    pads: Sequence[int],
    shape: Shape,
    kernel: tuple[int, int],
    strides: tuple[int, int],
) -> tuple[int, int]:
    """Zeros on each side of height and width."""
    if auto_pad == "NOTSET":
        require(
            len(pads) == 4 and list(pads[:2]) == list(pads[2:]),
            f"pads must be the same on both sides, not {list(pads)}",
        )
        return pads[0], pads[1]
    if auto_pad == "VALID":
        return 0, 0
    require(auto_pad in ("SAME_UPPER", "SAME_LOWER"), f"auto_pad {auto_pad!r} is unknown")
    require(
        len(shape) == 3 and min(strides) > 0,
        "its input must be (channels, height, width), its strides at least 1",
    )
    both = [
        max((ceil(extent / step) - 1) * step + size - extent, 0)
        for extent, size, step in zip(shape[1:], kernel, strides, strict=True)
    ]
    require(
        all(pad % 2 == 0 for pad in both),
        f"auto_pad {auto_pad} pads one side more than the other here",
    )
    return both[0] // 2, both[1] // 2


# The operations' own signatures: inputs first, then attributes with the defaults of ONNX. What is
# not listed is refused.


def _gemm(
    a: Value,
    b: Value,
    c: Value | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> LayerPart:
    require(
        alpha == 1.0 and (beta == 1.0 or c is None),
        f"alpha and beta must be 1, not {alpha:g} and {beta:g}",
    )
    require(transA == 0, "transA must be 0")
    matrix = b.parameter("B", 2)
    weight = matrix if transB else matrix.T
    outputs, inputs = weight.shape
    return LayerPart(Dense(inputs, outputs, c is not None), (a,), _biased(weight, c, outputs))


def _matmul(a: Value, b: Value) -> LayerPart:
    matrix = b.parameter("B", 2)
    inputs, outputs = matrix.shape
    return LayerPart(Dense(inputs, outputs, bias=False), (a,), (matrix.T,))


def _conv(
    x: Value,
    w: Value,
    b: Value | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] = (1, 1),
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    pads: Sequence[int] = (0, 0, 0, 0),
    strides: Sequence[int] = (1, 1),
) -> LayerPart:
    weight = w.parameter("W", 4)
    outputs, inputs, *sizes = weight.shape
    kernel, steps = _pair(sizes, "the kernel"), _pair(strides, "strides")
    require(group == 1, f"group must be 1, not {group}")
    require(all(d == 1 for d in dilations), f"dilations must be 1, not {list(dilations)}")
    require(
        kernel_shape is None or list(kernel_shape) == sizes,
        f"kernel_shape must be that of W, {sizes}",
    )
    padding = _padding(auto_pad, pads, x.shape, kernel, steps)
    return LayerPart(
        Conv2d(inputs, outputs, kernel, steps, padding, b is not None),
        (x,),
        _biased(weight, b, outputs),
    )


def _average_pool(
    x: Value,
    *,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    strides: Sequence[int] = (1, 1),
) -> LayerPart:
    kernel, steps = _pair(kernel_shape, "kernel_shape"), _pair(strides, "strides")
    require(all(d == 1 for d in dilations), f"dilations must be 1, not {list(dilations)}")
    padding = _padding(auto_pad, pads, x.shape, kernel, steps)
    require(padding == (0, 0), f"pads must be 0, not {padding}")
    layer = AvgPool2d(kernel, steps)
    filled = all(
        (extent - size) % step == 0
        for extent, size, step in zip(x.shape[1:], kernel, steps, strict=False)
    )
    require(not ceil_mode or filled, "ceil_mode must be 0 where the windows do not fill the input")
    return LayerPart(layer, (x,))


def _add(a: Value, b: Value) -> LayerPart:
    if a.layer is not None and b.layer is not None:
        return LayerPart(Add(), (a, b))
    value, bias = (_output_of_a_layer(a), b) if a.layer is not None else (_output_of_a_layer(b), a)
    return LayerPart(None, (value,), (flat_bias(bias.trained("bias"), value.shape[-1]),))


def _dropout(
    data: Value, ratio: Value | None = None, training_mode: Value | None = None, *, seed: int = 0
) -> LayerPart:
    known = training_mode is None or (training_mode.layer is None and not training_mode.array.any())
    require(known, "training_mode must be false")
    return LayerPart(None, (data,))


def _cast(input: Value, *, to: int, saturate: int = 1, round_mode: str = "up") -> LayerPart:
    require(
        type_name(to) in FLOATS, f"it must be to one of {', '.join(FLOATS)}, not {type_name(to)}"
    )
    return LayerPart(None, (input,))


RESHAPING = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")

OPERATIONS: dict[str, Callable[..., LayerPart]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Conv": _conv,
    "AveragePool": _average_pool,
    "Relu": lambda X: LayerPart(ReLU(), (X,)),
    "LeakyRelu": lambda X, *, alpha=LEAK: LayerPart(LeakyReLU(alpha), (X,)),
    "Add": _add,
    "Identity": lambda input: LayerPart(None, (input,)),
    "Cast": _cast,
    "Dropout": _dropout,
}

ALLOWED = (*OPERATIONS, *RESHAPING)
