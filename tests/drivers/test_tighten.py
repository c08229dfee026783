"""OBBT: what it learns holds for every run, decides more, and costs no more than its budget."""

import numpy as np
import pytest

import agtopt
from agtopt import OBBT, InvalidInputError, Run, Settings, SoundnessError
from agtopt.attacks import attained_quantities
from agtopt.drivers.tighten import candidates
from tests.drivers.test_lying_solvers import lie, result
from tests.instances import corrupted, random_problem, torch_sgd
from tests.matrix import Cell, cell_problem

CELLS = [
    Cell("labels", "hinge", "plain", "linear", 2, True),
    Cell("both", "squared", "momentum", "rectified", 1, False),
    Cell("box", "binary-cross-entropy", "plain", "rectified", 1, True),
    Cell("removal", "hinge", "plain", "rectified", 1, False),
    Cell("substitution", "squared", "clip", "rectified", 1, True),
]


def finished(problem, **options):
    run = Run.begin(problem, Settings(**options))
    while not run.finished:
        run.step()
    return run


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_known_bounds_hold_what_training_attains_and_domains_nest(cell):
    problem = cell_problem(cell, samples=4)
    plain = agtopt.bound(problem, "LP", conditional=False)
    run = finished(problem, method="LP", conditional=False, obbt=OBBT(200, 2))
    reach = run.finish()
    inner = attained_quantities(problem, agtopt.attack(problem).datasets)
    learned = [address for address in run.found.known if str(address[1]).startswith("forward")]
    for address in learned:
        if address in inner:
            (low, high), (least, most) = run.found.known.get(address), inner[address]
            assert np.all(low <= least + 1e-7)
            assert np.all(most <= high + 1e-7)
    for dataset in corrupted(problem, 20):
        for box, theta in zip(reach.steps, torch_sgd(problem, dataset), strict=True):
            assert box.contains(theta, 1e-7)
    for box, around in zip(reach.steps, plain.steps, strict=True):
        assert np.all(box.lower >= around.lower - 1e-5)
        assert np.all(box.upper <= around.upper + 1e-5)


@pytest.mark.parametrize("kind", ["LP", "MILP"])
def test_it_tightens(kind):
    problem = random_problem(0, 2, "squared", "features", samples=5, steps=3, n=2, eps=0.3)
    plain = agtopt.bound(problem, "LP", conditional=False).domain.width()
    tight = agtopt.bound(problem, "LP", conditional=False, obbt=OBBT(40, kind=kind)).domain.width()
    assert tight < 0.98 * plain
    assert tight > agtopt.attack(problem).domain.width()


def test_candidates_are_what_is_undecided_and_not_attained():
    problem = random_problem(0, 2, "squared", "features", samples=5, steps=2, n=2, eps=0.3)
    model = agtopt.compile(problem, "LP")
    found = candidates(model, range(problem.steps), {})
    assert {c.sense for c in found} == {-1, 1}
    hidden = [c for c in found if c.objective.address[1] == "forward.dense1"]
    assert hidden
    for c in found:
        low, high = (
            end.ravel()[c.objective.entries[0]]
            for end in model.quantities[c.objective.address].ends()
        )
        assert c.known == (low if c.sense < 0 else high)
        assert low < high
        assert c.objective.address[1] != "forward.dense1" or low < 0 < high
    exact = {address: quantity.ends() for address, quantity in model.quantities.items()}
    assert not candidates(model, range(problem.steps), exact)
    assert {c.objective.address[0] for c in candidates(model, range(1, 2), {})} == {1}


def test_a_hinge_is_undecided_around_its_two_margins():
    flips = random_problem(4, 1, "hinge", "flips", samples=8, steps=3, n=2, vulnerable=range(8))
    model = agtopt.compile(flips, "LP", conditional=False)
    found = {
        (c.objective.address, int(c.objective.entries[0])) for c in candidates(model, range(3), {})
    }
    for address, quantity in model.quantities.items():
        low, high = (end.ravel() for end in quantity.ends())
        for k in range(len(low)):
            undecided = low[k] < -1 < high[k] or low[k] < 1 < high[k]
            assert ((address, k) in found) == bool(undecided and quantity.affine.varies.ravel()[k])


def test_the_budget_of_solves_is_kept():
    problem = random_problem(0, 2, "squared", "features", samples=5, steps=3, n=2, eps=0.3)
    for most in (1, 7):
        rows = finished(problem, method="LP", window=1, conditional=False, obbt=OBBT(most, 3)).rows
        for t in range(1, problem.steps + 1):
            assert sum(row.objective.startswith("forward") for row in rows if row.stop == t) <= most


def test_rounds_end_when_nothing_is_gained(monkeypatch):
    problem = random_problem(0, 2, "squared", "features", samples=5, steps=2, n=2, eps=0.3)
    counted = []
    for gain in (0.0, 2.0):
        monkeypatch.setattr("agtopt.drivers.run.GAIN", gain)
        counted.append(
            len(finished(problem, method="LP", conditional=False, obbt=OBBT(10_000, 3)).rows)
        )
    assert counted[1] < counted[0]


def test_a_run_with_tightening_is_saved_and_resumed(tmp_path):
    problem = random_problem(0, 2, "squared", "features", samples=4, steps=2, n=2, eps=0.3)
    settings = Settings("LP", window=1, conditional=False, obbt=OBBT(100))
    run = Run.begin(problem, settings)
    while not run.finished:
        run.step()
        run = Run.resume(problem, run.save(tmp_path / "run.npz"))
    whole = finished(problem, method="LP", window=1, conditional=False, obbt=OBBT(100)).finish()
    np.testing.assert_array_equal(run.finish().domain.lower, whole.domain.lower)
    np.testing.assert_array_equal(run.finish().domain.upper, whole.domain.upper)


def test_a_lie_about_a_pre_activation_is_caught(monkeypatch):
    """S9: bounds of tightening are compared with what training attains as well."""
    problem = random_problem(4, 1, "hinge", "flips", samples=8, steps=3, n=2, vulnerable=range(8))
    lie(monkeypatch, lambda r, k: result(10.0))
    with pytest.raises(SoundnessError, match=r"S9.*forward.dense1"):
        agtopt.bound(problem, "LP", conditional=False, obbt=OBBT(100))


@pytest.mark.parametrize(
    "options", [{"solves": 0}, {"rounds": 1.5}, {"kind": "MIQCP"}, {"kind": "IBP"}, {"kind": "QCP"}]
)
def test_bad_input(options):
    with pytest.raises(InvalidInputError, match="obbt"):
        OBBT(**options)


def test_values_that_fit_no_setting_are_refused():
    for options in (
        {"obbt": 3},
        {"tighten": "MIQCP"},
        {"tighten": "IBP"},
        {"rigour": "sure"},
        {"proofs": "here"},
        {"rigour": "proved", "proofs": "here", "obbt": OBBT(rounds=2)},
        {"rigour": "proved", "solver": "scip"},
    ):
        with pytest.raises(InvalidInputError):
            Settings("MILP", **options)
    with pytest.raises(agtopt.UnsupportedError, match="cannot be proved"):
        Settings("MIQCP", rigour="proved")


@pytest.mark.parametrize("tighten", [True, "LP", "MILP", False])
def test_the_kind_between_results_can_be_chosen(tighten):
    """Whatever bounds the steps within a window, every run stays inside, and only results are of
    the kind itself."""
    problem = random_problem(4, 1, "hinge", "flips", samples=8, steps=3, n=2, vulnerable=range(8))
    reach = agtopt.bound(problem, "MILP", conditional=False, tighten=tighten)
    inner = agtopt.attack(problem)
    for t, box in enumerate(reach.steps):
        assert box.contains(np.stack([inner.lower[t], inner.upper[t]]), 1e-7)
    sources = {row.source for row in reach.rows if row.stop < problem.steps}
    assert ("MILP" in sources) == (tighten in (True, "MILP"))
    assert bool(sources) == bool(tighten)
