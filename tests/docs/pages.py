"""Pages of the documentation, played block by block."""

import re
import shlex
import shutil
import subprocess
import sys

import highspy
import pytest

from agtopt import cli
from agtopt.cli import screen
from tests.conftest import MODELS

ROOT = MODELS.parent
FENCED = re.compile(r"^```(console|text|python)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


def blocks(page):
    """(kind, text) of every fenced block of a page that says what it is."""
    return FENCED.findall((ROOT / page).read_text(encoding="utf-8"))


def command(line, monkeypatch):
    """Run a line of a console block in this process."""
    program, *arguments = shlex.split(line)
    if program == "cbc":
        solved_by_cbc([program, *arguments])
        return
    assert program == "agtopt"
    monkeypatch.setattr(sys, "argv", [program, *arguments])
    monkeypatch.setattr(screen, "console", screen.Console(width=200))
    with pytest.raises(SystemExit) as done:
        cli.main()
    assert not done.value.code, line


def solved_by_cbc(arguments):
    """CBC where it is installed; else HiGHS writes a solution of the same model to the same
    file."""
    if shutil.which("cbc"):
        subprocess.run(arguments, check=True, capture_output=True)
        return
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(arguments[1])
    highs.run()
    highs.writeSolution(arguments[-1], 0)


def printed(line, said):
    """Whether a line was printed: runs of blanks are one, … is anything."""
    pattern = r"\s+".join(".*" if word == "…" else re.escape(word) for word in line.split())
    return re.search(pattern, said) is not None
