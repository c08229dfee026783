"""Every Python example of the README and the docs runs as it is printed."""

import re
from pathlib import Path

import numpy as np
import pytest

import agtopt
from agtopt.problem import Training

ROOT = Path(__file__).parents[2]


def blocks(name):
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL)


def test_ten_lines_of_the_readme(tmp_path, monkeypatch, capsys):
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    scope = {}
    (code,) = blocks("README.md")
    exec(code, scope)
    assert scope["reach"].domain.width() == pytest.approx(agtopt.attack(scope["problem"]).domain.width(), rel=1e-3)
    assert (tmp_path / "half_moons.mps").stat().st_size > 0
    assert "stable" in capsys.readouterr().out


def test_a_layer_from_outside_works_in_every_semantics():
    """docs/extending.md: the layer halves its input, so the run equals that of a network with halved first weights and outputs."""
    scope = {"__name__": __name__}
    (code,) = blocks("docs/extending.md")
    exec(code, scope)
    rng = np.random.default_rng(0)
    dense, weights = agtopt.Dense(2, 1), [rng.normal(size=(1, 2)), rng.normal(size=1)]
    problem = agtopt.Problem(
        agtopt.Network.chain([dense, scope["Halve"]()], (2,), weights),
        agtopt.Dataset(rng.normal(size=(4, 2)), rng.normal(size=4)),
        agtopt.Bounded(n=1, nu=0.1),
        Training("squared", epochs=2, learning_rate=0.1),
    )
    for kind in (agtopt.LP, agtopt.QCP, agtopt.MILP, agtopt.MIQCP):
        assert agtopt.compile(problem, kind).replay_error() < 1e-12
    inner = agtopt.attack(problem).domain
    milp, ibp = (agtopt.bound(problem, kind).domain for kind in ("MILP", "IBP"))
    assert milp.contains(np.stack([inner.lower, inner.upper]), 1e-9)
    assert ibp.contains(np.stack([milp.lower, milp.upper]), 1e-5)
