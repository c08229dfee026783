"""No example is left out, and every command that a page names exists with its options."""

import re
import shlex

import pytest
import typer

from agtopt.cli import app
from tests.conftest import MODELS
from tests.docs.pages import ROOT, blocks, command, printed

PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "models" / "README.md")
)

RUN = {"README.md": 4, "docs/exporting.md": 2, "docs/extending.md": 4, "docs/walkthrough.md": 2}
"""Python blocks that tests run: those of the README and of extending in `test_examples`, of
exporting in `tests/compiler`; the README's guard in `tests/drivers`."""

COMMANDS = typer.main.get_command(app).commands


@pytest.mark.parametrize("page", PAGES)
def test_every_python_example_is_run_by_a_test(page):
    assert sum(kind == "python" for kind, _ in blocks(page)) == RUN.get(page, 0), (
        "run the new block in a test, then count it here"
    )


def spoken(page):
    """Commands in console blocks and in running text."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = [
        line
        for kind, block in blocks(page)
        if kind == "console"
        for line in block.replace("\\\n", " ").splitlines()
    ]
    lines += re.findall(r"(?<!`)`(agtopt [^`]+)`(?!`)", text)
    for line in lines:
        for part in re.split(r"&&|;", " ".join(line.split())):
            words = shlex.split(part)
            if words[:1] == ["agtopt"] and "|" not in words:
                yield words[1:]


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_named_exist(page):
    for name, *words in spoken(page):
        assert name in COMMANDS, name
        options = {
            option
            for parameter in COMMANDS[name].params
            for option in (*parameter.opts, *parameter.secondary_opts)
        } | {"--help"}
        assert {word for word in words if re.match(r"--[a-z]", word)} <= options, (name, words)


def test_commands_are_found_at_all():
    assert sum(len(list(spoken(page))) for page in PAGES) > 15
    assert {name for page in PAGES for name, *_ in spoken(page)} >= {
        "new",
        "compare",
        "certify",
        "export",
        "import-solution",
        "verify",
    }


def test_the_list_of_commands_in_the_readme():
    (line,) = re.findall(
        r"`agtopt ([\w |-]+\|[\w |-]+)`", (ROOT / "README.md").read_text(encoding="utf-8")
    )
    assert {name.strip() for name in line.split("|")} == set(COMMANDS)


def test_the_console_of_exporting(tmp_path, monkeypatch, capsys):
    (tmp_path / "models").symlink_to(MODELS)
    monkeypatch.chdir(tmp_path)
    (_, console), (_, text), *_ = [
        block for block in blocks("docs/exporting.md") if block[0] != "python"
    ]
    for line in console.strip().splitlines():
        command(line, monkeypatch)
    said = capsys.readouterr().out
    # Which program solved it, and how exactly, is not the page's promise.
    for line in text.splitlines():
        if not re.search("cbc|stated|violation|difference", line):
            assert printed(line, said), f"{line!r} is not in\n{said}"
    attained = [float(re.search(r"attains: (-?[\d.]+)", words)[1]) for words in (text, said)]
    assert attained[0] == pytest.approx(attained[1], abs=1e-8)
