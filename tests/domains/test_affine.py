"""The affine domain: support, membership, samples, and the way to and from a file."""

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtopt import InvalidInputError, SoundnessError
from agtopt.domains import Affine, Balls, Boxes, Choices, Interval, Touched, contains

WIDE = Interval(np.full(3, -1e6), np.full(3, 1e6))


def domain(seed, box=WIDE, ball=np.inf, p=3):
    rng = np.random.default_rng(seed)
    flips = Choices(rng.normal(size=(5, 2, p)))
    moved = Balls(rng.normal(size=(5, 3, p)), 0.3, float(rng.choice([1.0, 2.0, np.inf])))
    boxes = Boxes(rng.normal(size=(4, 2, p)), -rng.random((4, 2)), rng.random((4, 2)))
    samples = np.arange(5)
    together = seed % 2 == 0
    groups = (
        (Touched(2, samples, (flips, moved)), Touched(1, samples[:4], (boxes,)))
        if together
        else (Touched(2, samples, (flips,)), Touched(1, samples, (moved,)))
    )
    return Affine(
        rng.normal(size=p),
        0.1 * rng.normal(size=p),
        groups,
        0.2 * rng.normal(size=(4, p)),
        0.05 * rng.random(p),
        box,
        ball,
    )


@given(st.integers(0, 2**32), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_no_sampled_point_is_beyond_the_support(seed, other):
    found = domain(seed)
    directions = np.random.default_rng(other).normal(size=(20, 3))
    reached = found.sample(40, other) @ directions.T
    assert np.all(reached <= found.support(directions) + 1e-12)
    assert found.to_box().contains(found.sample(20, other), 1e-12)


def test_the_support_is_rounded_up_and_exact_but_for_rounding():
    """Of choices, boxes and errors the support is a number of exact arithmetic."""
    rng = np.random.default_rng(3)
    flips, boxes = rng.normal(size=(4, 1, 2)), rng.normal(size=(4, 2, 2))
    low, high = -rng.random((4, 2)), rng.random((4, 2))
    errors, radius = rng.normal(size=(3, 2)), rng.random(2)
    nominal, offset = rng.normal(size=2), rng.normal(size=2)
    moves = (Choices(flips), Boxes(boxes, low, high))
    wide = Interval(np.full(2, -np.inf), np.full(2, np.inf))
    found = Affine(nominal, offset, (Touched(2, np.arange(4), moves),), errors, radius, wide)
    exact = np.vectorize(Fraction, otypes=[object])
    for direction in rng.normal(size=(50, 2)):
        a = exact(direction)
        gains = []
        for i in range(4):
            gain = max(Fraction(0), *(exact(flips[i]) @ a))
            values = exact(boxes[i]) @ a
            gain += sum(
                max(v * Fraction(least), v * Fraction(most))
                for v, least, most in zip(values, low[i], high[i], strict=True)
            )
            gains.append(gain)
        total = a @ (exact(nominal) + exact(offset)) + sum(sorted(gains)[-2:])
        total += sum(abs(v) for v in exact(errors) @ a) + exact(radius) @ abs(a)
        support = Fraction(float(found.support(direction)))
        assert total <= support <= total + Fraction(1, 10**12)


def test_every_set_of_touched_samples_is_within_and_more_than_the_budget_is_not():
    flips = Choices(np.eye(3)[:, np.newaxis])
    group = Touched(2, np.arange(3), (flips,))
    found = Affine(np.zeros(3), np.zeros(3), (group,), np.zeros((0, 3)), np.zeros(3), WIDE)
    for corner in product((0.0, 1.0), repeat=3):
        assert found.contains(corner) == (sum(corner) <= 2)
    assert found.contains([0.5, 0.5, 1.0])
    assert not found.contains([0.7, 0.7, 0.7])
    assert not found.contains([-0.1, 0.0, 0.0])


@pytest.mark.parametrize("seed", range(6))
def test_samples_are_held_and_points_beyond_a_support_are_not(seed):
    found = domain(seed)
    assert found.contains(found.sample(4, seed), 1e-6)
    direction = np.random.default_rng(seed).normal(size=3)
    gap = found.support(direction) - direction @ found.nominal + 0.1
    assert not found.contains(found.nominal + direction * gap / (direction @ direction))


@pytest.mark.parametrize(("beyond", "tolerance"), [(1e-10, 1e-9), (1e-3, 1e-2), (0.05, 0.1)])
def test_a_point_within_the_tolerance_is_held(beyond, tolerance):
    moved = Touched(1, np.array([0]), (Choices(np.array([[[1.0, 0.5]]])),))
    nothing = np.zeros(2)
    found = Affine(
        nothing, nothing, (moved,), np.zeros((0, 2)), nothing, Interval([-9, -9], [9, 9])
    )
    assert found.contains([1.0 + beyond, 0.5], tolerance)
    assert not found.contains([1.0 + beyond, 0.5], 0.1 * beyond)


@pytest.mark.parametrize("size", [2.0**-60, 2.0**60, 2.0**100])
def test_samples_are_held_at_any_size(size):
    small = domain(1)
    groups = tuple(
        replace(
            part,
            moves=tuple(replace(each, directions=size * each.directions) for each in part.moves),
        )
        for part in small.touched
    )
    found = replace(
        small,
        nominal=size * small.nominal,
        offset=size * small.offset,
        touched=groups,
        errors=size * small.errors,
        radius=size * small.radius,
        box=Interval(size * small.box.lower, size * small.box.upper),
    )
    assert found.contains(found.sample(4, 1), 1e-6 * size)
    direction = np.array([1.0, -1.0, 0.5])
    gap = found.support(direction) - direction @ found.nominal + 0.1 * size
    assert not found.contains(found.nominal + direction * gap / (direction @ direction), 0.0)


def test_the_box_and_the_ball_cut_the_form():
    found = domain(0, Interval(np.full(3, -0.5), np.full(3, 0.5)), 0.4)
    free = domain(0)
    for direction in np.random.default_rng(1).normal(size=(20, 3)):
        value = found.support(direction)
        length = np.linalg.norm(direction)
        assert value <= free.support(direction)
        assert value <= direction @ found.nominal + 0.4 * length + 1e-12
        assert value <= 0.5 * np.abs(direction).sum() + 1e-12
    assert not found.contains(np.full(3, 0.6))


def test_a_box_without_a_form_is_that_box():
    box = Interval([-1.0, -np.inf], [2.0, 3.0])
    found = Affine.of_box([0.0, 0.0], box)
    assert np.array_equal(found.to_box().lower, box.lower)
    np.testing.assert_allclose(found.to_box().upper, box.upper, rtol=1e-12)
    assert found.contains([1.0, -7.0])
    assert not found.contains([2.1, 0.0])


def test_a_polytope_of_it_holds_its_samples():
    found = domain(1)
    rows = np.random.default_rng(0).normal(size=(5, 3))
    assert contains(found.to_polytope(rows), found.sample(20))


@pytest.mark.parametrize("seed", range(4))
def test_a_file_gives_the_same_domain(seed, tmp_path):
    found = domain(seed, ball=7.0)
    found.save(tmp_path / "affine.npz")
    again = Affine.load(tmp_path / "affine.npz")
    rows = np.random.default_rng(0).normal(size=(9, 3))
    assert np.array_equal(again.support(rows), found.support(rows))
    assert np.array_equal(again.box.lower, found.box.lower)
    assert again.ball == 7.0
    assert [part.budget for part in again.touched] == [part.budget for part in found.touched]


def test_other_files_and_other_shapes_are_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="is no affine domain"):
        Affine.load(tmp_path / "nothing.npz")
    np.savez(tmp_path / "other.npz", nominal=np.zeros(2))
    with pytest.raises(InvalidInputError, match="is no affine domain"):
        Affine.load(tmp_path / "other.npz")
    with pytest.raises(InvalidInputError, match="do not fit"):
        Affine(np.zeros(2), np.zeros(3), (), np.zeros((0, 3)), np.zeros(3), WIDE)
    with pytest.raises(InvalidInputError, match="must be finite"):
        Choices(np.full((1, 1, 2), np.nan))
    with pytest.raises(InvalidInputError, match="hold 0"):
        Boxes(np.zeros((1, 1, 2)), 0.5, 1.0)
    with pytest.raises(InvalidInputError, match="are not allowed"):
        domain(0).support(np.zeros(4))


def test_a_form_that_does_not_meet_its_box_or_its_ball_is_a_contradiction():
    """S6: it is neither a domain nor one with its ends exchanged."""
    beside = replace(domain(0), touched=(), box=Interval([50.0] * 3, [60.0] * 3))
    apart = replace(domain(0), touched=(), offset=[50.0] * 3, ball=1.0)
    for found in (beside, apart):
        with pytest.raises(SoundnessError, match=r"S6: parameter 0 is at least"):
            found.to_box()
        with pytest.raises(SoundnessError, match=r"S6: direction 0 is at least"):
            found.to_polytope(np.ones((1, 3)))
