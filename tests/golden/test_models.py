"""The instance zoo against its expected.toml, and half-moons against plain numpy that shares no code with agtopt."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

import agtopt

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def moons():
    with np.load(MODELS / "half-moons" / "arrays.npz") as arrays:
        x = np.hstack([arrays["features"], np.ones((128, 1))])
        return x, arrays["labels"]


def batches():
    return [np.arange(first, first + 64) for _ in range(7) for first in (0, 64)]


def expected(name):
    return tomllib.loads((MODELS / name / "expected.toml").read_text())


def test_half_moons_enumerated_by_numpy(moons):
    x, y = moons
    labels = np.repeat(y[np.newaxis], 129, axis=0)
    labels[np.arange(1, 129), np.arange(128)] *= -1
    theta = np.zeros((129, 10))
    for batch in batches():
        active = labels[:, batch] * (1 - labels[:, batch] * (theta @ x[batch].T) > 0)
        theta += 5.0 / 64 * active @ x[batch]
    width = np.ptp(theta, axis=0).sum()
    assert width == pytest.approx(expected("half-moons")["attained"]["width"], rel=1e-12)
    np.testing.assert_allclose(agtopt.attack(agtopt.load(MODELS / "half-moons")).theta, theta, atol=1e-12)


def test_half_moons_ibp_by_numpy(moons):
    x, y = moons
    low = high = np.zeros(10)
    for batch in batches():
        rows, own = x[batch], y[batch]
        ends = [np.maximum(rows, 0) @ a + np.minimum(rows, 0) @ b for a, b in ((low, high), (high, low))]

        def slope(label, ends=ends):
            margins = np.sort([1 - label * end for end in ends], axis=0)
            return np.sort([-label * (margins[0] > 0), -label * (margins[1] >= 0)], axis=0)

        def gradients(delta, rows=rows):
            return np.sort([delta[0][:, None] * rows, delta[1][:, None] * rows], axis=0)

        stands, flipped = slope(own), slope(-own)
        clean = gradients(stands)
        worst = gradients(np.array([np.minimum(stands[0], flipped[0]), np.maximum(stands[1], flipped[1])]))
        most = (clean[1].sum(0) + (worst[1] - clean[1]).max(0)) / 64
        least = (clean[0].sum(0) + (worst[0] - clean[0]).min(0)) / 64
        low, high = low - 5.0 * most, high - 5.0 * least
    domain = agtopt.bound(agtopt.load(MODELS / "half-moons"), "IBP").domain
    np.testing.assert_allclose(domain.lower, low, rtol=1e-10)
    np.testing.assert_allclose(domain.upper, high, rtol=1e-10)
    assert np.all(domain.lower <= low)
    assert np.all(domain.upper >= high)
    assert (high - low).sum() == pytest.approx(expected("half-moons")["IBP"]["width"], rel=1e-12)
    assert 15 < (high - low).sum() / expected("half-moons")["attained"]["width"] < 30


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (name, kind)
        for name in ("half-moons", "tiny-mlp")
        for kind in ("IBP", "LP", "MILP", "MIQCP")
        if (name, kind) != ("tiny-mlp", "MIQCP")
    ],
)
def test_widths_are_as_expected(name, kind):
    reach = agtopt.bound(agtopt.load(MODELS / name), kind)
    known = expected(name)
    assert known["attained"]["width"] - 1e-6 <= reach.domain.width() <= known[kind]["width"] * 1.001


@pytest.mark.slow
def test_tiny_mlp_exact_kind_is_near_what_is_attained():
    """Every bound is a dual bound, so a time limit may loosen it: the first step alone is closed at once."""
    problem = agtopt.load(MODELS / "tiny-mlp")
    exact = agtopt.bound(problem, "MIQCP", time_limit=3)
    assert exact.domain.width() <= agtopt.bound(problem, "MILP").domain.width() + 1e-6
    assert exact.domain.width() <= 1.02 * expected("tiny-mlp")["attained"]["width"]
