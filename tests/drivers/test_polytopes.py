"""Polytope domains through the driver: support values are sound, start the next window and nest."""

from dataclasses import replace

import numpy as np
import pytest

import agtopt
from agtopt import InvalidInputError, Polytope, Run, Settings, Training
from agtopt.domains import contains, hull
from tests.instances import corrupted, random_problem, torch_sgd
from tests.matrix import Cell, cell_problem

CELLS = [
    Cell("labels", "hinge", "plain", "linear", 2, True),
    Cell("both", "squared", "momentum", "linear", 1, True),
    Cell("box", "squared", "plain", "rectified", 1, True),
    Cell("removal", "squared", "plain", "linear", 1, False),
]


def runs(problem, many=20):
    return [torch_sgd(problem, dataset) for dataset in corrupted(problem, many)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["LP", "MILP"])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_polytopes_hold_every_run_and_nest(cell, kind):
    """With a template the box is never wider, and every direction is as tight as the box says or
    tighter."""
    problem = cell_problem(cell, samples=4)
    template = Polytope.octagon(problem.network.size, [(0, 1), (1, 2)])
    box = agtopt.bound(problem, kind, 1)
    reach = agtopt.bound(problem, kind, 1, domain=template)
    assert isinstance(reach.domain, Polytope)
    assert [polytope is None for polytope in reach.polytopes] == [True, *[False] * problem.steps]
    trained = runs(problem)
    for t, polytope in enumerate(reach.polytopes):
        for thetas in trained:
            assert reach.steps[t].contains(thetas[t], 1e-7)
            assert polytope is None or polytope.contains(thetas[t], 1e-7)
        assert contains(box.steps[t], reach.steps[t], 1e-5)


def test_a_window_that_starts_from_a_polytope_is_tighter():
    """θ₁ lies on a segment, as only one label moves: its box forgets that, directions across it do
    not."""
    problem = replace(
        random_problem(3, 1, "squared", "labels", samples=4, n=1, vulnerable=[0]),
        training=Training("squared", batches=[[0, 1], [2, 3]], learning_rate=0.4),
    )
    template = Polytope.octagon(problem.network.size)
    plain = agtopt.bound(problem, "LP", 1, conditional=False)
    tight = agtopt.bound(problem, "LP", 1, conditional=False, domain=template)
    assert tight.steps[-1].width() < 0.99 * plain.steps[-1].width()
    for thetas in runs(problem, 50):
        assert tight.domain.contains(thetas[-1], 1e-7)


def test_support_values_of_a_full_horizon_are_the_enumerated_ones():
    problem = random_problem(4, 1, "hinge", "flips", samples=6, steps=2, n=2, vulnerable=range(6))
    inner = agtopt.attack(problem)
    assert inner.exact
    template = Polytope.octagon(problem.network.size)
    reach = agtopt.bound(problem, "MILP", domain=template)
    along = inner.along(template.directions)
    np.testing.assert_allclose(reach.domain.lower, along.lower[-1], rtol=0, atol=1e-4)
    np.testing.assert_allclose(reach.domain.upper, along.upper[-1], rtol=0, atol=1e-4)
    assert np.all(reach.domain.lower <= along.lower[-1] + 1e-9)
    assert np.all(reach.domain.upper >= along.upper[-1] - 1e-9)
    table = reach.table()
    rows = table[table.objective.str.startswith("direction")]
    assert len(rows) == 2 * len(template.directions)
    np.testing.assert_allclose(rows[rows.sense == "max"].attained, along.upper[-1])


def test_along_finds_the_runs_that_attain():
    problem = random_problem(2, 1, "squared", "both", samples=4, steps=2)
    inner = agtopt.attack(problem)
    directions = np.random.default_rng(0).normal(size=(3, problem.network.size))
    along = inner.along(directions)
    for k, direction in enumerate(directions):
        for sense in (-1, 1):
            for t in range(problem.steps + 1):
                theta = torch_sgd(problem, inner.dataset(along.run(k, sense, t)))[t]
                assert theta @ direction == pytest.approx(along.value(k, sense, t), abs=1e-9)
    np.testing.assert_allclose(along.upper[-1], (inner.theta @ directions.T).max(axis=0))
    with pytest.raises(InvalidInputError, match="directions"):
        inner.along(np.eye(2 + problem.network.size))


@pytest.mark.parametrize("options", [{"window": 1}, {"window": 2, "stride": 1}])
def test_a_run_with_a_template_is_saved_and_resumed(options, tmp_path):
    problem = random_problem(3, 1, "hinge", "both", samples=5, steps=3, n=2)
    settings = Settings("LP", domain=Polytope.octagon(problem.network.size), **options)
    whole = agtopt.bound(problem, "LP", domain=settings.domain, **options)
    run = Run.begin(problem, settings)
    while not run.finished:
        run.step()
        run = Run.resume(problem, run.save(tmp_path / "run.npz"))
    found = run.finish()
    for one, other in zip(whole.polytopes, found.polytopes, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            np.testing.assert_array_equal(one.lower, other.lower)
            np.testing.assert_array_equal(one.upper, other.upper)


def test_a_polytope_starts_a_model_of_ones_own():
    """`compile` takes one as the domain of the state; without a box its interval hull stands in."""
    problem = random_problem(3, 1, "squared", "features", samples=4, steps=2)
    reach = agtopt.bound(problem, "LP", 1, domain=Polytope.octagon(problem.network.size))
    polytope = reach.polytopes[1]
    boxed = agtopt.compile(problem, "LP", 1, 2, reach.steps[1])
    model = agtopt.compile(problem, "LP", 1, 2, polytope)
    assert model.size.linear > boxed.size.linear
    free = Polytope(
        np.concatenate([polytope.directions, np.eye(len(polytope))]),
        np.append(polytope.lower, polytope.box.lower),
        np.append(polytope.upper, polytope.box.upper),
    )
    unboxed = agtopt.compile(problem, "LP", 1, 2, free)
    assert unboxed.steps[0].contains(np.stack([polytope.box.lower, polytope.box.upper]), 1e-6)
    for dataset in corrupted(problem, 10):
        assert model.replay_error(dataset) < 1e-9
        assert unboxed.replay_error(dataset) < 1e-9


@pytest.mark.parametrize(
    "template",
    [
        Polytope(np.eye(2)),
        Polytope(np.eye(3), 0.0, 1.0),
        Polytope(np.eye(3), box=agtopt.Interval.point([0, 0, 0])),
        3,
    ],
)
def test_templates_that_do_not_fit_are_refused(template):
    problem = random_problem(4, 1, "hinge", "flips", samples=6, steps=2)
    assert problem.network.size == 3
    with pytest.raises(InvalidInputError, match="domain"):
        agtopt.bound(problem, "LP", domain=template)


def test_the_hull_of_two_results_holds_both():
    problem = random_problem(3, 1, "squared", "both", samples=4, steps=2)
    template = Polytope.octagon(problem.network.size)
    one, other = (agtopt.bound(problem, "LP", w, domain=template).domain for w in (1, 2))
    for thetas in runs(problem):
        assert hull(one, other).contains(thetas[-1], 1e-7)
