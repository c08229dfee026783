"""Every perturbation model with every loss, training feature and kind of layer: S1, S3 and the
fixed-input oracle, cell by cell."""

from itertools import combinations, product

import numpy as np
import pytest

import agtopt
from agtopt import AFFINE, CROWN, IBP
from agtopt.compiler import compile
from agtopt.solvers import choose, highs, open_session, scip
from agtopt.training.concrete import state_trajectory
from tests.instances import corrupted
from tests.matrix import ALL_KINDS, CELLS, CURVED, VALUES, cell_problem, zeroed
from tests.reference import torch_states

EXACT = 1e-9
every_cell = pytest.mark.parametrize(
    "cell",
    [
        pytest.param(cell, marks=[pytest.mark.slow] * bool(place % 5), id=str(cell))
        for place, cell in enumerate(CELLS)
    ],
)
"""All of them take minutes together; a fifth is enough to see what breaks everything."""


def kinds_of(cell):
    """MINLP is MIQCP where no function is relaxed."""
    return [kind for kind in ALL_KINDS if not kind.functions or cell.loss in CURVED]


def test_every_pair_of_values_of_any_two_dimensions_occurs():
    for first, second in combinations(range(len(VALUES)), 2):
        pairs = {(cell[first], cell[second]) for cell in CELLS}
        assert pairs == set(product(VALUES[first], VALUES[second])), (
            VALUES._fields[first],
            VALUES._fields[second],
        )


def test_the_matrix_has_what_its_names_say():
    """Momentum, clipping, incomplete batches and so on are really there, and really matter."""
    problems = [cell_problem(cell) for cell in CELLS]
    assert {len(problem.dataset) for problem in problems} == {5}
    for cell, problem in zip(CELLS, problems, strict=True):
        sizes = {len(batch) for batch in problem.schedule}
        assert (len(sizes) > 1) == (cell.training in ("shuffled", "batches"))
        assert (problem.training.clip is not None) == (cell.training in ("clip", "heavy"))
        assert (len(problem.trained) < len(problem.network.initial)) == (cell.training == "frozen")
        assert (problem.state_size > problem.network.size) == (problem.training.momentum > 0)
        rates = problem.learning_rates
        assert (rates[-1] == problem.training.floor) == (cell.training == "floor")
        wanted = (
            min(cell.n, min(sizes) - 1)
            if cell.adversary == "removal"
            else cell.n + (cell.adversary == "separate")
        )
        assert problem.perturbation.budget == wanted
        if problem.training.clip is not None:
            free = agtopt.Problem(
                problem.network,
                problem.dataset,
                agtopt.Bounded(0),
                agtopt.Training(problem.training.loss, epochs=problem.training.epochs),
            )
            assert np.any(
                state_trajectory(free)[1, : free.network.size]
                != state_trajectory(problem)[1, : free.network.size]
            )


@every_cell
def test_training_is_torch_sgd_on_every_admissible_dataset(cell):
    """Parameters and velocities, by autograd and `torch.optim.SGD`."""
    problem = cell_problem(cell)
    for dataset in (None, *corrupted(problem, 3)):
        np.testing.assert_allclose(
            state_trajectory(problem, dataset),
            torch_states(problem, dataset),
            rtol=EXACT,
            atol=EXACT,
        )


@every_cell
def test_an_adversary_who_may_do_nothing_leaves_torch_sgd(cell):
    """In intervals to rounding, and in every kind: everything is a constant then, also behind a
    corridor."""
    problem = zeroed(cell_problem(cell))
    expected = torch_states(problem)
    for kind in (IBP, CROWN, AFFINE):
        for box, state in zip(agtopt.bound(problem, kind).states, expected, strict=True):
            assert box.contains(state)
            assert np.max(box.upper - box.lower) < EXACT
    for kind in kinds_of(cell):
        model = compile(problem, kind, conditional=cell.conditional)
        assert model.replay_error() <= EXACT
        np.testing.assert_allclose(
            model.theta, expected[-1, : problem.network.size], rtol=0, atol=EXACT
        )
        found = agtopt.bound(problem, kind, conditional=cell.conditional).domain
        assert found.contains(expected[-1, : problem.network.size])
        assert np.max(found.upper - found.lower) < EXACT


@every_cell
def test_no_admissible_run_leaves_the_intervals(cell):
    """S1, S3: at no step, in no entry of the state, without any tolerance; our run and torch's."""
    problem = cell_problem(cell, eps=0.1)
    reach = agtopt.bound(problem, AFFINE)
    crown, affine, ibp = (
        agtopt.bound(problem, CROWN).states,
        reach.states,
        agtopt.bound(problem, IBP).states,
    )
    for box, *others in zip(ibp, crown, affine, strict=True):
        for tight in others:
            assert np.all(tight.lower >= box.lower - EXACT)
            assert np.all(tight.upper <= box.upper + EXACT)
    for dataset in (problem.dataset, *corrupted(problem, 10)):
        for run in (state_trajectory, torch_states):
            for t, state in enumerate(run(problem, dataset)):
                assert ibp[t].contains(state), (t, run.__name__)
                assert crown[t].contains(state), (t, run.__name__)
                assert affine[t].contains(state), (t, run.__name__)
                assert_supported(reach.affines[t], state)


def assert_supported(domain, state):
    """No direction towards a state, and no random one, reaches farther than the form alone."""
    if domain is None:
        return
    way = state - domain.nominal
    rows = np.vstack([way, np.random.default_rng(0).normal(size=(3, len(way)))])
    low, high = domain.deviation(rows)
    room = 1e-14 * (1.0 + np.abs(rows) @ np.abs(state))
    assert np.all(rows @ way >= low - room)
    assert np.all(rows @ way <= high + room)


@every_cell
def test_admissible_data_satisfies_every_row_of_every_kind(cell):
    problem = cell_problem(cell)
    for kind in kinds_of(cell):
        model = compile(problem, kind, conditional=cell.conditional)
        for dataset in (None, *corrupted(problem, 4)):
            assert model.replay_error(dataset) <= EXACT, kind


@every_cell
def test_admissible_data_satisfies_a_window_that_starts_in_a_box(cell):
    """Parameters, and with momentum velocities, that are variables at the start; with another
    number of segments."""
    problem = cell_problem(cell)
    start = agtopt.bound(problem, IBP).states[1]
    kinds = kinds_of(cell)
    kind = kinds[CELLS.index(cell) % len(kinds)].with_segments(1 + CELLS.index(cell) % 5)
    model = compile(problem, kind, 1, domain=start, conditional=cell.conditional)
    for dataset in (None, *corrupted(problem, 4)):
        assert model.replay_error(dataset) <= EXACT, kind


SOLVED = [cell for cell in CELLS if cell.layers in ("linear", "unbiased", "rectified", "leaky")]


@pytest.mark.slow
@pytest.mark.parametrize("cell", SOLVED, ids=str)
def test_exact_kinds_return_torch_sgd_when_the_data_is_fixed(cell, monkeypatch):
    """The solver's least and greatest value of a parameter are the one of the run: no row leaves
    room."""
    monkeypatch.setitem(scip.COMMON, "limits/gap", 0.0)
    monkeypatch.setitem(highs.OPTIONS, "mip_rel_gap", 0.0)
    problem = cell_problem(cell)
    model = compile(problem, agtopt.MINLP, conditional=cell.conditional)
    # At a corner of the boxes, where every bound is attained, and within.
    for dataset in corrupted(problem, 2, seed=3):
        model.fix(dataset)
        expected, session = torch_states(problem, dataset)[-1], None
        for k in range(0, problem.network.size, 3):
            for sign in (1.0, -1.0):
                model.minimise(sign * np.eye(problem.network.size)[k])
                session = session or open_session(choose("scip", True, True), model.pyomo)
                result = session.solve(20.0)
                assert result.status == "optimal"
                assert sign * result.bound == pytest.approx(expected[k], abs=1e-6)
