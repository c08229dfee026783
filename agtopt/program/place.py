"""Where a layer stands in a network."""

from dataclasses import dataclass

from agtopt.problem.layers import Shape
from agtopt.problem.network import Network


@dataclass(frozen=True)
class Place:
    """A node of a network: its name, and the shapes of its inputs and its output for one sample."""

    name: str
    inputs: tuple[Shape, ...]
    output: Shape

    def tensor(self, role: str) -> str:
        """Name of the layer's tensor with this role."""
        return f"{self.name}_{role}"


def place_of(network: Network, node: str) -> Place:
    """Where a node stands."""
    return Place(
        node,
        tuple(network.shapes[source] for source in network.inputs_of(node)),
        network.shapes[node],
    )
