"""A meaning is registered or refused by name: (type × verb), with verbs and types found by walking
through the package."""

import ast
import re
from dataclasses import dataclass, replace
from functools import cache, singledispatch
from importlib import import_module
from inspect import isabstract, signature
from pathlib import Path
from pkgutil import walk_packages
from unittest.mock import MagicMock

import numpy as np
import pytest

import agtopt
from agtopt import AgtoptError, UnsupportedError
from agtopt.certificates import certify_dataset
from agtopt.compiler import predicted_size
from agtopt.domains import Interval, Polytope
from agtopt.problem import Layer, Loss, Moving, Perturbation, Removing
from agtopt.problem.loss import CrossEntropy, SquaredError
from agtopt.program import loss_gradient
from agtopt.verbs import Verb
from tests.instances import random_problem

ROOT = Path(__file__).parents[2]
PACKAGE = [
    import_module(found.name)
    for found in walk_packages(agtopt.__path__, "agtopt.")
    if found.name.rpartition(".")[2] != "__main__"
]
KIND = type(singledispatch(print))
VERBS = {
    f"{module.__name__}.{name}": value
    for module in PACKAGE
    for name, value in vars(module).items()
    if (isinstance(value, Verb) or (isinstance(value, KIND) and hasattr(value, "registry")))
    and value.__module__ == module.__name__
}
MEANINGS = {path: found for path, found in VERBS.items() if isinstance(found, Verb)}
VIEWS = {"agtopt.report.html.html"}
"""Not a meaning: what derives from a noun may be shown as that noun is."""


def family(verb):
    """The type that a verb is for."""
    return next(iter(signature(verb.__wrapped__).parameters.values())).annotation


@cache
def finished(kind):
    """All types of the package that a user can make an instance of; where a verb takes any object,
    domains are meant."""
    if kind is object:
        return frozenset({Interval, Polytope})
    below = {each for child in kind.__subclasses__() for each in (child, *finished(child))}
    return frozenset(
        each for each in below if each.__module__.startswith("agtopt.") and not isabstract(each)
    )


def pairs():
    return list(_pairs())


def _pairs():
    for path, verb in MEANINGS.items():
        for kind in sorted(finished(family(verb)), key=lambda kind: kind.__name__):
            # A layer without tensors is never asked for their gradients.
            if not (
                path.endswith(".layer_gradients")
                and kind.parameter_shapes is Layer.parameter_shapes
            ):
                yield pytest.param(verb, kind, id=f"{path.rpartition('.')[2]}-{kind.__name__}")


def instance(name, base):
    """An object of a new type that says nothing of itself."""
    kind = type(name, (base,), {})
    kind.__abstractmethods__ = frozenset()
    return object.__new__(kind)


def call(verb, noun):
    return verb(noun, *(MagicMock() for _ in list(signature(verb).parameters)[1:]))


def test_the_walk_finds_every_verb():
    """No verb goes its own way: what looks types up is a `Verb`, but for views."""
    named = {name.rpartition(".")[2] for name in VERBS}
    assert {
        "forward_layer",
        "loss_gradient",
        "loss_values",
        "loss_range",
        "interval_adversary",
        "write_choices",
        "count_choices",
    } <= named
    assert set(VERBS) - set(MEANINGS) == VIEWS
    users = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "agtopt").rglob("*.py")
        if "singledispatch" in path.read_text()
    }
    assert users == {"agtopt/verbs.py", "agtopt/report/html.py"}
    assert {len(finished(kind)) for kind in (Layer, Loss, Perturbation)} == {7, 5, 4}


@pytest.mark.parametrize(("verb", "kind"), pairs())
def test_every_type_of_the_package_has_every_meaning(verb, kind):
    assert verb.meaning(kind) is not verb.registry[object]


@pytest.mark.parametrize(("verb", "kind"), pairs())
def test_what_derives_from_a_finished_type_inherits_no_meaning(verb, kind):
    """Also where the finished type has its own from an abstract one, as `Removal` from
    `Removing`."""
    with pytest.raises(AgtoptError, match=r"\bDerived\b"):
        call(verb, instance("Derived", kind))


@pytest.mark.parametrize("base", [Moving, Removing])
def test_abstract_types_hand_their_meanings_on(base):
    """Through other abstract types and past what is no perturbation model."""
    between = type("Between", (base,), {})
    kind = type("Derived", (type("Aside", (), {}), between), {})
    kind.__abstractmethods__ = frozenset()
    for verb in MEANINGS.values():
        if family(verb) is Perturbation:
            assert verb.meaning(kind) is verb.registry[base]
            assert verb.meaning(type("Again", (kind,), {})) is verb.registry[object]


@pytest.mark.parametrize("path", VERBS)
def test_an_unknown_type_is_refused_by_name(path):
    verb = VERBS[path]
    base = object if path in VIEWS else family(verb)
    with pytest.raises(AgtoptError, match=r"\bUnknown\b") as refused:
        call(verb, instance("Unknown", base))
    if base is object:
        assert "must be" in str(refused.value)
        return
    assert isinstance(refused.value, UnsupportedError)
    assert f"{path}.register" in str(refused.value)
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    assert f"## {re.search('“(.*)”', str(refused.value))[1]}\n" in page
    assert path.rpartition(".")[2] in page


def test_no_code_asks_which_loss_or_perturbation_it_has():
    """Readers do, since files have names for some; certificates that are proved for one type alone
    compare it with `is`."""
    names = {kind.__name__ for base in (Loss, Perturbation) for kind in finished(base)} | {
        "Moving",
        "Removing",
    }
    for path in sorted((ROOT / "agtopt").rglob("*.py")):
        if "readers" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "isinstance"
            ):
                asked = {each.id for each in ast.walk(node.args[1]) if isinstance(each, ast.Name)}
                assert not asked & names, f"{path}:{node.lineno}"
            if (
                isinstance(node, ast.Compare)
                and isinstance(node.left, ast.Attribute)
                and node.left.attr == "name"
            ):
                texts = {each.value for each in node.comparators if isinstance(each, ast.Constant)}
                assert not texts & {
                    "hinge",
                    "squared",
                    "multi-hinge",
                    "cross-entropy",
                    "binary-cross-entropy",
                }, f"{path}:{node.lineno}"


@pytest.mark.parametrize("what", ["removes", "replaces"])
def test_a_perturbation_says_itself_what_becomes_of_a_sample(what):
    with pytest.raises(
        UnsupportedError, match=rf"Unknown.*{what}.*Moving or Removing.*A perturbation model"
    ):
        getattr(instance("Unknown", Perturbation), what)
    assert all(
        getattr(instance("Derived", kind), what) in (True, False) for kind in finished(Perturbation)
    )


@dataclass(frozen=True)
class Leaving(Perturbation):
    """It leaves a sample out, and says so nowhere but in its datasets."""

    def admits(self, problem, other, tolerance=1e-9):
        return self.same_places(problem, other)

    def sample(self, problem, size, generator):
        present = np.ones((size, len(problem.dataset)), dtype=bool)
        present[np.arange(size), generator.integers(0, len(problem.dataset), size)] = False
        return agtopt.problem.Datasets(problem.dataset, size, present=present)

    def describe(self):
        return "one sample leaves"


@pytest.mark.parametrize(
    "use",
    [
        lambda problem: agtopt.bound(problem, "IBP"),
        lambda problem: agtopt.bound(problem, "CROWN"),
        lambda problem: agtopt.bound(problem, "LP"),
        lambda problem: agtopt.bound_parts(problem, "IBP"),
        lambda problem: agtopt.bound_samplewise(problem, "LP"),
        lambda problem: agtopt.compile(problem, "MILP", conditional=False),
        lambda problem: predicted_size(problem, agtopt.MILP),
        agtopt.attack,
        lambda problem: agtopt.prediction_attack(problem, problem.dataset.features),
    ],
    ids=["IBP", "CROWN", "LP", "parts", "samplewise", "compile", "size", "attack", "targeted"],
)
def test_a_perturbation_that_does_not_say_what_it_does_is_refused_everywhere(use):
    problem = replace(
        random_problem(0, 2, "hinge", "flips", samples=4, steps=2), perturbation=Leaving(1)
    )
    with pytest.raises(UnsupportedError, match=r"Leaving.*(register|define)"):
        use(problem)


@dataclass(frozen=True)
class DoubledError(SquaredError):
    """L = 2 Σ_c (z_c − y_c)²."""


@dataclass(frozen=True)
class Smoothed(CrossEntropy):
    """A cross-entropy with other labels, whose gradient alone is known."""


@loss_gradient.register
def _(loss: DoubledError, ops, z, y, outputs):
    return ops.scale(4.0, ops.add(z, ops.scale(-1.0, y)))


def test_a_loss_that_trains_is_not_certified_by_the_values_of_another():
    """It was once, as a logistic loss: the certified mean was 0.548 where the truth was 0.582."""
    base = random_problem(0, 1, "squared", "labels", samples=4, steps=2, n=1)
    problem = replace(base, training=replace(base.training, loss=DoubledError()))
    reach, data = agtopt.bound(problem, "IBP"), problem.dataset
    with pytest.raises(UnsupportedError, match=r"DoubledError.*loss_range.register"):
        certify_dataset(reach, data.features, data.labels)
    with pytest.raises(UnsupportedError, match=r"DoubledError.*loss_values.register"):
        agtopt.loss_attack(problem, data.features, data.labels)
    three = replace(
        base,
        network=agtopt.Network.dense([base.network.input_shape[0], 3], seed=0),
        dataset=agtopt.Dataset(data.features, np.arange(4.0) % 3),
        perturbation=agtopt.Bounded(1, nu=1, q=0),
        training=replace(base.training, loss=Smoothed()),
    )
    with pytest.raises(UnsupportedError, match=r"Smoothed.*loss_gradient.register"):
        agtopt.bound(three, "IBP")
