"""The backward pass: per-sample gradients of the parameter tensors that are trained."""

from collections.abc import Collection
from functools import lru_cache
from math import prod
from typing import Any

import networkx as nx
import numpy as np

from agtopt.errors import UnsupportedError
from agtopt.problem.layers import Add, AvgPool2d, Conv2d, Dense, Flatten, Layer, LeakyReLU, ReLU
from agtopt.problem.network import Network
from agtopt.program.forward import Parameters, matrix
from agtopt.program.operations import Maths
from agtopt.program.place import Place, place_of
from agtopt.verbs import unregistered, verb


@verb
def layer_gradients(
    layer: Layer, ops: Maths, place: Place, saved: Any, delta: Any, wanted: Collection[str]
) -> Parameters:
    """Per-sample gradients (n, *shape) of those of the layer's own tensors that are `wanted`, from
    ∂L/∂output `delta`."""
    raise unregistered(f"network: layer {place.name!r}", layer, layer_gradients, "A layer")


@layer_gradients.register
def _(
    layer: Dense, ops: Maths, place: Place, saved: Any, delta: Any, wanted: Collection[str]
) -> Parameters:
    weight, bias = place.tensor("weight"), place.tensor("bias")
    slopes = (
        {weight: ops.contract("no,ni->noi", delta, saved, f"gradient.{weight}")}
        if weight in wanted
        else {}
    )
    return {**slopes, bias: delta} if bias in wanted else slopes


@layer_gradients.register
def _(
    layer: Conv2d, ops: Maths, place: Place, saved: Any, delta: Any, wanted: Collection[str]
) -> Parameters:
    weight, bias = place.tensor("weight"), place.tensor("bias")
    shape, places = layer.parameter_shapes()["weight"], prod(place.output[1:])
    rows = ops.reshape(delta, place.output, (shape[0], places))
    slopes = {}
    if weight in wanted:
        flat = ops.contract("nol,nkl->nok", rows, saved, f"gradient.{weight}")
        slopes[weight] = ops.reshape(flat, (shape[0], prod(shape[1:])), shape)
    if bias in wanted:
        slopes[bias] = ops.contract(
            "nol,l->no", rows, ops.constant(np.ones(places)), f"gradient.{bias}"
        )
    return slopes


@verb
def backward_layer(
    layer: Layer, ops: Maths, place: Place, parameters: Parameters, saved: Any, delta: Any
) -> Any:
    """∂L/∂input of a layer from ∂L/∂output `delta`; the same for every input of a join (register a
    function per layer type)."""
    raise unregistered(f"network: layer {place.name!r}", layer, backward_layer, "A layer")


@backward_layer.register
def _(
    layer: Dense, ops: Maths, place: Place, parameters: Parameters, saved: Any, delta: Any
) -> Any:
    at = f"backward.{place.name}"
    return ops.define(ops.contract("no,oi->ni", delta, parameters[place.tensor("weight")], at), at)


@backward_layer.register
def _(
    layer: Conv2d, ops: Maths, place: Place, parameters: Parameters, saved: Any, delta: Any
) -> Any:
    at = f"backward.{place.name}"
    rows = ops.reshape(delta, place.output, (layer.out_channels, prod(place.output[1:])))
    windows = ops.contract("nol,ok->nkl", rows, matrix(layer, ops, place, parameters), at)
    return ops.define(ops.fold(windows, layer.patches(*place.inputs)), at)


@backward_layer.register
def _(
    layer: AvgPool2d, ops: Maths, place: Place, parameters: Parameters, saved: Any, delta: Any
) -> Any:
    patches = layer.patches(*place.inputs)
    channels, size, many = place.inputs[0][0], prod(patches.kernel), prod(patches.places)
    rows = ops.reshape(delta, place.output, (channels, many))
    shared = ops.contract(
        "ncl,k->nckl", rows, ops.constant(np.full(size, 1.0 / size)), f"backward.{place.name}"
    )
    return ops.fold(ops.reshape(shared, (channels, size, many), (patches.entries, many)), patches)


def _through_slope(
    layer: Layer, ops: Maths, place: Place, parameters: Parameters, saved: Any, delta: Any
) -> Any:
    letters = "abc"[: len(place.output)]
    return ops.contract(
        f"n{letters},n{letters}->n{letters}", saved, delta, f"backward.{place.name}"
    )


backward_layer.register(ReLU, _through_slope)
backward_layer.register(LeakyReLU, _through_slope)


@backward_layer.register
def _(
    layer: Flatten, ops: Maths, place: Place, parameters: Parameters, saved: Any, delta: Any
) -> Any:
    return ops.reshape(delta, place.output, place.inputs[0])


@backward_layer.register
def _(layer: Add, ops: Maths, place: Place, parameters: Parameters, saved: Any, delta: Any) -> Any:
    return delta


def backward(
    ops: Maths,
    network: Network,
    parameters: Parameters,
    saved: dict[str, Any],
    delta: Any,
    wanted: Collection[str],
) -> Parameters:
    """Per-sample gradients (n, *shape) of the tensors `wanted`, from ∂L/∂output `delta` (n,
    outputs)."""
    needed = _behind(network, tuple(wanted))
    deltas, slopes = {network.output: delta}, {}
    for node in reversed(network.nodes):
        if node not in needed:
            continue
        layer, place = network.layer(node), place_of(network, node)
        if any(tensor in wanted for tensor in network.tensors_of(node)):
            slopes.update(layer_gradients(layer, ops, place, saved[node], deltas[node], wanted))
        sources = [source for source in network.inputs_of(node) if source in needed]
        if not sources:
            continue
        error = backward_layer(layer, ops, place, parameters, saved[node], deltas[node])
        for source in sources:
            deltas[source] = ops.add(deltas[source], error) if source in deltas else error
    if missing := set(wanted) - set(slopes):
        raise UnsupportedError(
            f"network: `layer_gradients` of its layer gives no gradient of the tensor "
            f"{min(missing)!r}"
        )
    return {name: slopes[name] for name in network.initial if name in wanted}


# A cache keeps its networks, weights and all, so it is small.
@lru_cache(maxsize=8)
def _behind(network: Network, wanted: tuple[str, ...]) -> frozenset[str]:
    """The layers that gradients go through: what lies in front of everything that is wanted needs
    none."""
    owners = {
        node
        for node in network.nodes
        if any(tensor in wanted for tensor in network.tensors_of(node))
    }
    return frozenset(owners.union(*(nx.descendants(network.graph, node) for node in owners)))
