"""The floors, the free rooms and the public face."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import agtopt

ROOT = Path(__file__).parents[2]


def test_import_linter_contracts_hold():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    "statement", ["import agtopt", "import agtopt.problem", "import agtopt.program, agtopt.domains"]
)
def test_light_imports_load_neither_torch_nor_pyomo(statement):
    code = (
        f"{statement}; import sys; print([m for m in ('torch', 'pyomo', 'pandas', 'matplotlib') if "
        "m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", agtopt.__all__)
def test_every_public_name_exists_and_is_described(name):
    found = getattr(agtopt, name)
    assert inspect.getdoc(found)
    assert name in dir(agtopt)


def test_the_stub_names_what_there_is():
    """mypy and `agtopt/__init__.py` both read the stub, where a name that moved is found late."""
    stub = ast.parse((ROOT / "agtopt" / "__init__.pyi").read_text(encoding="utf-8"))
    rooms = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    for room in rooms:
        assert room.level == 1
        assert all(alias.asname == alias.name for alias in room.names)  # else it is no re-export
    named = {
        alias.name: importlib.import_module(f"agtopt.{room.module}")
        for room in rooms
        for alias in room.names
        if room.module is not None
    }
    assert set(agtopt.__all__) == set(named)
    assert all(getattr(agtopt, name) is getattr(room, name) for name, room in named.items())


def test_rooms_that_users_write_out_need_no_import_and_shadow_nothing():
    code = (
        "from agtopt import *; print('problem' in vars()); import agtopt; "
        "print(agtopt.problem.Loss.__name__, agtopt.domains.contains.__name__, agtopt.kinds.IBP)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "Loss", "contains", "IBP"]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = agtopt.nonsense


@pytest.mark.parametrize(
    "path", sorted((ROOT / "agtopt").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_file_is_a_god(path):
    """About 400 lines of 100 columns, and no drawer for what has no place."""
    assert len(path.read_text().splitlines()) <= 480
    assert path.stem not in {"utils", "common", "helpers", "misc"}
