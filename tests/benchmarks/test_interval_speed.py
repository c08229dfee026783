"""Interval steps against plain torch training of the same batch: ``pytest
tests/benchmarks/test_interval_speed.py --benchmark-enable -s``.

Each workload prints the time of a step, its ratio to a step of plain training in the same run on
one thread, the width of the last domain and the peak memory of the process so far; nothing asserts
a time. Whole runs of both kinds alternate, so that a machine that changes its speed does so for
both. Without ``--benchmark-enable`` a few samples are propagated.
"""

import resource
from dataclasses import replace
from statistics import median
from time import process_time

import numpy as np
import pytest
import torch

from agtopt import Bounded, Dataset, Dense, Flatten, ReLU
from agtopt.cases import moons_problem
from agtopt.intervals.propagation import interval_steps
from agtopt.training.concrete import use_one_thread
from tests.peers.workloads import WIDTH_ROOM, workloads

LOADS = workloads()
CASES = [
    (name, linear)
    for name in LOADS
    for linear in (False, True)
    if not (linear and name == "conv-tune")
]
TINY = 60
RUNS = 8
"""Of workloads of few steps."""


def small(problem):
    """The same workload on a few samples."""
    data, model = (
        Dataset(problem.dataset.features[:TINY], problem.dataset.labels[:TINY]),
        problem.perturbation,
    )
    training = replace(problem.training, batch_size=None)
    return replace(
        problem, dataset=data, perturbation=replace(model, n=min(model.n, 3)), training=training
    )


def plain_layer(network, node):
    """The same layer of torch; convolutions are fixed."""
    layer = network.layer(node)
    if isinstance(layer, ReLU | Flatten):
        return torch.nn.ReLU() if isinstance(layer, ReLU) else torch.nn.Flatten()
    weight, bias = (torch.tensor(network.initial[f"{node}_{role}"]) for role in ("weight", "bias"))
    if isinstance(layer, Dense):
        found = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
    else:
        found = torch.nn.Conv2d(
            weight.shape[1],
            weight.shape[0],
            layer.kernel_size,
            layer.stride,
            layer.padding,
            dtype=torch.float64,
        )
    found.load_state_dict({"weight": weight, "bias": bias})
    return found.requires_grad_(isinstance(layer, Dense))


def plain_step(problem):
    """One step of plain torch training on the first batch, as a function."""
    network, loss = problem.network, problem.training.loss.name
    model = torch.nn.Sequential(*(plain_layer(network, node) for node in network.nodes))
    trained = [tensor for tensor in model.parameters() if tensor.requires_grad]
    optimiser = torch.optim.SGD(trained, lr=float(problem.learning_rates[0]))
    batch = problem.schedule[0]
    x, y = (
        torch.tensor(problem.dataset.features[batch]),
        torch.tensor(problem.dataset.labels[batch]),
    )
    losses = {
        "squared": lambda z: ((z[:, 0] - y) ** 2).mean(),
        "binary-cross-entropy": lambda z: torch.nn.functional.binary_cross_entropy_with_logits(
            z[:, 0], y
        ),
        "cross-entropy": lambda z: torch.nn.functional.cross_entropy(z, y.long()),
    }

    def step():
        optimiser.zero_grad()
        losses[loss](model(x)).backward()
        optimiser.step()

    return step


def seconds(action):
    """Seconds of processor time, so that other processes disturb less, and what the action
    returns."""
    began = process_time()
    found = action()
    return process_time() - began, found


def timed_steps(problem, linear, runs=1):
    """Median seconds of an interval step and of a plain one, and the last domain."""
    plain, ours, theirs, box = plain_step(problem), [], [], None
    # Loops are compiled, or fetched, when they first run.
    plain(), next(interval_steps(problem, linear=linear))
    for _ in range(runs):
        theirs += [seconds(plain)[0] for _ in range(problem.steps)]
        steps = interval_steps(problem, linear=linear)
        for _ in range(problem.steps):
            spent, box = seconds(lambda steps=steps: next(steps))
            ours.append(spent)
    return median(ours), median(theirs), box


@pytest.mark.parametrize(
    ("name", "linear"),
    [
        (name, linear)
        for name in LOADS
        for linear in (False, True)
        if name != "conv-tune" or not linear
    ],
)
def test_a_step_against_plain_training(benchmark, name, linear):
    load = LOADS[name]
    problem = load.problem if benchmark.enabled else small(load.problem)
    use_one_thread()
    runs = RUNS if benchmark.enabled and name != "conv-tune" else 1
    step, plain, box = benchmark.pedantic(timed_steps, (problem, linear, runs), rounds=1)
    if benchmark.enabled and not linear:
        assert box.width() <= load.ibp_width * (1.0 + WIDTH_ROOM)
    reference = (load.crown_width, load.crown_ratio) if linear else (load.ibp_width, load.ibp_ratio)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {
        "step_ms": 1e3 * step,
        "torch_ms": 1e3 * plain,
        "ratio": step / plain,
        "width": box.width(),
        "peak_MiB": memory,
    }
    benchmark.extra_info.update(found)
    print(
        f"\n{benchmark.name}: " + ", ".join(f"{key} = {value:.6g}" for key, value in found.items()),
        "reference (width, ratio):",
        reference,
    )


@pytest.mark.parametrize("samples", [4_000, 16_000])
@pytest.mark.parametrize("hidden", [32, 128])
def test_the_cost_is_linear_in_the_batch_and_in_the_parameters(benchmark, samples, hidden):
    """Nanoseconds per sample and parameter."""
    load = LOADS["reg-shallow"].problem
    rng, samples = np.random.default_rng(0), samples if benchmark.enabled else TINY
    data = Dataset(rng.normal(size=(samples, 11)), rng.normal(size=samples))
    network = type(load.network).dense([11, hidden, hidden, 1], seed=0)
    problem = replace(
        load,
        network=network,
        dataset=data,
        perturbation=Bounded(10, eps=0.01),
        training=replace(load.training, batch_size=None),
    )
    step, _, _ = benchmark.pedantic(
        timed_steps, (problem, False, RUNS if benchmark.enabled else 1), rounds=1
    )
    print(
        f"\n{benchmark.name}: {1e9 * step / (samples * network.size):.3g} ns per sample and "
        f"parameter"
    )


def test_a_small_step_against_plain_training(benchmark):
    """FullCert's two moons, everything poisoned: 100 samples, 81 parameters, where the overhead of
    every operation counts."""
    problem = moons_problem(0.01, epochs=5 if benchmark.enabled else 1).problem
    use_one_thread()
    step, plain, _ = benchmark.pedantic(
        timed_steps, (problem, False, RUNS if benchmark.enabled else 1), rounds=1
    )
    print(
        f"\n{benchmark.name}: step_ms = {1e3 * step:.3g}, torch_ms = {1e3 * plain:.3g}, ratio = "
        f"{step / plain:.3g}"
    )
