"""S3: interval operations contain exact rational arithmetic, whatever the size of the numbers and
whichever branch is taken."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch

from agtopt.intervals.adversary import touched_features, touched_labels
from agtopt.intervals.arithmetic import Range
from agtopt.intervals.interval import IntervalOperations
from agtopt.problem import Bounded, Dataset, Network, Problem, Training
from agtopt.problem.layers import Patches
from tests.intervals.exact import CASES, assert_encloses, exact, numbers, tensor_range

SUBSCRIPTS = [
    "ni,oi->no",
    "no,ni->noi",
    "no,oi->ni",
    "na,na->na",
    "nkl,ok->nol",
    "nol,nkl->nok",
    "nol,l->no",
]
SIZES = {"n": 2, "i": 3, "o": 2, "a": 3, "k": 2, "l": 2}
FORMS = ["point", "any", "nonnegative", "narrow"]


@pytest.fixture
def ops():
    return IntervalOperations()


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
def test_contract(ops, forms, spread):
    rng = np.random.default_rng(spread)
    for case in range(CASES // 5):
        subscripts = SUBSCRIPTS[case % len(SUBSCRIPTS)]
        words = subscripts.split("->")[0].split(",")
        factors = [
            tensor_range(rng, tuple(SIZES[c] for c in word), form, spread)
            for word, form in zip(words, forms, strict=True)
        ]
        assert_encloses(
            ops.contract(subscripts, *factors),
            *exact_contract(subscripts, *factors),
            (case, subscripts),
        )


@pytest.mark.parametrize("spread", [3, 145, 320])
@pytest.mark.parametrize("form", FORMS)
def test_add_and_scale(ops, form, spread):
    rng = np.random.default_rng(spread)
    for _ in range(CASES):
        first, second = (
            tensor_range(rng, (4,), form, spread),
            tensor_range(rng, (4,), "any", spread),
        )
        (a, b), (c, d) = exact(first), exact(second)
        assert_encloses(
            ops.add(first, second), {k: a[k] + c[k] for k in a}, {k: b[k] + d[k] for k in a}
        )
        for factor in (2.0, -1.0, 0.1, -0.3, float(numbers(rng, (), 3))):
            ends = [{k: Fraction(factor) * end[k] for k in a} for end in (a, b)]
            assert_encloses(ops.scale(factor, first), *(ends if factor >= 0 else ends[::-1]))


def combined(factors, ranges):
    """The exact hull of a linear combination."""
    low, high = {}, {}
    for factor, (least, most) in zip(factors, map(exact, ranges), strict=True):
        ends = (least, most) if factor >= 0 else (most, least)
        for total, end in zip((low, high), ends, strict=True):
            for k, value in end.items():
                total[k] = total.get(k, Fraction(0)) + factor * value
    return low, high


@pytest.mark.parametrize("spread", [3, 145, 320])
@pytest.mark.parametrize("form", FORMS)
def test_update_holds_the_step_with_its_factors_unrounded(ops, form, spread):
    """1 − α λ and α μ are rounded before they are multiplied: nearly cancelled, and beyond 1 (trap
    2)."""
    rng = np.random.default_rng(spread)
    for case in range(CASES):
        theta, velocity, direction = (
            tensor_range(rng, (3,), kind, spread) for kind in (form, "any", "any")
        )
        rate, momentum = float(rng.uniform(0.001, 2)), float(rng.uniform(0, 0.99))
        decay = [
            0.0,
            float(rng.uniform(0, 3)),
            1.0 / rate,
            float(np.nextafter(1.0 / rate, np.inf)),
            3.0 / rate,
        ][case % 5]
        found = ops.update(
            [(1.0 - rate * decay, theta), (-rate * momentum, velocity), (-rate, direction)], "w"
        )
        a, m, w = Fraction(rate), Fraction(momentum), Fraction(decay)
        assert_encloses(
            found,
            *combined([1 - a * w, -a * m, -a], [theta, velocity, direction]),
            (case, "parameter"),
        )
        found = ops.update([(momentum, velocity), (decay, theta), (1.0, direction)], "velocity_w")
        assert_encloses(
            found, *combined([m, w, Fraction(1)], [velocity, theta, direction]), (case, "velocity")
        )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_update_of_a_diverged_interval_is_the_whole_line(ops, value):
    """Trap 3: no NaN, which would certify everything."""
    one = Range(*(torch.tensor([end]) for end in (-1.0, 1.0)))
    wild = Range(torch.tensor([value]), torch.tensor([value]))
    found = ops.update([(0.0, wild), (-0.5, wild), (1.0, one)], "w")
    assert (found.lower.item(), found.upper.item()) == (-np.inf, np.inf)


def test_the_box_of_a_touched_sample_holds_the_exact_one():
    """x ± ε and y ± ν are rounded too."""
    rng = np.random.default_rng(0)
    features, labels = numbers(rng, (CASES, 3), 3), numbers(rng, (CASES,), 3)
    problem = Problem(
        Network.dense([3, 1]),
        Dataset(features, labels),
        Bounded(1, eps=0.1, nu=0.3),
        Training("squared"),
    )
    everyone = np.ones(CASES, dtype=bool)
    for reach, found, nominal in (
        (0.1, touched_features(problem, features, everyone), features),
        (0.3, touched_labels(problem, labels[:, np.newaxis], everyone), labels[:, np.newaxis]),
    ):
        exact_ends = exact(Range(*[torch.from_numpy(np.array(nominal))] * 2))
        low, high = (
            {k: value + sign * Fraction(reach) for k, value in end.items()}
            for sign, end in zip((-1, 1), exact_ends, strict=True)
        )
        assert_encloses(found, low, high)


PATCHES = [
    Patches((1, 2, 3), (2, 2), (1, 1), (0, 0)),
    Patches((2, 3, 2), (2, 1), (1, 2), (1, 0)),
    Patches((1, 3, 3), (2, 2), (1, 1), (1, 1)),
    Patches((2, 4, 2), (2, 2), (2, 1), (0, 0)),
]


def folded(ends, patches):
    """Each entry's sum over the windows that see it, by loops."""
    (channels, height, width), (rows, columns) = patches.shape, patches.places
    total = {
        (0, c, i, j): Fraction(0)
        for c in range(channels)
        for i in range(height)
        for j in range(width)
    }
    for c, u, v in product(range(channels), range(patches.kernel[0]), range(patches.kernel[1])):
        for x, y in product(range(rows), range(columns)):
            at = (
                0,
                c,
                x * patches.stride[0] + u - patches.padding[0],
                y * patches.stride[1] + v - patches.padding[1],
            )
            if at in total:
                total[at] += ends[
                    0, (c * patches.kernel[0] + u) * patches.kernel[1] + v, x * columns + y
                ]
    return total


@pytest.mark.parametrize("spread", [3, 145, 320])
@pytest.mark.parametrize("form", ["point", "any"])
def test_fold(ops, form, spread):
    rng = np.random.default_rng(spread)
    for case in range(CASES // 5):
        patches = PATCHES[case % len(PATCHES)]
        value = tensor_range(rng, (1, patches.entries, int(np.prod(patches.places))), form, spread)
        assert_encloses(
            ops.fold(value, patches),
            *(folded(end, patches) for end in exact(value)),
            (case, patches),
        )


@pytest.mark.parametrize("patches", PATCHES, ids=str)
def test_unfold_copies_what_fold_adds(ops, patches):
    """⟨unfold(x), w⟩ = ⟨x, fold(w)⟩, in whole numbers, so without any rounding."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.integers(-9, 9, (1, *patches.shape)).astype(float))
    w = torch.from_numpy(
        rng.integers(-9, 9, (1, patches.entries, int(np.prod(patches.places)))).astype(float)
    )
    windows = ops.unfold(Range(x, x), patches)
    assert windows.is_point
    folded_back = sum(
        folded({index: Fraction(float(w[index])) for index in np.ndindex(w.shape)}, patches)[k]
        * int(x[k])
        for k in np.ndindex(x.shape)
    )
    assert Fraction(float((windows.lower * w).sum())) == folded_back


@pytest.mark.parametrize("spread", [3, 145, 320])
@pytest.mark.parametrize("form", FORMS)
def test_clip_is_exact_and_bounds_what_is_unknown(ops, form, spread):
    rng = np.random.default_rng(spread)
    for _ in range(CASES // 4):
        value, bound = tensor_range(rng, (4,), form, spread), float(10.0 ** rng.integers(-3, 3))
        found, ends = ops.clip(value, bound), exact(value)
        for end, values in zip(exact(found), ends, strict=True):
            assert end == {
                k: min(max(v, -Fraction(bound)), Fraction(bound)) for k, v in values.items()
            }
    for wild in (
        Range(*(torch.tensor([end]) for end in ends))
        for ends in ((np.nan, np.nan), (-np.inf, np.inf))
    ):
        found = ops.clip(wild, 0.5)
        assert (found.lower.item(), found.upper.item()) == (-0.5, 0.5)
