"""Selector branching: the parts cover, the hull is sound, and small parts are exact without a
solver."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

import agtopt
from agtopt import Bounded, InvalidInputError, Polytope, Removal, Settings
from agtopt.drivers import parts, processes
from agtopt.drivers.parts import _parts
from tests.instances import corrupted, random_problem, torch_sgd
from tests.matrix import Cell, cell_problem


@pytest.mark.parametrize("groups", [None, 1, 2, 3, [[0, 3], [1], [2, 4]]])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_every_set_of_touched_samples_lies_in_a_part(n, groups):
    problem = random_problem(3, 1, "hinge", "flips", samples=5, steps=2, n=n, vulnerable=range(5))
    found = [set(part) for part in _parts(problem, groups)]
    for k in range(n + 1):
        for chosen in combinations(range(5), k):
            assert any(set(chosen) <= part for part in found)


@pytest.mark.parametrize(
    "model", [Bounded(1, nu=1, q=0), Removal(1), Bounded(2, nu=1, q=0), Removal(2)]
)
@pytest.mark.parametrize("groups", [None, 3])
def test_flips_and_removals_of_linear_models_are_exact_without_a_solver(model, groups):
    flips = random_problem(5, 1, "hinge", "flips", samples=7, steps=2)
    training = agtopt.Training(
        "hinge", batches=[[0, 1, 2, 3], [4, 5, 6], [0, 2, 4, 6]], learning_rate=0.5
    )
    problem = replace(flips, perturbation=model, training=training)
    hull = agtopt.attack(problem)
    assert hull.exact
    reach = agtopt.bound_parts(problem, "IBP", groups)
    assert not reach.rows
    for t, box in enumerate(reach.steps):
        assert box.contains(np.stack([hull.lower[t], hull.upper[t]]))
        np.testing.assert_allclose(box.lower, hull.lower[t], rtol=0, atol=1e-5)
        np.testing.assert_allclose(box.upper, hull.upper[t], rtol=0, atol=1e-5)
    assert agtopt.bound(problem, "IBP").domain.width() > hull.domain.width() + 1e-3


CELLS = [
    Cell("both", "squared", "plain", "linear", 1, True),
    Cell("removal", "hinge", "plain", "linear", 2, True),
    Cell("separate", "squared", "plain", "linear", 1, False),
]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["CROWN", "LP", Settings("MILP", window=1)])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_hull_of_the_parts_holds_every_run_and_is_never_wider(cell, method):
    problem = cell_problem(cell, samples=4)
    whole = agtopt.bound(problem, "CROWN")
    reach = agtopt.bound_parts(problem, method, 2)
    for dataset in corrupted(problem, 20):
        for box, theta in zip(reach.steps, torch_sgd(problem, dataset), strict=True):
            assert box.contains(theta, 1e-7)
    for box, around in zip(reach.steps, whole.steps, strict=True):
        assert np.all(box.lower >= around.lower - 1e-9)
        assert np.all(box.upper <= around.upper + 1e-9)


def test_rows_are_those_of_the_part_that_decides():
    problem = random_problem(3, 2, "squared", "both", samples=4, steps=2, n=1)
    reach = agtopt.bound_parts(problem, "LP", 2)
    inner = agtopt.attack(problem).domain
    table = reach.table()
    final = table[table.stop == 2]
    assert len(final) == 2 * problem.network.size
    for k, name in enumerate(problem.network.parameter_names):
        low, high = (
            final[(final.objective == name) & (final.sense == sense)].iloc[0]
            for sense in ("min", "max")
        )
        assert reach.domain.lower[k] >= low.bound - 1e-12
        assert reach.domain.upper[k] <= high.bound + 1e-12
        assert low.attained <= inner.lower[k] + 1e-6
        assert high.attained >= inner.upper[k] - 1e-6
        assert low.rigour == high.rigour == "proved"


def test_polytopes_of_the_parts_have_a_hull():
    problem = random_problem(3, 1, "squared", "both", samples=4, steps=2, n=1)
    template = Polytope.octagon(problem.network.size)
    reach = agtopt.bound_parts(problem, Settings("LP", domain=template), 2)
    assert isinstance(reach.domain, Polytope)
    for dataset in corrupted(problem, 20):
        assert reach.domain.contains(torch_sgd(problem, dataset)[-1], 1e-7)


def test_any_executor_finds_the_same():
    problem = random_problem(3, 1, "hinge", "flips", samples=4, steps=2, n=2)
    alone = agtopt.bound_parts(problem, Settings("MILP", conditional=False), 3)
    with processes(2) as pool:
        together = agtopt.bound_parts(
            problem, Settings("MILP", conditional=False), 3, executor=pool
        )
    np.testing.assert_array_equal(alone.domain.lower, together.domain.lower)
    np.testing.assert_array_equal(alone.domain.upper, together.domain.upper)


def test_ctrl_c_keeps_what_is_certified(monkeypatch):
    problem = random_problem(3, 1, "squared", "both", samples=4, steps=2, n=1)
    bounded, calls = parts._bounded, []

    def once(part):
        calls.append(part)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return bounded(part)

    monkeypatch.setattr(parts, "_bounded", once)
    reach = agtopt.bound_parts(problem, "LP", 3)
    assert reach.interrupted
    for dataset in corrupted(problem, 20):
        assert reach.domain.contains(torch_sgd(problem, dataset)[-1], 1e-7)


@pytest.mark.parametrize("groups", [0, 1.5, [[0, 1], [1, 2, 3]], [[0]], [[0, 1, 2, 3, 9]]])
def test_groups_that_do_not_fit_are_refused(groups):
    problem = random_problem(3, 1, "hinge", "flips", samples=4, steps=2, vulnerable=range(4))
    with pytest.raises(InvalidInputError, match="groups"):
        agtopt.bound_parts(problem, "IBP", groups)


def test_too_many_parts_are_refused(half_moons):
    problem = replace(half_moons, perturbation=Bounded(3, nu=1, q=0))
    with pytest.raises(InvalidInputError, match="fewer groups"):
        agtopt.bound_parts(problem, "IBP")
