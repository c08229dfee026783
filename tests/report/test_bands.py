"""Bands of loss and accuracy: what they say against trained models, and what is drawn."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import agtopt
from agtopt import InvalidInputError
from agtopt.report import band, plot_bands
from agtopt.training.concrete import outputs
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
def history(flips):
    reach = agtopt.bound(flips, agtopt.IBP)
    return agtopt.certified_history(reach, flips.dataset.features, flips.dataset.labels)


def texts(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def sweep(**columns):
    frame = pd.DataFrame(
        {"loss_lower": [0.0, 1.0], "loss": [1.0, 2.0], "loss_upper": [4.0, np.inf], **columns}
    )
    return frame.set_axis(pd.Index([10, 2], name="n"))


def test_a_band_of_the_loss_is_read_from_a_history(history):
    found = band(history, "loss", "mine")
    assert (found.label, found.quantity, found.attacked) == ("mine", "step", None)
    np.testing.assert_array_equal(found.at, history["step"])
    np.testing.assert_array_equal(found.lower, history["loss_lower"])
    np.testing.assert_array_equal(found.nominal, history["loss"])
    np.testing.assert_array_equal(found.upper, history["loss_upper"])


@pytest.mark.parametrize("seed", range(12))
def test_no_attained_model_is_outside_a_band_of_the_accuracy(seed):
    problem = random_problem(seed, 1, "hinge", "flips")
    reach = agtopt.bound(problem, agtopt.IBP)
    x, y = (
        np.random.default_rng(seed).normal(size=(40, *problem.network.input_shape)),
        np.tile([-1, 1], 20),
    )
    found = band(agtopt.certified_history(reach, x, y), "accuracy")
    said = outputs(problem, agtopt.attack(problem).theta, x)[..., 0]
    accuracy = (np.sign(said) == y).mean(axis=1)
    assert found.lower[-1] <= accuracy.min()
    assert accuracy.max() <= found.upper[-1]
    assert np.all((found.lower <= found.nominal) & (found.nominal <= found.upper))


def test_a_wrong_prediction_that_is_stable_stays_wrong():
    table = pd.DataFrame(
        {"step": [0], "nominal": [0.7], "certified": [0.5], "stable": [0.8], "attacked": [0.6]}
    )
    found = band(table, "accuracy")
    np.testing.assert_allclose([found.lower[0], found.upper[0]], [0.5, 0.7])
    np.testing.assert_allclose(found.attacked, [0.6])


def test_a_sweep_is_ordered_by_its_setting():
    found = band(sweep(loss_attacked=[3.0, 2.5]))
    assert found.quantity == "n"
    assert found.at.tolist() == [2, 10]
    assert found.lower.tolist() == [1, 0]
    assert found.upper.tolist() == [np.inf, 4]
    assert found.attacked.tolist() == [2.5, 3]


@pytest.mark.parametrize(
    ("frame", "measure", "said"),
    [
        (sweep(), "width", "measure"),
        (sweep(), "accuracy", "certified"),
        (sweep().set_axis(["a", "b"]), "loss", "index"),
        (sweep().set_axis([2, 2]), "loss", "twice"),
        (sweep().iloc[:0], "loss", "index"),
        (pd.concat({1: sweep()}), "loss", "levels"),
    ],
)
def test_what_is_no_band_is_refused(frame, measure, said):
    with pytest.raises(InvalidInputError, match=said):
        band(frame, measure)


def test_tables_over_two_quantities_do_not_mix(history):
    with pytest.raises(InvalidInputError, match=r"n and step"):
        plot_bands({"a": history, "b": sweep()})
    with pytest.raises(InvalidInputError, match="no table"):
        plot_bands({})


def test_histories_of_one_training_share_the_nominal_line(history, ax):
    wider = history.assign(loss_upper=history["loss_upper"] + 1.0)
    assert plot_bands({"narrow": history, "wide": wider}, "loss", ax) is ax
    assert texts(ax) == ["narrow", "wide", "nominal data"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("training step", "mean loss")
    drawn = [collection for collection in ax.collections if collection.get_paths()]
    assert drawn[0].get_paths()[0].vertices[:, 1].max() == pytest.approx(
        wider["loss_upper"].max()
    ), "the widest lies behind"
    assert len({collection.get_hatch() for collection in drawn}) == 2


def test_other_trainings_have_their_own_lines(history, ax):
    plot_bands({"a": history, "b": history.assign(nominal=0.0)}, "accuracy", ax)
    assert texts(ax) == ["a", "b", "a, nominal data", "b, nominal data"]


def test_an_infinite_end_runs_off_the_axes_and_an_attack_is_drawn(ax):
    plot_bands(sweep(loss_attacked=[3.0, 2.5]), ax=ax)
    assert texts(ax) == ["certified", "nominal data", "attacked"]
    assert ax.get_xlabel() == "n"
    low, high = ax.get_ylim()
    assert low == 0.0
    assert 4.0 < high < 5.0
    tops = [line.get_ydata().max() for line in ax.lines if len(line.get_ydata())]
    assert np.isfinite(tops).all()
    assert max(tops) > high
