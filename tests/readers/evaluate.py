"""A network's outputs by torch in float64: the independent reference of the readers."""

import torch
from torch.nn import functional

from agtopt.problem import Add, AvgPool2d, Conv2d, Dense, Flatten, LeakyReLU, ReLU
from agtopt.problem.network import INPUT

FORWARD = {
    Dense: lambda layer, a, weight, bias=None: functional.linear(a, weight, bias),
    Conv2d: lambda layer, a, weight, bias=None: functional.conv2d(
        a, weight, bias, layer.stride, layer.padding
    ),
    AvgPool2d: lambda layer, a: functional.avg_pool2d(a, layer.kernel_size, layer.stride),
    ReLU: lambda layer, a: functional.relu(a),
    LeakyReLU: lambda layer, a: functional.leaky_relu(a, layer.slope),
    Flatten: lambda layer, a: a.flatten(1),
    Add: lambda layer, *inputs: sum(inputs[1:], start=inputs[0]),
}


def outputs(network, features):
    """z of shape (N, outputs) for features (N, …)."""
    values = {INPUT: torch.tensor(features, dtype=torch.float64)}
    for node in network.nodes:
        layer = network.layer(node)
        tensors = {
            role: torch.tensor(network.initial[f"{node}_{role}"])
            for role in layer.parameter_shapes()
        }
        values[node] = FORWARD[type(layer)](
            layer, *(values[source] for source in network.inputs_of(node)), **tensors
        )
        assert values[node].shape[1:] == network.shapes[node]
    return values[network.output].numpy()
