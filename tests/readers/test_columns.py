"""Columns of a table: what becomes of them, and what is refused with its column and row."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agtopt
from agtopt import Columns, InvalidInputError, MissingFileError


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "height": [1, 2, 3, 6],
            "heavy": [True, False, False, True],
            "cost": np.array([0.5, -1, 2, 4], dtype=np.float32),
            "kind": ["b", "a", "b", "a"],
        }
    )


def test_features_are_scaled_and_classes_are_those_of_the_loss(frame):
    columns = Columns.of(frame, "kind")
    assert (columns.features, columns.loss, columns.classes, columns.network_outputs) == (
        ("height", "heavy", "cost"),
        "hinge",
        ("a", "b"),
        1,
    )
    data = columns.dataset(frame)
    np.testing.assert_allclose(data.features.mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(data.features.std(axis=0), 1)
    assert data.labels.tolist() == [1, -1, 1, -1]
    other = pd.DataFrame({"cost": [0.0], "height": [3.0], "heavy": [0], "more": ["x"]})
    X, y = columns.points(other)
    assert y is None
    np.testing.assert_allclose(X[0, 0], 0.0)


@pytest.mark.parametrize(
    ("loss", "labels"), [("binary-cross-entropy", [1, 0, 1, 0]), ("cross-entropy", [1, 0, 1, 0])]
)
def test_the_loss_says_how_classes_become_numbers(frame, loss, labels):
    columns = Columns.of(frame, "kind", ["cost"], loss, "none")
    assert columns.dataset(frame).labels.tolist() == labels
    assert columns.dataset(frame).features[:, 0].tolist() == [0.5, -1, 2, 4]
    assert columns.network_outputs == (2 if loss == "cross-entropy" else 1)


def test_classes_that_are_numbers_are_in_their_order():
    frame = pd.DataFrame({"a": range(4), "digit": [10, 9, 1, 9]})
    assert Columns.of(frame, "digit", loss="cross-entropy").classes == ("1", "9", "10")
    assert Columns.of(frame, "digit", loss="squared").dataset(frame).labels.tolist() == [
        10,
        9,
        1,
        9,
    ]
    floats = frame.assign(digit=frame["digit"].astype(float))
    assert Columns.of(frame, "digit", loss="cross-entropy").dataset(floats).labels.tolist() == [
        2,
        1,
        0,
        1,
    ]


def test_a_constant_column_is_shifted_only():
    frame = pd.DataFrame({"a": [3.0, 3.0], "y": ["u", "v"]})
    assert Columns.of(frame, "y").dataset(frame).features.tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize("value", [14.62, 0.1, -1e-300, 1e300, 0.0, 3.0])
@pytest.mark.parametrize("rounding", [0.0, 4e-16], ids=["equal", "rounded"])
def test_a_deviation_within_rounding_is_none(value, rounding):
    """scikit-learn#17794: 120 times 14.62 deviates by 1e-14, which became a factor of 1e13."""
    column = value * (1.0 + rounding * (np.arange(120) % 2))
    frame = pd.DataFrame({"x": np.arange(120.0), "ph": column, "y": ["u", "v"] * 60})
    columns = Columns.of(frame, "y", ["x", "ph"])
    assert columns.factor[1] == 1.0
    assert columns.factor[0] == np.arange(120.0).std()
    np.testing.assert_allclose(columns.points(frame)[0][:, 1], 0.0, atol=1e-15 * abs(value))
    moved = columns.points(frame.assign(ph=value + 0.01))[0][:, 1]
    np.testing.assert_allclose(moved, 0.01, rtol=1e-9 if abs(value) < 1e10 else 1.0)


def test_small_deviations_that_are_none_of_rounding_scale():
    for spread in (1e-9, 1e-12):
        frame = pd.DataFrame({"x": 1.0 + spread * np.arange(4), "y": ["u", "v"] * 2})
        assert Columns.of(frame, "y").factor[0] == pytest.approx(1.118 * spread, rel=1e-3)


@pytest.mark.parametrize("sentinel", [1e308, -1e308, 1e200, 1.7e308])
def test_a_sentinel_that_no_float_can_scale_is_refused_by_its_column(sentinel):
    values = [1.0, 2.0, 3.0, sentinel]
    frame = pd.DataFrame({"a": range(4, 8), "x": values, "y": ["u", "v"] * 2})
    with pytest.raises(
        InvalidInputError,
        match=(
            r"column 'x': from .* cannot scale it; a number like this often stands for a missing "
            r"one"
        ),
    ):
        Columns.of(frame, "y")
    assert Columns.of(frame, "y", scale="none").dataset(frame).features[3, 1] == sentinel
    small = Columns.of(frame.assign(x=[1e-9, 2e-9, 0.0, 0.0]), "y")
    with pytest.raises(
        InvalidInputError, match=r"column 'x': .* is too large for a float after scaling"
    ):
        small.points(frame.assign(x=[0.0, 0.0, 0.0, np.sign(sentinel) * 1.7e308]))
    with pytest.raises(InvalidInputError, match=r"column 'x': from .* deviation 0 as a float"):
        Columns.of(frame.assign(x=[1e-200, 2e-200, 0.0, 0.0]), "y")


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "Unnamed: 0_level_0", "y.1"])
def test_a_saved_index_and_a_second_label_are_no_features_by_default(frame, name):
    table = frame.rename(columns={"kind": "y"}).assign(**{name: range(4)})
    with pytest.raises(
        InvalidInputError, match=r"(has no name .*index=False.*|second column 'y'.*)--features"
    ):
        Columns.of(table, "y")
    assert Columns.of(table, "y", ["cost"]).features == ("cost",)
    assert Columns.of(table, "y", ["cost", name]).features == ("cost", name)


def test_words_that_mean_the_same_are_refused_and_numbers_found_as_they_are_written():
    def table(*words):
        return pd.DataFrame({"a": range(len(words)), "y": list(words)})

    for words, what in [
        (("1.1", "1.10", "2"), "how they write one number"),
        (("01", "1"), "one number"),
        (("ham", "ham "), "blanks"),
    ]:
        with pytest.raises(
            InvalidInputError, match=f"'{words[0]}' and '{words[1]}' differ only in .*{what}"
        ):
            Columns.of(table(*words), "y", ["a"], "cross-entropy")
    columns = Columns.of(table("01", "02"), "y", ["a"])
    assert columns.classes == ("01", "02")
    assert columns.points(table(1, 2.0, "2.00", "01"))[1].tolist() == [-1, 1, 1, -1]
    large = Columns.of(table(2**53, 2**53 + 1), "y", ["a"])
    assert large.classes == ("9007199254740992", "9007199254740993")
    assert large.points(table(2**53 + 1, 2**53))[1].tolist() == [1, -1]
    digits = Columns.of(table("10", "9", "1"), "y", ["a"], "cross-entropy")
    assert digits.classes == ("1", "9", "10")
    with pytest.raises(InvalidInputError, match="3 different values; name the loss"):
        Columns.of(table("10", "9", "1"), "y", ["a"])


names = st.text(min_size=1).filter(lambda word: word != "y")


@given(
    st.lists(names, min_size=1, max_size=3, unique=True),
    st.sampled_from(["hinge", "squared"]),
    st.sampled_from(["standard", "none"]),
)
def test_the_file_reads_back_exactly(tmp_path_factory, features, loss, scale):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(4, len(features))), columns=features).assign(
        y=[0, 1, 1, 0]
    )
    columns = Columns.of(frame, "y", loss=loss, scale=scale)
    folder = tmp_path_factory.mktemp("columns")
    columns.save(folder)
    assert Columns.load(folder) == columns


BAD_CELLS = [
    (np.nan, r"'a', row 1 \(counted from 0\) is empty"),
    (None, r"'a', row 1 \(counted from 0\) is empty"),
    (np.inf, r"'a', row 1 \(counted from 0\) holds inf, which is not finite"),
    ("tall", r"'a', row 1 .* holds 'tall', which is no number; .*get_dummies"),
    ([1, 2], r"'a', row 1 .* holds \[1, 2\]"),
    (pd.Timestamp("2020-01-01"), r"'a', row 1 .* holds Timestamp"),
]


@pytest.mark.parametrize(("cell", "message"), BAD_CELLS, ids=[str(cell) for cell, _ in BAD_CELLS])
def test_a_bad_cell_is_named_with_its_column_and_row(cell, message):
    frame = pd.DataFrame({"a": pd.Series([1.0, cell, 2.0], dtype=object), "y": ["u", "v", "u"]})
    with pytest.raises(InvalidInputError, match=message):
        Columns.of(frame, "y")


def test_what_does_not_fit_is_refused(frame):
    for arguments, message in [
        (("none",), "'none' does not exist; the table has height, heavy, cost, kind"),
        (("kind", ["heigth"]), "'heigth' does not exist"),
        (("kind", []), "name one column or more"),
        (("kind", ["kind"]), "not the label"),
        (("kind", ["cost"], "huber"), "'huber' is unknown; allowed are squared"),
        (("kind", ["cost"], None, "log"), "scale: 'log' is not allowed"),
        (("height", ["cost"]), "has 4 different values; name the loss"),
        (("height", ["cost"], "hinge"), "takes two classes; the label 'height' has 4"),
        (("kind", ["cost", "cost"]), "none twice"),
    ]:
        with pytest.raises(InvalidInputError, match=message):
            Columns.of(frame, *arguments)
    with pytest.raises(InvalidInputError, match="list is not allowed"):
        Columns.of([1, 2], "kind")
    with pytest.raises(InvalidInputError, match="no rows"):
        Columns.of(frame.head(0), "kind")
    with pytest.raises(InvalidInputError, match="occurs twice"):
        Columns.of(pd.concat([frame, frame], axis=1), "kind")
    columns = Columns.of(frame, "kind")
    with pytest.raises(InvalidInputError, match="'c' is no class; allowed are a, b"):
        columns.dataset(frame.assign(kind="c"))
    with pytest.raises(InvalidInputError, match=r"'kind', row 0 .* is empty"):
        columns.dataset(frame.assign(kind=None))
    with pytest.raises(InvalidInputError, match="'kind' does not exist"):
        columns.dataset(frame.drop(columns="kind"))


def test_a_broken_file_is_refused(tmp_path, frame):
    with pytest.raises(MissingFileError, match="agtopt new"):
        Columns.load(tmp_path)
    path = Columns.of(frame, "kind").save(tmp_path)
    text = path.read_text(encoding="utf-8")
    for broken, message in [
        ("=", "not valid TOML"),
        (text.replace("label", "labell"), "labell|label"),
        (text.replace("hinge", "squared"), "does not fit the classes"),
        (text.replace('"height",', ""), "one number for each feature"),
        (text.replace('"height"', '"heavy"'), "none twice"),
        (text.replace('"height"', '"kind"'), "not the label"),
        (text.replace("hinge", "multi-hinge").replace('"a",', '"a", "a",'), "differ only in"),
        (text.replace('"a",', '"a", "c",'), "takes two classes; the label 'kind' has 3"),
        (
            re.sub(r"shift = .*?]", "shift = [0.0, nan, 0.0]", text, flags=re.DOTALL),
            "must be finite",
        ),
        (
            re.sub(r"factor = .*?]", "factor = [1.0, 0.0, 1.0]", text, flags=re.DOTALL),
            "every factor must be above 0",
        ),
        (text.replace("hinge", "huber"), "'huber' is unknown"),
    ]:
        path.write_text(broken, encoding="utf-8")
        with pytest.raises(InvalidInputError, match=message):
            Columns.load(tmp_path)


def test_a_problem_of_a_table_is_bounded(frame):
    columns = Columns.of(frame, "kind")
    network = agtopt.Network.dense([len(columns.features), columns.network_outputs])
    problem = agtopt.Problem(
        network,
        columns.dataset(frame),
        agtopt.Bounded(1, nu=1, q=0),
        agtopt.Training(columns.loss, epochs=2),
    )
    assert agtopt.bound(problem, "LP").domain.contains(agtopt.attack(problem).theta, 1e-9)
