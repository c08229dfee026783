"""Whose an ONNX file's constants are: what exporters merge, share, compute and drop."""

import re
from collections.abc import Iterator, Sequence
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

TRACED = "pkg.torch.onnx.fx_node"
"""Where PyTorch's exporter notes the traced call that a node came from, with ``%p_…`` for each parameter that it takes."""

CURE = "read the module itself by Network.from_torch, or write an initializer for each"


@dataclass(frozen=True)
class Use:
    """One tensor of a layer, and where it came from.

    Attributes
    ----------
    tensor : str
        As the network names it.
    value : Value
    traced : frozenset of str or None
        Parameters that the node takes by PyTorch's own word.
    """

    tensor: str
    value: Value
    traced: frozenset[str] | None

    @property
    def uniform(self) -> bool:
        """Whether all entries are equal, as in a bias that starts at zero."""
        return bool(np.ptp(self.value.array) == 0)

    def apart(self, other: "Use", exporter: str) -> bool:
        """Whether the file tells two uses of one constant to be parameters of their own, which an exporter merged.

        PyTorch's default exporter notes the parameters of each node. Its older one leaves an Identity with the name of the parameter
        that is gone, where that had a name; others write one for every use of a shared tensor. Equal entries throughout say enough of a
        bias: layers that share one share their weights.
        """
        if self.traced and other.traced:
            return not self.traced & other.traced
        names = {self.value.name, other.value.name}
        if exporter == "pytorch" and len(names) == 2 and not any("::" in name for name in names):
            return True
        return all(use.uniform and use.tensor.endswith("_bias") for use in (self, other))


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
        require(
            traced is None or len(traced) >= len(tensors),
            "PyTorch computed its weights from other parameters, or they are none (a buffer); read the module by Network.from_torch",
        )
        for use in (Use(tensor, value, traced) for tensor, value in zip(tensors, values, strict=True)):
            for other in self:
                require(
                    use.value.root != other.value.root or use.apart(other, self.exporter),
                    f"its weights are shared with another layer ({use.value.root!r} is {other.tensor}), or equal ones were merged; {CURE}",
                )
            self.append(use)

    def say(self, label: str, network: Network, level: int) -> None:
        """Warn of what the file does not tell: equal tensors, and layers without a bias."""
        equal = [f"{first.tensor} and {second.tensor}" for first, second in self._equal()]
        if equal:
            warn(
                f"{label}: {', '.join(equal)} are equal in the file. Each is trained as a parameter of its own; "
                "if the model shares them, its training is another problem (Network.from_torch tells)",
                stacklevel=level,
            )
        if network.unbiased:
            warn(
                f"{label}: {', '.join(network.unbiased)} have no bias in the file, so that none is trained. "
                "PyTorch's exporter drops a bias that is zero; Network.from_torch keeps it",
                stacklevel=level,
            )

    def _equal(self) -> Iterator[tuple[Use, Use]]:
        for first, second in combinations(self, 2):
            merged = first.value.root == second.value.root
            if merged or (not first.uniform and _same(first.value.array, second.value.array)):
                yield first, second


def _same(first: Array, second: Array) -> bool:
    """Whether two tensors are equal, or one is the other transposed."""
    return np.array_equal(first, second) or (first.ndim == 2 and np.array_equal(first.T, second))


def _traced(node: "NodeProto") -> frozenset[str] | None:
    found = [entry.value for entry in node.metadata_props if entry.key == TRACED]
    return frozenset(re.findall(r"%(p_\w+)", found[0])) if found else None
