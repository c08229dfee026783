"""Polytopes: templates, hand values, verbs, samples and every refusal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtopt import Interval, InvalidInputError, SoundnessError
from agtopt.domains import (
    Polytope,
    chebyshev,
    contains,
    hull,
    intersect,
    interval_hull,
    minima,
    minimum,
    sample,
    width,
    without_redundant,
)

UNIT = Interval([0, 0], [1, 1])
TRIANGLE = Polytope([[1, 1]], upper=1.0, box=UNIT)
DIAMOND = Polytope.octagon(2).with_support([-1, -1], [1, 1])


def supported(template, points, slack=0.0):
    """A template around points, as tight as it gets."""
    values = points @ template.directions.T
    return template.with_support(
        values.min(axis=0) - slack,
        values.max(axis=0) + slack,
        Interval(points.min(axis=0), points.max(axis=0)),
    )


# Templates


def test_an_octagon_in_two_dimensions():
    assert Polytope.octagon(2).directions.tolist() == [[1, 1], [1, -1]]
    assert Polytope.octagon(4, [(3, 1), (1, 3), (0, 2)]).directions.tolist() == [
        [0, 1, 0, 1],
        [0, 1, 0, -1],
        [1, 0, 1, 0],
        [1, 0, -1, 0],
    ]
    box = Interval([0, 0], [1, 2])
    rows = Polytope.octagon(2).directions
    filled = Polytope.octagon(2).with_support(
        minima(Polytope(rows, box=box), rows), -minima(Polytope(rows, box=box), -rows)
    )
    np.testing.assert_allclose([filled.lower, filled.upper], [[0, -2], [3, 1]], atol=1e-12)
    assert len(Polytope.octagon(100).directions) == 9900
    # x + y in [-1, 1] and x - y in [0, 1]: corners (-1/2, -1/2), (1/2, 1/2), (0, -1), (1, 0).
    found = interval_hull(Polytope(rows, [-1, 0], [1, 1]))
    np.testing.assert_allclose([found.lower, found.upper], [[-0.5, -1], [1, 0.5]], atol=1e-9)


def test_principal_axes_fit_an_elongated_cloud():
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(200, 1)) * [[3.0, -3.0, 0.0]] + 0.01 * rng.normal(size=(200, 3)) + 5.0
    template = Polytope.principal(cloud, 3)
    np.testing.assert_allclose(np.abs(template.directions[0]), [0.5**0.5, 0.5**0.5, 0], atol=0.01)
    np.testing.assert_allclose(template.directions @ template.directions.T, np.eye(3), atol=1e-12)
    assert (template.directions[np.arange(3), np.abs(template.directions).argmax(axis=1)] > 0).all()
    values = supported(template, cloud)
    assert (values.upper - values.lower)[1:].max() < 0.1
    assert values.contains(cloud)
    assert len(Polytope.principal(cloud[:2], 2).directions) == 2


def test_random_directions_are_unit_vectors_that_a_seed_repeats():
    template = Polytope.random(5, 7, seed=1)
    np.testing.assert_allclose(np.linalg.norm(template.directions, axis=1), 1)
    assert np.array_equal(template.directions, Polytope.random(5, 7, seed=1).directions)
    assert np.isinf([template.lower, template.upper]).all()


# Hand values


def test_chebyshev_by_hand():
    centre, radius = chebyshev(DIAMOND)
    np.testing.assert_allclose([*centre, radius], [0, 0, 0.5**0.5], atol=1e-7)
    centre, radius = chebyshev(TRIANGLE)
    np.testing.assert_allclose([*centre, radius], [1 - 0.5**0.5] * 3, atol=1e-7)
    assert chebyshev(Polytope([[1, 1]], 1, 1, UNIT))[1] == pytest.approx(0, abs=1e-9)
    tiny = Polytope([[1, 1]], upper=1e-9, box=Interval([0, 0], [1e-9, 1e-9]))
    assert chebyshev(tiny)[1] == pytest.approx(1e-9 * (1 - 0.5**0.5), rel=1e-3)
    with pytest.raises(InvalidInputError, match="no largest ball"):
        chebyshev(Polytope([[1, 1]], upper=1.0))


def test_hull_width_and_minimum_by_hand():
    assert width(DIAMOND) == DIAMOND.width() == pytest.approx(4)
    assert width(TRIANGLE) == 2
    assert len(DIAMOND) == 2
    line = interval_hull(Polytope([[1, 0], [0, -1]], [0, -0.3], [0.1, 7]))
    assert (line.lower.tolist(), line.upper.tolist()) == ([0, -7], [0.1, 0.3])
    assert minimum(DIAMOND, [2, 1]) == pytest.approx(-2)
    assert minimum(TRIANGLE, [-1, -2]) == pytest.approx(-2)
    np.testing.assert_allclose(minima(TRIANGLE, [[1, 1], [-3, -3]]), [0, -3], atol=1e-12)
    # A row's own support value is never loosened, not even by rounding.
    tenth = Polytope([[0.1, 0.3]], -0.1, 0.7, UNIT)
    assert minimum(tenth, [-0.1, -0.3]) >= -0.7
    assert minimum(Polytope([[1, 0]], 0, 1), [1, 0]) == 0
    assert minimum(Polytope([[1, 0]], 0, 1), [0, 1]) == -np.inf
    assert minimum(Polytope(np.zeros((0, 2)), box=UNIT), [1, 1]) == pytest.approx(0)


def test_ends_that_nothing_bounds_stay_infinite_and_half_lines_are_used():
    open_ended = interval_hull(Polytope([[1, 1]], upper=1.0))
    assert np.isinf([open_ended.lower, open_ended.upper]).all()
    half = Polytope([[1, 1]], upper=1.0, box=Interval([0, 0], [np.inf, np.inf]))
    found = interval_hull(half)
    assert (found.lower == 0).all()
    np.testing.assert_allclose(found.upper, 1, atol=1e-9)


def test_redundant_sides_go_and_the_others_stay():
    polytope = Polytope(
        [[1, 1], [1, 0], [-1, -1], [1, -1]], [-0.5, -1, -1.0, -3], [2.5, 2, 0.5, 2], UNIT
    )
    kept = without_redundant(polytope)
    assert kept.directions.tolist() == [[1, 1]]
    assert (kept.lower.tolist(), kept.upper.tolist()) == ([-np.inf], [1])
    touching = Polytope([[1, 1]], 0.0, 2.0, UNIT)
    assert len(without_redundant(touching).directions) == 1
    assert len(without_redundant(touching, 1e-9).directions) == 0
    # Of two sides that imply each other one stays.
    twice = without_redundant(Polytope([[1, 1], [2, 2]], upper=[1, 2], box=UNIT), 1e-9)
    assert np.isfinite(twice.upper).sum() == 1
    assert without_redundant(DIAMOND).directions.tolist() == DIAMOND.directions.tolist()


# Verbs


def test_intersections_merge_equal_rows_and_collapse_within_tolerance():
    first = Polytope([[1, 1], [1, -1]], [-1, -1], [1, 1], UNIT)
    second = Polytope([[-1, -1], [1, 2]], [-0.5, 0], [2, 9])
    both = intersect(first, second)
    assert both.directions.tolist() == [[1, 1], [1, -1], [1, 2]]
    assert (both.lower.tolist(), both.upper.tolist()) == ([-1, -1, 0], [0.5, 1, 9])
    assert both.box is UNIT
    for met in (
        intersect(first, Interval([-1, 0.5], [1, 2])),
        intersect(Interval([-1, 0.5], [1, 2]), first),
    ):
        assert (met.box.lower.tolist(), met.box.upper.tolist()) == ([0, 0.5], [1, 1])
        assert np.array_equal(met.directions, first.directions)
    assert intersect(second, UNIT).box is UNIT
    assert intersect(second, second).box is None
    close = intersect(Polytope([[1, 1]], 0, 1), Polytope([[1, 1]], 1 + 1e-9, 2))
    assert (close.lower[0], close.upper[0]) == (1, 1 + 1e-9)


@pytest.mark.parametrize(
    "case",
    [
        lambda: intersect(Polytope([[1, 1]], 0, 1), Polytope([[-1, -1]], 0.1, 1)),
        lambda: intersect(TRIANGLE, Interval([2, 2], [3, 3])),
        lambda: without_redundant(Polytope([[1, 1], [1, 1]], [0, 2], [1, 3], UNIT)),
        lambda: interval_hull(Polytope([[1, 1]], 3, 4, UNIT)),
        lambda: interval_hull(Polytope([[1, 0], [0, 1], [1, 1]], [1, 1, -9], [9, 9, 1])),
        lambda: chebyshev(Polytope([[1, 1]], 3, 4, UNIT)),
        lambda: width(Polytope([[1, 1]], 3, 4, UNIT)),
        lambda: sample(Polytope([[1, 1]], 3, 4, UNIT), 1),
    ],
)
def test_sound_bounds_that_do_not_meet_raise(case):
    with pytest.raises(SoundnessError, match="S6"):
        case()


def test_ends_that_cross_within_tolerance_collapse_to_both():
    found = interval_hull(Polytope([[1, 1]], 2 + 1e-8, 3, UNIT))
    assert (found.lower == 1).all()
    np.testing.assert_allclose(found.upper, 1 + 1e-8, rtol=0, atol=1e-12)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_hull_and_intersection_order_polytopes(seed):
    rng = np.random.default_rng(seed)
    template = Polytope.octagon(3)
    clouds = rng.normal([[[0.5]], [[0.0]]], size=(2, 20, 3))
    first, second = (supported(template, cloud, slack=2.0) for cloud in clouds)
    both, inner = hull(first, second), intersect(first, second)
    for one in (first, second):
        assert contains(both, one)
        assert contains(one, inner)
        assert contains(interval_hull(one), one)
        assert width(inner) <= width(one) + 1e-9 <= width(both) + 2e-9
    assert both.contains(clouds.reshape(-1, 3))
    assert both.box.contains(clouds.reshape(-1, 3))
    assert hull(first, Polytope(first.directions)).box is None


def test_contains_between_boxes_points_and_polytopes():
    assert contains(UNIT, TRIANGLE)
    assert contains(UNIT, Polytope([[1, 0], [0, 1]], 0.25, 0.75))
    assert not contains(Interval([0, 0], [0.9, 1]), TRIANGLE)
    assert contains(Interval([0, 0], [0.9, 1]), TRIANGLE, tolerance=0.2)
    assert not contains(TRIANGLE, UNIT)
    assert contains(TRIANGLE, UNIT, tolerance=1.0)
    assert contains(TRIANGLE, Interval([0, 0], [0.5, 0.5]))
    assert contains(
        Polytope([[0.1, 0.2]], -np.inf, 0.1 * 0.3 + 0.2 * 0.7),
        Interval([-np.inf, -np.inf], [0.3, 0.7]),
    )
    assert not contains(Polytope([[0.1, 0.2]], 0.0, 1.0), Interval([-np.inf, -np.inf], [0.3, 0.7]))
    assert contains(TRIANGLE, TRIANGLE)
    assert contains(Polytope([[1, 2]], upper=2.0), TRIANGLE, tolerance=1e-9)
    assert not contains(Polytope([[1, 2]], upper=1.9), TRIANGLE)
    assert not contains(Polytope([[1, 2]], upper=2.0, box=Interval([0, 0], [1, 0.9])), TRIANGLE)
    assert contains(TRIANGLE, [[0.5, 0.5], [0, 0]])
    assert TRIANGLE.contains([0.55, 0.55], tolerance=0.11)
    assert not TRIANGLE.contains([[0.5, 0.5], [0.6, 0.6]])
    assert not TRIANGLE.contains([np.nan, 0])
    assert not Polytope([[1, 0]]).contains([0, np.nan])
    assert not TRIANGLE.contains([1.1, -0.2])
    assert not Polytope([[1, 1]], upper=1.0).contains([np.inf, 0])
    assert not contains(Polytope([[1, 1]], upper=1.0), Interval([0, 0], [np.inf, 0]))
    assert not contains(Polytope([[1, -1]], -1.0, 1.0), Interval([-1e308, -1e308], [1e308, 1e308]))
    # The sum 0.1 + 0.2 + 0.3 rounds up: no point of the set is called outside for it.
    assert Polytope([[0.1, 0.2, 0.3]], upper=0.6).contains([1, 1, 1])


# Samples


def test_samples_of_a_triangle_are_close_to_uniform():
    points = sample(TRIANGLE, 4000, seed=0)
    assert points.shape == (4000, 2)
    assert TRIANGLE.contains(points)
    np.testing.assert_allclose(points.mean(axis=0), 1 / 3, atol=0.015)
    np.testing.assert_allclose(np.cov(points.T), [[1 / 18, -1 / 36], [-1 / 36, 1 / 18]], atol=0.004)
    # A quarter of the area lies beyond half of each side.
    assert np.mean(points[:, 0] > 0.5) == pytest.approx(0.25, abs=0.03)
    assert np.array_equal(points, sample(TRIANGLE, 4000, seed=0))
    assert sample(TRIANGLE, 0).shape == (0, 2)


def test_samples_of_a_simplex_are_close_to_uniform():
    """One coordinate of a uniform point of {x ≥ 0, Σ x ≤ 1} in five dimensions exceeds c with
    probability (1 - c)^5."""
    simplex = Polytope(np.ones((1, 5)), upper=1.0, box=Interval(np.zeros(5), np.ones(5)))
    points = sample(simplex, 4000, seed=0)
    assert simplex.contains(points)
    for c in (0.05, 0.2, 0.5):
        np.testing.assert_allclose(np.mean(points > c, axis=0), (1 - c) ** 5, atol=0.03)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_samples_lie_inside_whatever_the_scale(scale):
    rng = np.random.default_rng(1)
    centre, spread = rng.normal(size=4), np.array([1e-6, 1.0, scale, 1e3])
    rows = rng.normal(size=(6, 4)) / spread
    polytope = Polytope(
        rows, rows @ centre - 1, rows @ centre + 0.5, Interval(centre - spread, centre + spread)
    )
    points = sample(polytope, 200, seed=0)
    assert polytope.contains(points)
    assert (
        np.ptp(points, axis=0)
        > 0.1 * (interval_hull(polytope).upper - interval_hull(polytope).lower)
    ).all()


def test_parameters_that_cannot_move_are_no_obstacle():
    frozen = Polytope([[1, 1, 1], [0, 0, 1]], [-1, 0], [2, 1], Interval([0, 0, 0.3], [1, 1, 0.3]))
    points = sample(frozen, 50, seed=0)
    assert frozen.contains(points)
    assert (points[:, 2] == 0.3).all()
    assert len(np.unique(points[:, 0])) == 50
    still = Polytope([[1, 1]], box=Interval([0.1, 0.2], [0.1, 0.2]))
    assert sample(still, 3).tolist() == [[0.1, 0.2]] * 3


# Refusals


@pytest.mark.parametrize(
    "arguments",
    [
        ([1.0, 2.0],),
        (np.zeros((1, 0)),),
        ([[0.0, 0.0]],),
        ([[np.nan, 1.0]],),
        ([[np.inf, 1.0]],),
        ([[1, 1]], [0, 0], [1, 1]),
        ([[1, 1]], np.nan),
        ([[1, 1]], 2.0, 1.0),
        ([[1, 1]], np.inf, np.inf),
        ([[1, 1]], -np.inf, -np.inf),
        ([[1, 1]], 0, 1, Interval([0], [1])),
        ([[1, 1]], 0, 1, "box"),
        ([[1, 1]], 0, 1, Interval([0, np.inf], [1, np.inf])),
    ],
)
def test_what_is_no_polytope_is_refused(arguments):
    with pytest.raises(InvalidInputError, match="polytope"):
        Polytope(*arguments)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (lambda: Polytope.octagon(1), "at least 2"),
        (lambda: Polytope.octagon(True), "whole number"),
        (lambda: Polytope.octagon(101), "too many"),
        (lambda: Polytope.octagon(10**9), "too many"),
        (lambda: Polytope.octagon(3, [(0, 3)]), "pairs"),
        (lambda: Polytope.octagon(3, [(0, -1)]), "pairs"),
        (lambda: Polytope.octagon(3, [(0, 1.0)]), "pairs"),
        (lambda: Polytope.octagon(3, [(0, 1, 2)]), "pairs"),
        (lambda: Polytope.octagon(3, [(1, 1)]), "twice"),
        (lambda: Polytope.principal(np.ones(3), 1), "shape"),
        (lambda: Polytope.principal([[1.0, np.nan]], 1), "finite"),
        (lambda: Polytope.principal(np.ones((2, 5)), 3), "from 1 to 2"),
        (lambda: Polytope.principal(np.ones((2, 5)), 1.5), "whole number"),
        (lambda: Polytope.random(3, 0), "count"),
        (lambda: Polytope.random(3, 10**6), "count"),
        (lambda: Polytope.random(0, 1), "p: 0"),
        (lambda: TRIANGLE.contains([1, 2, 3]), "shape"),
        (lambda: TRIANGLE.contains(np.zeros((1, 1, 2))), "shape"),
        (lambda: minimum(TRIANGLE, [1, 2, 3]), "shape"),
        (lambda: minimum(TRIANGLE, [1, np.nan]), "finite"),
        (lambda: minima(TRIANGLE, [1, 2]), "shape"),
        (lambda: sample(TRIANGLE, -1), "size"),
        (lambda: sample(Polytope([[1, 1]], 0, 1), 1), "unbounded"),
        (lambda: sample(Polytope([[1, 1]], 1, 1, UNIT), 1), "flat"),
        (lambda: hull(TRIANGLE, DIAMOND), "same directions"),
        (lambda: hull(TRIANGLE, UNIT), "same directions"),
        (lambda: hull(UNIT, TRIANGLE), "mixed"),
        (lambda: hull(UNIT, Interval([0], [1])), "one space"),
        (lambda: intersect(TRIANGLE, Interval([0], [1])), "one space"),
        (lambda: contains(TRIANGLE, Polytope([[1.0]])), "one space"),
    ],
)
def test_what_has_no_answer_is_refused(case, message):
    with pytest.raises(InvalidInputError, match=message):
        case()


@pytest.mark.parametrize(
    "verb",
    [
        hull,
        width,
        lambda x: intersect(x, x),
        lambda x: intersect(UNIT, x),
        lambda x: contains(x, x),
        lambda x: sample(x, 1),
    ],
)
def test_what_is_no_domain_is_refused(verb):
    with pytest.raises(
        InvalidInputError, match="list is not allowed; it must be an Interval or a Polytope"
    ):
        verb([0.0])


def test_polytopes_are_read_only_copies():
    rows = np.ones((1, 2))
    made = Polytope(rows, 0.0, 1.0)
    rows[0] = 9.0
    assert made.directions[0, 0] == 1.0
    for values in (made.directions, made.lower, made.upper):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1.0
    assert made.with_support([-1], [2]).directions[0, 0] == 1.0
    assert made.with_support([-1], [2], UNIT).with_support([0], [1]).box is UNIT
