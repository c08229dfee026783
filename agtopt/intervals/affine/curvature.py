"""Second derivatives of the outputs of a chain of dense layers by its weights, as products of
matrices.

With fixed slopes an output is linear in each layer apart. With δ fixed, the gradient δ^l a^{l−1} of
a layer depends on the weights of a later one m by ∂δ^l_o / ∂W^m_{rs} = B_{os} δ^m_r, where B is the
derivative of a^{m−1} by z^l.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from agtopt.problem import Problem
from agtopt.problem.layers import Dense, Flatten, LeakyReLU, ReLU
from agtopt.problem.network import INPUT

Tensors = dict[str, Tensor]


class Link(NamedTuple):
    """A dense layer of a chain: its node, its inputs (n, inputs), and the slopes (n, outputs) of
    what stands behind it."""

    node: str
    inputs: Tensor
    gate: Tensor | None


def chain_of(problem: Problem, saved: dict[str, Any]) -> list[Link] | None:
    """The dense layers of a network that is a chain of them; None for any other."""
    network, links = problem.network, list[Link]()
    source = INPUT
    for node in network.nodes:
        layer = network.layer(node)
        if list(network.inputs_of(node)) != [source]:
            return None
        source = node
        if type(layer) is Dense:
            links.append(Link(node, saved[node], None))
        elif type(layer) in (ReLU, LeakyReLU) and links:
            last = links[-1]
            gate = saved[node] if last.gate is None else last.gate * saved[node]
            links[-1] = last._replace(gate=gate)
        elif type(layer) is not Flatten or links:
            return None
    return links or None


def chain_curvature(
    problem: Problem, links: list[Link], parameters: Tensors, delta: Tensor
) -> Tensor:
    """Σ_i ∂g_i/∂θ (q, q) with δ = ∂L/∂z (n, outputs) fixed; symmetric."""
    places, q = {}, 0
    for name in problem.trained:
        places[name] = q
        q += parameters[name].numel()
    found = torch.zeros((q, q), dtype=delta.dtype)
    weights = [parameters[f"{link.node}_weight"] for link in links]
    deltas = [delta]
    for link, weight in zip(reversed(links[:-1]), reversed(weights[1:]), strict=True):
        error = deltas[0] @ weight
        deltas.insert(0, error if link.gate is None else error * link.gate)
    for m in range(1, len(links)):
        later = f"{links[m].node}_weight"
        if later not in places:
            continue
        back: Tensor | None = None
        for k in range(m - 1, -1, -1):
            # The derivative of the inputs of m by z of k, (n, outputs of k, inputs of m).
            gate = links[k].gate
            if back is not None:
                back = torch.einsum("nvs,vo->nos", back, weights[k + 1])
                back = back if gate is None else back * gate.unsqueeze(-1)
            for role, inputs in (
                ("weight", links[k].inputs),
                ("bias", torch.ones_like(links[k].inputs[:, :1])),
            ):
                name = f"{links[k].node}_{role}"
                if name not in places:
                    continue
                block = _block(inputs, gate, back, deltas[m], weights[k].shape[0])
                rows = slice(places[name], places[name] + block.shape[0])
                columns = slice(places[later], places[later] + block.shape[1])
                found[rows, columns] += block
                found[columns, rows] += block.mT
            if back is None and k > 0:
                size = weights[k].shape[0]
                unit = torch.eye(size, dtype=delta.dtype)
                back = unit.expand(len(delta), size, size)
                back = back if gate is None else back * gate.unsqueeze(-1)
    return found


def _block(
    inputs: Tensor, gate: Tensor | None, back: Tensor | None, delta: Tensor, size: int
) -> Tensor:
    """Σ_i a_j B_os δ_r as (o j, r s)."""
    n, outputs = delta.shape
    products = (inputs.unsqueeze(-1) * delta.unsqueeze(1)).reshape(n, -1)
    if back is not None:
        flat = products.mT @ back.reshape(n, -1)
        wide = flat.reshape(inputs.shape[1], outputs, size, back.shape[-1])
        return wide.permute(2, 0, 1, 3).reshape(size * inputs.shape[1], -1)
    # Neighbours: B is diagonal.
    slope = torch.ones((n, size), dtype=delta.dtype) if gate is None else gate
    flat = (slope.mT @ products).reshape(size, inputs.shape[1], outputs)
    wide = torch.zeros((size, inputs.shape[1], outputs, size), dtype=delta.dtype)
    at = torch.arange(size)
    wide[at, :, :, at] = flat
    return wide.reshape(size * inputs.shape[1], outputs * size)
