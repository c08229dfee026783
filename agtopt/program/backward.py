"""The backward pass: per-sample gradients of every parameter tensor."""

from functools import singledispatch
from typing import Any

from agtopt.errors import UnsupportedError
from agtopt.problem.layers import Dense, Flatten, Layer, ReLU
from agtopt.problem.network import INPUT, Network
from agtopt.program.forward import Parameters
from agtopt.program.operations import Ops


@singledispatch
def layer_gradients(layer: Layer, ops: Ops, node: str, saved: Any, delta: Any) -> Parameters:
    """Per-sample gradients (n, *shape) of the layer's own tensors, from ∂L/∂output `delta`."""
    return {}


@layer_gradients.register
def _(layer: Dense, ops: Ops, node: str, saved: Any, delta: Any) -> Parameters:
    gradients = {f"{node}_weight": ops.contract("no,ni->noi", delta, saved, f"gradient.{node}_weight")}
    return {**gradients, f"{node}_bias": delta} if layer.bias else gradients


@singledispatch
def backward_layer(layer: Layer, ops: Ops, node: str, parameters: Parameters, saved: Any, delta: Any, input_shape: tuple[int, ...]) -> Any:
    """∂L/∂input of a layer from ∂L/∂output `delta` (register a function per layer type)."""
    raise UnsupportedError(f"network: layer {type(layer).__name__} at {node!r} has no backward pass")


@backward_layer.register
def _(layer: Dense, ops: Ops, node: str, parameters: Parameters, saved: Any, delta: Any, input_shape: Any) -> Any:
    at = f"backward.{node}"
    return ops.define(ops.contract("no,oi->ni", delta, parameters[f"{node}_weight"], at), at)


@backward_layer.register
def _(layer: ReLU, ops: Ops, node: str, parameters: Parameters, saved: Any, delta: Any, input_shape: Any) -> Any:
    letters = "abc"[: len(input_shape)]
    return ops.contract(f"n{letters},n{letters}->n{letters}", saved, delta, f"backward.{node}")


@backward_layer.register
def _(layer: Flatten, ops: Ops, node: str, parameters: Parameters, saved: Any, delta: Any, input_shape: Any) -> Any:
    return ops.unflatten(delta, input_shape)


def backward(ops: Ops, network: Network, parameters: Parameters, saved: dict[str, Any], delta: Any) -> Parameters:
    """Per-sample gradients (n, *shape) of all tensors, from ∂L/∂output `delta` (n, outputs)."""
    deltas, found = {network.output: delta}, {}
    for node in reversed(network.nodes):
        layer = network.layer(node)
        found.update(layer_gradients(layer, ops, node, saved[node], deltas[node]))
        (source,) = network.inputs_of(node)
        if source == INPUT:
            continue
        error = backward_layer(layer, ops, node, parameters, saved[node], deltas[node], network.shapes[source])
        deltas[source] = ops.add(deltas[source], error) if source in deltas else error
    return {name: found[name] for name in network.initial}
