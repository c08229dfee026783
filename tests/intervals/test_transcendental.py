"""S3: sigmoid and softmax against 60 decimal digits: never too narrow, hardly too wide, at any
logits."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch

from agtopt.intervals.arithmetic import Range
from agtopt.intervals.interval import IntervalOperations
from tests.intervals.exact import CASES

SMALLEST = Decimal("1e-300")
OPS = IntervalOperations()


@pytest.fixture(autouse=True)
def sixty_digits():
    with localcontext() as context:
        context.prec = 60
        yield


def sigmoid(z):
    return 1 / (1 + (-z).exp())


def softmax(own, others):
    return 1 / (1 + sum((z - own).exp() for z in others))


def decimals(tensor):
    return [Decimal(float(value)) for value in tensor]


def range_of(low, high):
    return Range(
        torch.as_tensor(low, dtype=torch.float64), torch.as_tensor(high, dtype=torch.float64)
    )


def assert_tight(found, low, high, rounding=1e-12):
    """Holds the exact range, and no more than it but for a relative error of `rounding`."""
    least, most = Decimal(float(found[0])), Decimal(float(found[1]))
    assert least <= low
    assert high <= most
    assert least >= 0
    assert most <= 1
    assert low - least <= Decimal(rounding) * low + SMALLEST
    assert most - high <= Decimal(rounding) * high + SMALLEST


EDGES = [
    -1000.0,
    -746.0,
    -709.0,
    -700.0,
    -40.0,
    -1.0,
    -1e-300,
    -0.0,
    0.0,
    5e-324,
    1e-20,
    1.0,
    36.0,
    37.0,
    709.0,
    1000.0,
]


def test_sigmoid_is_the_exact_range_to_rounding():
    rng = np.random.default_rng(0)
    ends = rng.normal(size=(CASES, 2)) * 10.0 ** rng.integers(-5, 4, (CASES, 1))
    ends = np.sort(
        np.concatenate([np.clip(ends, -1000, 1000), [(a, b) for a in EDGES for b in EDGES]]), axis=1
    )
    found = OPS.sigmoid(range_of(ends[:, 0], ends[:, 1]))
    for k, (low, high) in enumerate(zip(*(decimals(end) for end in ends.T), strict=True)):
        assert_tight((found.lower[k], found.upper[k]), sigmoid(low), sigmoid(high))


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0, 1000.0])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_softmax_is_the_exact_range_to_rounding(classes, scale):
    """Its own logit at one end, all others at the opposite end; what is lost grows with the logits,
    whose difference is rounded."""
    rng = np.random.default_rng(classes)
    middle, width = (
        rng.uniform(-scale, scale, (CASES // 2, classes)),
        rng.choice([0.0, 1e-9, 1.0], (CASES // 2, classes)) * scale,
    )
    low, high = np.clip(middle - width, -1000, 1000), np.clip(middle + width, -1000, 1000)
    found = OPS.softmax(range_of(low, high))
    for k in range(len(low)):
        least, most = decimals(low[k]), decimals(high[k])
        for c in range(classes):
            others = [j for j in range(classes) if j != c]
            ends = (
                softmax(least[c], [most[j] for j in others]),
                softmax(most[c], [least[j] for j in others]),
            )
            assert_tight(
                (found.lower[k, c], found.upper[k, c]),
                *ends,
                rounding=1e-12 * max(1.0, scale / 100),
            )


@pytest.mark.parametrize("scale", [1.0, 40.0, 1000.0])
def test_what_a_framework_evaluates_lies_inside(scale):
    """The run that is certified rounds too: torch's and numpy's own values, at the ends and
    within."""
    rng = np.random.default_rng(1)
    ends = np.sort(rng.uniform(-scale, scale, (2, CASES, 3)), axis=0)
    low, high = np.where(rng.random(ends.shape[1:]) < 0.5, ends[0], ends[1]), ends[1]
    box = range_of(low, high)
    for part in (0.0, 1.0, *rng.random(5)):
        z = np.clip((1 - part) * low + part * high, low, high)
        stable = np.exp(z - z.max(axis=1, keepdims=True))
        naive = torch.log_softmax(torch.from_numpy(z), dim=1).exp().numpy()
        for value in (
            torch.softmax(torch.from_numpy(z), dim=1).numpy(),
            stable / stable.sum(axis=1, keepdims=True),
            naive,
        ):
            found = OPS.softmax(box)
            assert np.all((found.lower.numpy() <= value) & (value <= found.upper.numpy()))
        decay = np.exp(-np.abs(z))
        for value in (
            torch.sigmoid(torch.from_numpy(z)).numpy(),
            np.where(z > 0, 1 / (1 + decay), decay / (1 + decay)),
        ):
            found = OPS.sigmoid(box)
            assert np.all((found.lower.numpy() <= value) & (value <= found.upper.numpy()))


def test_softmax_at_a_thousand_neither_overflows_nor_loses_what_is_small():
    """A common trap: exp(1000) is infinite, and inf / inf is NaN."""
    found = OPS.softmax(range_of([[1000.0, -1000.0, 0.0]], [[1000.0, -1000.0, 0.0]]))
    assert found.lower[0, 0] > 1 - 1e-11
    assert found.upper[0, 0] == 1.0
    assert found.lower[0, 1:].tolist() == [0.0, 0.0]
    assert 0.0 < found.upper[0, 1] < 1e-300
    assert 0.0 < found.upper[0, 2] < 1e-300
    wide = OPS.softmax(range_of([[-1000.0, -1000.0]], [[1000.0, 1000.0]]))
    assert wide.lower.tolist() == [[0.0, 0.0]]
    assert wide.upper.tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize(
    "ends", [(np.nan, np.nan), (-np.inf, np.inf), (np.nan, 0.0), (0.0, np.nan)]
)
def test_an_unknown_logit_has_any_probability(ends):
    """Trap 3: NaN is not passed on."""
    single = OPS.sigmoid(range_of([ends[0]], [ends[1]]))
    assert single.lower.item() == (0.0 if ends[0] != 0.0 else pytest.approx(0.5))
    assert single.upper.item() == (1.0 if ends[1] != 0.0 else pytest.approx(0.5))
    several = OPS.softmax(range_of([[ends[0], 1.0, 2.0]], [[ends[1], 1.0, 2.0]]))
    assert not several.lower.isnan().any()
    assert not several.upper.isnan().any()
    assert torch.all(several.lower <= several.upper)
    if ends[0] != 0.0 and ends[1] != 0.0:
        assert several.lower[0].tolist() == [0.0] * 3
        assert several.upper[0, 0] == 1.0
