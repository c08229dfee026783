"""S3: every aggregation against all choices of the adversary, in exact arithmetic and at any size
of the numbers."""

from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
import torch

from agtopt.intervals.aggregation import (
    Least,
    PlainMean,
    RemainingMean,
    ReplacedMean,
    SeparatelyTouchedMean,
    TouchedMean,
    weighted_mean,
)
from agtopt.intervals.arithmetic import Range
from agtopt.intervals.scale.blocks import whole
from tests.intervals.exact import CASES, assert_encloses, assert_is, exact, tensor_range, wider

BATCH = 4
SHIFT = 2**1100
"""Makes every float64 a whole number, so that sums are fast and exact."""


def integers(range_):
    """Both ends as lists of whole numbers."""
    return [[int(Fraction(float(value)) * SHIFT) for value in end] for end in range_]


def aggregated(tally, variants, axis=-1, cut=None):
    """The direction from gradients that come as one fragment, or as two cut before a sample."""
    stacked = (
        Range(*(torch.stack(ends) for ends in zip(*variants, strict=True)))
        if len(variants) > 1
        else variants[0]
    )
    samples = variants[0].lower.shape[axis]
    for first, last in ((0, samples),) if cut is None else ((0, cut), (cut, samples)):
        part = Range(*(end.narrow(axis, first, last - first) for end in stacked))
        tally.add(whole(part, axis), np.arange(first, last))
    return tally.result()


def mean(value, axis, cut=None):
    return aggregated(PlainMean(value.lower.shape[axis]), [value], axis, cut)


def touched_mean(clean, touched, budget, axis, cut=None):
    return aggregated(TouchedMean(clean.lower.shape[axis], budget), [clean, touched], axis, cut)


def remaining_mean(value, vulnerable, budget, axis, cut=None):
    mask = np.asarray(vulnerable)
    return aggregated(
        RemainingMean(len(mask), min(budget, int(mask.sum())), mask), [value], axis, cut
    )


def separately_touched_mean(clean, features, labels, together, budgets, axis, cut=None):
    tally = SeparatelyTouchedMean(clean.lower.shape[axis], budgets)
    return aggregated(tally, [clean, features, labels, together], axis, cut)


def size_of(*ranges):
    """The largest magnitude."""
    return max(float(end.abs().max()) for value in ranges for end in value)


def fraction(total, many):
    return Fraction(total, SHIFT * many)


def subsets(indices, most):
    return [
        set(chosen)
        for k in range(min(most, len(indices)) + 1)
        for chosen in combinations(indices, k)
    ]


@pytest.mark.parametrize("spread", [3, 145])
@pytest.mark.parametrize("form", ["point", "any", "narrow"])
def test_mean_and_weighted_mean(form, spread):
    rng = np.random.default_rng(spread)
    for _ in range(CASES // 2):
        value = tensor_range(rng, (BATCH,), form, spread)
        low, high = integers(value)
        assert_is(
            mean(value, -1),
            {(): fraction(sum(low), BATCH)},
            {(): fraction(sum(high), BATCH)},
            size_of(value),
        )
        present = rng.random((2, BATCH)) < 0.6
        present[:, rng.integers(BATCH)] = True
        found = weighted_mean(value, torch.from_numpy(present).double(), -1)
        for row, kept in enumerate(present):
            ends = [
                {(): fraction(sum(v for v, k in zip(end, kept, strict=True) if k), int(kept.sum()))}
                for end in (low, high)
            ]
            assert_is(Range(found.lower[row], found.upper[row]), *ends, size_of(value))


def test_a_sample_that_is_left_out_may_have_any_gradient():
    """What is unknown of it does not reach the mean."""
    value = Range(
        torch.tensor([[1.0], [np.nan], [-np.inf]]).double(),
        torch.tensor([[2.0], [np.nan], [np.inf]]).double(),
    )
    found = weighted_mean(value, torch.tensor([1.0, 0.0, 0.0]).double(), -2)
    assert (found.lower.item(), found.upper.item()) == pytest.approx((1.0, 2.0), rel=1e-12)


@pytest.mark.parametrize("spread", [3, 145])
@pytest.mark.parametrize("budget", [0, 1, 2, 3])
def test_remaining_mean_is_theorem_6(budget, spread):
    """The extreme mean over the samples that remain, for any that are left out: at most n of the
    vulnerable ones."""
    rng = np.random.default_rng([budget, spread])
    for case in range(CASES):
        value = tensor_range(rng, (BATCH,), ("any", "narrow", "nonnegative")[case % 3], spread)
        vulnerable = rng.random(BATCH) < (1.0 if case % 2 else 0.5)
        low, high = integers(value)
        left = [
            [i for i in range(BATCH) if i not in gone]
            for gone in subsets(np.flatnonzero(vulnerable).tolist(), budget)
        ]
        least = min(fraction(sum(low[i] for i in kept), len(kept)) for kept in left)
        most = max(fraction(sum(high[i] for i in kept), len(kept)) for kept in left)
        found = remaining_mean(value, vulnerable, budget, -1, [None, 1, 2][case % 3])
        assert_is(found, {(): least}, {(): most}, size_of(value), case)


@pytest.mark.parametrize("spread", [3, 145])
@pytest.mark.parametrize("budget", [0, 1, 2, 9])
def test_touched_mean_is_theorem_9(budget, spread):
    """For any n samples that are touched; n > b means n = b (trap 10)."""
    rng = np.random.default_rng([budget, spread])
    for case in range(CASES):
        clean = tensor_range(rng, (BATCH,), "any", spread)
        touched = wider(rng, clean, spread)
        (a, b), (c, d) = integers(clean), integers(touched)
        choices = subsets(range(BATCH), budget)
        least = min(sum(c[i] if i in chosen else a[i] for i in range(BATCH)) for chosen in choices)
        most = max(sum(d[i] if i in chosen else b[i] for i in range(BATCH)) for chosen in choices)
        found = touched_mean(clean, touched, budget, -1, [None, 1, 2, 3][case % 4])
        assert_is(
            found,
            {(): fraction(least, BATCH)},
            {(): fraction(most, BATCH)},
            size_of(clean, touched),
            case,
        )


def gain(clean, features, labels, together, budgets):
    """The most that any choice of samples gains, by trying all of them."""
    best = 0
    for moved, relabelled in product(
        subsets(range(BATCH), budgets[0]), subsets(range(BATCH), budgets[1])
    ):
        total = 0
        for i in range(BATCH):
            if i in moved or i in relabelled:
                end = (
                    together
                    if i in moved and i in relabelled
                    else features
                    if i in moved
                    else labels
                )
                total += max(end[i] - clean[i], 0)
        best = max(best, total)
    return best


def separate_case(rng, spread):
    clean = tensor_range(rng, (BATCH,), "any", spread)
    features, labels = wider(rng, clean, spread), wider(rng, clean, spread)
    either = Range(
        torch.minimum(features.lower, labels.lower), torch.maximum(features.upper, labels.upper)
    )
    return clean, features, labels, wider(rng, either, spread)


@pytest.mark.parametrize("spread", [3, 145])
@pytest.mark.parametrize("budgets", [(1, 1), (2, 1), (1, 2), (2, 2), (9, 1)])
def test_separately_touched_mean_holds_every_choice(budgets, spread):
    rng = np.random.default_rng([*budgets, spread])
    for case in range(CASES // 4):
        ranges = separate_case(rng, spread)
        ends = [integers(value) for value in ranges]
        rise = gain(*(high for _, high in ends), budgets)
        fall = gain(*([-value for value in low] for low, _ in ends), budgets)
        found = separately_touched_mean(*ranges, budgets, -1, [None, 1, 3][case % 3])
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
    budgets = {
        "no features": (0, 2),
        "no labels": (2, 0),
        "additive": (2, 1),
        "everything": (BATCH, BATCH),
    }[which]
    for case in range(CASES // 4):
        clean, features, labels, together = separate_case(rng, 2)
        if which == "additive":
            # Whole numbers, so that the sums of gains are float64 numbers.
            clean, *gains = (
                torch.from_numpy(rng.integers(0, 50, (2, BATCH)).astype(float)) for _ in range(3)
            )
            clean, features, labels, together = (
                Range(-clean[0] - extra[0], clean[1] + extra[1])
                for extra in (torch.zeros(2, BATCH), *gains, gains[0] + gains[1])
            )
        ranges = clean, features, labels, together
        ends = [integers(value) for value in ranges]
        rise = gain(*(high for _, high in ends), budgets)
        fall = gain(*([-value for value in low] for low, _ in ends), budgets)
        low, high = fraction(sum(ends[0][0]) - fall, BATCH), fraction(sum(ends[0][1]) + rise, BATCH)
        found = separately_touched_mean(*ranges, budgets, -1)
        assert_is(found, {(): low}, {(): high}, 4 * size_of(*ranges), case)


def test_aggregations_act_along_the_sample_axis_of_any_tensor():
    """The axes of the parameter stay apart."""
    rng = np.random.default_rng(0)
    clean = tensor_range(rng, (BATCH, 2, 3), "any", 3)
    touched = wider(rng, clean, 3)
    vulnerable = np.array([True, False, True, True])
    tensors = touched_mean(clean, touched, 2, -3), remaining_mean(clean, vulnerable, 2, -3)
    for place in product(range(2), range(3)):
        one = [Range(value.lower[:, *place], value.upper[:, *place]) for value in (clean, touched)]
        for found, alone in zip(
            tensors,
            (touched_mean(*one, 2, -1), remaining_mean(one[0], vulnerable, 2, -1)),
            strict=True,
        ):
            assert exact(Range(found.lower[place], found.upper[place])) == exact(alone)


@pytest.mark.parametrize("spread", [3, 145])
@pytest.mark.parametrize("budget", [0, 1, 2, 9])
def test_replaced_mean_is_theorem_8(budget, spread):
    """For any n vulnerable samples that become the point of a box, whose gradient comes first."""
    rng = np.random.default_rng([budget, spread])
    for case in range(CASES // 2):
        value, ghost = (
            tensor_range(rng, (BATCH,), "any", spread),
            tensor_range(rng, (1,), "any", spread),
        )
        vulnerable = rng.random(BATCH) < (1.0 if case % 2 else 0.5)
        (a, b), ((c,), (d,)) = integers(value), integers(ghost)
        choices = subsets(np.flatnonzero(vulnerable).tolist(), budget)
        least = min(sum(c if i in chosen else a[i] for i in range(BATCH)) for chosen in choices)
        most = max(sum(d if i in chosen else b[i] for i in range(BATCH)) for chosen in choices)
        tally, cut = ReplacedMean(BATCH, budget, vulnerable), [BATCH, 1, 2][case % 3]
        tally.add(whole(ghost, -1), np.arange(0))
        for rows in filter(len, (np.arange(cut), np.arange(cut, BATCH))):
            tally.add(whole(Range(value.lower[rows], value.upper[rows]), -1), rows)
        found = tally.result()
        assert_is(
            found,
            {(): fraction(least, BATCH)},
            {(): fraction(most, BATCH)},
            size_of(value, ghost),
            case,
        )


@pytest.mark.parametrize("unknown", [np.nan, np.inf])
@pytest.mark.parametrize("place", ["clean", "touched"])
@pytest.mark.parametrize("samples", [BATCH, 32])
def test_what_is_unknown_of_a_sample_is_unknown_of_the_mean(samples, place, unknown):
    """Trap 3: selection does not pass over NaN."""
    for budget in (1, 2, 9):
        clean, touched = (
            torch.zeros(samples, dtype=torch.float64),
            torch.ones(samples, dtype=torch.float64),
        )
        (clean if place == "clean" else touched)[1] = unknown
        found = touched_mean(Range(-clean, clean), Range(-touched, touched), budget, -1)
        assert not found.lower.item() > -np.inf
        assert not found.upper.item() < np.inf


@pytest.mark.parametrize("budget", [0, 1, 2, 9, 40, 1000])
def test_the_smallest_values_are_found_in_fragments_of_any_size(budget):
    """Zeros that tie, and more samples than the budget or fewer."""
    rng = np.random.default_rng(budget)
    for step in (1, 7, 50, 300):
        values = torch.from_numpy(
            np.where(rng.random((2, 3, 300)) < 0.5, 0.0, rng.normal(size=(2, 3, 300)))
        )
        least = Least(budget)
        for first in range(0, 300, step):
            least.add(values[..., first : first + step].clone(), True)
        torch.testing.assert_close(
            least.kept[0].sort(-1).values, values.sort(-1).values[..., :budget], rtol=0, atol=0
        )
