"""Pictures: their data against direct computation, and the axes they return."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import agtopt
from agtopt.domains import Interval, Polytope
from agtopt.drivers import Reach
from agtopt.report import (
    certified_regions,
    parameter_intervals,
    plot_boundaries,
    plot_comparison,
    plot_parameters,
    plot_regions,
)
from agtopt.report.figures import boundary_scores, grid, scores
from agtopt.training.concrete import trajectory
from tests.instances import random_problem

mpl.use("Agg")

import matplotlib.pyplot as plt

EXTENT = (-1.5, 2.5, -1.0, 1.5)


def cubic(points):
    a, b = points.T
    return np.stack([a, b, a**2, a * b, b**2, a**3, a**2 * b, a * b**2, b**3], axis=1)


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    figure.canvas.draw()  # whatever is drawn late must not fail either
    plt.close(figure)


def texts(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_grid_lists_b_slowest():
    a, b, points = grid((0.0, 2.0, 5.0, 6.0), 3)
    assert a.tolist() == [0, 1, 2]
    assert b.tolist() == [5, 5.5, 6]
    assert points[:4].tolist() == [[0, 5], [1, 5], [2, 5], [0, 5.5]]


@pytest.mark.parametrize(
    "extent",
    [(1.0, 1.0, 0.0, 1.0), (0.0, 1.0, 2.0, 1.0), (0.0, np.inf, 0.0, 1.0), (np.nan, 1.0, 0.0, 1.0)],
)
def test_an_extent_that_is_none_is_refused(extent):
    with pytest.raises(agtopt.InvalidInputError, match="extent"):
        grid(extent, 3)


def test_scores_of_a_linear_model(half_moons):
    rng = np.random.default_rng(0)
    theta, inputs = rng.normal(size=(4, 10)), rng.normal(size=(6, 9))
    np.testing.assert_allclose(
        scores(half_moons, theta, inputs),
        theta[:, :9] @ inputs.T + theta[:, 9:],
        rtol=1e-12,
        atol=1e-12,
    )


def test_scores_of_a_deep_model_in_chunks(monkeypatch):
    problem = random_problem(1, 2, "hinge", "flips")
    rng = np.random.default_rng(0)
    theta, inputs = (
        rng.normal(size=(5, problem.network.size)),
        rng.normal(size=(7, *problem.network.input_shape)),
    )
    expected = []
    for row in theta:
        at = problem.network.unflatten(row)
        hidden = np.maximum(inputs @ at["dense1_weight"].T + at["dense1_bias"], 0)
        expected.append((hidden @ at["dense2_weight"].T + at["dense2_bias"])[:, 0])
    monkeypatch.setattr("agtopt.training.concrete.CHUNK", 40)
    np.testing.assert_allclose(scores(problem, theta, inputs), expected, rtol=1e-12, atol=1e-12)


def test_scores_need_one_output_and_fitting_inputs(half_moons):
    with pytest.raises(agtopt.InvalidInputError, match="features"):
        scores(half_moons, np.zeros((1, 10)), np.zeros((3, 2)))
    wide = next(
        p
        for p in (random_problem(seed, 1, "squared", "labels") for seed in range(30))
        if p.network.outputs > 1
    )
    with pytest.raises(agtopt.UnsupportedError, match="outputs"):
        scores(wide, np.zeros((1, wide.network.size)), np.zeros((3, *wide.network.input_shape)))


def test_regions_are_the_corners_of_the_box(half_moons, half_moons_reach):
    regions = certified_regions(half_moons_reach, cubic, EXTENT, resolution=41)
    assert regions.stable.shape == regions.predicted.shape == regions.score.shape == (41, 41)
    a, b = np.meshgrid(regions.a, regions.b)
    inputs = cubic(np.stack([a.ravel(), b.ravel()], axis=1))
    inputs = np.hstack([inputs, np.ones((len(inputs), 1))])
    lower, upper = half_moons_reach.domain.lower, half_moons_reach.domain.upper
    lowest = np.minimum(inputs * lower, inputs * upper).sum(axis=1).reshape(a.shape)
    highest = np.maximum(inputs * lower, inputs * upper).sum(axis=1).reshape(a.shape)
    clear = np.minimum(np.abs(lowest), np.abs(highest)) > 1e-9
    np.testing.assert_array_equal(regions.stable[clear], ((lowest > 0) | (highest < 0))[clear])
    nominal = (inputs @ trajectory(half_moons)[-1]).reshape(a.shape)
    np.testing.assert_allclose(regions.score, nominal, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(regions.predicted, np.where(nominal > 0, 1, -1))
    assert regions.certified_fraction == regions.stable.mean()
    assert 0.1 < regions.certified_fraction < 0.9


def test_regions_of_a_polytope_are_certified_point_by_point(half_moons, half_moons_hull):
    template, box = Polytope.principal(half_moons_hull.theta, 10), half_moons_hull.domain
    values = half_moons_hull.theta @ template.directions.T
    polytope = template.with_support(values.min(axis=0), values.max(axis=0), box)
    reach = Reach(half_moons, agtopt.LP, (box,), (), 0.0, polytopes=(polytope,))
    regions = certified_regions(reach, cubic, EXTENT, resolution=13)
    expected = agtopt.certify(reach, cubic(grid(EXTENT, 13)[2]))
    np.testing.assert_array_equal(regions.stable.ravel(), expected.stable)
    np.testing.assert_array_equal(regions.predicted.ravel(), expected.nominal)
    boxed = certified_regions(
        Reach(half_moons, agtopt.LP, (box,), (), 0.0), cubic, EXTENT, resolution=13
    )
    assert boxed.certified_fraction < regions.certified_fraction
    assert np.all(boxed.stable <= regions.stable)


def test_no_enumerated_boundary_crosses_a_certified_region(half_moons_reach, half_moons_hull):
    regions = certified_regions(half_moons_reach, cubic, EXTENT, resolution=61)
    a, b, score = boundary_scores(half_moons_hull, cubic, EXTENT, resolution=61)
    np.testing.assert_array_equal(a, regions.a)
    np.testing.assert_array_equal(b, regions.b)
    assert np.all((np.sign(score) == regions.predicted)[:, regions.stable])


def test_boundaries_are_a_selection_of_the_attained_models(half_moons, half_moons_hull):
    _, _, score = boundary_scores(half_moons_hull, cubic, EXTENT, most=7, resolution=5)
    assert score.shape == (7, 5, 5)
    every = scores(half_moons, half_moons_hull.theta, cubic(grid(EXTENT, 5)[2])).reshape(-1, 5, 5)
    assert all(
        np.isclose(every, one, rtol=1e-12, atol=1e-12).all(axis=(1, 2)).any() for one in score
    )
    _, _, more = boundary_scores(half_moons_hull, cubic, EXTENT, most=10_000, resolution=5)
    assert len(more) == len(np.unique(half_moons_hull.theta, axis=0))


def test_intervals_are_scaled_by_the_attained_hull(half_moons, half_moons_reach, half_moons_hull):
    ibp = agtopt.bound(half_moons, agtopt.IBP)
    data = parameter_intervals({"MILP": half_moons_reach, "IBP": ibp}, half_moons_hull)
    assert data.labels == ("IBP", "MILP")
    for row, reach in enumerate((ibp, half_moons_reach)):
        np.testing.assert_allclose(
            data.centre + data.scale * data.lower[row], reach.domain.lower, rtol=1e-12, atol=1e-12
        )
        np.testing.assert_allclose(
            data.centre + data.scale * data.upper[row], reach.domain.upper, rtol=1e-12, atol=1e-12
        )
    np.testing.assert_allclose(data.attained.min(axis=0), -1.0)
    np.testing.assert_allclose(data.attained.max(axis=0), 1.0)
    assert np.all(data.lower <= -1 + 1e-12)
    assert np.all(data.upper >= 1 - 1e-12)


def test_intervals_without_an_attack_are_scaled_by_the_narrowest(half_moons):
    boxes = {
        "wide": Interval(np.full(10, -4.0), np.full(10, 6.0)),
        "narrow": Interval(np.zeros(10), np.full(10, 2.0)),
    }
    reaches = {name: Reach(half_moons, agtopt.IBP, (box,), (), 0.0) for name, box in boxes.items()}
    data = parameter_intervals(reaches)
    assert data.labels == ("wide", "narrow")
    assert data.attained.shape == (0, 10)
    np.testing.assert_array_equal(data.lower, np.repeat([[-5.0], [-1.0]], 10, axis=1))
    np.testing.assert_array_equal(data.upper, np.repeat([[5.0], [1.0]], 10, axis=1))


def test_a_point_and_an_unbounded_interval_are_drawn(half_moons, ax):
    lower, upper = np.zeros(10), np.zeros(10)
    lower[3], upper[4], upper[5] = -np.inf, np.inf, 2.0
    reach = Reach(half_moons, agtopt.IBP, (Interval(lower, upper),), (), 0.0)
    plot_parameters(reach, ax=ax)
    assert np.isfinite(ax.get_ylim()).all()
    assert all(np.isfinite(bar.get_height()) for bar in ax.patches)
    assert ax.patches[3].get_y() < ax.get_ylim()[0]


def test_intervals_of_two_networks_do_not_mix(half_moons_reach, tiny_mlp):
    with pytest.raises(agtopt.InvalidInputError, match="tiny-mlp"):
        parameter_intervals({"one": half_moons_reach, "other": agtopt.bound(tiny_mlp, agtopt.IBP)})
    with pytest.raises(agtopt.InvalidInputError, match="no reach"):
        parameter_intervals({})


def test_plot_regions_and_boundaries(half_moons_reach, half_moons_hull, ax):
    assert plot_regions(certified_regions(half_moons_reach, cubic, EXTENT, resolution=30), ax) is ax
    assert plot_boundaries(half_moons_hull, cubic, EXTENT, ax, most=5) is ax
    assert texts(ax) == [
        "class −1 certified (MILP)",
        "class +1 certified (MILP)",
        "not certified",
        "boundary, nominal data",
        "boundaries, some admissible data",
    ]
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert (*ax.get_xlim(), *ax.get_ylim()) == EXTENT


def test_plot_boundaries_of_all(half_moons_hull, ax):
    plot_boundaries(half_moons_hull, cubic, EXTENT, ax)
    assert texts(ax) == ["boundaries, all admissible data"]


def test_regions_without_a_boundary_draw_nothing_and_do_not_warn(half_moons_reach, ax, recwarn):
    plot_regions(
        certified_regions(half_moons_reach, cubic, (-0.3, -0.2, 1.6, 1.7), resolution=5), ax
    )
    assert not recwarn


def test_plot_parameters(half_moons, half_moons_reach, half_moons_hull, ax):
    reaches = {"exact": half_moons_reach, "intervals": agtopt.bound(half_moons, agtopt.IBP)}
    assert plot_parameters(reaches, half_moons_hull, ax) is ax
    assert set(texts(ax)) == {"exact", "intervals", "attained by training"}
    assert [label.get_text() for label in ax.get_xticklabels()] == list(
        half_moons.network.parameter_names
    )
    assert ax.get_yscale() == "symlog"
    assert ax.get_xlabel()
    assert "[−1, 1]" in ax.get_ylabel()
    hatches = {container.patches[0].get_hatch() for container in ax.containers}
    assert len(hatches) == 2


def test_plot_parameters_takes_other_names(half_moons_reach, ax):
    plot_parameters(half_moons_reach, ax=ax, names=list("abcdefghij"))
    assert [label.get_text() for label in ax.get_xticklabels()] == list("abcdefghij")
    assert ax.get_yscale() == "linear"
    with pytest.raises(agtopt.InvalidInputError, match="names"):
        plot_parameters(half_moons_reach, ax=ax, names=["a"])


def test_plot_comparison_tells_methods_and_windows_apart(ax):
    methods = ["IBP", *["LP"] * 2, *[f"method {k}" for k in range(9)]]
    table = pd.DataFrame(
        {
            "method": methods,
            "window": ["full", "1", *["full"] * 10],
            "seconds": 1.0 + np.arange(12),
            "width": 2.0,
        }
    )
    table = table.assign(to_attained=4.0, to_ibp=0.5, instance="one", solver="default")
    table.loc[len(table)] = {
        "method": "refused",
        "window": "1",
        "instance": "one",
        "solver": "default",
    }
    assert plot_comparison(table, ax) is ax
    assert texts(ax) == [*dict.fromkeys(methods), "attained by training"]
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert len(
        {(line.get_marker(), line.get_linestyle(), line.get_color()) for line in ax.lines}
    ) == len(ax.lines)
    assert {text.get_text() for text in ax.texts} == {"1", "full"}
    assert ax.lines[-1].get_ydata()[0] == 0.5


def test_drawing_without_axes_uses_the_current_ones(half_moons_reach, ax):
    plt.sca(ax)
    assert plot_parameters(half_moons_reach) is ax


def test_plot_comparison_of_instances_and_solvers(ax):
    rows = [
        (i, m, s, 10.0 * k, 0.1 * k, k + 1.0)
        for k, (i, m, s) in enumerate([("a", "LP", "x"), ("a", "LP", "y"), ("b", "LP", "x")], 1)
    ]
    table = pd.DataFrame(
        rows, columns=["instance", "method", "solver", "width", "to_ibp", "seconds"]
    ).assign(window="full", to_attained=1.0)
    plot_comparison(table, ax)
    assert texts(ax) == ["LP, a, x", "LP, a, y", "LP, b, x"]
    assert "ratio to IBP" in ax.get_ylabel()
    np.testing.assert_allclose([line.get_ydata()[0] for line in ax.lines], table["to_ibp"])
