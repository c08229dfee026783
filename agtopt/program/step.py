"""The training step and the training run."""

from collections.abc import Collection, Iterator
from typing import Any

from agtopt.problem.network import INPUT
from agtopt.problem.problem import VELOCITY, Problem
from agtopt.program.backward import backward
from agtopt.program.forward import Parameters, forward
from agtopt.program.loss import loss_gradient
from agtopt.program.operations import Maths, Ops


def gradients(
    ops: Maths, problem: Problem, parameters: Parameters, x: Any, y: Any, wanted: Collection[str], entry: str = INPUT
) -> Parameters:
    """Per-sample gradients (n, *shape) of the tensors `wanted` on a batch: forward pass, loss, backward pass, clipping.

    x is the output of the node `entry`.
    """
    network, training = problem.network, problem.training
    z, saved = forward(ops, network, parameters, x, entry)
    delta = loss_gradient(training.loss, ops, z, y, network.outputs)
    found = backward(ops, network, parameters, saved, delta, wanted)
    if training.clip is None:
        return found
    return {name: ops.clip(gradient, training.clip, f"clip.{name}") for name, gradient in found.items()}


def step(ops: Ops, problem: Problem, t: int, state: Parameters, entry: str = INPUT) -> Parameters:
    """v_{t+1} = μ v_t + λ θ_t + Δ_t and θ_{t+1} = θ_t − α_t v_{t+1} = (1 − α_t λ) θ_t − α_t μ v_t − α_t Δ_t.

    The second form lets each interval occur once. What a batch begins with is the output of the node `entry`.
    """
    x, y = ops.begin(t)
    rate, momentum, decay = float(problem.learning_rates[t]), problem.training.momentum, problem.training.weight_decay
    per_sample = gradients(ops, problem, state, x, y, problem.trained, entry)
    following = dict(state)
    for name in problem.trained:
        theta, direction, velocity = state[name], ops.aggregate(per_sample[name], name), VELOCITY + name
        past = [(-rate * momentum, state[velocity])] if momentum > 0 else []
        following[name] = ops.update([(1.0 - rate * decay, theta), *past, (-rate, direction)], name)
        if momentum > 0:
            shrinking = [(decay, theta)] if decay > 0 else []
            following[velocity] = ops.update([(momentum, state[velocity]), *shrinking, (1.0, direction)], velocity)
    return following


def train(ops: Ops, problem: Problem, state: Parameters, start: int, stop: int) -> Iterator[Parameters]:
    """The state after each of the steps start … stop−1, from `state` at step `start`."""
    for t in range(start, stop):
        state = step(ops, problem, t, state)
        yield state
