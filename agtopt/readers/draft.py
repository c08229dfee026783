"""A network in the making: what the readers of torch, ONNX and problem folders share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from inspect import signature
from itertools import count
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike

from agtopt.errors import InvalidInputError, UnsupportedError
from agtopt.problem import Dense, Layer, Network
from agtopt.problem.layers import Shape
from agtopt.problem.network import INPUT


@dataclass(frozen=True)
class LayerPart:
    """What a node of a foreign graph stands for.

    Attributes
    ----------
    layer : Layer or None
        None for a node that hands its source on, or adds its one tensor to it as a bias.
    sources : tuple
        Whose outputs it takes, as the foreign graph names them.
    tensors : tuple
        Its parameters, in the order of ``layer.parameter_shapes()``.
    shape : tuple of int or None
        The shape that the foreign graph gives the output of one sample.
    inplace : bool
        Whether it overwrites its first source.
    """

    layer: Layer | None
    sources: tuple[Any, ...]
    tensors: tuple[Any, ...] = ()
    shape: Shape | None = None
    inplace: bool = False


class Draft:
    """Layers added one by one, each after those whose outputs it takes.

    Attributes
    ----------
    graph : networkx.DiGraph
    initial : dict from str to array_like
        θ₀ by tensor name.
    """

    def __init__(self) -> None:
        self.graph = nx.DiGraph()
        self.graph.add_node(INPUT)
        self.initial: dict[str, ArrayLike] = {}
        self._shapes: dict[str, Shape] = {}

    @property
    def last(self) -> str:
        """The node added last."""
        *_, last = self.graph
        return str(last)

    def numbered(self, layer: Layer) -> str:
        """The next free name of the layer's kind, as `Network.chain` counts: ``dense1``,
        ``dense2``, …"""
        kind = type(layer).__name__.lower()
        return next(name for number in count(1) if (name := f"{kind}{number}") not in self.graph)

    def add(
        self,
        layer: Layer,
        sources: Sequence[str],
        name: str | None = None,
        tensors: Iterable[ArrayLike] = (),
        shape: Shape | None = None,
    ) -> str:
        """Add a layer and return its name, by default the next free one of its kind."""
        name = self.numbered(layer) if name is None else name
        if name in self.graph:
            raise InvalidInputError(
                f"network: two nodes are named {name!r}; every layer needs a name of its own, "
                f"other than {INPUT!r}"
            )
        for source in sources:
            if source not in self.graph:
                raise InvalidInputError(
                    f"network: layer {name!r} takes {source!r}; before it there are "
                    f"{', '.join(self.graph)}"
                )
        if len(set(sources)) < len(sources):
            raise UnsupportedError(f"layer {name!r} takes {list(sources)}, one of them twice")
        self.graph.add_node(name, layer=layer)
        self.graph.add_edges_from((source, name) for source in sources)
        self.initial |= zip(self.tensors_of(name), tensors, strict=False)
        if shape is not None:
            self._shapes[name] = shape
        return name

    def add_bias(self, node: str, bias: ArrayLike) -> None:
        """Give a Dense layer that nothing takes yet the bias that it lacks."""
        layer = self.graph.nodes[node].get("layer")
        if not isinstance(layer, Dense) or layer.bias or self.graph.out_degree(node) > 0:
            raise UnsupportedError(
                "a constant can only be the bias of a matrix product that has none and whose "
                "output nothing else takes"
            )
        self.graph.nodes[node]["layer"] = replace(layer, bias=True)
        self.initial[f"{node}_bias"] = flat_bias(bias, layer.outputs)

    def tensors_of(self, *nodes: str) -> list[str]:
        """Names of the tensors of layers; by default of all, in the order of the layers."""
        return list(self.shapes(*nodes))

    def shapes(self, *nodes: str) -> dict[str, Shape]:
        """Shapes of the tensors of layers by name; by default of all, in the order of the
        layers."""
        layers = {
            node: self.graph.nodes[node]["layer"] for node in nodes or self.graph if node != INPUT
        }
        return {
            f"{node}_{role}": shape
            for node, layer in layers.items()
            for role, shape in layer.parameter_shapes().items()
        }

    def cut(self, output: str) -> None:
        """Drop what does not lead to the output."""
        self.graph.remove_nodes_from(set(self.graph) - nx.ancestors(self.graph, output) - {output})
        self.initial = {name: self.initial[name] for name in self.tensors_of()}

    def network(self, input_shape: Shape, order: Sequence[str] | None = None) -> Network:
        """The network; θ is flattened in the order of the layers, or in the one given.

        Raises
        ------
        InvalidInputError
            If `order` does not name every tensor once, the layers do not fit, or an output has
            another shape than was read.
        """
        names = self.tensors_of()
        if order is None:
            order = names
        elif sorted(order) != sorted(names):
            raise InvalidInputError(
                f"network.parameters: {list(order)} is not allowed; it must name each of {names} "
                f"once"
            )
        # Surplus tensors go along: the network names them in its error.
        initial = {
            name: self.initial[name] for name in order if name in self.initial
        } | self.initial
        network = Network(self.graph, input_shape, initial)  # type: ignore[arg-type]
        for node in network.nodes:
            shape = self._shapes.get(node, network.shapes[node])
            if shape != network.shapes[node]:
                raise InvalidInputError(
                    f"network: {node!r} reshapes a sample to {shape}; its size here is "
                    f"{network.shapes[node]}"
                )
        return network


def require(condition: bool, why: str) -> None:
    """Refuse a foreign node that has no counterpart here."""
    if not condition:
        raise UnsupportedError(why)


def flat_bias(bias: ArrayLike, outputs: int) -> ArrayLike:
    """A bias of shape (outputs,) or (1, outputs) in the first of the two."""
    require(
        np.shape(bias) in ((outputs,), (1, outputs)),
        f"its bias has shape {np.shape(bias)}; it must be ({outputs},)",
    )
    return np.reshape(bias, outputs)


def understand(
    reader: Callable[..., LayerPart], arguments: Sequence[Any], options: Mapping[str, Any]
) -> LayerPart:
    """Call a reader whose signature lists what the foreign operation may be given."""
    try:
        bound = signature(reader).bind(*arguments, **options)
    except TypeError as error:
        raise UnsupportedError(str(error)) from None
    return reader(*bound.args, **bound.kwargs)


@contextmanager
def naming(node: str, allowed: str) -> Iterator[None]:
    """Say of a refusal which node it is about and what is allowed."""
    try:
        yield
    except UnsupportedError as error:
        raise UnsupportedError(f"{node} is not supported: {error}; allowed are {allowed}") from None
