"""Networks of the literature, with initial weights that let deep ones learn (He et al., 2015)."""

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import InvalidInputError
from agtopt.problem.checks import number, whole
from agtopt.problem.layers import Conv2d, Dense, Flatten, Layer, ReLU, Shape
from agtopt.problem.network import Network

PILOTNET = ((24, 5, 2), (36, 5, 2), (48, 5, 2), (64, 3, 1), (64, 3, 1)), (100, 50, 10)
CONV_SMALL = ((16, 4, 2), (32, 4, 1)), (100,)
"""Filters, kernel size and stride of each convolution; units of the hidden dense layers."""


def pilotnet(input_shape: Shape = (3, 66, 200), width: float = 1.0, seed: int = 0) -> Network:
    """The network that steers a car (Bojarski et al., 2016): five convolutions, and dense layers of
    100, 50, 10 and 1 units.

    Parameters
    ----------
    input_shape : (channels, height, width)
        Along an axis that is too short for a kernel of 5 or 3, the kernel is what is left of it.
    width : float
        Share of the filters that is kept, above 0.
    seed : int
        θ₀ is drawn uniformly within ±√(6/inputs) of each unit, with numpy's generator; biases are
        0.

    Returns
    -------
    Network
        One output. Its convolutions are `convolutions(network)`, to be frozen in fine-tuning.

    Raises
    ------
    InvalidInputError
        If an argument is not allowed.
    """
    return _convolutional(PILOTNET, input_shape, 1, width, seed)


def conv_small(
    input_shape: Shape = (1, 28, 28), outputs: int = 1, width: float = 1.0, seed: int = 0
) -> Network:
    """The 'small' network of Gowal et al. (2018): convolutions of 16 and 32 filters, and a dense
    layer of 100 units.

    Parameters
    ----------
    input_shape, width, seed
        As in `pilotnet`.
    outputs : int

    Returns
    -------
    Network

    Raises
    ------
    InvalidInputError
        If an argument is not allowed.
    """
    return _convolutional(CONV_SMALL, input_shape, outputs, width, seed)


def convolutions(network: Network) -> tuple[str, ...]:
    """Names of the convolutional layers of a network, for ``Training(frozen=…)``."""
    return tuple(node for node in network.nodes if isinstance(network.layer(node), Conv2d))


def _convolutional(
    stack: tuple[Sequence[tuple[int, int, int]], Sequence[int]],
    input_shape: Shape,
    outputs: int,
    width: float,
    seed: int,
) -> Network:
    number("width", width, above=0.0)
    if len(input_shape) != 3:
        raise InvalidInputError(
            f"input_shape: {input_shape!r} is not allowed; it must be (channels, height, width)"
        )
    shape, layers = tuple(whole("input_shape", extent, 1) for extent in input_shape), list[Layer]()
    filters, hidden = stack
    for count, size, stride in filters:
        kernel = min(size, shape[1]), min(size, shape[2])
        layer = Conv2d(shape[0], max(1, round(width * count)), kernel, stride)
        shape = layer.output_shape(shape)
        layers += [layer, ReLU()]
    layers.append(Flatten())
    inputs = prod(shape)
    for units in (*hidden, whole("outputs", outputs, 1)):
        layers += [Dense(inputs, units), ReLU()]
        inputs = units
    return Network.chain(layers[:-1], input_shape, _drawn(layers, seed))


def _drawn(layers: Sequence[Layer], seed: int) -> list[NDArray[np.float64]]:
    """Tensors of the layers: weights uniform within ±√(6/inputs of a unit), biases 0."""
    generator = np.random.default_rng(whole("seed", seed, 0))
    tensors = []
    for layer in layers:
        for role, shape in layer.parameter_shapes().items():
            bound = np.sqrt(6.0 / prod(shape[1:]))
            tensors.append(
                generator.uniform(-bound, bound, shape) if role == "weight" else np.zeros(shape)
            )
    return tensors
