"""What is added touches the files that docs/extending.md names, and no others."""

import re
import sys
from pathlib import Path

import pytest

from agtopt.problem import Layer, Loss, Moving, Perturbation, Removing, Substitution
from agtopt.problem.loss import LOSSES
from agtopt.program.operations import Arithmetic
from agtopt.readers.folder import LAYERS, PERTURBATIONS
from agtopt.solvers.scip import ScipSession
from tests.architecture.test_verbs import MEANINGS, PACKAGE, family, finished

ROOT = Path(__file__).parents[2]
PACKAGE_FOLDER = ROOT / "agtopt"


def table(page):
    """The rows: what is added, the files that it needs, and those that may know it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    rows = re.search(r"^\| to add \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, flags=re.MULTILINE)
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[1].splitlines()]
    return {added: (files(needed), files(known)) for added, needed, known in cells}


def files(cell):
    return set(re.findall(r"`([\w/]+(?:\.py)?)`", cell)) - {"Moving", "Removing"}


TABLE = table("docs/extending.md")
SIMPLE = "a perturbation model of boxes (`Moving`) or of sets left out (`Removing`)"
PERTURBING = [
    (kind, SIMPLE, 1) for kind in PERTURBATIONS.values() if issubclass(kind, (Moving, Removing))
] + [(Substitution, "another perturbation model", 4)]


def file_of(thing):
    path = Path(sys.modules[thing.__module__].__file__)
    return path.relative_to(PACKAGE_FOLDER).as_posix()


def touched(kind, base):
    """Where a type is defined, and where its own meanings are registered."""
    verbs = [verb for verb in MEANINGS.values() if family(verb) is base]
    return {file_of(kind)} | {
        file_of(verb.registry[kind]) for verb in verbs if kind in verb.registry
    }


def of_package(base):
    return sorted(finished(base), key=lambda kind: kind.__name__)


def semantics():
    """The files of classes that give several operations of the program a meaning of their own."""
    names = {name for name in vars(Arithmetic) if not name.startswith("_")}
    return {
        file_of(value)
        for module in PACKAGE
        for value in vars(module).values()
        if isinstance(value, type)
        and value.__module__ == module.__name__
        and len(names & set(vars(value))) > 3
    }


def test_both_pages_have_the_same_table():
    assert table("CONTRIBUTING.md") == TABLE


def test_the_files_are_there():
    named = set().union(*(needed | known for needed, known in TABLE.values()))
    assert [name for name in sorted(named) if not (PACKAGE_FOLDER / name).exists()] == []


@pytest.mark.parametrize("kind", of_package(Layer), ids=lambda kind: kind.__name__)
def test_a_layer_needs_its_files(kind):
    needed, known = TABLE["a layer"]
    assert touched(kind, Layer) == needed
    assert len(needed) == 3
    assert (kind in LAYERS.values()) == ("readers/folder.py" in known)


@pytest.mark.parametrize("kind", of_package(Loss), ids=lambda kind: kind.__name__)
def test_a_loss_needs_its_files(kind):
    needed, known = TABLE["a loss"]
    assert len(needed) == 2
    assert touched(kind, Loss) == needed | known
    assert kind in {type(loss) for loss in LOSSES.values()}


@pytest.mark.parametrize(("kind", "row", "count"), PERTURBING)
def test_a_perturbation_model_needs_its_files(kind, row, count):
    own = file_of(kind)
    assert own.startswith("problem/perturbation/")
    needed = TABLE[row][0] - {"problem/perturbation"} | {own}
    assert needed <= touched(kind, Perturbation) <= needed | TABLE[row][1]
    assert len(needed) == count


def test_an_operation_needs_every_semantics():
    needed, known = TABLE["an operation of the program"]
    assert needed <= semantics() <= needed | known


def test_a_solver_needs_its_entry():
    """Who names SCIP in the room of solvers, beside the file of its session."""
    named = {
        path.relative_to(PACKAGE_FOLDER).as_posix()
        for path in (PACKAGE_FOLDER / "solvers").glob("*.py")
        if re.search(r"\bScipSession\b|\"scip\"", path.read_text(encoding="utf-8"))
    }
    assert named - {file_of(ScipSession)} == TABLE["a solver of its own"][0]
