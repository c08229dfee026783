"""Models that do not fit are refused before anything is built, and `auto` finds what does."""

import resource
from dataclasses import replace

import numpy as np
import pytest

import agtopt
from agtopt import InvalidInputError, UnsupportedError
from agtopt.compiler import predicted_memory
from agtopt.drivers import fit
from tests.conftest import MODELS


@pytest.fixture
def small_memory(monkeypatch):
    """As if an LP of half-moons of a few steps were all that can be expected."""
    monkeypatch.setattr(fit, "LIKELY", {agtopt.MILP: 2.0**20, agtopt.LP: 2.0**23})


def moons(samples, hidden=64):
    x = np.random.default_rng(0).normal(size=(samples, 4))
    return agtopt.Problem(
        agtopt.Network.dense([4, hidden, 1], seed=0),
        agtopt.Dataset(x, np.where(x[:, 0] > 0, 1.0, -1.0)),
        agtopt.Bounded(1, eps=0.01),
        agtopt.Training("hinge", epochs=3, learning_rate=0.01),
    )


def test_too_large_a_model_is_refused_at_once_with_what_fits(monkeypatch):
    problem = moons(4000)

    def built(*arguments, **options):
        raise AssertionError("something was built")

    monkeypatch.setattr("agtopt.drivers.stage.compile", built)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(
        UnsupportedError, match=r"GiB .* are allowed; (window=\d+|not even one step) fits"
    ):
        agtopt.bound(problem, "MILP", memory=1.0)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 900


def test_the_window_that_is_named_fits_and_one_more_does_not(half_moons):
    limit = 0.01
    with pytest.raises(UnsupportedError, match="window=") as refused:
        agtopt.bound(half_moons, "LP", memory=limit)
    length = int(str(refused.value).split("window=")[1].split()[0])
    most = limit * fit.GIB
    assert (
        predicted_memory(half_moons, agtopt.LP, 0, length)
        <= most
        < predicted_memory(half_moons, agtopt.LP, 0, length + 1)
    )
    assert agtopt.bound(half_moons, "LP", window=length, memory=limit).domain.width() > 0
    with pytest.raises(UnsupportedError, match="not even one step"):
        agtopt.bound(half_moons, "LP", memory=1e-6)


@pytest.mark.parametrize("memory", [0.0, -1.0, "much", float("nan")])
def test_memory_must_be_a_positive_number(half_moons, memory):
    with pytest.raises(InvalidInputError, match="memory"):
        agtopt.bound(half_moons, "LP", memory=memory)


def test_auto_solves_a_small_run_whole(half_moons, half_moons_hull):
    reach = agtopt.bound(half_moons, "auto")
    assert reach.method == agtopt.MILP
    assert reach.settings.first == 0
    assert reach.domain.width() == pytest.approx(half_moons_hull.domain.width(), rel=1e-3)


def test_auto_takes_intervals_first_and_a_model_for_the_last_steps(
    half_moons, half_moons_hull, small_memory
):
    reach = agtopt.bound(half_moons, "auto")
    first = reach.settings.first
    assert reach.method == agtopt.LP
    assert 0 < first < half_moons.steps
    assert {row.start for row in reach.rows} == {first}
    crown = agtopt.bound(half_moons, "CROWN")
    for t, (mine, theirs) in enumerate(zip(reach.steps, crown.steps, strict=True)):
        assert agtopt.domains.contains(theirs, mine, 1e-9)
        assert t > first or np.allclose(mine.lower, theirs.lower)
    assert reach.domain.width() < crown.domain.width()
    assert reach.domain.contains(half_moons_hull.theta, 1e-9)


def test_auto_propagates_alone_where_no_model_fits(monkeypatch):
    problem = agtopt.load(MODELS / "tiny-mlp")
    monkeypatch.setattr(fit, "MOST_OBJECTIVES", 10)
    assert agtopt.bound(problem, "auto").method == agtopt.CROWN
    assert agtopt.bound(problem, "auto", memory=1e-6).method == agtopt.CROWN


@pytest.mark.parametrize("first", [1, 3])
def test_the_first_step_of_a_run_is_its_users_choice(half_moons, half_moons_hull, first):
    problem = replace(half_moons, training=replace(half_moons.training, epochs=2))
    settings = agtopt.Settings("LP", first=first, conditional=False)
    run = agtopt.Run.begin(problem, settings)
    while not run.finished:
        run.step()
    found = run.finish()
    assert {row.start for row in found.rows} == {first}
    assert found.domain.contains(agtopt.attack(problem).theta, 1e-9)
    with pytest.raises(InvalidInputError, match="first"):
        agtopt.Run.begin(problem, agtopt.Settings("LP", first=problem.steps))
