"""Settings are given, saved, compared and recorded as one thing."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agtopt
from agtopt import OBBT, AgtoptError, InvalidInputError, Polytope, Settings

GIVEN = st.builds(
    Settings,
    st.sampled_from(["LP", "milp", "QCP:8", agtopt.MIQCP]),
    window=st.none() | st.integers(1, 9) | st.integers(1, 9).map(np.int64),
    stride=st.none() | st.integers(1, 9),
    solver=st.sampled_from([None, "highs", "scip"]),
    time_limit=st.none() | st.floats(1e-3, 1e6) | st.integers(1, 9),
    conditional=st.booleans(),
    tighten=st.booleans() | st.sampled_from(["lp", "MILP:2", agtopt.LP]),
    domain=st.none()
    | st.lists(st.floats(-1.0, 1.0), min_size=6, max_size=6).map(
        lambda rows: Polytope(np.reshape(rows, (3, 2)) + np.array([2.0, 0.0]))
    ),
    obbt=st.none() | st.builds(OBBT, st.integers(1, 9), st.integers(1, 2), st.just("lp")),
    first=st.integers(0, 3),
) | st.builds(Settings, st.just("MILP"), rigour=st.just("proved"), proofs=st.just(Path("here")))


@given(GIVEN, GIVEN)
def test_what_is_written_is_read_again_and_tells_apart(settings, other):
    text = json.dumps(settings.to_dict())
    again = Settings.from_dict(json.loads(text))
    assert json.dumps(again.to_dict()) == text
    assert again.agrees(settings)
    assert settings.agrees(other) == (text == json.dumps(other.to_dict()))


PLAIN = Settings("LP", window=2, domain=Polytope.octagon(2), obbt=OBBT(7)).to_dict()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"window": 0}, "window"),
        ({"window": True}, "settings.window"),
        ({"window": "2"}, "settings.window"),
        ({"conditional": "no"}, "settings.conditional"),
        ({"time_limit": float("nan")}, "time_limit"),
        ({"method": "IBP"}, "method"),
        ({"tighten": "QCP"}, "tighten"),
        ({"directions": [[1.0, 0.0], [1.0]]}, "settings.directions"),
        ({"directions": [[1.0, float("inf")]]}, "settings.directions"),
        ({"directions": []}, "directions"),
        ({"obbt": {"solves": 3}}, "settings.obbt.rounds"),
        ({"strides": 3}, "settings.strides"),
        ({"proofs": "folder"}, "proofs"),
    ],
)
def test_plain_values_that_are_no_settings_are_refused(changes, named):
    with pytest.raises(AgtoptError, match=named):
        Settings.from_dict({**PLAIN, **changes})


@pytest.mark.parametrize("name", PLAIN)
def test_no_value_is_taken_for_granted(name):
    with pytest.raises(InvalidInputError, match=rf"settings\.{name}: Field required"):
        Settings.from_dict({key: value for key, value in PLAIN.items() if key != name})


@pytest.mark.parametrize(("name", "value"), [("conditional", "no"), ("solver", 3)])
def test_a_value_of_another_type_is_refused_when_it_is_given(name, value):
    with pytest.raises(InvalidInputError, match=name):
        Settings("LP", **{name: value})


def test_settings_of_an_earlier_record_are_read():
    """As records of format 2 have them, with a kind as it was spelt then."""
    earlier = {
        "method": "MILP:8",
        "window": 2,
        "stride": None,
        "solver": None,
        "time_limit": 5.0,
        "conditional": False,
        "tighten": "lp",
        "directions": [[1.0, -1.0]],
        "obbt": {"solves": 9, "rounds": 1, "kind": "LP"},
        "rigour": "proved",
        "first": 0,
    }
    expected = Settings(
        "MILP:8",
        window=2,
        time_limit=5,
        conditional=False,
        tighten="LP",
        domain=Polytope([[1.0, -1.0]]),
        obbt=OBBT(9),
        rigour="proved",
    )
    assert Settings.from_dict(earlier).agrees(expected)
