"""Problems, models and results as HTML: well formed, escaped, with what a reader looks for, and
shown by IPython."""

import random
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import highspy
import numpy as np
import pyomo.environ as pyo
import pytest
from IPython.core.interactiveshell import InteractiveShell

import agtopt
from agtopt.notebook import SHOWN
from tests.conftest import MODELS

VOID = {"rect", "path", "br"}
EVIL = '<script>alert("x")</script>&'


class Nesting(HTMLParser):
    """Raises where a tag is closed that is not the last one opened."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def checked(noun):
    """The HTML of a noun, and its words."""
    text = agtopt.html(noun)
    parser = Nesting()
    parser.feed(text)
    assert not parser.open
    assert "script" not in parser.seen
    return text, " ".join(re.sub(r"<[^>]+>", " ", text).split())


@pytest.fixture(scope="module")
def evil(tiny_mlp):
    return replace(tiny_mlp, name=EVIL)


@pytest.mark.parametrize("name", sorted(path.name for path in MODELS.iterdir() if path.is_dir()))
def test_every_problem_is_drawn_and_described(name):
    problem = agtopt.load(MODELS / name)
    text, words = checked(problem)
    assert problem.perturbation.describe() in words.replace("&lt;", "<")
    assert f"{problem.steps} steps of SGD" in words
    assert text.count("<rect") == 1 + len(problem.network.nodes)
    assert text.count("marker-end") == problem.network.graph.number_of_edges()
    assert all(f"{node}: " in words for node in problem.network.nodes)
    assert ("stroke-dasharray" in text) == bool(problem.training.frozen)


def test_boxes_of_a_drawing_do_not_overlap():
    text, _ = checked(agtopt.load(MODELS / "residual-momentum"))
    boxes = np.array(
        re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', text),
        dtype=float,
    )
    for k, (x, y, w, h) in enumerate(boxes):
        for u, v, a, b in boxes[k + 1 :]:
            assert x + w < u or u + a < x or y + h < v or v + b < y


@pytest.mark.parametrize("kind", ["LP", "MIQCP"])
def test_a_model_is_a_tree_of_its_blocks(tiny_mlp, kind):
    model = agtopt.compile(tiny_mlp, kind)
    model.pyomo.add_component(EVIL, pyo.Var([0, 1]))
    text, words = checked(model)
    size = model.size
    assert f"{size.binaries:,} binary, {size.continuous:,} continuous" in words
    assert f"{size.linear:,} linear, {size.quadratic:,} quadratic" in words
    blocks = [
        block
        for component in model.pyomo.component_objects(pyo.Block)
        for block in component.values()
    ]
    assert text.count("<details>") == len(blocks)
    assert "data.selector[0] … data.selector[7]" in words
    assert "parameter[2].dense1_weight[0,0]" in words


def test_the_tree_of_a_huge_model_is_left_out(tiny_mlp, monkeypatch):
    monkeypatch.setattr(sys.modules["agtopt.report.html"], "MOST_COMPONENTS", 10)
    text, words = checked(agtopt.compile(tiny_mlp, "LP"))
    assert "<details>" not in text
    assert "browse model.pyomo" in words


def test_results_show_their_tables(half_moons, half_moons_reach, half_moons_hull):
    _, words = checked(half_moons_reach)
    assert "total width 14.32" in words
    assert all(name in words for name in half_moons.network.parameter_names)
    assert f"{len(half_moons_reach.table())} bounds" in words
    points = agtopt.certify(
        half_moons_reach,
        half_moons.dataset.features,
        half_moons.dataset.labels,
        attack=half_moons_hull,
    )
    _, words = checked(points)
    assert f"{int(points.stable.sum())} certified" in words
    assert f"certified {points.certified_accuracy:.4f}" in words
    assert "… and 68 rows more" in words


def test_regression_has_no_verdicts(tiny_mlp):
    points = agtopt.certify(agtopt.bound(tiny_mlp, "IBP"), tiny_mlp.dataset.features)
    _, words = checked(points)
    assert "predictions of" not in words
    assert "accuracy" not in words


def test_a_comparison_shows_every_method(tiny_mlp):
    comparison = agtopt.compare(tiny_mlp, ["IBP", "CROWN"])
    _, words = checked(comparison)
    assert "IBP" in words
    assert "CROWN" in words
    assert "by attacks" in words


def test_a_comparison_of_two_problems_names_both(tiny_mlp, half_moons):
    _, words = checked(agtopt.compare([tiny_mlp, half_moons], ["IBP"]))
    assert all(
        said in words for said in ("tiny-mlp: 2-4-1", "half-moons: 9-1", "by attacks", "enumerated")
    )


def test_text_is_escaped(evil):
    for noun in (
        evil,
        agtopt.compile(evil, "LP"),
        agtopt.bound(evil, "IBP"),
        agtopt.compare(evil, ["IBP"]),
    ):
        text, _ = checked(noun)
        assert "&lt;script&gt;" in text


def test_other_things_are_refused():
    with pytest.raises(
        agtopt.InvalidInputError, match=r"int is not allowed.*CompiledModel.*Problem"
    ):
        agtopt.html(3)


@pytest.fixture(scope="module")
def nouns(tmp_path_factory):
    """One of everything that has a view, by the name of its type."""
    folder = tmp_path_factory.mktemp("nouns")
    problem = agtopt.load(MODELS / "removal-hinge")
    X, y = problem.dataset.features, problem.dataset.labels
    inner, reach, run = (
        agtopt.attack(problem),
        agtopt.bound(problem, "LP"),
        agtopt.Run.begin(problem, agtopt.Settings("LP", window=1)),
    )
    run.step()
    files = agtopt.export(problem, folder / "set", ["MILP"], ["dense1_bias[0]"])
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(files[0].path))
    highs.run()
    highs.writeSolution(str(folder / "s.sol"), 0)
    points = agtopt.certify(reach, X, y, attack=inner)
    record, model = agtopt.Record.of(reach, points), agtopt.compile(problem, "LP")
    model.minimise(np.eye(problem.network.size)[0])
    replaced = replace(
        problem, perturbation=agtopt.Substitution(1, features=(-3.0, 3.0), labels=(-1, 1))
    )
    private = agtopt.private_predictions(agtopt.ladder(replaced, [1]), X)
    found = [
        problem,
        problem.network,
        problem.dataset,
        inner,
        reach,
        run,
        reach.domain,
        agtopt.bound(problem, "AFFINE").affine,
        agtopt.Polytope(np.eye(problem.network.size)),
        model,
        model.bound(),
        agtopt.compare(problem, ["IBP"]),
        files,
        files[0],
        agtopt.import_solution(problem, folder / "s.sol", files[0].target),
        points,
        next(witness for witness in points.witnesses if witness is not None),
        agtopt.certify_dataset(reach, X, y),
        agtopt.certify_together(reach, X, method="LP"),
        record,
        agtopt.verify(record, problem),
        agtopt.prediction_attack(problem, X),
        agtopt.loss_attack(problem, X, y),
        agtopt.ladder(problem, [1, 2]),
        agtopt.serve(reach),
        private,
        private.release(0.1, agtopt.Account(100.0), source=random.Random(0)),
    ]
    return {type(noun).__name__: noun for noun in found}


def test_everything_that_has_a_view_is_shown(nouns):
    listed = {(module, name) for module, names in SHOWN.items() for name in names}
    assert {
        (kind.__module__, kind.__name__) for kind in agtopt.html.registry if kind is not object
    } == listed
    assert set(nouns) == {name for _, name in listed}


WORDS = {
    "Affine": "directions of samples",
    "Attack": "every admissible dataset: the exact hull",
    "Checks": "domain not proved",
    "CollectiveCertificate": "predictions; ",
    "Dataset": "samples 16 of shape 2",
    "DatasetCertificate": "loss_upper",
    "Degradation": "on the nominal data",
    "Exported": "optimum of the file between",
    "ExportedSet": "MILP.dense1_bias_0.max.mps",
    "ImportedSolution": "training on that data attains",
    "Interval": "Box of 3 parameters",
    "Ladder": "budgets 1, 2",
    "Polytope": "a template without bounds",
    "PrivatePredictions": "private: only what release() returns",
    "Record": "claims until it is verified",
    "Refutations": "worst margin",
    "Release": "a test, nothing to publish",
    "Run": "1 of 4 solved",
    "Server": "covered by the certificates",
    "SolveResult": "which bounds nothing",
    "Witness": "changes a prediction",
}


@pytest.mark.parametrize("name", WORDS)
def test_a_view_says_what_it_is(nouns, name):
    _, words = checked(nouns[name])
    assert WORDS[name] in words


def test_private_predictions_show_nothing_private(nouns):
    _, words = checked(nouns["PrivatePredictions"])
    assert "distance" not in words
    assert "array" not in words


NOTEBOOK = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
import agtopt
heavy = {"torch", "pyomo", "pandas"} & set(sys.modules)
assert not heavy, heavy
shown, _ = shell.display_formatter.format(agtopt.Network.dense([2, 1]))
assert "<svg" in shown["text/html"]
agtopt.unload_ipython_extension(shell)
assert "text/html" not in shell.display_formatter.format(agtopt.Network.dense([2, 1]))[0]
"""


@pytest.mark.parametrize(
    "code",
    [NOTEBOOK, "import agtopt, sys; assert 'IPython' not in sys.modules"],
    ids=["notebook", "script"],
)
def test_a_notebook_shows_nouns_by_itself(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_ipython_shows_them_once_asked(tiny_mlp):
    shell = InteractiveShell()
    show = shell.display_formatter.format
    assert "text/html" not in show(tiny_mlp)[0]
    for _ in range(2):
        shell.run_line_magic("load_ext", "agtopt")
    assert show(tiny_mlp)[0]["text/html"] == agtopt.html(tiny_mlp)
    assert "text/html" not in show(3)[0]
    assert "<details>" in show(agtopt.compile(tiny_mlp, "LP"))[0]["text/html"]
    shell.run_line_magic("unload_ext", "agtopt")
    assert "text/html" not in show(tiny_mlp)[0]
