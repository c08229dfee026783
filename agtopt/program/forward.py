"""The forward pass: one verb per kind of layer."""

from functools import singledispatch
from typing import Any

from agtopt.errors import UnsupportedError
from agtopt.problem.layers import Dense, Flatten, Layer, ReLU
from agtopt.problem.network import INPUT, Network
from agtopt.program.operations import Ops

Parameters = dict[str, Any]


@singledispatch
def forward_layer(layer: Layer, ops: Ops, node: str, parameters: Parameters, value: Any) -> tuple[Any, Any]:
    """Output of a layer, and what its backward pass needs to know (register a function per layer type)."""
    raise UnsupportedError(f"network: layer {type(layer).__name__} at {node!r} has no forward pass")


@forward_layer.register
def _(layer: Dense, ops: Ops, node: str, parameters: Parameters, value: Any) -> tuple[Any, Any]:
    at = f"forward.{node}"
    z = ops.contract("ni,oi->no", value, parameters[f"{node}_weight"], at)
    if layer.bias:
        z = ops.add(z, ops.per_sample(parameters[f"{node}_bias"]))
    return ops.define(z, at), value


@forward_layer.register
def _(layer: ReLU, ops: Ops, node: str, parameters: Parameters, value: Any) -> tuple[Any, Any]:
    return ops.rectify(value, f"forward.{node}")


@forward_layer.register
def _(layer: Flatten, ops: Ops, node: str, parameters: Parameters, value: Any) -> tuple[Any, Any]:
    return ops.flatten(value), None


def forward(ops: Ops, network: Network, parameters: Parameters, x: Any) -> tuple[Any, dict[str, Any]]:
    """Run a batch x (n, *input_shape) through the network.

    Returns
    -------
    output : value (n, outputs)
    saved : dict
        What each layer's backward pass needs, by node.
    """
    values, saved = {INPUT: x}, {}
    for node in network.nodes:
        (source,) = network.inputs_of(node)
        values[node], saved[node] = forward_layer(network.layer(node), ops, node, parameters, values[source])
    return values[network.output], saved
