"""Tasks of a developer; `nox -l` lists them."""

from pathlib import Path

import nox

nox.options.sessions = ["lint", "fast"]


@nox.session
def fast(session: nox.Session) -> None:
    """The tests that take no more than a few seconds each."""
    session.install("-e", ".[test]")
    session.run("pytest", "-m", "not slow", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The whole suite."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """The whole suite, with the coverage of each file; below the floor in pyproject.toml it
    fails."""
    session.install("-e", ".[test]", "pytest-cov>=5,<8")
    session.run(
        "pytest", "--cov=agtopt", "--cov-report=term-missing:skip-covered", *session.posargs
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types and the import contracts."""
    session.install("-e", ".[test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation site."""
    session.install("-e", ".[docs]")
    session.run("sphinx-build", "-W", "docs", "site")


@nox.session
def build(session: nox.Session) -> None:
    """The wheel and the source archive."""
    session.install("build>=1", "twine>=5")
    session.run("python", "-m", "build")
    session.run("twine", "check", "--strict", *map(str, Path("dist").iterdir()))


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Speeds, as ratios to plain torch training and to the solvers' own interfaces."""
    session.install("-e", ".[test]")
    session.run("pytest", "tests/benchmarks", "--benchmark-enable", "-n", "0", *session.posargs)
