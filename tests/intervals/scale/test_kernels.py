"""Compiled loops: the smallest ends and gains are those of all samples, sums are exact but for
rounding."""

import numpy as np
import pytest
import torch

from agtopt.intervals.scale.kernels import FEW, LANES, suits, sums, values_below

ROWS, COLUMNS = 3, 2
DTYPES = [torch.float64, torch.float32]


def factors_of(rng, samples, dtype, whole=False):
    """l ≤ u and p ≤ q; whole numbers tie, and are exact."""
    draw = (
        (lambda shape: rng.integers(-3, 4, shape))
        if whole
        else (lambda shape: rng.normal(size=shape))
    )
    ends = [np.sort(draw((2, many, samples)), axis=0) for many in (ROWS, COLUMNS)]
    return tuple(torch.tensor(end, dtype=dtype) for pair in ends for end in pair)


def ends_of(factors, bound):
    """The ends by their definition, (2, o, i, n)."""
    low, high, least, most = (factor.numpy() for factor in factors)
    found = [one[:, np.newaxis] * other for one in (low, high) for other in (least, most)]
    return np.stack([np.max(found, 0), -np.min(found, 0)]).clip(-bound, bound)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("whole", [False, True], ids=["numbers", "ties"])
@pytest.mark.parametrize("bound", [np.inf, 0.5])
@pytest.mark.parametrize("touched", [False, True], ids=["ends", "gains"])
@pytest.mark.parametrize("samples", [1, LANES - 1, FEW * LANES, 5 * FEW * LANES + 3])
def test_the_smallest_values_are_those_of_all_samples(samples, touched, bound, whole, dtype):
    rng = np.random.default_rng([samples, touched, whole])
    for wanted, ceiling, some in (
        (0, 0.0, False),
        (1, np.inf, False),
        (3, 0.0, True),
        (LANES + 5, np.inf, True),
        (7, -0.5, False),
    ):
        stands, moved = (
            factors_of(rng, samples, dtype, whole),
            factors_of(rng, samples, dtype, whole),
        )
        chosen = np.flatnonzero(rng.random(samples) < 0.7) if some else np.arange(samples)
        limit = torch.full((2, ROWS, COLUMNS), ceiling, dtype=dtype)
        named = torch.tensor(chosen) if some else None
        found = values_below(
            limit, wanted, stands, moved if touched else None, bound, named
        ).numpy()
        values = (
            ends_of(stands, bound) - ends_of(moved, bound) if touched else ends_of(stands, bound)
        )[..., chosen]
        count = wanted or found.shape[-1]
        cut = [np.sort(np.minimum(part, ceiling), axis=-1)[..., :count] for part in (found, values)]
        short = cut[1].shape[-1] - cut[0].shape[-1]
        # What is left out lies at the limit.
        assert short <= 0 or np.all(cut[1][..., -short:] == ceiling)
        np.testing.assert_array_equal(cut[0], cut[1][..., : cut[0].shape[-1]])


def test_most_samples_are_left_out():
    rng = np.random.default_rng(0)
    stands, moved = (factors_of(rng, 2000, torch.float64) for _ in range(2))
    limit = torch.full((2, ROWS, COLUMNS), torch.inf, dtype=torch.float64)
    first = values_below(limit, 20, stands, moved)
    assert 20 <= first.shape[-1] < 400
    known = first.sort(-1).values[..., 19]
    assert values_below(known, 0, stands, moved).shape[-1] == 19


@pytest.mark.parametrize("ceiling", [0.0, np.inf])
def test_values_that_tie_at_the_limit_count(ceiling):
    one = torch.ones((1, FEW * LANES), dtype=torch.float64)
    limit = torch.full((2, 1, 1), ceiling, dtype=torch.float64)
    found = values_below(limit, 3, (-one, -one, one, one), (-one, one, one, one))
    torch.testing.assert_close(found[0, 0, 0], torch.full((3,), -2.0, dtype=torch.float64))
    assert np.all(np.minimum(found[1].numpy(), 0.0) == 0.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bound", [np.inf, 2.0])
@pytest.mark.parametrize("samples", [1, LANES - 1, LANES, 5 * LANES + 7])
def test_sums_are_those_of_all_samples(samples, bound, dtype):
    rng = np.random.default_rng(samples)
    factors = factors_of(rng, samples, dtype, whole=True)
    np.testing.assert_array_equal(sums(factors, bound).numpy(), ends_of(factors, bound).sum(-1))
    factors = factors_of(rng, samples, dtype)
    ends = ends_of(factors, bound).astype(np.float64)
    room = samples * torch.finfo(dtype).eps * np.abs(ends).sum(-1)
    assert np.all(np.abs(sums(factors, bound).numpy() - ends.sum(-1)) <= room)


def test_factors_may_be_views():
    """Columns of larger tensors, and tensors that derivatives are not kept for."""
    rng = np.random.default_rng(0)
    with torch.inference_mode():
        wide = tuple(
            torch.tensor(np.repeat(factor.numpy(), 2, axis=-1))
            for factor in factors_of(rng, 9, torch.float64)
        )
        narrow = tuple(factor[:, ::2] for factor in wide)
        limit = torch.zeros((2, 1, COLUMNS), dtype=torch.float64)
        low, high, least, most = narrow
        found = values_below(limit, 0, (low[1:2], high[1:2], least, most)).numpy()
        expected = np.minimum(ends_of(narrow, np.inf), 0.0)[:, 1:2]
    np.testing.assert_array_equal(np.sort(found, -1), np.sort(expected, -1)[..., : found.shape[-1]])


def test_only_finite_numbers_on_a_processor_suit():
    assert suits(True, torch.empty(1))
    assert not suits(False, torch.empty(1))
    assert not suits(True, torch.empty(1, device="meta"))
