"""Networks from torch modules."""

from typing import Any

import numpy as np
import torch

from agtopt.errors import InvalidInputError, UnsupportedError
from agtopt.problem import Dense, Flatten, Layer, Network, ReLU


def read(module: Any, input_shape: tuple[int, ...] | None = None) -> Network:
    """Read a ``torch.nn.Sequential`` of Linear, ReLU and Flatten, with its weights as θ₀ (in float64).

    Parameters
    ----------
    module : torch.nn.Sequential
    input_shape : tuple of int or None
        Shape of one sample; by default (inputs,) of the first Linear layer.

    Raises
    ------
    UnsupportedError
        If a layer is of another type.
    InvalidInputError
        If `module` is no Sequential or has no Linear layer.
    """
    if not isinstance(module, torch.nn.Sequential):
        raise InvalidInputError(f"module: {type(module).__name__} is not allowed; it must be a torch.nn.Sequential")
    layers: list[Layer] = []
    initial: list[np.ndarray[Any, np.dtype[np.float64]]] = []
    for part in module:
        if isinstance(part, torch.nn.Linear):
            layers.append(Dense(part.in_features, part.out_features, part.bias is not None))
            tensors = [part.weight] if part.bias is None else [part.weight, part.bias]
            initial += [tensor.detach().to(device="cpu", dtype=torch.float64).numpy() for tensor in tensors]
        elif isinstance(part, torch.nn.ReLU):
            layers.append(ReLU())
        elif isinstance(part, torch.nn.Flatten):
            layers.append(Flatten())
        else:
            raise UnsupportedError(f"module: layer {type(part).__name__} is not supported; allowed are Linear, ReLU and Flatten")
    first = next((layer for layer in layers if isinstance(layer, Dense)), None)
    if first is None:
        raise InvalidInputError("module: has no Linear layer; nothing would be trained")
    return Network.chain(layers, input_shape or (first.inputs,), initial)
