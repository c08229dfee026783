"""Names of users, from every place where one enters to every place where one leaves."""

import csv
import shlex
from html.parser import HTMLParser

import highspy
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import agtopt
from agtopt import (
    Bounded,
    Columns,
    Dataset,
    Dense,
    InvalidInputError,
    Network,
    Problem,
    ReLU,
    Run,
    Settings,
    Training,
)
from agtopt.cli import app
from agtopt.names import visible
from agtopt.report import (
    plot_comparison,
    plot_parameters,
    plot_projection,
    plot_trajectory,
    save_table,
)

X = np.array([[1.0, 0.7], [0.6, 1.2], [0.9, 1.1], [1.3, 0.5]])
TEXT = st.text(max_size=20) | st.text("aA_[]0,|$~\\/*`<&:é\u0301\n\0 -\"'%;", max_size=6)
HOSTILE = "a\n*\\ [b] |$_x$ :smile: <i> \0"
TRIOS = [
    ("keys", "values", "items"),
    ("a|b", "$x$", "_y_"),
    ("é", "e\u0301", " "),
    ("A", "a", "a_product"),
    ("x" * 300, "x" * 301, "\n\0\t"),
    ("a/b", "/", "\\"),
    ("a,b", "a;b", "[0]"),
    ("*\\", '"', "'"),
    ("..", "a", "b"),
    ("velocity_a", "a", "b"),
]


def chain(names):
    """Three layers, all of whose parameters move."""
    graph = nx.DiGraph()
    graph.add_node("input")
    for before, name, layer in zip(
        ("input", *names), names, (Dense(2, 2), ReLU(), Dense(2, 1)), strict=False
    ):
        graph.add_node(name, layer=layer)
        graph.add_edge(before, name)
    first, _, last = names
    values = {
        f"{first}_weight": [[1.0, 0.5], [0.5, 1.0]],
        f"{first}_bias": [0.1, 0.1],
        f"{last}_weight": [[1.0, 0.5]],
        f"{last}_bias": [0.1],
    }
    return Network(graph, (2,), values)


def problem(names=("a", "b", "c"), name="p", **training):
    data = Dataset(X, X[:, 0])
    return Problem(
        chain(names),
        data,
        Bounded(1, eps=0.1),
        Training("squared", learning_rate=0.1, **training),
        name=name,
    )


def allowed(name):
    return bool(name.strip()) and "." not in name and not name.startswith("velocity_")


@settings(max_examples=2, deadline=None)
@given(st.lists(TEXT, min_size=3, max_size=3, unique=True).map(tuple), TEXT)
@example(TRIOS[0], HOSTILE)
@example(TRIOS[1], "")
@example(TRIOS[2], "p")
@example(TRIOS[3], "p")
@example(TRIOS[4], "p")
@example(TRIOS[5], "p")
@example(TRIOS[6], "p")
@example(TRIOS[7], "p")
@example(TRIOS[8], "p")
@example(TRIOS[9], "p")
def test_layers_and_problems_with_any_name_are_saved_compiled_exported_and_read_back(
    tmp_path_factory, names, name
):
    if not all(map(allowed, names)):
        with pytest.raises(InvalidInputError, match="network"):
            problem(names)
        return
    assume("input" not in names)
    own, folder = problem(names, name), tmp_path_factory.mktemp("names")
    agtopt.save(own, folder / "saved", description=name)
    again = agtopt.load(folder / "saved")
    assert (again.fingerprint, again.name, again.network.parameter_names) == (
        own.fingerprint,
        name,
        own.network.parameter_names,
    )
    assert own.describe().isprintable()
    model = agtopt.compile(own, "MILP")
    assert model.replay_error() < 1e-9
    parts = [part.name for part in model.pyomo.component_objects()]
    assert len({part.casefold() for part in parts}) >= len(set(parts)) - ("A" in names)
    targets = [
        own.network.parameter_names[0],
        own.network.parameter_names[-1],
        agtopt.direction_target(own, np.ones(own.network.size), name=name),
    ]
    files = agtopt.export(own, folder / "models", ["LP"], targets, [".lp", ".mps", ".nl"])
    assert len({file.path.name.casefold() for file in files}) == len(files) == 15
    for file in files:
        if file.path.suffix != ".nl":
            check(file)
    readme = (folder / "models" / "README.md").read_text(encoding="utf-8")
    assert sum(line.startswith("| `LP.") for line in readme.splitlines()) == len(files)


def check(file):
    """A program reads the file, finds its optimum between the ends, and knows the names in the
    map."""
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    assert highs.readModel(str(file.path)) == highspy.HighsStatus.kOk
    highs.run()
    low, high = file.optimum
    assert low - 1e-6 <= highs.getInfo().objective_function_value <= high + 1e-6
    with file.path.with_name(file.path.name + ".names.csv").open(
        newline="", encoding="utf-8"
    ) as table:
        symbols = {row["file"] for row in csv.DictReader(table)}
    lp = highs.getLp()
    assert set(lp.col_names_) <= symbols | {"ONE_VAR_CONSTANT"}


@pytest.mark.parametrize("kind", ["LP", "QCP", "MILP", "MIQCP"])
def test_reserved_words_are_solved_in_every_kind_like_other_names(kind):
    widths = [
        agtopt.bound(problem(names), kind, time_limit=5).domain.width()
        for names in (("keys", "values", "model"), ("a", "b", "c"))
    ]
    assert widths[0] == pytest.approx(widths[1], rel=1e-6)


def test_proofs_have_files_of_their_own_and_a_saved_run_goes_on(tmp_path):
    own = problem(("A|b", "x", "a|b"), HOSTILE, batch_size=2, epochs=2)
    reach = agtopt.bound(own, "LP", rigour="proved", proofs=tmp_path / "proofs")
    solved = {(row.objective, row.sense) for row in reach.rows if row.source == "LP"}
    files = list((tmp_path / "proofs").iterdir())
    assert len({file.name.casefold() for file in files}) == len(files) >= len(solved) > 8
    run = Run.begin(own, Settings("LP"))
    run.step()
    again = Run.resume(own, run.save(tmp_path / "run.npz"))
    assert again.rows == run.rows
    assert all(
        np.array_equal(again.found.known.get(at), run.found.known.get(at)) for at in run.found.known
    )


def test_layers_whose_parts_are_called_alike_are_told_apart():
    own = problem(("relu1_product", "relu1", "relu1_lower"), clip=0.5)
    assert agtopt.compile(own, "MILP").replay_error() < 1e-9


def test_names_that_would_be_taken_for_other_quantities_are_refused():
    # With momentum the tensor velocity_a_weight would be the velocity of a_weight; the bounds of a
    # tensor forward.a_weight would be those of a layer a_weight.
    for names in (
        ("velocity_a", "b", "a"),
        ("forward.a", "b", "a_weight"),
        ("", "b", "c"),
        (" \n", "b", "c"),
    ):
        with pytest.raises(InvalidInputError, match="network"):
            problem(names, momentum=0.5)


@pytest.mark.parametrize("name", [5, None, b"a", 1.5, "\udcff", "x" * 2000])
def test_what_is_no_text_is_refused_where_it_enters(name):
    graph = nx.DiGraph([("input", name if name is not None else 7)])
    nx.set_node_attributes(graph, {node: Dense(2, 1) for node in graph if node != "input"}, "layer")
    own = problem()
    for make in (
        lambda: problem(name=name),
        lambda: Network(graph, (2,), {"0_weight": np.ones((1, 2)), "0_bias": np.ones(1)}),
        lambda: agtopt.direction_target(own, np.ones(own.network.size), name=name),
        lambda: agtopt.output_target(own, X[0], name=name),
        lambda: Columns((name,), "y", "squared", None, (0.0,), (1.0,)),
        lambda: Columns(("a",), name, "squared", None, (0.0,), (1.0,)),
        lambda: Columns(("a",), "y", "hinge", ("a", name), (0.0,), (1.0,)),
    ):
        with pytest.raises(InvalidInputError, match="not allowed"):
            make()
    with pytest.raises(InvalidInputError, match="not allowed"):
        Columns.of(pd.DataFrame(X).assign(y=X[:, 0]), "y", loss="squared")


@settings(deadline=None, max_examples=50)
@given(st.lists(TEXT, min_size=3, max_size=3, unique=True), TEXT, TEXT)
def test_columns_and_classes_with_any_name_are_saved_and_read_back(
    tmp_path_factory, columns, first, second
):
    assume(first.strip() != second.strip())
    folder = tmp_path_factory.mktemp("columns")
    own = Columns(tuple(columns[:2]), columns[2], "hinge", (first, second), (0.0, 1.0), (1.0, 2.0))
    own.save(folder)
    assert Columns.load(folder) == own


class Text(HTMLParser):
    """The text of a page, and its tags."""

    def __init__(self, page):
        super().__init__()
        self.words, self.tags = [], set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.words.append(data)


def test_results_are_shown_whatever_they_are_called(tmp_path):
    names, plain = ("a|<b>", "[/bold]", "$_"), problem(("a", "b", "c"), "other")
    own = problem(names, HOSTILE)
    reach = agtopt.bound(own, "IBP")
    comparison = agtopt.compare([own, plain], ["IBP", "CROWN"])
    for noun in (own, own.network, reach, comparison, agtopt.attack(own)):
        page, tame = Text(agtopt.html(noun)), Text(agtopt.html(plain))
        assert page.tags <= tame.tags | {"details", "summary", "p", "thead", "tbody"}
        assert "\0" not in agtopt.html(noun)
    assert visible(HOSTILE) in "".join(Text(agtopt.html(own)).words)
    for suffix in (".csv", ".json", ".md", ".tex"):
        path = save_table(comparison.table, tmp_path / f"table{suffix}")
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) == {".md": 6, ".tex": 10}.get(suffix, len(text.splitlines()))
    frame = pd.read_csv(tmp_path / "table.csv", keep_default_na=False)
    assert set(frame["instance"]) == {HOSTILE, "other"}


def test_pictures_are_drawn_whatever_is_in_them():
    own = problem(("a_$", "b", "_c$"), HOSTILE)
    reach, labels = agtopt.bound(own, "IBP"), ["_hidden", "$\\bad{$", "x$"]
    reaches = dict.fromkeys(labels, reach)
    for draw in (
        lambda ax: plot_parameters(reaches, ax=ax),
        lambda ax: plot_projection(reaches, 0, 1, ax=ax),
        lambda ax: plot_trajectory(reaches, own.network.parameter_names[0], ax=ax),
        lambda ax: plot_comparison(agtopt.compare([own, problem(name="_$")], ["IBP"]).table, ax=ax),
    ):
        figure, axes = plt.subplots()
        draw(axes)
        figure.canvas.draw()
        assert len(axes.get_legend().get_texts()) >= 1
        plt.close(figure)


def test_the_command_line_shows_names_as_they_are(tmp_path):
    own = problem(("a b", "[/bold]", "'\""), HOSTILE)
    agtopt.save(own, tmp_path / "p")
    run = CliRunner().invoke
    for words in (
        ["info"],
        ["bound", "--kind", "IBP", "--output", str(tmp_path / "t.md")],
        ["compare", "--kinds", "IBP"],
    ):
        result = run(app, [words[0], str(tmp_path / "p"), *words[1:]])
        assert result.exit_code == 0, result.output
        assert ":smile:" in result.output
    last = own.network.parameter_names[-1]
    agtopt.export(
        own,
        tmp_path / "models",
        ["LP"],
        [agtopt.direction_target(own, {own.network.parameter_names[0]: 2.0, last: 1.0})],
    )
    readme = (tmp_path / "models" / "README.md").read_text(encoding="utf-8")
    line = next(line for line in readme.splitlines() if line.startswith("agtopt import-solution"))
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(tmp_path / "models" / "LP.direction.min.mps"))
    highs.run()
    highs.writeSolution(str(tmp_path / "s.sol"), 0)
    _, command, _, _, *options = shlex.split(line)
    result = run(app, [command, str(tmp_path / "p"), str(tmp_path / "s.sol"), *options])
    assert result.exit_code == 0, (line, result.output, result.exception)
