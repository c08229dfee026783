"""What is installed: the package alone, its types, its version, and nothing heavy at import."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import agtopt

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from an archive: without git, tests' caches or an earlier build beside it."""
    archive, target = tmp_path_factory.mktemp("archive"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, archive)
    for name in ("agtopt", "models", "tests/packaging"):
        shutil.copytree(ROOT / name, archive / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            target,
            archive,
        ],
        check=True,
    )
    (found,) = target.glob("*.whl")
    return found


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    folders = {name.split("/")[0] for name in names}
    assert {folder.partition("-")[0] for folder in folders} == {"agtopt"}
    assert len(folders) == 2  # the package, and its metadata
    inside = {name for name in names if name.startswith("agtopt/")}
    assert inside == {str(path.relative_to(ROOT)) for path in (ROOT / "agtopt").rglob("*.py")} | {
        "agtopt/py.typed",
        "agtopt/__init__.pyi",
    }
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.slow
def test_an_archive_without_git_has_the_fallback_version(wheel):
    fallback = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools_scm"][
        "fallback_version"
    ]
    assert wheel.name.split("-")[1] == fallback


def test_the_version_is_that_of_the_installation():
    assert agtopt.__version__ == importlib.metadata.version("agtopt")
    assert re.match(r"\d+\.\d+", agtopt.__version__)


def test_import_waits_with_what_is_slow():
    """Less than 0.5 s where it was measured; here only what decides it."""
    heavy = (
        "torch",
        "pyomo",
        "pandas",
        "matplotlib",
        "highspy",
        "pyscipopt",
        "gurobipy",
        "onnx",
        "distributed",
    )
    code = (
        f"import sys; before = set(sys.modules); import agtopt; print([m for m in {heavy} if m in "
        "set(sys.modules) - before])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_changelog_and_citation_are_kept():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## \[Unreleased\]$", changelog, flags=re.MULTILINE)
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert "cff-version: 1.2.0" in citation
    for paper in ("arXiv:2406.05670", "arXiv:2511.09400"):
        assert paper in citation
