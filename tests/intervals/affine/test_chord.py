"""S3: what a slope leaves of the logistic function, in wide precision."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from agtopt.intervals.affine.chord import chord_remainder, chord_slope
from agtopt.intervals.arithmetic import ROUNDING
from agtopt.tolerances import DOUBLE

SINGLE = ROUNDING[torch.float32]
LOGITS = st.one_of(st.floats(-30, 30), st.floats(-1e-3, 1e-3), st.floats(-700, 700))
WIDTHS = st.one_of(st.just(0.0), st.floats(1e-14, 1e-6), st.floats(1e-6, 40.0))


def wide_sigmoid(z):
    return 1 / (1 + mp.exp(-z))


@given(LOGITS, st.floats(-5, 5), WIDTHS, st.floats(0, 1), st.booleans())
@settings(max_examples=300, deadline=None)
def test_no_value_is_beyond_the_remainder(z, low, width, part, own):
    high = low + width
    tensors = [torch.tensor([value], dtype=torch.float64) for value in (z, low, high)]
    slope = chord_slope(*tensors) if own else torch.tensor([0.25 * part], dtype=torch.float64)
    least, most = chord_remainder(*tensors, slope, DOUBLE)
    with mp.workprec(400):
        lam = mpf(float(slope[0]))
        # The extremes of the difference in between, and random places.
        points = [mpf(low), mpf(high), mpf(low) + mpf(part) * (mpf(high) - mpf(low))]
        if 0 < lam < mpf(1) / 4:
            root = mp.sqrt(1 - 4 * lam)
            share = 2 * lam / (1 + root)
            place = mp.log(share / (1 - share))
            points += [place - mpf(z), -place - mpf(z)]
        for v in points:
            if mpf(low) <= v <= mpf(high):
                value = wide_sigmoid(mpf(z) + v) - wide_sigmoid(mpf(z)) - lam * v
                assert mpf(float(least[0])) <= value <= mpf(float(most[0]))


@pytest.mark.parametrize("z", [-3.0, 0.0, 0.2, 5.0])
def test_the_remainder_is_of_second_order(z):
    at = torch.tensor([z], dtype=torch.float64)
    for width in (1e-1, 1e-2, 1e-3):
        ends = torch.tensor([-width]), torch.tensor([width])
        least, most = chord_remainder(at, *ends, chord_slope(at, *ends), DOUBLE)
        assert 0.0 < float(most - least) <= 0.1 * width**2


def test_training_in_float32_is_within_the_wider_remainder():
    rng = np.random.default_rng(0)
    z, v = (torch.tensor(rng.uniform(-8, 8, 1000)) for _ in range(2))
    low, high = torch.minimum(v, torch.zeros(())), torch.maximum(v, torch.zeros(()))
    slope = chord_slope(z, low, high)
    least, most = chord_remainder(z, low, high, slope, SINGLE)
    run = torch.sigmoid((z + v).float()).double()
    rest = run - torch.sigmoid(z) - slope * v
    assert bool(((least <= rest) & (rest <= most)).all())
