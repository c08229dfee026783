"""The fixed-input oracle: with every choice of the adversary fixed, each model is plain SGD."""

from itertools import product

import numpy as np
import pytest

import agtopt
from agtopt import Bounded, Dataset, Dense, Network, Problem, Training
from agtopt.compiler import compile
from agtopt.solvers import choose, highs, open_session, scip
from tests.instances import COMBINATIONS, KINDS, corrupted, random_problem, torch_sgd

SEEDS = range(4)
"""One and two outputs; every adversary, loss, training and layer meets the same oracle in
`test_matrix`."""


@pytest.fixture(autouse=True)
def no_gap(monkeypatch):
    """The solvers' relative gap costs width on purpose; here equality is meant."""
    monkeypatch.setitem(scip.COMMON, "limits/gap", 0.0)
    monkeypatch.setitem(highs.OPTIONS, "mip_rel_gap", 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("conditional", [True, False], ids=["cuts", "plain"])
@pytest.mark.parametrize(("depth", "loss", "reach"), COMBINATIONS)
def test_replay_of_admissible_data_satisfies_every_row(depth, loss, reach, conditional):
    # Cuts come on top of the plain rows, so those need fewer problems of their own.
    for seed in SEEDS if conditional else SEEDS[:2]:
        problem = random_problem(seed, depth, loss, reach)
        for kind in KINDS:
            model = compile(problem, kind, conditional=conditional)
            for dataset in (None, *corrupted(problem, 3, seed)):
                assert model.replay_error(dataset) <= 1e-9, (seed, kind)


def solved(model, solver=None):
    """Smallest and largest value of every parameter, as the solver's bounds say."""
    binaries = model.kind.binaries
    session = None
    ends = []
    for direction in np.vstack(
        [np.eye(model.problem.network.size), -np.eye(model.problem.network.size)]
    ):
        model.minimise(direction)
        session = session or open_session(choose(solver, model.quadratic, binaries), model.pyomo)
        result = session.solve(20.0)
        assert result.status == "optimal"
        ends.append(result.bound)
    half = len(ends) // 2
    return np.array(ends[:half]), -np.array(ends[half:])


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "loss", "reach"), COMBINATIONS)
def test_exact_kind_returns_torch_sgd_when_the_data_is_fixed(depth, loss, reach):
    for seed in SEEDS:
        problem = random_problem(seed, depth, loss, reach, samples=4, steps=2)
        (dataset,) = corrupted(problem, 1, seed)
        model = compile(problem, agtopt.MIQCP)
        model.fix(dataset)
        low, high = solved(model)
        expected = torch_sgd(problem, dataset)[-1]
        np.testing.assert_allclose(low, expected, rtol=0, atol=1e-7, err_msg=f"seed {seed}")
        np.testing.assert_allclose(high, expected, rtol=0, atol=1e-7, err_msg=f"seed {seed}")


@pytest.mark.parametrize(("loss", "reach"), [("hinge", "flips"), ("squared", "labels")])
def test_milp_without_products_returns_torch_sgd_when_the_data_is_fixed(loss, reach):
    for seed in SEEDS:
        problem = random_problem(seed, 1, loss, reach)
        (dataset,) = corrupted(problem, 1, seed)
        model = compile(problem, agtopt.MILP)
        model.fix(dataset)
        expected = torch_sgd(problem, dataset)[-1]
        for ends in solved(model, "highs"):
            np.testing.assert_allclose(ends, expected, rtol=0, atol=1e-7, err_msg=f"seed {seed}")


@pytest.mark.parametrize("conditional", [True, False], ids=["cuts", "plain"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_features_and_label_of_one_sample_may_move_further_than_the_sum_of_both(kind, conditional):
    """∂L/∂w = 2 (w x + b − y) x: a larger x makes a change of y count for more, and the cuts of
    separate budgets must let it."""
    network = Network.chain([Dense(1, 1)], (1,), [[[0.5]], [0.1]])
    data = Dataset([[1.0], [-0.5]], [0.3, 0.2])
    model = Bounded(n_features=1, n_labels=1, eps=0.5, nu=0.5, vulnerable=[0])
    problem = Problem(network, data, model, Training("squared", epochs=2, learning_rate=0.2))
    compiled = compile(problem, kind, conditional=conditional)
    for dx, dy in product((-0.5, 0.0, 0.5), repeat=2):
        assert compiled.replay_error(Dataset([[1.0 + dx], [-0.5]], [0.3 + dy, 0.2])) <= 1e-9, (
            dx,
            dy,
        )


def test_fix_refuses_data_beyond_the_budget_and_unfix_frees_it(flips):
    model = compile(flips, agtopt.MILP)
    labels = -flips.dataset.labels
    with pytest.raises(agtopt.InvalidInputError, match="dataset"):
        model.fix(agtopt.Dataset(flips.dataset.features, labels))
    model.fix(flips.dataset)
    assert all(v.fixed for v in model.pyomo.data.selector.values())
    model.unfix()
    assert not any(v.fixed for v in model.pyomo.data.selector.values())
