from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from agtopt import Dataset, InvalidInputError
from agtopt.arguments import fits, typed

FITS = [
    (int, [1, np.int64(1)], [True, 1.0, "1", None]),
    (float, [1, 1.5, np.float32(1)], [True, 1j, "1", np.ones(1)]),
    (bool, [True, np.True_], [1, None]),
    (str | Path, ["x", Path("x")], [b"x", 1, None]),
    (int | None, [1, None], [1.5]),
    (Sequence[int], [[1], (1, 2), np.array([1]), range(2)], ["1", {1: 2}, [1.5], 1, np.array(1)]),
    (Iterable[str], [["a"], iter("a")], ["a", [1], 1, np.array("s")]),
    (tuple[int, int], [(1, 2), [1, 2]], [(1,), (1, "2"), 3]),
    (Mapping[str, int], [{}, {"a": 1}], [[], None]),
    (Callable[[int], int], [abs], [1]),
    (Literal["a", "b"], ["a"], ["c", 1]),
    (NDArray[np.float64], [[1.0], 1, np.ones(2), [None]], ["1", ["1"], [[1], [2, 3]], object()]),
    (ArrayLike | None, [None, [1.0]], ["x", {}]),
    (Any, [object(), None], []),
    (Dataset, [Dataset([[1.0]], [1.0])], [[[1.0]], None]),
]


@pytest.mark.parametrize(("hint", "right", "wrong"), FITS, ids=lambda value: str(value)[:20])
def test_what_an_annotation_takes(hint, right, wrong):
    assert all(fits(value, hint) for value in right)
    assert not any(fits(value, hint) for value in wrong)


@typed("thing")
class Thing:
    def __init__(self, size: int, names: Sequence[str] = ()) -> None:
        self.size = size


def test_the_parameter_is_named_with_what_is_allowed():
    assert Thing(3).size == 3
    with pytest.raises(InvalidInputError, match=r"thing\.size: 'x' is not allowed; .*whole number"):
        Thing("x")
    with pytest.raises(InvalidInputError, match=r"thing\.names: .*; it must be a list, each entry"):
        Thing(1, names=[1])
    with pytest.raises(TypeError, match="size"):
        Thing()
