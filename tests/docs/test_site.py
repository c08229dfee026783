"""The documentation site: every public name is on it and says what it takes, and it builds without
a warning."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import agtopt

DOCS = Path(__file__).parents[2] / "docs"
FUNCTIONS = [
    name
    for name in agtopt.__all__
    if inspect.isroutine(getattr(agtopt, name)) and "ipython" not in name
]
CLASSES = [
    name
    for name in agtopt.__all__
    if inspect.isclass(getattr(agtopt, name)) and not name.endswith(("Error", "Warning"))
]
MODULES = (
    "attacks",
    "baselines",
    "cases",
    "certificates",
    "compiler",
    "domains",
    "drivers",
    "formulation",
    "problem",
    "program",
    "readers",
    "readers.datasets",
    "report",
    "solvers",
)


def sections(described):
    return set(re.findall(r"^(\w+)\n-+$", inspect.getdoc(described) or "", flags=re.MULTILINE))


def on_the_site():
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (DOCS / "api").glob("*.rst"))
    return set(
        re.findall(
            r"^\.\. (?:auto)?(?:class|function|exception|data):: (\S+)$", pages, flags=re.MULTILINE
        )
    )


@pytest.mark.parametrize("name", agtopt.__all__)
def test_every_public_name_is_on_the_site(name):
    assert f"agtopt.{name}" in on_the_site()


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_of_a_module_is_on_the_site(module):
    listed = {entry.rpartition(".")[2] for entry in on_the_site()}
    assert set(importlib.import_module(f"agtopt.{module}").__all__) <= listed


def test_nothing_is_on_the_site_that_is_not_there():
    for entry in on_the_site():
        module, _, name = entry.rpartition(".")
        assert hasattr(importlib.import_module(module), name), entry


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_say_what_they_take_return_and_raise(name):
    function = getattr(agtopt, name)
    found, body = sections(function), ast.parse(textwrap.dedent(inspect.getsource(function)))
    if inspect.signature(function).parameters:
        assert "Parameters" in found
        documented = re.findall(
            r"^(\w[\w, ]*) : |^(\w[\w, ]*)$", inspect.getdoc(function), flags=re.MULTILINE
        )
        names = {part.strip() for pair in documented for part in ",".join(pair).split(",")}
        assert set(inspect.signature(function).parameters) <= names
    if inspect.signature(function).return_annotation is not None:
        assert "Returns" in found
    if any(isinstance(node, ast.Raise) for node in ast.walk(body)):
        assert "Raises" in found


@pytest.mark.parametrize("name", CLASSES)
def test_classes_say_what_they_are_made_of(name):
    described = getattr(agtopt, name)
    if inspect.signature(described).parameters:
        assert sections(described) & {"Parameters", "Attributes"}
    checked = ast.parse(textwrap.dedent(inspect.getsource(described))).body[0]
    made = [
        node
        for node in checked.body
        if isinstance(node, ast.FunctionDef) and node.name in ("__init__", "__post_init__")
    ]
    if any(isinstance(node, ast.Raise) for function in made for node in ast.walk(function)):
        assert "Raises" in sections(described)


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-E",
        "-d",
        tmp_path / "trees",
        DOCS,
        tmp_path / "site",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    home = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert not any(
        link.startswith("docs/") or link.endswith((".md", ".ipynb"))
        for link in re.findall(r'href="([^"]*)"', home)
    )
    for page in (
        "concepts",
        "choosing",
        "soundness",
        "extending",
        "comparison",
        "decisions/index",
        "benchmarks",
        "solver-faults",
        "api/bounding",
        "notebooks/01_half_moons",
    ):
        assert (tmp_path / "site" / f"{page}.html").exists()
        assert f'href="{page}.html"' in home or page.startswith("api/")
