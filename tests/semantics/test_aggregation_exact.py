"""S3: every aggregation against all choices of the adversary, in exact arithmetic and at any size of the numbers."""

from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
import torch

from agtopt.semantics.aggregation import mean, remaining_mean, separately_touched_mean, touched_mean, weighted_mean
from agtopt.semantics.arithmetic import Range
from tests.semantics.exact import CASES, assert_encloses, assert_is, exact, tensor_range, wider

BATCH = 4
SHIFT = 2**1100
"""Makes every float64 a whole number, so that sums are fast and exact."""


def whole(range_):
    """Both ends as lists of whole numbers."""
    return [[int(Fraction(float(value)) * SHIFT) for value in end] for end in range_]


def size_of(*ranges):
    """The largest magnitude."""
    return max(float(end.abs().max()) for value in ranges for end in value)


def fraction(total, many):
    return Fraction(total, SHIFT * many)


def subsets(indices, most):
    return [set(chosen) for k in range(min(most, len(indices)) + 1) for chosen in combinations(indices, k)]


@pytest.mark.parametrize("spread", [3, 145])
@pytest.mark.parametrize("form", ["point", "any", "narrow"])
def test_mean_and_weighted_mean(form, spread):
    rng = np.random.default_rng(spread)
    for _ in range(CASES // 2):
        value = tensor_range(rng, (BATCH,), form, spread)
        low, high = whole(value)
        assert_is(mean(value, -1), {(): fraction(sum(low), BATCH)}, {(): fraction(sum(high), BATCH)}, size_of(value))
        present = rng.random((2, BATCH)) < 0.6
        present[:, rng.integers(BATCH)] = True
        found = weighted_mean(value, torch.from_numpy(present).double(), -1)
        for row, kept in enumerate(present):
            ends = [{(): fraction(sum(v for v, k in zip(end, kept, strict=True) if k), int(kept.sum()))} for end in (low, high)]
            assert_is(Range(found.lower[row], found.upper[row]), *ends, size_of(value))


def test_a_sample_that_is_left_out_may_have_any_gradient():
    """What is unknown of it does not reach the mean."""
    value = Range(torch.tensor([[1.0], [np.nan], [-np.inf]]), torch.tensor([[2.0], [np.nan], [np.inf]]))
    found = weighted_mean(value, torch.tensor([1.0, 0.0, 0.0]), -2)
    assert (found.lower.item(), found.upper.item()) == pytest.approx((1.0, 2.0), rel=1e-12)


@pytest.mark.parametrize("spread", [3, 145])
@pytest.mark.parametrize("budget", [0, 1, 2, 3])
def test_remaining_mean_is_theorem_6(budget, spread):
    """The extreme mean over the samples that remain, for any that are left out: at most n of the vulnerable ones."""
    rng = np.random.default_rng([budget, spread])
    for case in range(CASES):
        value = tensor_range(rng, (BATCH,), ("any", "narrow", "nonnegative")[case % 3], spread)
        vulnerable = rng.random(BATCH) < (1.0 if case % 2 else 0.5)
        low, high = whole(value)
        left = [[i for i in range(BATCH) if i not in gone] for gone in subsets(np.flatnonzero(vulnerable).tolist(), budget)]
        least = min(fraction(sum(low[i] for i in kept), len(kept)) for kept in left)
        most = max(fraction(sum(high[i] for i in kept), len(kept)) for kept in left)
        found = remaining_mean(value, torch.from_numpy(vulnerable), budget, -1)
        assert_is(found, {(): least}, {(): most}, size_of(value), case)


@pytest.mark.parametrize("spread", [3, 145])
@pytest.mark.parametrize("budget", [0, 1, 2, 9])
def test_touched_mean_is_theorem_9(budget, spread):
    """For any n samples that are touched; n > b means n = b (trap 10)."""
    rng = np.random.default_rng([budget, spread])
    for case in range(CASES):
        clean = tensor_range(rng, (BATCH,), "any", spread)
        touched = wider(rng, clean, spread)
        (a, b), (c, d) = whole(clean), whole(touched)
        choices = subsets(range(BATCH), budget)
        least = min(sum(c[i] if i in chosen else a[i] for i in range(BATCH)) for chosen in choices)
        most = max(sum(d[i] if i in chosen else b[i] for i in range(BATCH)) for chosen in choices)
        found = touched_mean(clean, touched, budget, -1)
        assert_is(found, {(): fraction(least, BATCH)}, {(): fraction(most, BATCH)}, size_of(clean, touched), case)


def gain(clean, features, labels, together, budgets):
    """The most that any choice of samples gains, by trying all of them."""
    best = 0
    for moved, relabelled in product(subsets(range(BATCH), budgets[0]), subsets(range(BATCH), budgets[1])):
        total = 0
        for i in range(BATCH):
            if i in moved or i in relabelled:
                end = together if i in moved and i in relabelled else features if i in moved else labels
                total += max(end[i] - clean[i], 0)
        best = max(best, total)
    return best


def separate_case(rng, spread):
    clean = tensor_range(rng, (BATCH,), "any", spread)
    features, labels = wider(rng, clean, spread), wider(rng, clean, spread)
    either = Range(torch.minimum(features.lower, labels.lower), torch.maximum(features.upper, labels.upper))
    return clean, features, labels, wider(rng, either, spread)


@pytest.mark.parametrize("spread", [3, 145])
@pytest.mark.parametrize("budgets", [(1, 1), (2, 1), (1, 2), (2, 2), (9, 1)])
def test_separately_touched_mean_holds_every_choice(budgets, spread):
    rng = np.random.default_rng([*budgets, spread])
    for case in range(CASES // 4):
        ranges = separate_case(rng, spread)
        ends = [whole(value) for value in ranges]
        rise = gain(*(high for _, high in ends), budgets)
        fall = gain(*([-value for value in low] for low, _ in ends), budgets)
        found = separately_touched_mean(*ranges, budgets, -1)
        low, high = fraction(sum(ends[0][0]) - fall, BATCH), fraction(sum(ends[0][1]) + rise, BATCH)
        assert_encloses(found, {(): low}, {(): high}, case)
        # Never looser than n_x + n_y samples that are touched in both ways.
        joint = touched_mean(ranges[0], ranges[3], sum(budgets), -1)
        scale = 1e-12 * size_of(*ranges)
        assert found.lower.item() >= joint.lower.item() - scale
        assert found.upper.item() <= joint.upper.item() + scale


@pytest.mark.parametrize("which", ["no features", "no labels", "additive", "everything"])
def test_separately_touched_mean_is_exact_where_it_can_be(which):
    """With one of the budgets zero, gains that add up, or a budget for every sample."""
    rng = np.random.default_rng(5)
    budgets = {"no features": (0, 2), "no labels": (2, 0), "additive": (2, 1), "everything": (BATCH, BATCH)}[which]
    for case in range(CASES // 4):
        clean, features, labels, together = separate_case(rng, 2)
        if which == "additive":
            # Whole numbers, so that the sums of gains are float64 numbers.
            clean, *gains = (torch.from_numpy(rng.integers(0, 50, (2, BATCH)).astype(float)) for _ in range(3))
            clean, features, labels, together = (
                Range(-clean[0] - extra[0], clean[1] + extra[1]) for extra in (torch.zeros(2, BATCH), *gains, gains[0] + gains[1])
            )
        ranges = clean, features, labels, together
        ends = [whole(value) for value in ranges]
        rise = gain(*(high for _, high in ends), budgets)
        fall = gain(*([-value for value in low] for low, _ in ends), budgets)
        low, high = fraction(sum(ends[0][0]) - fall, BATCH), fraction(sum(ends[0][1]) + rise, BATCH)
        found = separately_touched_mean(*ranges, budgets, -1)
        assert_is(found, {(): low}, {(): high}, 4 * size_of(*ranges), case)


def test_aggregations_act_along_the_sample_axis_of_any_tensor():
    """Leading axes (variants, branches) and the axes of the parameter stay apart."""
    rng = np.random.default_rng(0)
    clean = tensor_range(rng, (2, BATCH, 3), "any", 3)
    touched = wider(rng, clean, 3)
    vulnerable = torch.tensor([True, False, True, True])
    whole_tensor = touched_mean(clean, touched, 2, -2), remaining_mean(clean, vulnerable, 2, -2)
    for lead, column in product(range(2), range(3)):
        one = [Range(value.lower[lead, :, column], value.upper[lead, :, column]) for value in (clean, touched)]
        for found, alone in zip(whole_tensor, (touched_mean(*one, 2, -1), remaining_mean(one[0], vulnerable, 2, -1)), strict=True):
            assert exact(Range(found.lower[lead, column], found.upper[lead, column])) == exact(alone)
