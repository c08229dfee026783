"""docs/walkthrough.md: the commands run as a user types them, and print what stands under them."""

import pytest

from tests.conftest import MODELS
from tests.docs.pages import blocks, command, printed

INSTALL, *BLOCKS = blocks("docs/walkthrough.md")


@pytest.mark.slow
def test_every_command_prints_what_the_page_says(tmp_path, monkeypatch, capsys):
    (tmp_path / "models").symlink_to(MODELS)
    monkeypatch.chdir(tmp_path)
    said, commands, expected = "", 0, 0
    for kind, block in BLOCKS:
        lines = block.strip().splitlines()
        if kind == "python":
            exec(block, {})
            certified, attacked = map(float, capsys.readouterr().out.split() or (0, 0))
            assert certified <= attacked
        elif kind == "console":
            for line in lines:
                command(line, monkeypatch)
            commands += len(lines)
            said = capsys.readouterr().out
        else:
            expected += len(lines)
            for line in lines:
                assert printed(line, said), f"{line!r} is not in\n{said}"
    assert commands == 10
    assert expected == 33
    assert certified > 0.8
    assert (tmp_path / "points.csv").read_text(encoding="utf-8").count("certified") == 168


def test_the_first_block_installs():
    """What cannot be run in a test is at least what the README says."""
    kind, block = INSTALL
    assert kind == "console"
    assert "pip install ." in block
    assert "pip install ." in (MODELS.parent / "README.md").read_text(encoding="utf-8")
