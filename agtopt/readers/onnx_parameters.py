"""Whose an ONNX file's constants are: what exporters merge, share, compute and drop."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING
from warnings import warn

import numpy as np

from agtopt.problem import Network
from agtopt.readers.draft import require
from agtopt.readers.onnx_values import Array, Value

if TYPE_CHECKING:
    from onnx import NodeProto

PYTORCH = "pytorch"

TRACED = "pkg.torch.onnx.fx_node"
"""Where PyTorch's exporter notes the traced call that a node came from, with ``%p_…`` for each
parameter that it takes."""

CALLS = ("linear", "conv2d", "convolution", "matmul", "mm", "addmm", "add")
"""Calls that use their parameters as they are. A batch normalisation is folded into the layer
before it, whose node becomes its own."""

MADE = "onnx::"
"""How names begin that PyTorch's older exporter gives to what it computed: a matrix that it
transposed for MatMul, or anything."""

COMPUTED = (
    "PyTorch computed its weights from other parameters, or they are none (a buffer, say); read "
    "the module by Network.from_torch"
)


@dataclass(frozen=True)
class Use:
    """One tensor of a layer, and where it came from.

    Attributes
    ----------
    tensor : str
        As the network names it.
    value : Value
    traced : frozenset of str
        Parameters that the node takes by PyTorch's own word.
    """

    tensor: str
    value: Value
    traced: frozenset[str]

    @property
    def uniform(self) -> bool:
        """Whether all entries are equal, as in a bias that starts at zero."""
        return bool((self.value.array == self.value.array.flat[0]).all())

    def shared(self, other: "Use", exporter: str) -> bool:
        """Whether two uses are of one parameter, as far as the file tells them from equal
        parameters that an exporter merged.

        PyTorch's default exporter notes the parameters of each node. Its older one leaves an
        Identity with the name of the parameter that is gone, where that had a name; other exporters
        write one for every use of a shared tensor. Equal entries throughout say enough of a bias:
        layers that share one share their weights.
        """
        if self.traced & other.traced:
            return self.layer != other.layer
        if self.value.root != other.value.root or (self.traced and other.traced):
            return False
        names = {self.value.name, other.value.name}
        if (
            exporter == PYTORCH
            and len(names) == 2
            and not any(name.startswith(MADE) for name in names)
        ):
            return False
        return not all(use.uniform and use.bias for use in (self, other))

    @property
    def bias(self) -> bool:
        """Whether it is a bias."""
        return self.tensor.endswith("_bias")

    @property
    def layer(self) -> str:
        """The layer that the tensor belongs to."""
        return self.tensor.rpartition("_")[0]


class Uses(list[Use]):
    """The tensors of all layers.

    Parameters
    ----------
    exporter : str
        The file's producer.
    """

    def __init__(self, exporter: str) -> None:
        super().__init__()
        self.exporter = exporter

    def add(self, node: "NodeProto", tensors: Sequence[str], values: Sequence[Value]) -> None:
        """Note what a node is to train.

        Raises
        ------
        UnsupportedError
            If it is shared with another layer, or PyTorch says that it is no parameter.
        """
        traced = _traced(node)
        require(len(traced) >= len(tensors) or not _noted(node), COMPUTED)
        for use in (
            Use(tensor, value, traced) for tensor, value in zip(tensors, values, strict=True)
        ):
            require(not self._made(use) or node.op_type == "MatMul", COMPUTED)
            for other in self:
                require(
                    not use.shared(other, self.exporter),
                    f"its weights are shared with another layer ({other.tensor} is "
                    f"{use.value.root!r}), or equal ones were merged: "
                    "the file does not tell; read the module by Network.from_torch, or write an "
                    "initializer for each",
                )
            self.append(use)

    def drawn(
        self, constants: Mapping[str, Array], generator: np.random.Generator
    ) -> dict[str, Array]:
        """A file's constants with random entries where they are trained, which each format holds;
        biases of equal entries stay such."""
        redrawn = dict(constants)
        for use in self:
            root = str(use.value.root)
            if root in constants:
                shape = constants[root].shape
                one = use.uniform and use.bias
                redrawn[root] = np.broadcast_to(
                    generator.integers(-16, 17, size=(1,) * len(shape) if one else shape) / 8.0,
                    shape,
                )
        return redrawn

    def say(self, label: str, network: Network, level: int) -> None:
        """Warn of what the file does not tell: equal tensors, and layers without a bias."""
        equal = ", ".join(f"{first.tensor} and {second.tensor}" for first, second in self._equal())
        made = ", ".join(f"{use.tensor} ({use.value.root!r})" for use in self if self._made(use))
        for names, words in (
            (
                equal,
                "equal in the file. Each is trained as a parameter of its own; if the module "
                "shares them, its training is another one",
            ),
            (
                made,
                "computed by PyTorch's exporter; it is taken for a parameter that was transposed, "
                "and trained as such",
            ),
            (
                ", ".join(network.unbiased),
                "without a bias in the file, so that none is trained. PyTorch's exporter drops a "
                "bias that is zero",
            ),
        ):
            if names:
                warn(
                    f"{label}: {names}: {words}. Network.from_torch reads the module as it is",
                    stacklevel=level,
                )

    def _made(self, use: Use) -> bool:
        return self.exporter == PYTORCH and str(use.value.root).startswith(MADE)

    def _equal(self) -> Iterator[tuple[Use, Use]]:
        for first, second in combinations(self, 2):
            merged = first.value.root == second.value.root
            if merged or (not first.uniform and _same(first.value.array, second.value.array)):
                yield first, second


def _same(first: Array, second: Array) -> bool:
    """Whether two tensors are equal, or one is the other transposed."""
    return np.array_equal(first, second) or (first.ndim == 2 and np.array_equal(first.T, second))


def _noted(node: "NodeProto") -> str:
    return "".join(entry.value for entry in node.metadata_props if entry.key == TRACED)


def _traced(node: "NodeProto") -> frozenset[str]:
    """Parameters that the noted call takes as they are."""
    call = re.search(r"target=torch\.ops\.aten\.(\w+)", noted := _noted(node))
    return frozenset(re.findall(r"%(p_\w+)", noted)) if call and call[1] in CALLS else frozenset()
