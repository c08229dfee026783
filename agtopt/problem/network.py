"""The network: a directed acyclic graph of layers with the initial values of its parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import entry_points
from itertools import pairwise
from math import prod
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.arguments import fits, typed
from agtopt.errors import InvalidInputError, UnsupportedError
from agtopt.frozen import ReadOnly, Unchanging, frozen
from agtopt.names import checked
from agtopt.problem.checks import finite_array, listed, whole
from agtopt.problem.layers import Dense, Layer, ReLU, Shape

INPUT = "input"
MOST_ENTRIES = 2**31
"""Most entries of the output of a layer for one sample: a short file may ask for any size."""

VELOCITY = "velocity_"
"""Prefix of the momentum's tensors."""


@dataclass(frozen=True, eq=False)
class Network(Unchanging):
    """A DAG of layers from one input to one output, and θ₀.

    Parameters
    ----------
    graph : networkx.DiGraph
        Node ``"input"`` is the source; every other node carries its `Layer` as attribute ``layer``.
        A name is any text that is not empty, has no full stop and does not begin with
        ``velocity_``.
    input_shape : tuple of int
        Shape of one sample.
    initial : mapping from str to array_like
        θ₀ by tensor name ``<node>_<role>``, e.g. ``"dense1_weight"`` of shape (outputs, inputs); θ
        is flattened in this order.

    Raises
    ------
    InvalidInputError
        If the graph is not such a DAG, a name is not allowed, a layer does not fit its input, or a
        tensor is missing, surplus or misshapen.
    """

    graph: nx.DiGraph
    input_shape: Shape
    initial: Mapping[str, NDArray[np.float64]] = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.graph, nx.DiGraph):
            raise InvalidInputError(
                f"network.graph: {self.graph!r} is not allowed; it must be a networkx.DiGraph"
            )
        for node in self.graph:
            _check_node(node)
        if not fits(self.input_shape, Sequence[int]) or not fits(self.initial, Mapping):
            raise InvalidInputError(
                f"network: input_shape {self.input_shape!r} and initial of type "
                f"{type(self.initial).__name__} are not allowed; the one is a list of whole "
                f"numbers, the other a mapping from names to arrays"
            )
        object.__setattr__(self, "graph", _read_only_copy(self.graph))
        object.__setattr__(
            self, "input_shape", tuple(whole("network.input_shape", d, 1) for d in self.input_shape)
        )
        if not nx.is_directed_acyclic_graph(self.graph) or INPUT not in self.graph:
            raise InvalidInputError(f"network: the graph must be acyclic with a node {INPUT!r}")
        sinks = [node for node in self.graph if self.graph.out_degree(node) == 0]
        if len(sinks) != 1 or sinks == [INPUT]:
            raise InvalidInputError(f"network: one output layer is needed, found {sinks}")
        expected = {
            f"{node}_{role}": shape
            for node in self.nodes
            for role, shape in self.layer(node).parameter_shapes().items()
        }
        if both := sorted(set(expected) & set(self.nodes)):
            raise InvalidInputError(
                f"network: {both[0]!r} is the name of a layer and of another layer's tensor; "
                f"rename one"
            )
        if len(expected) < sum(len(self.layer(node).parameter_shapes()) for node in self.nodes):
            raise InvalidInputError(
                f"network: tensors of two layers have the same name, of {', '.join(self.nodes)}; "
                f"rename one"
            )
        if set(expected) != set(self.initial):
            raise InvalidInputError(
                f"network.initial: has tensors {sorted(self.initial)}; the layers need "
                f"{sorted(expected)}"
            )
        tensors = {
            name: finite_array(f"network.initial[{name!r}]", value)
            for name, value in self.initial.items()
        }
        for name, shape in expected.items():
            if tensors[name].shape != shape:
                raise InvalidInputError(
                    f"network.initial[{name!r}]: shape {tensors[name].shape} does not fit; it must "
                    f"be {shape}"
                )
        object.__setattr__(self, "initial", ReadOnly(tensors))
        if not tensors:
            raise InvalidInputError("network: no layer has parameters; nothing would be trained")
        if len(self.shapes[self.output]) != 1:
            raise InvalidInputError(
                f"network: the output has shape {self.shapes[self.output]}; it must be flat, "
                f"(outputs,)"
            )

    @classmethod
    @typed()
    def chain(
        cls,
        layers: Sequence[Layer],
        input_shape: Shape,
        initial: Mapping[str, ArrayLike] | Sequence[ArrayLike],
    ) -> "Network":
        """Layers one behind the other, named ``dense1``, ``relu1``, …; `initial` by name or in the
        order of the layers."""
        graph = nx.DiGraph()
        previous = INPUT
        graph.add_node(INPUT)
        counts: dict[str, int] = {}
        names = []
        for layer in layers:
            kind = type(layer).__name__.lower()
            counts[kind] = counts.get(kind, 0) + 1
            node = f"{kind}{counts[kind]}"
            graph.add_node(node, layer=layer)
            graph.add_edge(previous, node)
            names += [f"{node}_{role}" for role in layer.parameter_shapes()]
            previous = node
        if not isinstance(initial, Mapping):
            if len(initial) != len(names):
                raise InvalidInputError(
                    f"network.initial: {len(initial)} tensors for {len(names)} parameters {names}"
                )
            initial = dict(zip(names, initial, strict=True))
        return cls(
            graph,
            input_shape,
            {
                name: finite_array(f"network.initial[{name!r}]", value)
                for name, value in initial.items()
            },
        )

    @classmethod
    def dense(cls, sizes: Sequence[int], seed: int = 0, bias: bool = True) -> "Network":
        """A fully connected ReLU network.

        Parameters
        ----------
        sizes : sequence of int
            Units per layer, input first: ``[9, 1]`` is a linear model, ``[2, 4, 1]`` has one hidden
            layer.
        seed : int
            θ₀ is drawn uniformly from ±1/√inputs of each layer, as ``torch.nn.Linear`` does (with
            numpy's generator).
        bias : bool
            Whether the layers have biases.
        """
        listed("sizes", sizes, "[2, 8, 1]")
        if len(sizes) < 2:
            raise InvalidInputError(
                f"sizes: {list(sizes)!r} is too short; inputs and outputs at least are needed"
            )
        generator = np.random.default_rng(whole("seed", seed, 0))
        layers: list[Layer] = []
        initial: list[NDArray[np.float64]] = []
        for inputs, outputs in pairwise(sizes):
            layer = Dense(inputs, outputs, bias)
            bound = 1.0 / np.sqrt(inputs)
            initial += [
                generator.uniform(-bound, bound, shape)
                for shape in layer.parameter_shapes().values()
            ]
            layers += [layer, ReLU()]
        return cls.chain(layers[:-1], (sizes[0],), initial)

    @classmethod
    @typed()
    def from_torch(cls, module: Any, input_shape: Shape | None = None) -> "Network":
        """Read a torch module with its weights as θ₀; see `agtopt.readers.torch_module`.

        `input_shape` is the shape of one sample, needed where the first layer is not Linear.
        """
        return cls._read("torch", module, input_shape)

    @classmethod
    def from_onnx(cls, source: Any) -> "Network":
        """Read an ONNX model (a path, bytes or an ``onnx.ModelProto``) with its weights as θ₀; see
        `agtopt.readers.onnx_model`.

        A file holds what an exporter left: it merges equal tensors, and drops biases that are zero,
        which are then not trained here. A UserWarning names both; `from_torch` reads the module as
        it is.
        """
        return cls._read("onnx", source)

    @classmethod
    def _read(cls, framework: str, *source: Any) -> "Network":
        # Readers live above this floor and are found by entry point, so that data stays free of
        # torch.
        readers = entry_points(group="agtopt.readers", name=framework)
        if not readers:
            raise UnsupportedError(
                f"network: no reader for {framework} is installed; reinstall agtopt with pip"
            )
        network: Network = next(iter(readers)).load()(*source)
        return network

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """Names of the layers in topological order, without the input."""
        return tuple(
            node
            for node in nx.lexicographical_topological_sort(self.graph, key=self._order)
            if node != INPUT
        )

    def _order(self, node: str) -> int:
        return list(self.graph).index(node)

    @cached_property
    def output(self) -> str:
        """Name of the last layer."""
        return next(node for node in self.nodes if self.graph.out_degree(node) == 0)

    def layer(self, node: str) -> Layer:
        """The layer at a node."""
        layer: Layer = self.graph.nodes[node]["layer"]
        return layer

    def inputs_of(self, node: str) -> tuple[str, ...]:
        """Nodes whose outputs this node takes."""
        return self._sources[node]

    @cached_property
    def _sources(self) -> Mapping[str, tuple[str, ...]]:
        return ReadOnly({node: tuple(self.graph.predecessors(node)) for node in self.graph})

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """Shape of every node's output for one sample."""
        shapes: dict[str, Shape] = {INPUT: self.input_shape}
        for node in self.nodes:
            sources, layer = self.inputs_of(node), self.layer(node)
            if len(sources) != layer.arity if layer.arity else len(sources) < 2:
                raise InvalidInputError(
                    f"network: layer {node!r} has inputs {sources}; it takes "
                    f"{layer.arity or 'two or more'}"
                )
            shapes[node] = layer.output_shape(*(shapes[source] for source in sources))
            if prod(shapes[node]) > MOST_ENTRIES:
                raise InvalidInputError(
                    f"network: layer {node!r} has {prod(shapes[node])} entries for one sample; at "
                    f"most {MOST_ENTRIES} are"
                )
        return ReadOnly(shapes)

    @property
    def unbiased(self) -> tuple[str, ...]:
        """Layers that have weights, but no bias."""
        roles = {node: self.layer(node).parameter_shapes() for node in self.nodes}
        return tuple(
            node for node in self.nodes if "weight" in roles[node] and "bias" not in roles[node]
        )

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return self.shapes[self.output][0]

    @property
    def kinked(self) -> bool:
        """Whether the slope of a layer is known to jump."""
        return any(self.layer(node).kinks for node in self.nodes)

    def tensors_of(self, name: str) -> tuple[str, ...]:
        """The tensors that a tensor's or a layer's name stands for.

        Raises
        ------
        InvalidInputError
            If it names neither.
        """
        if name in self.initial:
            return (name,)
        if name not in self.nodes:
            raise InvalidInputError(
                f"{name!r} is neither a layer nor a tensor; there are "
                f"{', '.join((*self.nodes, *self.initial))}"
            )
        return tuple(f"{name}_{role}" for role in self.layer(name).parameter_shapes())

    @cached_property
    def parameter_names(self) -> tuple[str, ...]:
        """Name of every entry of the flattened parameters, e.g. ``"dense1_weight[0,3]"``; length
        p."""
        return tuple(
            f"{name}[{','.join(map(str, index))}]"
            for name, value in self.initial.items()
            for index in np.ndindex(value.shape)
        )

    @property
    def size(self) -> int:
        """Number p of parameters."""
        return len(self.parameter_names)

    def flatten(self, tensors: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """Tensors by name, each (…, *shape), as one array (…, p), in the order of `initial`."""
        parts = []
        for name, value in self.initial.items():
            array = np.asarray(tensors[name], dtype=np.float64)
            parts.append(array.reshape(*array.shape[: array.ndim - value.ndim], -1))
        return np.concatenate(parts, axis=-1)

    def unflatten(self, theta: ArrayLike) -> dict[str, NDArray[np.float64]]:
        """The inverse of `flatten`: (…, p) as tensors (…, *shape) by name."""
        array = np.asarray(theta, dtype=np.float64)
        if array.shape[-1:] != (self.size,):
            raise InvalidInputError(
                f"theta: shape {array.shape} does not fit; the last axis must have {self.size} "
                f"entries"
            )
        ends = np.cumsum([value.size for value in self.initial.values()])[:-1]
        return {
            name: part.reshape(array.shape[:-1] + value.shape)
            for (name, value), part in zip(
                self.initial.items(), np.split(array, ends, axis=-1), strict=True
            )
        }


def _read_only_copy(graph: nx.DiGraph) -> nx.DiGraph:
    """A graph of the same layers; networkx' own `freeze` leaves attributes open."""
    made = nx.DiGraph()
    made.add_nodes_from(graph)
    # Edge by edge, since nx.DiGraph(graph) would sort the inputs of a layer by their place among
    # the nodes.
    made.add_edges_from((source, node) for node in graph for source in graph.predecessors(node))
    for source, node in made.edges:
        made._succ[source][node] = made._pred[node][source] = ReadOnly()
    made._node = ReadOnly({node: frozen(dict(graph.nodes[node])) for node in graph})
    made.graph = ReadOnly()
    return nx.freeze(made)


def _check_node(node: Any) -> None:
    """Refuse a name that would be taken for something else: quantities are called
    ``forward.<node>``, velocities ``velocity_<tensor>``."""
    if not checked("network: a layer's name", node).strip():
        raise InvalidInputError(
            "network: a layer's name is empty; every layer needs a name of its own"
        )
    if "." in node or node.startswith(VELOCITY):
        raise InvalidInputError(
            f"network: layer {node!r} is not allowed; a name has no '.' and does not begin with "
            f"{VELOCITY!r}"
        )
