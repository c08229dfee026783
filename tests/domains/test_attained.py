"""S9: the one comparison of bounds with what is attained."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtopt import SoundnessError
from agtopt.domains import attains, excluded, refuse_excluded
from agtopt.tolerances import AGREEMENT, RELATIVE_GAP, ROUNDING

NUMBERS = st.floats(-1e9, 1e9)


@given(NUMBERS, st.sampled_from([-1, 1]), st.sampled_from([ROUNDING, AGREEMENT]))
def test_a_bound_beyond_the_room_is_excluded_and_one_within_is_not(value, sense, room):
    size = 1.0 + abs(value)
    assert excluded(value - sense * 3.0 * max(room, 1e-9) * size, value, sense, room)
    assert not excluded(value - sense * 0.3 * room * size, value, sense, room)
    assert not excluded(value + sense * size, value, sense, room)


@given(NUMBERS, st.sampled_from([-1, 1]))
def test_a_proved_bound_that_is_wrong_by_a_thousand_millionth_is_excluded(value, sense):
    assert excluded(value - sense * 1e-9 * (1.0 + abs(value)), value, sense)


@given(NUMBERS, st.sampled_from([-1, 1]))
def test_a_bound_is_attained_from_both_sides_only_within_the_gap(value, sense):
    size = 1.0 + abs(value)
    assert attains(value + sense * 0.5 * RELATIVE_GAP * size, value)
    assert not attains(value + sense * 2.0 * RELATIVE_GAP * size, value)


@pytest.mark.parametrize("sense", [-1, 1])
def test_the_edge_of_the_room_and_of_the_gap_belongs_to_them(sense):
    assert not excluded(-sense * AGREEMENT, 0.0, sense, AGREEMENT)
    assert excluded(-sense * np.nextafter(AGREEMENT, 1.0), 0.0, sense, AGREEMENT)
    assert attains(sense * RELATIVE_GAP, 0.0)
    assert not attains(sense * np.nextafter(RELATIVE_GAP, 1.0), 0.0)


@pytest.mark.parametrize("sense", [-1, 1])
@pytest.mark.parametrize("unit", [2.0**-20, 2.0**20])
def test_the_word_of_a_solver_has_room_in_its_unit_and_a_proof_has_none(sense, unit):
    """Rounding is relative to what a value is the sum of, however large or small others are."""
    for part, beyond in ((0.5, False), (2.0, True)):
        short = -sense * part * AGREEMENT * unit
        assert bool(excluded(short, 0.0, sense, AGREEMENT, unit)) is beyond
        assert bool(excluded(-sense * part * ROUNDING, 0.0, sense, ROUNDING, unit)) is beyond
        assert bool(attains(sense * part * RELATIVE_GAP * unit, 0.0, unit=unit)) is not beyond


@pytest.mark.parametrize(
    ("bound", "attained", "sense", "answer"),
    [
        (np.nan, 0.0, 1, True),
        (0.0, np.nan, 1, False),
        (np.inf, np.inf, 1, False),
        (1e300, np.inf, 1, True),
        (-np.inf, -np.inf, -1, False),
        (0.0, -np.inf, -1, True),
        (0.0, np.inf, -1, False),
        (np.inf, 0.0, 1, False),
        (-np.inf, 0.0, 1, True),
    ],
)
def test_what_is_no_number(bound, attained, sense, answer):
    """A bound that is NaN holds nothing; where nothing is attained, nothing is excluded; a run that
    diverged leaves every finite bound."""
    assert bool(excluded(bound, attained, sense)) is answer


@pytest.mark.parametrize(("sense", "word"), [(-1, "lower"), (1, "upper")])
def test_the_message_names_the_side_the_entry_and_both_values(sense, word):
    lower, upper = np.zeros((2, 3)), np.ones((2, 3))
    runs = np.full((4, 2, 3), 0.5)
    refuse_excluded("boxes", lower, upper, runs)
    runs[3, 1, 2] = 0.5 + sense
    with pytest.raises(
        SoundnessError,
        match=rf"S9: boxes: the {word} bound .* entry \(1, 2\) excludes {0.5 + sense}",
    ):
        refuse_excluded("boxes", lower, upper, runs)
    refuse_excluded("boxes", lower, upper, runs, room=1.0)
