"""S3: interval operations contain exact rational arithmetic, whatever the size of the numbers and whichever branch is taken."""

from fractions import Fraction
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from agtopt.semantics import arithmetic
from agtopt.semantics.interval import BudgetedIntervals, IntervalOperations, Range

CASES = 1000
SUBSCRIPTS = ["ni,oi->no", "no,ni->noi", "no,oi->ni", "na,na->na"]
SIZES = {"n": 2, "i": 3, "o": 2, "a": 3}


@pytest.fixture
def ops():
    return IntervalOperations(None)


def numbers(rng, shape, spread):
    """Zeros, subnormals, and numbers of sizes up to 10**±spread, some of which nearly cancel."""
    values = rng.normal(size=shape) * 10.0 ** rng.integers(-spread, min(spread, 145), shape)
    values = np.where(rng.random(shape) < 0.15, 0.0, values)
    values = np.where(rng.random(shape) < 0.1, rng.integers(-9, 9, shape) * 5e-324, values)
    return np.where(rng.random(shape) < 0.2, np.round(rng.normal(size=shape), 1), values)


def tensor_range(rng, shape, form, spread):
    """A random range: a point, one of any sign, or a nonnegative one; some entries without width."""
    first, second = numbers(rng, shape, spread), numbers(rng, shape, spread)
    if form == "point":
        point = torch.from_numpy(first)
        return Range(point, point)
    if form == "narrow":
        second = np.nextafter(first, np.inf)
    second = np.where(rng.random(shape) < 0.1, first, second)
    if form == "nonnegative":
        first, second = np.abs(first), np.abs(second)
    return Range(torch.from_numpy(np.minimum(first, second)), torch.from_numpy(np.maximum(first, second)))


def assert_encloses(found, low, high, note=""):
    """`low` and `high` are Fractions by index."""
    for index in low:
        ends = float(found.lower[index]), float(found.upper[index])
        assert not np.isnan(ends).any(), (note, index)
        assert ends[0] == -np.inf or Fraction(ends[0]) <= low[index], (note, index, ends, float(low[index]))
        assert ends[1] == np.inf or Fraction(ends[1]) >= high[index], (note, index, ends, float(high[index]))


def exact(range_):
    return [{index: Fraction(float(end[index])) for index in np.ndindex(end.shape)} for end in range_]


def exact_contract(subscripts, first, second):
    """The exact hull: every factor occurs once in a sum, so the terms move independently."""
    inputs, output = subscripts.split("->")
    left, right = inputs.split(",")
    letters = sorted(set(left + right))
    ends = exact(first), exact(second)
    sums = [{}, {}]
    for values in product(*(range(SIZES[letter]) for letter in letters)):
        at = dict(zip(letters, values, strict=True))
        a, b, out = (tuple(at[letter] for letter in word) for word in (left, right, output))
        corners = [x[a] * y[b] for x in ends[0] for y in ends[1]]
        for total, extreme in zip(sums, (min, max), strict=True):
            total[out] = total.get(out, Fraction(0)) + extreme(corners)
    return sums


@pytest.mark.parametrize("spread", [3, 145, 320])
@pytest.mark.parametrize("corners", [2**24, 0], ids=["corners", "rump"])
@pytest.mark.parametrize(
    "forms",
    [
        ("point", "any"),
        ("any", "point"),
        ("point", "point"),
        ("any", "nonnegative"),
        ("nonnegative", "any"),
        ("any", "any"),
        ("narrow", "narrow"),
    ],
    ids="x".join,
)
def test_contract(ops, monkeypatch, forms, corners, spread):
    monkeypatch.setattr(arithmetic, "CORNERS", corners)
    rng = np.random.default_rng(spread)
    for case in range(CASES // 5):
        subscripts = SUBSCRIPTS[case % len(SUBSCRIPTS)]
        words = subscripts.split("->")[0].split(",")
        factors = [tensor_range(rng, tuple(SIZES[c] for c in word), form, spread) for word, form in zip(words, forms, strict=True)]
        assert_encloses(ops.contract(subscripts, *factors), *exact_contract(subscripts, *factors), (case, subscripts))


@pytest.mark.parametrize("spread", [3, 145, 320])
@pytest.mark.parametrize("form", ["point", "any", "nonnegative", "narrow"])
def test_add_scale_descend_and_mean(ops, form, spread):
    rng = np.random.default_rng(spread)
    for _ in range(CASES):
        first, second = tensor_range(rng, (4,), form, spread), tensor_range(rng, (4,), "any", spread)
        (a, b), (c, d) = exact(first), exact(second)
        assert_encloses(ops.add(first, second), {k: a[k] + c[k] for k in a}, {k: b[k] + d[k] for k in a})
        for factor in (2.0, -1.0, 0.1, -0.3, float(numbers(rng, (), 3))):
            ends = [{k: Fraction(factor) * end[k] for k in a} for end in (a, b)]
            assert_encloses(ops.scale(factor, first), *(ends if factor >= 0 else ends[::-1]))
        rate = Fraction(0.3)
        moved = {k: a[k] - rate * d[k] for k in a}, {k: b[k] - rate * c[k] for k in a}
        assert_encloses(ops.descend(first, second, 0.3, "w"), *moved)
        mean = [{(): sum(end.values(), Fraction(0)) / 4} for end in (a, b)]
        assert_encloses(ops._mean(first, 0), *mean)


@pytest.mark.parametrize("spread", [3, 145])
@pytest.mark.parametrize("budget", [1, 2, 9])
def test_budgeted_aggregation_is_theorem_9(budget, spread):
    """SEMax_n of the rises and the sum of the clean ends, in exact arithmetic; n > b means n = b."""
    rng = np.random.default_rng(budget)
    ops = BudgetedIntervals.__new__(BudgetedIntervals)
    ops.problem = SimpleNamespace(network=SimpleNamespace(initial={"w": np.zeros(2)}), perturbation=SimpleNamespace(n=budget))
    for _ in range(CASES):
        clean, other = tensor_range(rng, (5, 2), "any", spread), tensor_range(rng, (5, 2), "any", spread)
        worst = Range(torch.minimum(clean.lower, other.lower), torch.maximum(clean.upper, other.upper))
        found = ops.aggregate(Range(torch.stack([clean.lower, worst.lower]), torch.stack([clean.upper, worst.upper])), "w")
        (a, b), (c, d) = exact(clean), exact(worst)
        low, high = {}, {}
        for k in range(2):
            falls = sorted((a[i, k] - c[i, k] for i in range(5)), reverse=True)[:budget]
            rises = sorted((d[i, k] - b[i, k] for i in range(5)), reverse=True)[:budget]
            low[k,] = (sum(a[i, k] for i in range(5)) - sum(falls)) / 5
            high[k,] = (sum(b[i, k] for i in range(5)) + sum(rises)) / 5
        assert_encloses(found, low, high)
        width = float(max(high[k,] - low[k,] for k in range(2)))
        scale = max(map(float, map(abs, (*high.values(), *low.values(), *c.values(), *d.values()))))
        assert np.all((found.upper - found.lower).numpy() <= width + 1e-12 * scale)
