"""The Python examples of docs/exporting.md run as they are printed."""

import re

import pytest

from tests.conftest import MODELS

TEXT = (MODELS.parent / "docs" / "exporting.md").read_text(encoding="utf-8")


def test_the_examples(tmp_path, monkeypatch, capsys):
    (tmp_path / "models").symlink_to(MODELS)
    monkeypatch.chdir(tmp_path)
    scope = {}
    for code in re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL):
        exec(code, scope)
    assert len(scope["files"]) == 2 * 4 * 4
    assert scope["result"].bound == pytest.approx(scope["result"].incumbent, abs=1e-3)
    assert "LP.dense1_bias_0.min.lp" in capsys.readouterr().out
    assert not scope["model"].dataset.changed(scope["problem"].dataset)[:2].any()
