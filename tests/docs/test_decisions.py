"""Decisions are one small file each, and what the code refers to is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
PARTS = ["## Context", "## Decision", "## Consequence"]


def whole(path):
    """A title and the three parts, short enough to be read in a minute."""
    lines = path.read_text(encoding="utf-8").splitlines()
    titles = [line for line in lines if line.startswith("#")]
    return (
        lines[0].startswith("# ")
        and titles[1:] == PARTS
        and len(lines) < 60
        and all(len(line) <= 100 for line in lines)
    )


def test_a_decision_has_its_context_and_what_follows():
    assert DECISIONS
    assert [path.name for path in DECISIONS if not whole(path)] == []


def test_decisions_are_numbered_without_gaps():
    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(re.fullmatch(r"\d{4}(-[a-z0-9]+)+", path.stem) for path in DECISIONS)


def test_pages_that_the_code_refers_to_are_there():
    sources = [*(ROOT / "agtopt").rglob("*.py"), *(ROOT / "models").rglob("*.toml")]
    referred = {
        page
        for path in sources
        for page in re.findall(r"docs/[\w/-]+\.md", path.read_text(encoding="utf-8"))
    }
    assert referred
    assert [page for page in sorted(referred) if not (ROOT / page).is_file()] == []
