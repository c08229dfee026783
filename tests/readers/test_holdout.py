"""Rows that are held out: of every class its share, and never the last of one."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtopt import InvalidInputError
from agtopt.readers.holdout import held_out


@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.floats(0, 0.99), st.integers(0, 5)
)
def test_every_class_gives_its_share_and_keeps_a_row(classes, share, seed):
    try:
        held = held_out(len(classes), share, seed, classes)
    except InvalidInputError:
        sizes = Counter(classes).values()
        assert round(share * len(classes)) == 0 or max(sizes) == 1
        return
    assert held.tolist() == sorted(set(held.tolist()))
    whole, out = Counter(classes), Counter(classes[row] for row in held)
    assert len(held) <= round(share * len(classes))
    for word, size in whole.items():
        assert 0 <= out[word] < size
        assert (
            abs(out[word] - share * size) < 1
            or out[word] == size - 1
            or len(held) == round(share * len(classes))
        )
    if all(size > 1 for size in whole.values()) and share <= 0.5:
        assert len(held) == round(share * len(classes))
        assert all(abs(out[word] - share * size) < 1 for word, size in whole.items())


def test_a_rare_class_is_trained_on():
    """healthcareai-py#437: its only row was held out, or the only other class was."""
    for seed in range(20):
        held = held_out(40, 0.5, seed, ["c", *["ham"] * 19, *["spam"] * 20])
        assert 0 not in held
        assert len(held) == 20


def test_targets_are_held_out_at_random():
    assert len(held_out(10, 0.3, 0)) == 3
    assert len(held_out(10, 0.0, 0)) == 0
    assert not np.array_equal(held_out(10, 0.3, 0), held_out(10, 0.3, 1))
    np.testing.assert_array_equal(held_out(10, 0.3, 0), held_out(10, 0.3, 0))


def test_what_does_not_fit_is_refused():
    for share in (1.0, -0.1, float("nan")):
        with pytest.raises(InvalidInputError, match="at least 0 and below 1"):
            held_out(10, share, 0)
    for arguments in ((10, 0.01, 0), (1, 0.9, 0), (3, 0.5, 0, ["a", "b", "c"])):
        with pytest.raises(InvalidInputError, match="holds out none"):
            held_out(*arguments)
