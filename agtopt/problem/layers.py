"""The layers of a network: frozen descriptions of shapes, without weights and without behaviour."""

from dataclasses import dataclass

from agtopt.errors import InvalidInputError
from agtopt.problem.checks import whole

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """Base of all layers; a layer maps one array of `input_shape` to one of `output_shape` (without the sample axis)."""

    def output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the output for this shape of the input; raises InvalidInputError if the layer does not fit."""
        return input_shape

    def parameter_shapes(self) -> dict[str, Shape]:
        """Shapes of the trained tensors by role, in the order in which they are flattened."""
        return {}


@dataclass(frozen=True)
class Dense(Layer):
    """Affine layer z = W a + b with W of shape (outputs, inputs) and b of shape (outputs,)."""

    inputs: int
    outputs: int
    bias: bool = True

    def __post_init__(self) -> None:
        whole("Dense.inputs", self.inputs, 1)
        whole("Dense.outputs", self.outputs, 1)

    def output_shape(self, input_shape: Shape) -> Shape:
        if input_shape != (self.inputs,):
            raise InvalidInputError(
                f"network: Dense({self.inputs}, {self.outputs}) does not fit an input of shape {input_shape}; it takes ({self.inputs},)"
            )
        return (self.outputs,)

    def parameter_shapes(self) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"weight": (self.outputs, self.inputs)}
        return {**shapes, "bias": (self.outputs,)} if self.bias else shapes


@dataclass(frozen=True)
class ReLU(Layer):
    """Entry-wise a = max(0, z)."""


@dataclass(frozen=True)
class Flatten(Layer):
    """Row-major flattening of all axes but the sample axis."""

    def output_shape(self, input_shape: Shape) -> Shape:
        size = 1
        for extent in input_shape:
            size *= extent
        return (size,)
