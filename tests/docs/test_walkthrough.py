"""docs/walkthrough.md, block by block: commands run in this process as a user types them, and print what stands under them."""

import re
import shlex
import shutil
import subprocess
import sys

import highspy
import pytest

from agtopt import cli
from tests.conftest import MODELS

TEXT = (MODELS.parent / "docs" / "walkthrough.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(console|text|python)\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)


def pattern(line):
    """A line of the page as a pattern: runs of blanks are one, … is anything."""
    words = " ".join(line.split())
    return r"\s+".join(".*" if word == "…" else re.escape(word) for word in words.split())


def solved_by_cbc(arguments):
    """CBC where it is installed; else HiGHS writes a solution to the same model, in the same file."""
    if shutil.which("cbc"):
        subprocess.run(arguments, check=True, capture_output=True)
        return
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(arguments[1])
    highs.run()
    highs.writeSolution(arguments[-1], 0)


@pytest.mark.slow
def test_every_command_prints_what_the_page_says(tmp_path, monkeypatch, capsys):
    (tmp_path / "models").symlink_to(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "console", cli.Console(width=200))
    said, commands, expected = "", 0, 0
    for kind, block in BLOCKS[1:]:
        if kind == "python":
            exec(block, {})
            certified, attacked = map(float, capsys.readouterr().out.split() or (0, 0))
            assert certified <= attacked
        elif kind == "console":
            for line in block.strip().splitlines():
                program, *arguments = shlex.split(line)
                commands += 1
                if program == "cbc":
                    solved_by_cbc([program, *arguments])
                    continue
                assert program == "agtopt"
                monkeypatch.setattr(sys, "argv", [program, *arguments])
                with pytest.raises(SystemExit) as done:
                    cli.main()
                assert not done.value.code, line
            said = capsys.readouterr().out
        else:
            for line in block.strip().splitlines():
                expected += 1
                assert re.search(pattern(line), said), f"{line!r} is not in\n{said}"
    assert commands == 10
    assert expected == 18
    assert certified > 0.8
    assert (tmp_path / "points.csv").read_text(encoding="utf-8").count("certified") == 167


def test_the_first_block_installs():
    """What cannot be run in a test is at least what the README says."""
    kind, block = BLOCKS[0]
    assert kind == "console"
    assert "pip install ." in block
    assert "pip install ." in (MODELS.parent / "README.md").read_text(encoding="utf-8")
