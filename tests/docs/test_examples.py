"""Every Python example of the README and the docs runs as it is printed."""

import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import agtopt
from agtopt.certificates import certify_dataset
from agtopt.compiler import predicted_size
from agtopt.problem import Removal, Training
from agtopt.training.concrete import trajectory

ROOT = Path(__file__).parents[2]


def blocks(name):
    return re.findall(
        r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL
    )


def test_ten_lines_of_the_readme(tmp_path, monkeypatch, capsys):
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    scope = {}
    code, *_ = blocks("README.md")
    exec(code, scope)
    assert scope["reach"].domain.width() == pytest.approx(
        agtopt.attack(scope["problem"]).domain.width(), rel=1e-3
    )
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
    """A layer, a loss and two perturbation models that no module of the package knows:
    docs/extending.md, block by block."""
    scope = {"__name__": __name__}
    for code in blocks("docs/extending.md"):
        assert not re.search(r"[. ]_[a-z]", code), "no private names"
        exec(code, scope)
    return scope


@pytest.fixture(scope="module")
def extended(outside):
    rng = np.random.default_rng(0)
    layers = [agtopt.Dense(2, 2), agtopt.ReLU(), outside["Halve"](), agtopt.Dense(2, 1)]
    weights = [
        rng.normal(size=shape) for layer in layers for shape in layer.parameter_shapes().values()
    ]
    return agtopt.Problem(
        agtopt.Network.chain(layers, (2,), weights),
        agtopt.Dataset(rng.normal(size=(5, 2)), rng.choice([-1.0, 1.0], 5)),
        outside["Scaled"](n=1, reach=0.2),
        Training(outside["SquaredHinge"](), epochs=2, learning_rate=0.1),
    )


@pytest.fixture(scope="module")
def withdrawing(outside, extended):
    """The same, where two of the samples with label −1 may be left out."""
    data = agtopt.Dataset(extended.dataset.features, [-1.0, 1.0, -1.0, -1.0, 1.0])
    return replace(extended, dataset=data, perturbation=outside["Withdrawn"](n=2, label=-1.0))


def by_autograd(problem, dataset):
    """The same run by torch alone."""
    tensors = [
        torch.tensor(value, requires_grad=True) for value in problem.network.initial.values()
    ]
    x, y = (
        torch.tensor(dataset.features[dataset.presence()]),
        torch.tensor(dataset.labels[dataset.presence()]),
    )
    for _ in range(2):
        z = ((x @ tensors[0].T + tensors[1]).clamp(min=0) / 2) @ tensors[2].T + tensors[3]
        loss = (1 - y * z[:, 0]).clamp(min=0).square().mean()
        moved = torch.autograd.grad(loss, tensors)
        tensors = [
            (t - 0.1 * g).detach().requires_grad_() for t, g in zip(tensors, moved, strict=True)
        ]
    return np.concatenate([t.detach().numpy().ravel() for t in tensors])


def test_what_comes_from_outside_trains_as_in_torch(extended):
    datasets = [
        extended.dataset,
        *extended.perturbation.sample(extended, 5, np.random.default_rng(1)),
    ]
    for dataset in datasets:
        assert extended.perturbation.admits(extended, dataset)
        np.testing.assert_allclose(
            trajectory(extended, dataset)[-1], by_autograd(extended, dataset), rtol=0, atol=1e-14
        )


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


def squared_hinges(problem, theta, features, labels):
    """Of every model at every point, by hand."""
    hidden = (
        np.einsum("mi,roi->rmo", features, theta[:, :4].reshape(-1, 2, 2)) + theta[:, None, 4:6]
    )
    z = np.einsum("rmo,ro->rm", np.maximum(hidden, 0.0) / 2.0, theta[:, 6:8]) + theta[:, 8:]
    return np.maximum(0.0, 1.0 - labels * z) ** 2


def test_a_removal_from_outside_is_bounded_as_by_enumeration(withdrawing):
    problem, every = withdrawing, withdrawing.perturbation.enumerate(withdrawing)
    theta = np.array([by_autograd(problem, dataset) for dataset in every])
    assert len(theta) == problem.perturbation.count(problem) == 7
    assert all(problem.perturbation.admits(problem, dataset) for dataset in every)
    inner = agtopt.attack(problem)
    assert inner.exact
    np.testing.assert_allclose(
        [inner.lower[-1], inner.upper[-1]],
        [theta.min(axis=0), theta.max(axis=0)],
        rtol=0,
        atol=1e-14,
    )
    same = replace(problem, perturbation=Removal(2, vulnerable=[0, 2, 3]))
    for bounded in (
        lambda problem: agtopt.bound(problem, "IBP"),
        lambda problem: agtopt.bound(problem, "CROWN"),
        lambda problem: agtopt.bound(problem, "MILP"),
        lambda problem: agtopt.bound_parts(problem, "IBP", 2),
        lambda problem: agtopt.bound_samplewise(problem, "LP"),
    ):
        box, known = bounded(problem).domain, bounded(same).domain
        assert box.contains(theta, 1e-9)
        np.testing.assert_allclose(
            [box.lower, box.upper], [known.lower, known.upper], rtol=0, atol=1e-7
        )
    model = agtopt.compile(problem, "MILP")
    assert max(model.replay_error(dataset) for dataset in every) < 1e-11
    assert model.size.binaries <= predicted_size(problem, model.kind).binaries


def test_a_loss_from_outside_is_certified_as_by_enumeration(withdrawing):
    problem, data = withdrawing, withdrawing.dataset
    theta = np.array(
        [by_autograd(problem, dataset) for dataset in problem.perturbation.enumerate(problem)]
    )
    seen = squared_hinges(problem, theta, data.features, data.labels)
    for method in ("IBP", "MILP"):
        found = certify_dataset(agtopt.bound(problem, method), data.features, data.labels).losses
        assert np.all((found.lower <= seen) & (seen <= found.upper))
    still = replace(problem, perturbation=replace(problem.perturbation, n=0))
    point = certify_dataset(agtopt.bound(still, "IBP"), data.features, data.labels).losses
    np.testing.assert_allclose([point.lower, point.upper], [seen[0], seen[0]], rtol=0, atol=1e-9)
    worst = agtopt.loss_attack(problem, data.features, data.labels)
    assert worst.losses.max() == pytest.approx(seen.mean(axis=1).max(), abs=1e-12)
