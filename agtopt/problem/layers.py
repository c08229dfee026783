"""The layers of a network: frozen descriptions of shapes, without weights and without behaviour."""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import InvalidInputError
from agtopt.frozen import Unchanging
from agtopt.problem.checks import instance, number, whole

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer(Unchanging):
    """Base of all layers; a layer maps arrays of given shapes to one array (without the sample
    axis).

    Attributes
    ----------
    arity : int or None
        How many inputs the layer takes; None for two or more.
    kinks : tuple of float
        Inputs at which the slope of an entry-wise layer jumps, if it is linear in between; empty
        for any other.
    """

    arity: ClassVar[int | None] = 1
    kinks: ClassVar[tuple[float, ...]] = ()

    def output_shape(self, *inputs: Shape) -> Shape:
        """Shape of the output for these shapes of the inputs; raises InvalidInputError if the layer
        does not fit."""
        return inputs[0]

    def parameter_shapes(self) -> dict[str, Shape]:
        """Shapes of the layer's tensors by role, in the order in which they are flattened."""
        return {}


@dataclass(frozen=True)
class Dense(Layer):
    """Affine layer z = W a + b with W of shape (outputs, inputs) and b of shape (outputs,).

    Parameters
    ----------
    inputs, outputs : int
    bias : bool
        Whether there is b.
    """

    inputs: int
    outputs: int
    bias: bool = True

    def __post_init__(self) -> None:
        whole("Dense.inputs", self.inputs, 1)
        whole("Dense.outputs", self.outputs, 1)
        instance("Dense.bias", self.bias, bool)

    def output_shape(self, *inputs: Shape) -> Shape:
        if inputs[0] != (self.inputs,):
            raise InvalidInputError(
                f"network: Dense({self.inputs}, {self.outputs}) does not fit an input of shape "
                f"{inputs[0]}; it takes ({self.inputs},)"
            )
        return (self.outputs,)

    def parameter_shapes(self) -> dict[str, Shape]:
        return _with_bias((self.outputs, self.inputs), self.outputs, self.bias)


@dataclass(frozen=True)
class Conv2d(Layer):
    """Cross-correlation z[o] = Σ_c W[o, c] ⋆ a[c] + b[o], as in ``torch.nn.Conv2d``; W has shape
    (out_channels, in_channels, *kernel_size).

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, padding : int or pair of int
        Along height and width; padding is with zeros.
    bias : bool
    """

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, int] | int
    stride: tuple[int, int] | int = 1
    padding: tuple[int, int] | int = 0
    bias: bool = True

    def __post_init__(self) -> None:
        whole("Conv2d.in_channels", self.in_channels, 1)
        whole("Conv2d.out_channels", self.out_channels, 1)
        instance("Conv2d.bias", self.bias, bool)
        for name, least in (("kernel_size", 1), ("stride", 1), ("padding", 0)):
            object.__setattr__(self, name, pair(f"Conv2d.{name}", getattr(self, name), least))

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) != 3 or inputs[0][0] != self.in_channels:
            raise InvalidInputError(
                f"network: {self} does not fit an input of shape {inputs[0]}; it takes "
                f"({self.in_channels}, height, width)"
            )
        return (self.out_channels, *self.patches(inputs[0]).places)

    def patches(self, shape: Shape) -> "Patches":
        """Which entries of an input of this shape each output sees."""
        return Patches(
            shape,
            pair("", self.kernel_size, 1),
            pair("", self.stride, 1),
            pair("", self.padding, 0),
        )

    def parameter_shapes(self) -> dict[str, Shape]:
        return _with_bias(
            (self.out_channels, self.in_channels, *pair("", self.kernel_size, 1)),
            self.out_channels,
            self.bias,
        )


@dataclass(frozen=True)
class AvgPool2d(Layer):
    """Mean over windows of each channel, as in ``torch.nn.AvgPool2d`` without padding.

    Parameters
    ----------
    kernel_size : int or pair of int
    stride : int or pair of int, optional
        `kernel_size` by default.
    """

    kernel_size: tuple[int, int] | int
    stride: tuple[int, int] | int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernel_size", pair("AvgPool2d.kernel_size", self.kernel_size, 1))
        object.__setattr__(
            self,
            "stride",
            pair("AvgPool2d.stride", self.kernel_size if self.stride is None else self.stride, 1),
        )

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) != 3:
            raise InvalidInputError(
                f"network: {self} does not fit an input of shape {inputs[0]}; it takes (channels, "
                f"height, width)"
            )
        return (inputs[0][0], *self.patches(inputs[0]).places)

    def patches(self, shape: Shape) -> "Patches":
        """Which entries of an input of this shape each output averages."""
        return Patches(shape, pair("", self.kernel_size, 1), pair("", self.stride, 1), (0, 0))


@dataclass(frozen=True)
class ReLU(Layer):
    """Entry-wise a = max(0, z)."""

    kinks: ClassVar[tuple[float, ...]] = (0.0,)


@dataclass(frozen=True)
class LeakyReLU(Layer):
    """Entry-wise a = max(β z, z).

    Parameters
    ----------
    slope : float
        The slope 0 ≤ β ≤ 1 for negative z.

    Raises
    ------
    InvalidInputError
        If it is not within these bounds.
    """

    kinks: ClassVar[tuple[float, ...]] = (0.0,)

    slope: float = 0.01

    def __post_init__(self) -> None:
        if number("LeakyReLU.slope", self.slope, least=0.0) > 1.0:
            raise InvalidInputError(
                f"LeakyReLU.slope: {self.slope!r} is not allowed; it must be at most 1"
            )


@dataclass(frozen=True)
class Flatten(Layer):
    """Row-major flattening of all axes but the sample axis."""

    def output_shape(self, *inputs: Shape) -> Shape:
        return (prod(inputs[0]),)


@dataclass(frozen=True)
class Add(Layer):
    """Sum of two or more inputs of one shape: a residual join."""

    arity: ClassVar[int | None] = None

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(set(inputs)) != 1:
            raise InvalidInputError(
                f"network: Add does not fit inputs of shapes {', '.join(map(str, inputs))}; they "
                f"must be equal"
            )
        return inputs[0]


@dataclass(frozen=True)
class Patches:
    """Windows that slide over an array of shape (channels, height, width).

    Attributes
    ----------
    shape : (channels, height, width)
    kernel, stride, padding : pairs of int
        Along height and width.
    """

    shape: Shape
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    def __post_init__(self) -> None:
        if min(self.places) < 1:
            raise InvalidInputError(
                f"network: a window of {self.kernel} does not fit an input of shape {self.shape}"
            )

    @property
    def places(self) -> tuple[int, int]:
        """How many windows there are, along height and width."""
        rows, columns = (
            (extent + 2 * pad - size) // step + 1
            for extent, pad, size, step in zip(
                self.shape[1:], self.padding, self.kernel, self.stride, strict=True
            )
        )
        return rows, columns

    @property
    def entries(self) -> int:
        """How many entries a window holds, over all channels."""
        return self.shape[0] * prod(self.kernel)

    @cached_property
    def index(self) -> NDArray[np.int64]:
        """Which entry of the flattened input stands at each place of each window, shape (entries,
        places); −1 for padding."""
        padding = [(0, 0), *((pad, pad) for pad in self.padding)]
        numbers = np.pad(
            np.arange(prod(self.shape)).reshape(self.shape), padding, constant_values=-1
        )
        windows = np.lib.stride_tricks.sliding_window_view(numbers, self.kernel, axis=(1, 2))
        picked = windows[:, :: self.stride[0], :: self.stride[1]]
        return picked.transpose(0, 3, 4, 1, 2).reshape(self.entries, prod(self.places))

    @cached_property
    def transposed_index(self) -> NDArray[np.int64]:
        """Which entries of the flattened windows are an entry of the input, shape (size of the
        input, most); −1 where there are fewer."""
        flat = self.index.ravel()
        places = [np.flatnonzero(flat == entry) for entry in range(prod(self.shape))]
        most = max(map(len, places))
        return np.stack(
            [np.pad(place, (0, most - len(place)), constant_values=-1) for place in places]
        )


def pair(field: str, value: object, least: int) -> tuple[int, int]:
    """One whole number for both axes, or one for each."""
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise InvalidInputError(
                f"{field}: {value!r} is not allowed; it must be a whole number or a pair"
            )
        return whole(field, value[0], least), whole(field, value[1], least)
    number_ = whole(field, value, least)
    return number_, number_


def _with_bias(weight: Shape, outputs: int, bias: bool) -> dict[str, Shape]:
    return {"weight": weight, "bias": (outputs,)} if bias else {"weight": weight}
