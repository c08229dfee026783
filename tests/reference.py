"""Plain torch: the same network as a `torch.nn.Module`, trained by autograd and `torch.optim.SGD`;
nothing here calls the program."""

import numpy as np
import torch
from torch.nn import functional

from agtopt.problem import Add, AvgPool2d, Conv2d, Dense, Flatten, LeakyReLU, ReLU

F64 = {"dtype": torch.float64}


def torch_layer(layer):
    """The layer of torch; None for a sum."""
    if isinstance(layer, Dense):
        return torch.nn.Linear(layer.inputs, layer.outputs, bias=layer.bias, **F64)
    if isinstance(layer, Conv2d):
        return torch.nn.Conv2d(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,
            layer.stride,
            layer.padding,
            bias=layer.bias,
            **F64,
        )
    if isinstance(layer, AvgPool2d):
        return torch.nn.AvgPool2d(layer.kernel_size, layer.stride)
    if isinstance(layer, LeakyReLU):
        return torch.nn.LeakyReLU(layer.slope)
    return {ReLU: torch.nn.ReLU, Flatten: torch.nn.Flatten, Add: torch.nn.Identity}[type(layer)]()


class TorchNetwork(torch.nn.Module):
    """The network's graph over layers of torch, with θ₀ as its parameters."""

    def __init__(self, network):
        super().__init__()
        self.order = network.nodes
        self.sources = {node: list(network.graph.predecessors(node)) for node in self.order}
        self.layers = torch.nn.ModuleDict(
            {node: torch_layer(network.graph.nodes[node]["layer"]) for node in self.order}
        )
        with torch.no_grad():
            for name, tensor in self.tensors().items():
                tensor.copy_(torch.tensor(network.initial[name]))

    def tensors(self):
        """Parameters by the package's names."""
        return {
            f"{node}_{role}": tensor
            for node in self.order
            for role, tensor in self.layers[node].named_parameters()
        }

    def forward(self, x):
        values = {"input": x}
        for node in self.order:
            values[node] = self.layers[node](sum(values[source] for source in self.sources[node]))
        return values[self.order[-1]]


def torch_model(network):
    """The same network in torch, in float64."""
    return TorchNetwork(network)


def torch_losses(name, z, y):
    """The loss of every sample, by torch's own functions where it has one."""
    if name == "squared":
        return functional.mse_loss(z, y.reshape(z.shape), reduction="none").sum(dim=1)
    if name == "hinge":
        return (1 - y * z[:, 0]).clamp(min=0)
    if name == "binary-cross-entropy":
        return functional.binary_cross_entropy_with_logits(z[:, 0], y, reduction="none")
    classify = {
        "cross-entropy": functional.cross_entropy,
        "multi-hinge": functional.multi_margin_loss,
    }[name]
    return classify(z, y.long(), reduction="none")


def set_gradients(model, losses, clip):
    """Mean gradients; with `clip` the gradient of every sample is truncated first, in a loop."""
    trained = [tensor for tensor in model.parameters() if tensor.requires_grad]
    if clip is None:
        found = torch.autograd.grad(losses.mean(), trained)
    else:
        each = [torch.autograd.grad(loss, trained, retain_graph=True) for loss in losses]
        found = [
            torch.stack([gradient.clamp(-clip, clip) for gradient in same]).mean(dim=0)
            for same in zip(*each, strict=True)
        ]
    for tensor, gradient in zip(trained, found, strict=True):
        tensor.grad = gradient


def torch_states(problem, dataset=None, dtype=torch.float64):
    """The parameters, then with momentum the velocities of those that are trained, at steps 0 … T;
    shape (T+1, s)."""
    data, training = problem.dataset if dataset is None else dataset, problem.training
    model = torch_model(problem.network).to(dtype)
    tensors = model.tensors()
    trained = []
    for name in problem.network.initial:
        frozen = name in training.frozen or name.rsplit("_", 1)[0] in training.frozen
        tensors[name].requires_grad_(not frozen)
        if not frozen:
            trained.append(name)
    optimiser = torch.optim.SGD(
        [tensors[name] for name in trained],
        lr=1.0,
        momentum=training.momentum,
        weight_decay=training.weight_decay,
    )

    def state():
        parts = [tensors[name].detach().numpy().ravel() for name in problem.network.initial]
        if training.momentum > 0:
            buffers = [
                optimiser.state[tensors[name]].get(
                    "momentum_buffer", torch.zeros_like(tensors[name])
                )
                for name in trained
            ]
            parts += [buffer.detach().numpy().ravel() for buffer in buffers]
        return np.concatenate(parts)

    states = [state()]
    present = np.ones(len(data.features), dtype=bool) if data.present is None else data.present
    per_epoch = len(problem.schedule) // training.epochs
    for t, batch in enumerate(problem.schedule):
        left = [i for i in batch.tolist() if present[i]]
        z = model(torch.tensor(data.features[left], dtype=dtype))
        losses = torch_losses(training.loss.name, z, torch.tensor(data.labels[left], dtype=dtype))
        optimiser.param_groups[0]["lr"] = max(
            training.learning_rate / (1.0 + training.decay * (t // per_epoch)), training.floor
        )
        set_gradients(model, losses, training.clip)
        optimiser.step()
        states.append(state())
    return np.stack(states)


def torch_sgd(problem, dataset=None):
    """θ_0 … θ_T by autograd and torch.optim.SGD, shape (T+1, p)."""
    return torch_states(problem, dataset)[:, : problem.network.size]
