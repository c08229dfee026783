"""The forward pass: one verb per kind of layer."""

from functools import lru_cache
from math import prod
from typing import Any

import networkx as nx
import numpy as np

from agtopt.problem.layers import Add, AvgPool2d, Conv2d, Dense, Flatten, Layer, LeakyReLU, ReLU
from agtopt.problem.network import INPUT, Network
from agtopt.program.operations import Maths
from agtopt.program.place import Place, place_of
from agtopt.verbs import unregistered, verb

Parameters = dict[str, Any]


@verb
def forward_layer(
    layer: Layer, ops: Maths, place: Place, parameters: Parameters, *inputs: Any
) -> tuple[Any, Any]:
    """Output of a layer, and what its backward pass needs to know (register a function per layer
    type)."""
    raise unregistered(f"network: layer {place.name!r}", layer, forward_layer, "A layer")


@forward_layer.register
def _(
    layer: Dense, ops: Maths, place: Place, parameters: Parameters, value: Any
) -> tuple[Any, Any]:
    at = f"forward.{place.name}"
    bias = ops.per_sample(parameters[place.tensor("bias")]) if layer.bias else None
    z = ops.contract("ni,oi->no", value, parameters[place.tensor("weight")], at, bias)
    return ops.define(z, at), value


@forward_layer.register
def _(
    layer: Conv2d, ops: Maths, place: Place, parameters: Parameters, value: Any
) -> tuple[Any, Any]:
    at, patches, channels = (
        f"forward.{place.name}",
        layer.patches(*place.inputs),
        layer.out_channels,
    )
    windows, bias = ops.unfold(value, patches), None
    if layer.bias:
        bias = ops.per_sample(
            ops.reshape(parameters[place.tensor("bias")], (channels,), (channels, 1)), 2
        )
    z = ops.contract("nkl,ok->nol", windows, matrix(layer, ops, place, parameters), at, bias)
    return ops.reshape(ops.define(z, at), (channels, prod(patches.places)), place.output), windows


@forward_layer.register
def _(
    layer: AvgPool2d, ops: Maths, place: Place, parameters: Parameters, value: Any
) -> tuple[Any, Any]:
    patches = layer.patches(*place.inputs)
    channels, size, many = place.inputs[0][0], prod(patches.kernel), prod(patches.places)
    windows = ops.reshape(
        ops.unfold(value, patches), (patches.entries, many), (channels, size, many)
    )
    mean = ops.contract(
        "nckl,k->ncl", windows, ops.constant(np.full(size, 1.0 / size)), f"forward.{place.name}"
    )
    return ops.reshape(mean, (channels, many), place.output), None


@forward_layer.register
def _(layer: ReLU, ops: Maths, place: Place, parameters: Parameters, value: Any) -> tuple[Any, Any]:
    return ops.rectify(value, f"forward.{place.name}")


@forward_layer.register
def _(
    layer: LeakyReLU, ops: Maths, place: Place, parameters: Parameters, value: Any
) -> tuple[Any, Any]:
    """max(β z, z) = β z + (1 − β) max(0, z)."""
    positive, slope = ops.rectify(value, f"forward.{place.name}")
    rest = 1.0 - layer.slope
    return (
        ops.add(ops.scale(layer.slope, value), ops.scale(rest, positive)),
        ops.add(ops.scale(rest, slope), ops.constant(layer.slope)),
    )


@forward_layer.register
def _(
    layer: Flatten, ops: Maths, place: Place, parameters: Parameters, value: Any
) -> tuple[Any, Any]:
    return ops.reshape(value, place.inputs[0], place.output), None


@forward_layer.register
def _(
    layer: Add, ops: Maths, place: Place, parameters: Parameters, *values: Any
) -> tuple[Any, Any]:
    return sum_of(ops, values), None


def sum_of(ops: Maths, values: tuple[Any, ...] | list[Any]) -> Any:
    """The sum of one or more quantities."""
    total = values[0]
    for value in values[1:]:
        total = ops.add(total, value)
    return total


def matrix(layer: Conv2d, ops: Maths, place: Place, parameters: Parameters) -> Any:
    """The weights of a convolution as the matrix (outputs, entries of a window)."""
    shape = layer.parameter_shapes()["weight"]
    return ops.reshape(parameters[place.tensor("weight")], shape, (shape[0], prod(shape[1:])))


def forward(
    ops: Maths,
    network: Network,
    parameters: Parameters,
    x: Any,
    entry: str = INPUT,
    goal: str | None = None,
) -> tuple[Any, dict[str, Any]]:
    """Run a batch through the network: x (n, *shape) is the output of the node `entry`, behind
    which lies all that leads to `goal`.

    Returns
    -------
    output : value (n, outputs)
        The output of `goal`, by default the network's.
    saved : dict
        What each layer's backward pass needs, by node.
    """
    values, saved = {entry: x}, {}
    for node in between(network, entry, network.output if goal is None else goal):
        inputs = [values[source] for source in network.inputs_of(node)]
        values[node], saved[node] = forward_layer(
            network.layer(node), ops, place_of(network, node), parameters, *inputs
        )
    return values[network.output if goal is None else goal], saved


# A cache keeps its networks, weights and all, so it is small.
@lru_cache(maxsize=8)
def between(network: Network, entry: str, goal: str) -> tuple[str, ...]:
    """The layers behind `entry` that lead to `goal`, in order."""
    needed = {goal, *nx.ancestors(network.graph, goal)} - {
        entry,
        *nx.ancestors(network.graph, entry),
    }
    return tuple(node for node in network.nodes if node in needed)
