"""Growth of the domain over the training."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

import agtopt
from agtopt import InvalidInputError
from agtopt.domains import Interval
from agtopt.drivers import Reach
from agtopt.report import plot_trajectory, plot_widths, step_widths
from tests.instances import random_problem

mpl.use("Agg")

import matplotlib.pyplot as plt


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    figure.canvas.draw()
    plt.close(figure)


@pytest.fixture
def reaches(flips):
    return {"intervals": agtopt.bound(flips, agtopt.IBP), "model": agtopt.bound(flips, agtopt.LP)}


@pytest.fixture
def inner(flips):
    return agtopt.attack(flips)


def texts(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_widths_of_the_domain_contain_those_that_training_attains(flips, reaches, inner):
    names = flips.network.parameter_names
    for reach in reaches.values():
        widths = step_widths(reach)
        assert widths.shape == (flips.steps + 1,)
        assert widths[0] == 0.0
        assert widths[-1] == pytest.approx(reach.domain.width())
        np.testing.assert_allclose(sum(step_widths(reach, [name]) for name in names), widths)
        assert np.all(step_widths(inner) <= widths + 1e-9)
    box = reaches["model"].steps[1]
    assert step_widths(reaches["model"], [names[2], names[0]])[1] == pytest.approx(
        sum(box.upper[[0, 2]] - box.lower[[0, 2]])
    )


def test_widths_are_drawn(reaches, inner, ax):
    assert plot_widths(reaches, inner, ax) is ax
    assert texts(ax) == ["intervals", "model", "all admissible runs"]
    assert (ax.get_yscale(), ax.get_xlabel()) == ("log", "training step")
    np.testing.assert_allclose(ax.lines[0].get_ydata()[1:], step_widths(reaches["intervals"])[1:])
    assert np.isnan(ax.lines[0].get_ydata()[0]), "a logarithm has no zero"
    assert len({line.get_linestyle() for line in ax.lines[:2]}) == 2


def test_the_interval_of_a_parameter_is_drawn(flips, reaches, inner, ax):
    name = flips.network.parameter_names[1]
    assert plot_trajectory(reaches, name, inner, ax) is ax
    assert texts(ax) == ["intervals", "model", "nominal data", "all admissible runs"]
    assert ax.get_ylabel() == name
    drawn = [
        collection.get_paths()[0].vertices[:, 1]
        for collection in ax.collections
        if collection.get_paths()
    ]
    assert len(drawn) == 3
    assert drawn[0].max() == pytest.approx(max(box.upper[1] for box in reaches["intervals"].steps))
    assert drawn[-1].min() == pytest.approx(inner.lower[:, 1].min())


def test_one_result_without_an_attack(reaches, ax):
    plot_trajectory(reaches["model"], reaches["model"].problem.network.parameter_names[0], ax=ax)
    assert texts(ax) == ["LP", "nominal data"]


def test_attacks_that_are_no_enumeration_say_so(tiny_mlp, ax):
    plot_widths(agtopt.bound(tiny_mlp, "IBP"), agtopt.attack(tiny_mlp), ax)
    assert texts(ax) == ["IBP", "attained by training"]


def test_infinite_ends_run_off_the_axes(flips, ax):
    boxes = [
        Interval(np.zeros(flips.network.size), np.full(flips.network.size, end))
        for end in (0.0, 1.0, np.inf)
    ]
    boxes[2] = Interval(np.full(flips.network.size, -np.inf), boxes[2].upper)
    reach = Reach(flips, agtopt.IBP, tuple(boxes), (), 0.0)
    plot_trajectory(reach, flips.network.parameter_names[0], ax=ax)
    assert np.isfinite(ax.get_ylim()).all()
    ends = [line.get_ydata() for line in ax.lines[:2]]
    assert ends[0][-1] < ax.get_ylim()[0]
    assert ends[1][-1] > ax.get_ylim()[1]
    plot_widths(reach, ax=plt.figure().gca())


def test_what_does_not_fit_is_refused(flips, reaches, ax):
    with pytest.raises(InvalidInputError, match="'weight'"):
        plot_trajectory(reaches, "weight", ax=ax)
    for names in ("weight", []):
        with pytest.raises(InvalidInputError, match="list of parameters"):
            step_widths(reaches["model"], names)
    with pytest.raises(InvalidInputError, match="no reach"):
        plot_widths({}, ax=ax)
    longer = replace(flips, training=replace(flips.training, epochs=flips.training.epochs + 1))
    with pytest.raises(InvalidInputError, match="numbers of steps"):
        plot_widths({**reaches, "longer": agtopt.bound(longer, "IBP")}, ax=ax)
    other = random_problem(1, 2, "hinge", "flips")
    with pytest.raises(InvalidInputError, match="other parameters"):
        plot_widths({**reaches, "other": agtopt.bound(other, "IBP")}, ax=ax)
