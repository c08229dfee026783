"""Every Python example of the README and the docs runs as it is printed."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import agtopt
from agtopt.compiler import predicted_size
from agtopt.problem import Training
from agtopt.semantics.concrete import trajectory

ROOT = Path(__file__).parents[2]


def blocks(name):
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL)


def test_ten_lines_of_the_readme(tmp_path, monkeypatch, capsys):
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    scope = {}
    code, *_ = blocks("README.md")
    exec(code, scope)
    assert scope["reach"].domain.width() == pytest.approx(agtopt.attack(scope["problem"]).domain.width(), rel=1e-3)
    assert (tmp_path / "half_moons.mps").stat().st_size > 0
    assert "stable" in capsys.readouterr().out


@pytest.mark.slow
def test_the_drivers_of_the_readme(tmp_path, monkeypatch):
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    scope = {"agtopt": agtopt, "problem": agtopt.load("models/half-moons")}
    _, code, *_ = blocks("README.md")
    exec(code, scope)
    inner = agtopt.attack(scope["problem"])
    for name in ("wide", "tight", "sharp", "parts", "sure"):
        assert scope[name].domain.contains(np.unique(inner.theta, axis=0), 1e-7), name
    for name in ("tight", "sharp"):
        assert scope[name].steps[-1].width() < scope["wide"].domain.width() - 1.0
    assert scope["parts"].domain.width() == pytest.approx(inner.domain.width(), rel=1e-3)
    assert (tmp_path / "run.npz").exists()


def test_the_certificates_of_the_readme(tmp_path, monkeypatch, half_moons, half_moons_reach):
    monkeypatch.chdir(tmp_path)
    scope = {"agtopt": agtopt, "problem": half_moons, "reach": half_moons_reach}
    exec(blocks("README.md")[3], scope)
    assert scope["box"].stable.sum() < scope["exact"].stable.sum()
    assert "unknown" not in scope["exact"].verdicts
    assert scope["together"].attained == scope["together"].bound == 19
    assert "fails" not in {check.verdict for check in scope["checks"]}


@pytest.fixture(scope="module")
def outside():
    """A layer, a loss and a perturbation model that no module of the package knows: docs/extending.md, block by block."""
    scope = {"__name__": __name__}
    for code in blocks("docs/extending.md"):
        exec(code, scope)
    return scope


@pytest.fixture(scope="module")
def extended(outside):
    rng = np.random.default_rng(0)
    layers = [agtopt.Dense(2, 2), agtopt.ReLU(), outside["Halve"](), agtopt.Dense(2, 1)]
    weights = [rng.normal(size=shape) for layer in layers for shape in layer.parameter_shapes().values()]
    return agtopt.Problem(
        agtopt.Network.chain(layers, (2,), weights),
        agtopt.Dataset(rng.normal(size=(5, 2)), rng.choice([-1.0, 1.0], 5)),
        outside["Scaled"](n=1, reach=0.2),
        Training(outside["SquaredHinge"](), epochs=2, learning_rate=0.1),
    )


def by_autograd(problem, dataset):
    """The same run by torch alone."""
    tensors = [torch.tensor(value, requires_grad=True) for value in problem.network.initial.values()]
    x, y = torch.tensor(dataset.features), torch.tensor(dataset.labels)
    for _ in range(2):
        z = ((x @ tensors[0].T + tensors[1]).clamp(min=0) / 2) @ tensors[2].T + tensors[3]
        loss = (1 - y * z[:, 0]).clamp(min=0).square().mean()
        moved = torch.autograd.grad(loss, tensors)
        tensors = [(t - 0.1 * g).detach().requires_grad_() for t, g in zip(tensors, moved, strict=True)]
    return np.concatenate([t.detach().numpy().ravel() for t in tensors])


def test_what_comes_from_outside_trains_as_in_torch(extended):
    datasets = [extended.dataset, *extended.perturbation.sample(extended, 5, np.random.default_rng(1))]
    for dataset in datasets:
        assert extended.perturbation.admits(extended, dataset)
        np.testing.assert_allclose(trajectory(extended, dataset)[-1], by_autograd(extended, dataset), rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", ["LP", "QCP", "MILP", "MIQCP", "MINLP"])
def test_what_comes_from_outside_compiles_in_every_kind(extended, kind):
    model = agtopt.compile(extended, kind)
    for dataset in [None, *extended.perturbation.sample(extended, 5, np.random.default_rng(2))]:
        assert model.replay_error(dataset) < 1e-11
    predicted = predicted_size(extended, model.kind)
    assert agtopt.compile(extended, kind, conditional=False).size.binaries <= predicted.binaries


def test_what_comes_from_outside_is_bounded_soundly(extended):
    inner = agtopt.attack(extended)
    boxes = [agtopt.bound(extended, kind).domain for kind in ("MILP", "LP", "CROWN", "IBP")]
    assert boxes[0].contains(np.stack([inner.domain.lower, inner.domain.upper]), 1e-9)
    for tight, wide in itertools.pairwise(boxes):
        assert wide.contains(np.stack([tight.lower, tight.upper]), 1e-5)
    with pytest.raises(agtopt.UnsupportedError, match="enumerat"):
        extended.perturbation.enumerate(extended)
