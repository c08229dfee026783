"""Projections of domains onto a plane contain the true ones, and their pictures stand whatever the
domain."""

from fractions import Fraction

import matplotlib as mpl
import numpy as np
import pytest

import agtopt
from agtopt import Interval, InvalidInputError, Polytope, SoundnessError
from agtopt.domains import minima, sample
from agtopt.drivers import Reach
from agtopt.report import parameter_intervals, plot_parameters, plot_projection, projection

mpl.use("Agg")

import matplotlib.pyplot as plt

DIAMOND = Polytope.octagon(2).with_support([-1, -1], [1, 1])


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    figure.canvas.draw()
    plt.close(figure)


def holds(corners, points):
    """Whether a polygon in counterclockwise order holds all points, in rational arithmetic."""
    polygon = [tuple(map(Fraction, corner)) for corner in corners]
    for point in points:
        x, y = map(Fraction, point)
        for k, (a, b) in enumerate(polygon):
            c, d = polygon[(k + 1) % len(polygon)]
            if (c - a) * (y - b) - (d - b) * (x - a) < 0:
                return False
    return True


def random_polytope(rng, scale):
    """In four dimensions, around points of any size."""
    centre = scale * rng.normal(size=4)
    points = centre + scale * 10.0 ** rng.integers(-6, 1) * rng.normal(
        size=(8, 4)
    ) * 10.0 ** rng.integers(-3, 1, size=4)
    rows = rng.normal(size=(6, 4))
    values = points @ rows.T
    slack = 0.05 * np.ptp(values, axis=0)
    return points, Polytope(
        rows,
        values.min(axis=0) - slack,
        values.max(axis=0) + slack,
        Interval(points.min(axis=0), points.max(axis=0)),
    )


def test_a_box_is_its_rectangle():
    box = Interval([0, -1, 2, 5], [1, 1, 3, 5])
    assert projection(box, 0, 1).tolist() == [[0, -1], [1, -1], [1, 1], [0, 1]]
    assert projection(box, 2, 0).tolist() == [[2, 0], [3, 0], [3, 1], [2, 1]]
    assert projection(box, 1, 3).tolist() == [[-1, 5], [1, 5], [1, 5], [-1, 5]]


def test_a_diamond_is_itself():
    corners = projection(DIAMOND, 0, 1, directions=8)
    for tip in ((1, 0), (0, 1), (-1, 0), (0, -1)):
        assert np.abs(corners - tip).max(axis=1).min() < 1e-9
    assert np.abs(corners).sum(axis=1).max() < 1 + 1e-9
    assert holds(corners, [(1, 0), (0, 1), (-1, 0), (0, -1)])


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_projections_hold_what_they_project_and_no_more_than_their_directions_say(scale):
    """S1: also a polytope that is thin, far from zero, or seen from the other side."""
    rng = np.random.default_rng(int(np.log10(scale)) + 10)
    for _ in range(6):
        inner, polytope = random_polytope(rng, scale)
        points = np.concatenate([inner, sample(polytope, 30, seed=0)])
        for i, j in ((0, 1), (3, 2)):
            corners = projection(polytope, i, j, directions=12)
            assert holds(corners, points[:, [i, j]])
            ends = polytope.box.lower[[i, j]], polytope.box.upper[[i, j]]
            assert np.all((ends[0] <= corners) & (corners <= ends[1]))
            angles = 2 * np.pi * np.arange(12) / 12
            normals = np.stack([np.cos(angles), np.sin(angles)], axis=1)
            rows = np.zeros((12, 4))
            rows[:, [i, j]] = normals
            room = 1e-11 * np.abs(corners).max()
            assert np.all((corners @ normals.T).min(axis=0) >= minima(polytope, rows) - room)


def test_more_directions_say_more():
    disc = Polytope(
        np.stack([np.cos(turns := np.linspace(0, np.pi, 90)), np.sin(turns)], axis=1),
        -1.0,
        1.0,
        Interval([-1, -1], [1, 1]),
    )

    def area(count):
        x, y = projection(disc, 0, 1, count).T
        return np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2

    assert 4 > area(3) > area(8) > area(64) > np.pi
    assert area(64) < np.pi + 0.01


@pytest.mark.parametrize(
    "polytope",
    [
        Polytope([[1, 1, 0]], 1.0, 1.0, Interval([0, 0, 0], [1, 1, 1])),
        Polytope([[1, 1, 0], [1, -1, 0]], [1, 0], [1, 0], Interval([0, 0, 0], [1, 1, 1])),
        Polytope([[1, 1, 0], [1, -1, 0]], [1e6, 1], [1e6, 1], Interval([0, 0, 0], [1e7, 1e7, 1])),
        Polytope([[1, 1, 1]], box=Interval([0.1, 0.2, 0.3], [0.1, 0.2, 0.3])),
        Polytope([[1, 1, 0]], 2.0, box=Interval([0, 0, 0], [1, 1, 1])),
        Polytope([[1, 1, 0]], 2.0 + 1e-9, box=Interval([0, 0, 0], [1, 1, 1])),
    ],
)
def test_a_flat_projection_is_a_flat_polygon(half_moons, polytope, ax):
    corners = projection(polytope, 0, 1)
    assert len(corners)
    assert np.isfinite(corners).all()
    x, y = corners.T
    assert abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) <= 1e-5 * max(
        1.0, np.abs(corners).max()
    )
    wide = Polytope(
        np.pad(polytope.directions, [(0, 0), (0, 7)]),
        polytope.lower,
        polytope.upper,
        _widened(polytope.box),
    )
    plot_projection(reached(half_moons, wide), 0, 1, ax=ax)
    assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()


def _widened(box):
    return Interval(np.append(box.lower, np.zeros(7)), np.append(box.upper, np.ones(7)))


def test_an_unbounded_domain_has_infinite_corners():
    strip = Polytope([[1, 1]], lower=0.0, upper=1.0, box=Interval([0, -np.inf], [2, np.inf]))
    # x in [0, 2] and x + y in [0, 1] bound y.
    assert projection(strip, 0, 1)[:, 1].min() == pytest.approx(-2)
    half = Polytope([[1, 1]], lower=0.0, box=Interval([0, -np.inf], [2, np.inf]))
    assert projection(half, 0, 1).tolist() == [[0, -np.inf], [2, -np.inf], [2, np.inf], [0, np.inf]]
    whole = Interval([-np.inf, 0], [np.inf, 1])
    assert projection(whole, 1, 0).tolist() == [
        [0, -np.inf],
        [1, -np.inf],
        [1, np.inf],
        [0, np.inf],
    ]


@pytest.mark.parametrize(
    ("i", "j", "directions"),
    [(0, 0, 8), (0, 2, 8), (-1, 0, 8), (0, True, 8), (0, 1.0, 8), (0, 1, 2), (0, 1, 8.0)],
)
def test_what_is_no_plane_is_refused(i, j, directions):
    for domain in (DIAMOND, Interval([0, 0], [1, 1])):
        with pytest.raises(InvalidInputError):
            projection(domain, i, j, directions)


@pytest.mark.parametrize("row", [[1.0, 0.0], [0.0, -1.0], [np.cos(np.pi / 4), np.sin(np.pi / 4)]])
def test_an_empty_polytope_raises(row):
    """S6: where a direction of the plane shows it."""
    with pytest.raises(SoundnessError, match="S6"):
        projection(Polytope([row], lower=3.0, box=Interval([0, 0], [1, 1])), 0, 1, directions=8)


def reached(problem, domain):
    box = domain.box if isinstance(domain, Polytope) else domain
    return Reach(
        problem,
        agtopt.LP,
        (box,),
        (),
        0.0,
        polytopes=(domain,) if isinstance(domain, Polytope) else (),
    )


@pytest.fixture(scope="module")
def tight(half_moons, half_moons_hull):
    """A polytope around the attained parameters of half-moons."""
    template, box = Polytope.octagon(10, [(3, 9), (0, 1)]), half_moons_hull.domain
    values = half_moons_hull.theta @ template.directions.T
    return reached(half_moons, template.with_support(values.min(axis=0), values.max(axis=0), box))


def test_plot_projection(half_moons, half_moons_hull, half_moons_reach, tight, ax):
    reaches = {
        "octagon": tight,
        "box": half_moons_reach,
        "IBP": agtopt.bound(half_moons, agtopt.IBP),
    }
    assert plot_projection(reaches, 3, 9, half_moons_hull, ax) is ax
    names = half_moons.network.parameter_names
    assert (ax.get_xlabel(), ax.get_ylabel()) == (names[3], names[9])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "IBP",
        "box",
        "octagon",
        "attained by training",
    ]
    outlines = [patch for patch in ax.patches if not patch.get_fill()]
    assert len({patch.get_linestyle() for patch in outlines}) == 3
    assert len({patch.get_hatch() for patch in ax.patches if patch.get_fill()}) == 3
    drawn = outlines[-1].get_xy()[:-1]
    np.testing.assert_array_equal(drawn, projection(tight.domain, 3, 9))
    np.testing.assert_array_equal(ax.lines[-1].get_xydata(), half_moons_hull.theta[:, [3, 9]])
    assert holds(projection(tight.domain, 3, 9, 16), half_moons_hull.theta[:, [3, 9]])
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    corners = outlines[0].get_xy()
    assert np.all((corners > [left, bottom]) & (corners < [right, top]))


def test_plot_projection_of_one_result_and_of_infinite_ones(half_moons, tight, ax):
    plt.sca(ax)
    assert plot_projection(tight, 0, 1) is ax
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["LP"]
    finite = ax.get_xlim()
    ax.clear()
    whole = reached(half_moons, Interval(np.full(10, -np.inf), np.full(10, np.inf)))
    plot_projection({"diverged": whole, "tight": tight}, 0, 1)
    assert ax.get_xlim() == finite
    background = ax.patches[0].get_xy()
    assert np.isfinite(background).all()
    assert background[:, 0].min() < finite[0]
    assert background[:, 0].max() > finite[1]
    ax.clear()
    plot_projection(whole, 0, 1)
    assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()


def test_a_point_is_marked(half_moons, half_moons_hull, ax):
    plot_projection(reached(half_moons, Interval.point(half_moons_hull.theta[0])), 0, 1, ax=ax)
    assert ax.lines[-1].get_xydata().tolist() == [half_moons_hull.theta[0, :2].tolist()]


def test_projections_of_two_networks_do_not_mix(tight, tiny_mlp):
    with pytest.raises(InvalidInputError, match="tiny-mlp"):
        plot_projection({"one": tight, "other": agtopt.bound(tiny_mlp, agtopt.IBP)}, 0, 1)
    with pytest.raises(InvalidInputError, match="no reach"):
        plot_projection({}, 0, 1)


def test_intervals_of_a_polytope_are_its_box(half_moons_hull, tight, ax):
    data = parameter_intervals({"octagon": tight}, half_moons_hull)
    np.testing.assert_allclose(
        data.centre + data.scale * data.lower[0], tight.steps[-1].lower, atol=1e-12
    )
    np.testing.assert_allclose(
        data.centre + data.scale * data.upper[0], tight.steps[-1].upper, atol=1e-12
    )
    plot_parameters(tight, half_moons_hull, ax)
