"""Decisions are one small file each, and what the code refers to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_context_and_what_follows(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    headings = [line for line in lines if line.startswith("#")]
    assert lines[0].startswith("# ")
    assert headings[1:] == ["## Context", "## Decision", "## Consequence"]
    assert len(lines) < 60
    assert all(len(line) <= 100 for line in lines if not line.startswith("|"))


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
