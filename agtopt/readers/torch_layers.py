"""What modules and functions of torch are, as layers; everything else is refused."""

import builtins
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.fx import Node
from torch.nn import functional

from agtopt.errors import UnsupportedError
from agtopt.problem import Add, AvgPool2d, Conv2d, Dense, Flatten, Layer, LeakyReLU, ReLU
from agtopt.readers.draft import LayerPart, require


def _conv2d(module: nn.Conv2d) -> Layer:
    require(module.groups == 1, f"groups must be 1, not {module.groups}")
    require(module.dilation == (1, 1), f"dilation must be 1, not {module.dilation}")
    require(
        module.padding_mode == "zeros", f"padding_mode must be 'zeros', not {module.padding_mode!r}"
    )
    padding: Any = module.padding
    if padding == "same":
        require(
            all(size % 2 for size in module.kernel_size),
            f"padding='same' pads kernel_size {module.kernel_size} unevenly",
        )
        padding = tuple(size // 2 for size in module.kernel_size)
    elif padding == "valid":
        padding = 0
    kernel: Any = module.kernel_size
    stride: Any = module.stride
    return Conv2d(
        module.in_channels, module.out_channels, kernel, stride, padding, module.bias is not None
    )


def _avg_pool2d(module: nn.AvgPool2d) -> Layer:
    require(module.padding in (0, (0, 0)), f"padding must be 0, not {module.padding}")
    require(not module.ceil_mode, "ceil_mode must be False")
    require(module.divisor_override is None, "divisor_override must be None")
    return AvgPool2d(module.kernel_size, module.stride)


def _flatten_module(module: nn.Flatten) -> Layer:
    require((module.start_dim, module.end_dim) == (1, -1), "start_dim must be 1 and end_dim -1")
    return Flatten()


def _dropout(module: nn.Dropout) -> None:
    require(module.p == 0, f"p must be 0, not {module.p:g}: training would drop entries at random")


# By exact type: a subclass may compute something else.
MODULES: dict[type, Callable[[Any], Layer | None]] = {
    nn.Linear: lambda module: Dense(
        module.in_features, module.out_features, module.bias is not None
    ),
    nn.Conv2d: _conv2d,
    nn.AvgPool2d: _avg_pool2d,
    nn.ReLU: lambda module: ReLU(),
    nn.LeakyReLU: lambda module: LeakyReLU(module.negative_slope),
    nn.Flatten: _flatten_module,
    nn.Identity: lambda module: None,
    nn.Dropout: _dropout,
}


def _relu(input: Any, inplace: bool = False) -> LayerPart:
    return LayerPart(ReLU(), (input,), inplace=inplace)


def _leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> LayerPart:
    return LayerPart(LeakyReLU(negative_slope), (input,), inplace=inplace)


def _flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> LayerPart:
    require((start_dim, end_dim) == (1, -1), "start_dim must be 1 and end_dim -1")
    return LayerPart(Flatten(), (input,))


def _view(input: Any, *shape: Any) -> LayerPart:
    match shape[0] if len(shape) == 1 else shape:
        case (batch, -1) if is_batch_size(batch):
            return LayerPart(Flatten(), (input,))
        case (batch, int(size)) if size > 0 and (batch == -1 or is_batch_size(batch)):
            return LayerPart(Flatten(), (input,), shape=(size,))
    raise UnsupportedError("the shape must be (x.size(0), -1) or (-1, size)")


def _add(input: Any, other: Any, *, alpha: float = 1, inplace: bool = False) -> LayerPart:
    require(alpha == 1, f"alpha must be 1, not {alpha}")
    for value in (input, other):
        require(
            isinstance(value, Node) and value.op != "get_attr",
            f"it takes {value!r}, which is not the output of a layer; {SCALE_THE_DATA}",
        )
    return LayerPart(Add(), (input, other), inplace=inplace)


# Functions by themselves, methods by name; the signatures say which arguments they may have.
FUNCTIONS: dict[Any, Callable[..., LayerPart]] = {
    torch.relu: _relu,
    functional.relu: _relu,
    "relu": _relu,
    functional.leaky_relu: _leaky_relu,
    torch.flatten: _flatten,
    "flatten": _flatten,
    "view": _view,
    "reshape": _view,
    torch.reshape: _view,
    operator.add: _add,
    operator.iadd: partial(_add, inplace=True),
    torch.add: _add,
    "add": _add,
}

SCALE_THE_DATA = (
    "a fixed scaling of the inputs, as (x − mean) / std, belongs to the data: scale the features, "
    "and what the adversary may do to them"
)
WITHOUT_GRADIENT = (
    "write forward without it, and freeze what it is meant to leave alone by Training(frozen=…)"
)
STOPS_GRADIENTS = ("data", "detach", "detach_", "requires_grad_", torch.detach)
SCALES = (
    *(
        "sub",
        "sub_",
        "mul",
        "mul_",
        "div",
        "div_",
        torch.sub,
        torch.mul,
        torch.div,
        torch.subtract,
        torch.multiply,
        torch.divide,
    ),
    *(
        operator.sub,
        operator.mul,
        operator.truediv,
        operator.isub,
        operator.imul,
        operator.itruediv,
    ),
)

# Where there is more to say than that no layer does the same.
REASONS: dict[Any, str] = {
    **dict.fromkeys(STOPS_GRADIENTS, f"it stops gradients; {WITHOUT_GRADIENT}"),
    **dict.fromkeys(SCALES, f"no layer does the same; {SCALE_THE_DATA}"),
}

ALLOWED = (
    f"the modules {', '.join(kind.__name__ for kind in MODULES)} "
    f"and the functions {', '.join(sorted({getattr(key, '__name__', key) for key in FUNCTIONS}))}"
)


def is_shape(value: Any) -> bool:
    """``x.shape`` or ``x.size()``."""
    match value:
        case (
            Node(op="call_method", target="size", args=(_,))
            | Node(target=builtins.getattr, args=(_, "shape"))
        ):
            return True
    return False


def is_batch_size(value: Any) -> bool:
    """``x.size(0)``, ``x.size()[0]`` or ``x.shape[0]``."""
    match value:
        case Node(op="call_method", target="size", args=(_, 0)):
            return True
        case Node(target=operator.getitem, args=(shape, 0)):
            return is_shape(shape)
    return False
