r"""The mixed-integer domain: inputs that pass through the network with the parameters that a
compiled run ends with.

The block ``query`` holds the forward pass of every input x with :math:`\theta_T` as it stands in
the model, so that a bound of an output, or of the difference of two, is over all admissible runs at
once and not over a domain of their parameters (section 7 of Sosnin et al., 2025). Where a class is
named for every input, :math:`w_k \in \{0, 1\}` says that it does not win there: for each other
class j,

.. math:: f_{c}(x) - f_j(x) \le M_{kj} (1 - w_{kj}), \qquad \sum_j w_{kj} = w_k ,

so the greatest :math:`\sum_k w_k` is how many predictions one adversary can change at once.
"""

from dataclasses import dataclass

import numpy as np
import pyomo.environ as pyo
import torch
from numpy.typing import NDArray

from agtopt.compiler.model import CompiledModel
from agtopt.domains.known import Address
from agtopt.errors import InvalidInputError
from agtopt.formulation.site import Site
from agtopt.intervals.arithmetic import Range
from agtopt.intervals.states import tensor_ranges
from agtopt.program import forward
from agtopt.symbolic.quantity import Quantity
from agtopt.tolerances import KINK_ROOM

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Query:
    """Inputs of a trained network.

    Attributes
    ----------
    lowest, highest : array, shape (m, *input_shape)
        Where they differ the input moves.
    winners : array of int, shape (m,), or None
        For each input the position of a class; then ``flipped`` is written, whether that class does
        not win.
    """

    lowest: Array
    highest: Array
    winners: NDArray[np.int64] | None = None


def outputs_of(model: CompiledModel) -> Address:
    """Address of the outputs (m, outputs) among `CompiledModel.quantities`."""
    return model.stop, "query"


def inputs_of(model: CompiledModel) -> Address:
    """Address of the inputs (m, *input_shape)."""
    return model.stop, "query.x"


def flips_of(model: CompiledModel) -> Address:
    """Address of the indicators (m,) of changed predictions."""
    return model.stop, "query.flipped"


def append_query(model: CompiledModel, query: Query) -> None:
    """Write the forward pass of inputs behind the last step of a run, once per model.

    Raises
    ------
    InvalidInputError
        If the model has a query already, or stops before the run ends.
    UnsupportedError
        If an interval is too wide for a big-M.
    """
    if model.pyomo.component("query") is not None:
        raise InvalidInputError("query: the model has one already; compile another")
    if model.stop != model.problem.steps:
        raise InvalidInputError(
            f"query: the model stops after step {model.stop} of {model.problem.steps}; predictions "
            f"need the whole run"
        )
    ops, network = model._operations, model.problem.network
    model.pyomo.query = pyo.Block()
    ops.enter(model.stop, model.pyomo.query, np.arange(len(query.lowest)))
    moves, middle = query.lowest < query.highest, 0.5 * (query.lowest + query.highest)
    site = Site(model.pyomo.query, "x", replay=ops.replay)
    inputs = site.variables("", query.lowest, query.highest, moves, otherwise=query.lowest)
    site.assign(inputs, moves, lambda: middle)
    low = torch.tensor(query.lowest)
    ends = Range(low, torch.tensor(query.highest) if moves.any() else low)
    x = Quantity(inputs, ops.intervals.trace(ends, len(network.input_shape)))
    outputs, _ = forward(ops, network, _parameters(model), x)
    ops.named[inputs_of(model)] = x
    ops.named[outputs_of(model)] = outputs
    if query.winners is not None:
        _write_flips(model, outputs, query.winners)
    model.written += model.pyomo.query.component_objects(pyo.Constraint)


def _parameters(model: CompiledModel) -> dict[str, Quantity]:
    network, box = model.problem.network, model.steps[-1]
    ranges = tensor_ranges(
        network.unflatten(box.lower[: network.size]), network.unflatten(box.upper[: network.size])
    )
    ends = np.cumsum([value.size for value in network.initial.values()])
    return {
        name: Quantity(
            model._states[-1][end - value.size : end].reshape(*value.shape), ranges[name]
        )
        for (name, value), end in zip(network.initial.items(), ends, strict=True)
    }


def _write_flips(model: CompiledModel, outputs: Quantity, winners: NDArray[np.int64]) -> None:
    ops = model._operations
    if outputs.affine.shape[1] == 1:
        signs = np.where(winners > 0, 1.0, -1.0)
        margin = ops.contract(
            "nc,nc->nc", outputs, ops.constant(signs[:, np.newaxis]), "forward.query.margin"
        )
        others = np.ones((len(winners), 1), dtype=bool)
    else:
        unit = np.eye(outputs.affine.shape[1])
        margin = ops.contract(
            "nc,njc->nj",
            outputs,
            ops.constant(unit[winners][:, np.newaxis] - unit),
            "forward.query.margin",
        )
        others = ~unit[winners].astype(bool)
    low, high = margin.ends()
    # A class that always wins is never beaten; one that may lose is, where the binary says so.
    open_ = others & (low <= KINK_ROOM * (1.0 + np.maximum(-low, high)))
    site = ops.site("query.beaten")
    beaten = site.variables("", 0.0, 1.0, open_, model.kind.binaries)
    values = margin.affine.values
    site.assign(beaten, open_, lambda: _first(open_ & (values() <= KINK_ROOM)))
    # Room for a margin of zero that a framework rounds to the other side.
    room = KINK_ROOM * (1.0 + np.maximum(-low, high))
    site.rows(
        "_margin",
        margin.affine + beaten * np.maximum(high, 0.0),
        open_,
        upper=np.maximum(high, 0.0) + room,
    )
    flipped = beaten.total(1)
    one = flipped.varies & (open_.sum(axis=1) > 1)
    ops.site("query.flipped").rows("", flipped, one, upper=1.0)
    most = torch.from_numpy(open_.any(axis=1)).double()
    ops.named[flips_of(model)] = Quantity(flipped, Range(torch.zeros_like(most), most))


def _first(mask: NDArray[np.bool_]) -> Array:
    """The first true entry of every row."""
    return np.asarray(mask & (np.cumsum(mask, axis=1) == 1), dtype=np.float64)
