"""Speed as ratios within one run: ``pytest tests/benchmarks --benchmark-enable -s -n 0`` prints
them; nothing here asserts a time."""

import gc
from pathlib import Path
from statistics import median
from time import perf_counter

import highspy
import numpy as np
import pytest
import torch

import agtopt
from agtopt.intervals.propagation import interval_steps
from agtopt.solvers import choose, open_session
from agtopt.solvers.highs import Arrays


@pytest.fixture(scope="module")
def moons():
    return agtopt.load(Path(__file__).parents[2] / "models" / "half-moons")


@pytest.fixture(autouse=True, scope="module")
def only_own_garbage():
    """What other tests left behind is not collected again at every round."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def seconds(action, rounds=5):
    """Median seconds of an action, with the garbage of the round before it collected."""
    times = []
    for _ in range(rounds):
        gc.collect()
        began = perf_counter()
        action()
        times.append(perf_counter() - began)
    return median(times)


def report(benchmark, **ratios):
    benchmark.extra_info.update(ratios)
    print(
        f"\n{benchmark.name}: "
        + ", ".join(f"{name} = {value:.3g}" for name, value in ratios.items())
    )


@pytest.mark.parametrize("conditional", [False, True])
def test_compile_against_raw_highspy(benchmark, moons, conditional):
    """Compiling half-moons at full horizon, against handing the same arrays to highspy."""
    model = agtopt.compile(moons, "MILP", conditional=conditional)
    arrays = Arrays.of(model.pyomo)

    def receive():
        solver = highspy.Highs()
        solver.setOptionValue("output_flag", False)
        return solver.passModel(arrays.highs_lp())

    assert receive() == highspy.HighsStatus.kOk
    raw = seconds(receive, rounds=20)
    benchmark.pedantic(
        lambda: agtopt.compile(moons, "MILP", conditional=conditional),
        setup=lambda: (gc.collect(), None)[1],
        rounds=5,
        warmup_rounds=1,
    )
    ours = seconds(lambda: agtopt.compile(moons, "MILP", conditional=conditional))
    report(
        benchmark,
        compile_ms=1e3 * ours,
        raw_ms=1e3 * raw,
        ratio=ours / raw,
        nonzeros=arrays.matrix.nnz,
    )


def test_interval_propagation_against_torch_training(benchmark, moons):
    """A whole IBP run, against plain torch training of the same model on the same batches."""

    def train():
        layer = torch.nn.Linear(9, 1, dtype=torch.float64)
        optimiser = torch.optim.SGD(layer.parameters(), lr=5.0)
        x, y = (
            torch.from_numpy(np.array(moons.dataset.features)),
            torch.from_numpy(np.array(moons.dataset.labels)),
        )
        for batch in map(torch.from_numpy, moons.schedule):
            optimiser.zero_grad()
            (1 - y[batch] * layer(x[batch])[:, 0]).clamp(min=0).mean().backward()
            optimiser.step()

    plain = seconds(train)
    assert len(benchmark(lambda: list(interval_steps(moons)))) == moons.steps
    ours = seconds(lambda: list(interval_steps(moons)))
    report(benchmark, ibp_ms=1e3 * ours, torch_ms=1e3 * plain, ratio=ours / plain)


def test_many_objectives_through_one_session(benchmark, moons):
    """Ten LP objectives of a five-step window through one session, against ten fresh compilations
    and sessions."""
    model = agtopt.compile(moons, "LP", stop=5, conditional=False)
    directions = np.eye(moons.network.size)

    def fresh(direction):
        own = agtopt.compile(moons, "LP", stop=5, conditional=False)
        own.minimise(direction)
        return open_session(choose("highs", False), own.pyomo).solve().bound

    model.minimise(directions[0])
    session = open_session(choose("highs", False), model.pyomo)

    def again(direction):
        model.minimise(direction)
        return session.solve().bound

    np.testing.assert_allclose(
        [again(d) for d in directions], [fresh(d) for d in directions], rtol=1e-6, atol=1e-6
    )
    benchmark(lambda: [again(d) for d in directions])
    one, many = (
        seconds(lambda: [again(d) for d in directions]),
        seconds(lambda: [fresh(d) for d in directions], rounds=3),
    )
    report(benchmark, one_session_ms=1e3 * one, fresh_ms=1e3 * many, ratio=one / many)
