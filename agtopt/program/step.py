"""The training step and the training run."""

from collections.abc import Collection, Iterator
from typing import Any

from agtopt.problem.network import INPUT, VELOCITY
from agtopt.problem.problem import Problem
from agtopt.program.backward import backward
from agtopt.program.forward import Parameters, forward
from agtopt.program.loss import loss_gradient
from agtopt.program.operations import Maths, Ops


def gradients(
    ops: Maths,
    problem: Problem,
    parameters: Parameters,
    x: Any,
    y: Any,
    wanted: Collection[str],
    entry: str = INPUT,
) -> Parameters:
    """Per-sample gradients (n, *shape) of the tensors `wanted` on a batch: forward pass, loss,
    backward pass, clipping.

    x is the output of the node `entry`.
    """
    network, training = problem.network, problem.training
    z, saved = forward(ops, network, parameters, x, entry)
    delta = loss_gradient(training.loss, ops, z, y, network.outputs)
    slopes = backward(ops, network, parameters, saved, delta, wanted)
    if training.clip is None:
        return slopes
    return {
        name: ops.clip(gradient, training.clip, f"clip.{name}") for name, gradient in slopes.items()
    }


def moved(
    ops: Maths,
    problem: Problem,
    t: int,
    theta: Any,
    velocity: Any | None,
    direction: Any,
    name: str = "",
) -> tuple[Any, Any | None]:
    """v_{t+1} = μ v_t + λ θ_t + Δ_t and θ_{t+1} = θ_t − α_t v_{t+1} = (1 − α_t λ) θ_t − α_t μ v_t −
    α_t Δ_t of one tensor.

    The second form lets each interval occur once.

    Parameters
    ----------
    theta, direction : value (*shape)
        θ_t and Δ_t; one tensor, or several in one vector.
    velocity : value (*shape), or None without momentum
    name : str
        What is moved, for a semantics that names it.

    Returns
    -------
    theta, velocity : value
        After the step.
    """
    rate, momentum, decay = (
        float(problem.learning_rates[t]),
        problem.training.momentum,
        problem.training.weight_decay,
    )
    past = [] if velocity is None else [(-rate * momentum, velocity)]
    following = ops.update([(1.0 - rate * decay, theta), *past, (-rate, direction)], name)
    if velocity is None:
        return following, None
    shrinking = [(decay, theta)] if decay > 0 else []
    return following, ops.update(
        [(momentum, velocity), *shrinking, (1.0, direction)], VELOCITY + name
    )


def step(ops: Ops, problem: Problem, t: int, state: Parameters) -> Parameters:
    """The state after step t: every tensor that is trained, and its velocity, `moved` in the
    descent direction of the batch."""
    x, y = ops.begin(t)
    per_sample = gradients(ops, problem, state, x, y, problem.trained)
    following = dict(state)
    for name in problem.trained:
        velocity, direction = VELOCITY + name, ops.aggregate(per_sample[name], name)
        following[name], speed = moved(
            ops, problem, t, state[name], state.get(velocity), direction, name
        )
        if speed is not None:
            following[velocity] = speed
    return following


def train(
    ops: Ops, problem: Problem, state: Parameters, start: int, stop: int
) -> Iterator[Parameters]:
    """The state after each of the steps start … stop−1, from `state` at step `start`."""
    for t in range(start, stop):
        state = step(ops, problem, t, state)
        yield state
