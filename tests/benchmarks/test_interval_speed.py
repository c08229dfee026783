"""Interval steps against plain torch training of the same batch: ``pytest tests/benchmarks/test_interval_speed.py --benchmark-enable -s``.

Each workload prints the time of a step, its ratio to a step of plain training in the same run on one thread, the width of the last domain
and the peak memory of the process so far; nothing asserts a time. Without ``--benchmark-enable`` a few samples are propagated.
"""

import resource
from dataclasses import replace
from statistics import median
from time import process_time

import numpy as np
import pytest
import torch

from agtopt import Bounded, Dataset, Dense, Flatten, ReLU
from agtopt.semantics.concrete import use_one_thread
from agtopt.semantics.propagation import interval_steps
from tests.peers.workloads import WIDTH_ROOM, workloads

LOADS = workloads()
CASES = [(name, linear) for name in LOADS for linear in (False, True) if not (linear and name == "conv-tune")]
TINY = 60
ROUNDS = 15


def small(problem):
    """The same workload on a few samples."""
    data, model = Dataset(problem.dataset.features[:TINY], problem.dataset.labels[:TINY]), problem.perturbation
    training = replace(problem.training, batch_size=None)
    return replace(problem, dataset=data, perturbation=replace(model, n=min(model.n, 3)), training=training)


def plain_layer(network, node):
    """The same layer of torch; convolutions are fixed."""
    layer = network.layer(node)
    if isinstance(layer, ReLU | Flatten):
        return torch.nn.ReLU() if isinstance(layer, ReLU) else torch.nn.Flatten()
    weight, bias = (torch.tensor(network.initial[f"{node}_{role}"]) for role in ("weight", "bias"))
    if isinstance(layer, Dense):
        found = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
    else:
        found = torch.nn.Conv2d(weight.shape[1], weight.shape[0], layer.kernel_size, layer.stride, layer.padding, dtype=torch.float64)
    found.load_state_dict({"weight": weight, "bias": bias})
    return found.requires_grad_(isinstance(layer, Dense))


def plain_step(problem):
    """One step of plain torch training on the first batch, as a function."""
    network, loss = problem.network, problem.training.loss.name
    model = torch.nn.Sequential(*(plain_layer(network, node) for node in network.nodes))
    trained = [tensor for tensor in model.parameters() if tensor.requires_grad]
    optimiser = torch.optim.SGD(trained, lr=float(problem.learning_rates[0]))
    batch = problem.schedule[0]
    x, y = torch.tensor(problem.dataset.features[batch]), torch.tensor(problem.dataset.labels[batch])
    losses = {
        "squared": lambda z: ((z[:, 0] - y) ** 2).mean(),
        "binary-cross-entropy": lambda z: torch.nn.functional.binary_cross_entropy_with_logits(z[:, 0], y),
        "cross-entropy": lambda z: torch.nn.functional.cross_entropy(z, y.long()),
    }

    def step():
        optimiser.zero_grad()
        losses[loss](model(x)).backward()
        optimiser.step()

    return step


def seconds(action):
    """Median seconds of processor time, so that other processes disturb less."""
    times = []
    for _ in range(ROUNDS):
        began = process_time()
        action()
        times.append(process_time() - began)
    return median(times)


def timed_steps(problem, linear):
    """Processor time of each interval step, and the last domain."""
    times, steps, box = [], interval_steps(problem, linear=linear), None
    while True:
        began = process_time()
        following = next(steps, None)
        if following is None:
            return times, box
        times.append(process_time() - began)
        box = following


@pytest.mark.parametrize(
    ("name", "linear"), [(name, linear) for name in LOADS for linear in (False, True) if name != "conv-tune" or not linear]
)
def test_a_step_against_plain_training(benchmark, name, linear):
    load = LOADS[name]
    problem = load.problem if benchmark.enabled else small(load.problem)
    use_one_thread()
    plain = seconds(plain_step(problem))
    times, box = benchmark.pedantic(timed_steps, (problem, linear), rounds=1)
    assert len(times) == problem.steps
    if benchmark.enabled and not linear:
        assert box.width() <= load.ibp_width * (1.0 + WIDTH_ROOM)
    reference = (load.crown_width, load.crown_ratio) if linear else (load.ibp_width, load.ibp_ratio)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {
        "step_ms": 1e3 * median(times),
        "torch_ms": 1e3 * plain,
        "ratio": median(times) / plain,
        "width": box.width(),
        "peak_MiB": memory,
    }
    benchmark.extra_info.update(found)
    print(
        f"\n{benchmark.name}: " + ", ".join(f"{key} = {value:.6g}" for key, value in found.items()), "reference (width, ratio):", reference
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
        load, network=network, dataset=data, perturbation=Bounded(10, eps=0.01), training=replace(load.training, batch_size=None)
    )
    times, _ = benchmark.pedantic(timed_steps, (problem, False), rounds=1)
    print(f"\n{benchmark.name}: {1e9 * times[0] / (samples * network.size):.3g} ns per sample and parameter")
