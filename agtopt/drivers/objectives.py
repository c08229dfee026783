"""What a driver bounds: a weighted sum of the entries of one quantity of a compiled model."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agtopt.compiler import CompiledModel
from agtopt.domains import Polytope
from agtopt.domains.known import Address
from agtopt.problem import Network


@dataclass(frozen=True, eq=False)
class Objective:
    """The sum of weights[k] · quantity[entries[k]].

    Attributes
    ----------
    name : str
        As rows of a table show it.
    entries : array of int, shape (k,)
        Positions in the flattened quantity.
    weights : array, shape (k,)
    address : tuple or None
        Of the quantity, see `CompiledModel.quantities`; None stands for the final parameters.
    """

    name: str
    entries: NDArray[np.int64]
    weights: NDArray[np.float64]
    address: Address | None = None

    def minimise(self, model: CompiledModel, sign: int) -> None:
        """Give the model the objective min sign · self."""
        size = (
            model.problem.network.size
            if self.address is None
            else model.quantities[self.address].affine.constant.size
        )
        direction = np.zeros(size)
        direction[self.entries] = sign * self.weights
        model.minimise(direction, self.address)


def objectives(network: Network, template: Polytope | None) -> Iterator[Objective]:
    """Every parameter of θ_stop, then the directions of a template."""
    for k, name in enumerate(network.parameter_names):
        yield Objective(name, np.array([k]), np.ones(1))
    for k, row in enumerate(() if template is None else template.directions):
        entries = np.flatnonzero(row)
        yield Objective(f"direction[{k}]", entries, row[entries])
