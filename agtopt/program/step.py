"""The training step and the training run."""

from collections.abc import Iterator
from typing import Any

from agtopt.problem.problem import Problem
from agtopt.program.backward import backward
from agtopt.program.forward import Parameters, forward
from agtopt.program.loss import loss_gradient
from agtopt.program.operations import Ops


def gradients(ops: Ops, problem: Problem, parameters: Parameters, x: Any, y: Any) -> Parameters:
    """Per-sample gradients (n, *shape) of every tensor on a batch: forward pass, loss, backward pass."""
    z, saved = forward(ops, problem.network, parameters, x)
    return backward(ops, problem.network, parameters, saved, loss_gradient(problem.training.loss, ops, z, y))


def step(ops: Ops, problem: Problem, t: int, parameters: Parameters) -> Parameters:
    """θ_{t+1} = θ_t − α_t Δ_t, with the mean Δ_t of the per-sample gradients."""
    x, y = ops.begin(t)
    per_sample = gradients(ops, problem, parameters, x, y)
    rate = float(problem.learning_rates[t])
    return {name: ops.descend(parameters[name], ops.aggregate(per_sample[name], name), rate, name) for name in problem.network.initial}


def train(ops: Ops, problem: Problem, parameters: Parameters, start: int, stop: int) -> Iterator[Parameters]:
    """The parameters after each of the steps start … stop−1, from `parameters` at step `start`."""
    for t in range(start, stop):
        parameters = step(ops, problem, t, parameters)
        yield parameters
