"""Sizes, windows, freshness and errors of compiled models."""

import numpy as np
import pyomo.environ as pyo
import pytest

import agtopt
from agtopt import Interval, InvalidInputError, KnownBounds, UnsupportedError
from agtopt.compiler import compile, predicted_size
from agtopt.training.concrete import trajectory
from tests.instances import COMBINATIONS, KINDS, corrupted, random_problem
from tests.matrix import ALL_KINDS, CELLS, CURVED, Cell, cell_problem

SIZES = ("binaries", "continuous", "linear", "quadratic")


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize(("depth", "loss", "reach"), COMBINATIONS)
def test_predicted_size_is_reached_where_nothing_is_decided(monkeypatch, depth, loss, reach, kind):
    """Table 1: from a wide box no bound decides an indicator, so the formula is exact; elsewhere it
    is a limit."""
    monkeypatch.setattr("agtopt.symbolic.linear.LARGEST_BIG_M", np.inf)
    for seed in range(4):
        problem = random_problem(seed, depth, loss, reach, steps=3, samples=6)
        size = problem.network.size
        wide = Interval(np.full(size, -50.0), np.full(size, 50.0))
        free = compile(problem, kind, 1, domain=wide, conditional=False).size
        assert free == predicted_size(problem, kind, 1), seed
        tight, limit = compile(problem, kind, conditional=False).size, predicted_size(problem, kind)
        assert all(getattr(tight, name) <= getattr(limit, name) for name in SIZES), (
            seed,
            tight,
            limit,
        )


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_predicted_size_of_the_matrix(monkeypatch, cell):
    """Likewise for every perturbation model, loss, training feature and layer; clipping and frozen
    layers decide some entries anyway."""
    monkeypatch.setattr("agtopt.symbolic.linear.LARGEST_BIG_M", np.inf)
    monkeypatch.setattr("agtopt.symbolic.operations.LARGEST_EXPONENT", np.inf)
    problem = cell_problem(cell)
    moves = [
        name in problem.trained or name not in problem.network.initial for name in problem.state
    ]
    moving = problem.flatten(
        {
            name: np.full(value.shape, float(m))
            for (name, value), m in zip(problem.state.items(), moves, strict=True)
        }
    )
    begin = problem.flatten(problem.state)
    wide = Interval(begin - 50.0 * moving, begin + 50.0 * moving)
    for shift in range(2):
        kind = ALL_KINDS[(CELLS.index(cell) + 2 * shift) % len(ALL_KINDS)].with_segments(
            1 + shift * 3
        )
        free, predicted = (
            compile(problem, kind, 1, domain=wide, conditional=False).size,
            predicted_size(problem, kind, 1),
        )
        if cell.training not in ("clip", "heavy", "frozen"):
            assert free == predicted, kind
        tight, limit = compile(problem, kind, conditional=False).size, predicted_size(problem, kind)
        for found, most in ((free, predicted), (tight, limit)):
            assert all(getattr(found, name) <= getattr(most, name) for name in SIZES), (
                kind,
                found,
                most,
            )


def test_only_minlp_keeps_functions_and_only_of_the_curved_losses():
    for loss in ("squared", "hinge", "multi-hinge", *CURVED):
        problem = cell_problem(Cell("labels", loss, "plain", "rectified", 1, True))
        degrees = {}
        for kind in ALL_KINDS:
            rows = compile(problem, kind).pyomo.component_data_objects(pyo.Constraint, active=True)
            degrees[kind] = {row.body.polynomial_degree() for row in rows}
        assert (None in degrees[agtopt.MINLP]) == (loss in CURVED)
        assert all(None not in degrees[kind] for kind in KINDS)
        assert degrees[agtopt.LP] | degrees[agtopt.MILP] <= {0, 1}


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_kinds_hold_what_their_names_say(kind):
    problem = random_problem(3, 2, "hinge", "both", samples=5, steps=2)
    model = compile(problem, kind)
    assert (model.size.binaries > 0) == kind.binaries
    assert (model.size.quadratic > 0) == kind.bilinear == model.quadratic


def test_a_linear_model_under_flips_has_no_product():
    """Without continuous products, MILP = MIQCP there, in form too."""
    problem = random_problem(2, 1, "hinge", "flips", samples=6, steps=3)
    assert compile(problem, "MIQCP").size == compile(problem, "MILP").size
    assert not compile(problem, "MIQCP").quadratic


def test_every_compile_is_a_fresh_model(flips):
    first, second = compile(flips, "MILP"), compile(flips, "MILP")
    assert first.pyomo is not second.pyomo
    first.fix(flips.dataset)
    assert not any(v.fixed for v in second.pyomo.data.selector.values())


@pytest.mark.parametrize("start", [0, 1])
def test_a_window_holds_the_runs_that_start_in_its_domain(start):
    problem = random_problem(2, 2, "squared", "both", samples=6, steps=3)
    steps = agtopt.bound(problem, "IBP").steps
    for kind in KINDS:
        model = compile(problem, kind, start, start + 1, steps[start])
        assert (model.start, model.stop, len(model.steps)) == (start, start + 1, 2)
        for dataset in corrupted(problem, 5):
            assert model.replay_error(dataset) <= 1e-9
            np.testing.assert_allclose(
                model.theta, trajectory(problem, dataset)[start + 1], atol=1e-9
            )
            assert model.steps[-1].contains(trajectory(problem, dataset)[start + 1])


def test_known_bounds_enter_the_model_and_grow_with_it(flips):
    known = KnownBounds()
    for name, value in flips.network.unflatten(trajectory(flips)[1]).items():
        known.shrink((1, name), value - 1e-3, value + 1e-3)
    plain = compile(flips, "LP", conditional=False)
    tight = compile(flips, "LP", known=known, conditional=False)
    assert tight.steps[1].width() < plain.steps[1].width()
    assert (2, "dense1_weight") in set(known)


def test_a_wrong_bound_is_seen_by_the_replay(flips):
    """The oracle can fail: a known bound that cuts off the nominal run."""
    theta = flips.network.unflatten(trajectory(flips)[1])
    known = KnownBounds()
    for name, value in theta.items():
        known.shrink((1, name), value + 1e-3, value + 1.0)
    try:
        model = compile(flips, "LP", known=known, conditional=False)
    except agtopt.SoundnessError:
        return
    assert model.replay_error() > 1e-4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("IBP",), "kind: IBP has no model"),
        (("FOO",), "kind: 'FOO'"),
        (("LP", 2, 1), "window"),
        (("LP", 0, 99), "window"),
        (("LP", -1, 1), "window"),
        (("LP", 1, 2), "domain: a window that starts at step 1"),
        (("LP", 1, 2, Interval([0.0], [1.0])), "domain|theta"),
    ],
)
def test_compile_errors(flips, arguments, words):
    with pytest.raises(InvalidInputError, match=words):
        compile(flips, *arguments)


def test_an_unbounded_interval_has_no_big_m(flips):
    size = flips.network.size
    with pytest.raises(UnsupportedError, match="too wide"):
        compile(flips, "LP", 1, 2, Interval(np.full(size, -np.inf), np.full(size, np.inf)))


def test_a_direction_must_fit(flips):
    with pytest.raises(InvalidInputError, match="direction"):
        compile(flips, "LP").minimise([1.0])
