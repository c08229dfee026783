"""Problems, models and results as HTML: well formed, escaped, with what a reader looks for, and shown by IPython."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pyomo.environ as pyo
import pytest
from IPython.core.interactiveshell import InteractiveShell

import agtopt
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
    boxes = np.array(re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', text), dtype=float)
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
    blocks = [block for component in model.pyomo.component_objects(pyo.Block) for block in component.values()]
    assert text.count("<details>") == len(blocks)
    assert "data.selector[0] … data.selector[7]" in words
    assert "parameter[2].dense1_weight[0,0]" in words


def test_results_show_their_tables(half_moons, half_moons_reach, half_moons_hull):
    _, words = checked(half_moons_reach)
    assert "total width 14.32" in words
    assert all(name in words for name in half_moons.network.parameter_names)
    assert f"{len(half_moons_reach.table())} bounds" in words
    points = agtopt.certify(half_moons_reach, half_moons.dataset.features, half_moons.dataset.labels, attack=half_moons_hull)
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
    assert all(said in words for said in ("tiny-mlp: 2-4-1", "half-moons: 9-1", "by attacks", "enumerated"))


def test_text_is_escaped(evil):
    for noun in (evil, agtopt.compile(evil, "LP"), agtopt.bound(evil, "IBP"), agtopt.compare(evil, ["IBP"])):
        text, _ = checked(noun)
        assert "&lt;script&gt;" in text


def test_other_things_are_refused():
    with pytest.raises(agtopt.InvalidInputError, match=r"int is not allowed.*CompiledModel.*Problem"):
        agtopt.html(3)


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
