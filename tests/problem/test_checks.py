"""No number is rounded on its way in: what float64 does not hold is refused, wherever it enters."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agtopt import Bounded, Dataset, Dense, InvalidInputError, Network, Substitution, Training
from agtopt.problem.checks import finite_array, number, real_array
from agtopt.readers.cells import numbers

HELD = 2**53
ODD = HELD + 1
TENTH = np.longdouble(1) / 10
WIDER = np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant

ROUNDED = {
    "integers": np.array([[1, ODD]]),
    "unsigned integers": np.array([[1, ODD]], dtype=np.uint64),
    "a list": [[1, ODD]],
    "a list with a float": [[0.5, ODD]],
    "mixed integers": [[np.int64(1), np.uint64(2**63 + 1)]],
    "beyond int64": [[1, 2**70 + 1]],
    "objects": np.array([[1.0, ODD]], dtype=object),
    "fractions": [[1, Fraction(1, 3)]],
    "decimals": [[1, Decimal("0.1")]],
    "a frame": pd.DataFrame({"a": [0.5], "b": [ODD]}),
    "a tensor": torch.tensor([[1, ODD]]),
    **({"long doubles": np.array([[1, TENTH]]), "a long double": [[1, TENTH]]} if WIDER else {}),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_an_array_that_would_be_rounded_is_refused(name):
    with pytest.raises(
        InvalidInputError,
        match=r"entry \[0, 1\]: .* is not allowed, since float64 holds only .*round",
    ):
        finite_array("field", ROUNDED[name])


@pytest.mark.parametrize(
    "enter",
    [
        lambda v: Dataset([[v]], [1]),
        lambda v: Dataset([[1]], [v]),
        lambda v: Network.chain([Dense(1, 1, False)], (1,), [[[v]]]),
        lambda v: Substitution(1, features=(v, np.inf)),
        lambda v: Substitution(1, labels=(0, v)),
        lambda v: Bounded(1, eps=v),
        lambda v: Training("hinge", learning_rate=v),
    ],
)
@pytest.mark.parametrize("value", [ODD, 10**30, *[TENTH] * WIDER])
def test_wherever_it_enters(enter, value):
    with pytest.raises(InvalidInputError, match="float64 holds only"):
        enter(value)


@given(st.integers(-(2**80), 2**80) | st.fractions() | st.floats(allow_nan=False))
def test_what_is_taken_is_what_was_given(value):
    for read in (lambda v: real_array("x", [v])[0], lambda v: real_array("x", v)[()]):
        try:
            assert Fraction(float(read(value))) == Fraction(value)
        except InvalidInputError:
            assert Fraction(float(value)) != Fraction(value)
        except OverflowError:
            assert np.isinf(value)


def test_numbers_that_are_held_are_taken():
    large = [[1, HELD, HELD + 2, 2**70], [0.5, -1e300, 0.1, 3]]
    np.testing.assert_array_equal(finite_array("x", large), np.array(large, dtype=np.float64))
    assert finite_array("x", np.array([[0.1]], dtype=np.float32))[0, 0] == float(np.float32(0.1))
    assert number("x", np.float16(0.5)) == number("x", Fraction(1, 2).numerator / 2) == 0.5
    assert number("x", 2**70) == 2.0**70
    for beyond in (10**400, np.inf, np.nan, 1j, np.complex128(1), True, "1", None):
        with pytest.raises(InvalidInputError, match="must be a finite number"):
            number("x", beyond)
    assert np.isinf(real_array("x", [np.inf, 1.0])[0])


@pytest.mark.parametrize(
    "column",
    [[1, ODD], [str(1), str(ODD)], np.array([1, ODD], dtype=np.uint64), [0, 10**30]],
    ids=["integers", "words", "unsigned", "large"],
)
def test_whole_numbers_of_tables_are_not_rounded(column):
    with pytest.raises(InvalidInputError, match=r"'a', row 1 .* float64 does not hold; leave the"):
        numbers(pd.DataFrame({"a": column}), ["a"])
    held = pd.DataFrame({"a": [str(HELD), "1e300", "0.1", str(2**70)]})
    assert numbers(held, ["a"]).ravel().tolist() == [float(HELD), 1e300, 0.1, 2.0**70]
