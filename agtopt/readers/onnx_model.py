"""Networks from ONNX files."""

from dataclasses import replace
from math import inf
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import InvalidInputError, UnsupportedError
from agtopt.intervals.interval import IntervalOperations
from agtopt.problem import Network
from agtopt.problem.network import INPUT
from agtopt.program.forward import forward
from agtopt.readers.draft import Draft, naming
from agtopt.readers.onnx_file import OnnxFile, load
from agtopt.readers.onnx_operations import ALLOWED, understood
from agtopt.readers.onnx_parameters import Uses
from agtopt.readers.onnx_values import Value, folded

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

SEED = 0
"""Of the inputs with which file and network are compared."""


def read(source: "str | PathLike[str] | bytes | ModelProto") -> Network:
    """Read an ONNX model, with its initializers as θ₀ (in float64).

    The graph is run on random batches by onnx's reference evaluator, in float64: with the file's
    own number of samples, or with two and three where the first axis of the input is open. What
    follows from constants and shapes is a constant, and a node that keeps the samples and flattens
    the rest is a `Flatten`, however the exporter wrote it. The outputs must lie within the
    intervals of the network that was read, for the file's weights and for random ones.

    Layers are named as by `Network.chain` and θ is flattened in the order of the nodes. A constant
    that is added to a matrix product is its bias. A file does not tell what is trained: whatever a
    layer takes is a parameter here (``Training(frozen=…)`` fixes it).

    Parameters
    ----------
    source : str, path, bytes or onnx.ModelProto

    Warns
    -----
    UserWarning
        Of layers without a bias, as PyTorch's exporter drops a bias that is zero, and of equal
        tensors, which an exporter may have merged although they are parameters of their own, or
        written twice although they are one.

    Raises
    ------
    MissingFileError
        If the file does not exist.
    InvalidInputError
        If it is no valid ONNX model, or its layers do not fit each other.
    UnsupportedError
        If a node is of another kind than allowed, weights are shared (or merged, where the file
        does not tell which) or computed from others, the graph has several inputs or outputs or no
        fixed sample shape, or the package onnx is not installed.
    """
    file = load(source)
    shape, generator = file.sample_shape, np.random.default_rng(SEED)
    first, second = (generator.normal(size=(batch, *shape)) for batch in file.batches)
    network, uses = _network(file, first)
    if not _same(network, _network(file, second)[0]):
        raise UnsupportedError(
            f"{file.label}: is another network for {len(first)} samples than for {len(second)}"
        )
    # A tensor that starts at zero would hide what lies before it.
    _network(replace(file, constants=uses.drawn(file.constants, generator)), second)
    uses.say(file.label, network, level=6)
    return network


def _network(file: OnnxFile, x: NDArray[np.float64]) -> tuple[Network, Uses]:
    """The network that the graph is on one batch."""
    values = {name: Value(array, root=name, name=name) for name, array in file.constants.items()}
    values[file.input.name] = Value(x, INPUT)
    draft, uses = Draft(), Uses(file.model.producer_name)
    for node in file.nodes():
        described = f"{file.label}: node {node.name or node.output[0]!r} ({node.op_type})"
        try:
            with naming(described, ", ".join(ALLOWED)):
                values = _after(file, node, values, draft, uses)
        except InvalidInputError as error:
            raise InvalidInputError(f"{described}: {error}") from None
    output = values.get(file.output)
    if output is None or output.layer is None:
        raise UnsupportedError(
            f"{file.label}: the output {file.output!r} is not supported; it must be the output of "
            f"a layer"
        )
    try:
        draft.cut(output.layer)
        network = draft.network(file.sample_shape)
    except InvalidInputError as error:
        raise InvalidInputError(f"{file.label}: {error}") from None
    _compare(file.label, network, x, output.array)
    return network, uses


def _after(
    file: OnnxFile, node: "NodeProto", values: dict[str, Value], draft: Draft, uses: Uses
) -> dict[str, Value]:
    """What is known after a node: its output, too."""
    for name in filter(None, node.input):
        if name not in values:
            raise UnsupportedError(
                f"it takes {name!r}, which is neither a constant nor the output of a layer"
            )
    inputs = [values[name] if name else None for name in node.input]
    constant = folded(file, node, inputs)
    if constant is not None:
        return {**values, node.output[0]: constant}
    part, result = understood(file, node, inputs)
    source = part.sources[0].layer
    tensors = (
        [value for value in inputs if value is not None and value.layer is None]
        if part.tensors
        else []
    )
    if part.layer is not None:
        layer = draft.add(part.layer, [value.layer for value in part.sources], None, part.tensors)
        uses.add(node, draft.tensors_of(layer) if tensors else [], tensors)
        return {**values, node.output[0]: Value(result, layer)}
    for bias in part.tensors:
        draft.add_bias(source, bias)
        uses.add(node, [f"{source}_bias"], tensors)
        # The product without the bias is no longer there to be read.
        values = {name: value for name, value in values.items() if value.layer != source}
    return {**values, node.output[0]: Value(result, source)}


def _compare(
    label: str, network: Network, x: NDArray[np.float64], expected: NDArray[np.float64]
) -> None:
    """Outputs of onnx must lie within the network's intervals, which hold every order of its sums
    (S3)."""
    ops = IntervalOperations()
    parameters = {name: ops.constant(np.array(value)) for name, value in network.initial.items()}
    outputs, _ = forward(ops, network, parameters, ops.constant(x))
    lower, upper = (end.numpy() for end in (outputs.lower, outputs.upper))
    if expected.shape != lower.shape or not np.all(
        (lower <= expected) & (expected <= upper) & (np.abs(expected) < inf)
    ):
        raise UnsupportedError(
            f"{label}: the network that was read has other outputs than the file; please report it"
        )


def _same(first: Network, second: Network) -> bool:
    def described(network: Network) -> list[tuple[object, ...]]:
        return [(node, network.layer(node), network.inputs_of(node)) for node in network.nodes]

    pairs = zip(first.initial.items(), second.initial.items(), strict=False)
    return described(first) == described(second) and all(
        a == b and np.array_equal(x, y) for (a, x), (b, y) in pairs
    )
