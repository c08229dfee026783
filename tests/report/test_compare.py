"""The comparison table."""

import numpy as np
import pytest

import agtopt
from agtopt import InvalidInputError


def test_table_has_one_row_per_method_and_window(flips):
    found = agtopt.compare(flips, ["IBP", agtopt.LP, "milp"], windows=[1, None])
    table = found.table
    assert list(zip(table["method"], table["window"], strict=True)) == [
        ("IBP", "full"),
        ("LP", "1"),
        ("LP", "full"),
        ("MILP", "1"),
        ("MILP", "full"),
    ]
    assert found.inner.exact
    inner = found.inner.domain.width()
    np.testing.assert_allclose(table["width"], [result.domain.width() for result in found.results])
    np.testing.assert_allclose(table["to_attained"], table["width"] / inner)
    np.testing.assert_allclose(table["to_ibp"], table["width"] / table["width"][0])
    assert np.all(np.diff(table["width"][[0, 2, 4]]) <= 1e-9)
    assert set(table["status"]) == {"optimal"}


@pytest.mark.parametrize(("methods", "windows"), [([], [None]), (["LP"], []), (["LP", "FOO"], [None])])
def test_nothing_or_nonsense_is_refused(flips, methods, windows):
    with pytest.raises(InvalidInputError):
        agtopt.compare(flips, methods, windows)
