"""Checks of single fields; every message names the field, what it was and what is allowed."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from math import inf, isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.arguments import fits
from agtopt.errors import InvalidInputError
from agtopt.frozen import read_only

WHOLE = 2.0**53
"""From here on float64 does not hold every whole number."""

CHUNK = 2**24
"""Bytes of an array on disk that are read at once."""


def whole(field: str, value: Any, least: int) -> int:
    """Return `value` as an int that is at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InvalidInputError(
            f"{field}: {value!r} is not allowed; it must be a whole number of at least {least}"
        )
    return int(value)


def number(field: str, value: Any, least: float = -np.inf, above: float = -np.inf) -> float:
    """Return `value` as a finite float, at least `least` and more than `above`."""
    allowed = "a finite number"
    if above > -np.inf:
        allowed += f" above {above:g}"
    elif least > -np.inf:
        allowed += f" of at least {least:g}"
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InvalidInputError(f"{field}: {value!r} is not allowed; it must be {allowed}")
    near = _nearest(value)
    if not isfinite(near) or near < least or near <= above:
        raise InvalidInputError(f"{field}: {value!r} is not allowed; it must be {allowed}")
    _check_held(field, value, near)
    return near


def _nearest(value: Any) -> float:
    """The nearest number of float64."""
    try:
        return float(value)
    except OverflowError:
        return inf


def _check_held(field: str, value: Any, near: float) -> None:
    """Refuse a number that was rounded when it became a float."""
    # NumPy would compare its integers with floats as floats.
    if (int(value) if isinstance(value, np.integer) else value) != near:
        raise InvalidInputError(
            f"{field}: {value} ({type(value).__name__}) is not allowed, since float64 holds only "
            f"{near!r}; round it yourself where that is meant"
        )


def unmasked(field: str, values: Any) -> None:
    """Refuse an array, or a list of arrays, in which an entry is masked: NumPy would hand out what
    lies below the mask."""
    parts = values if isinstance(values, (list, tuple)) else (values,)
    if any(np.ma.is_masked(part) for part in parts):
        raise InvalidInputError(
            f"{field}: an entry is masked; every entry must be there (fill it in, or leave the "
            f"sample out)"
        )


def finite_array(field: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return a read-only float64 copy of `values`, all of whose entries are finite, and numbers
    that float64 holds."""
    array = real_array(field, values)
    if not np.all(np.isfinite(array)):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InvalidInputError(
            f"{field}: entry {list(where)} is {array[where]}; every entry must be finite"
        )
    return array


def real_array(field: str, values: ArrayLike) -> NDArray[np.float64]:
    """`finite_array` whose entries may be infinite or NaN."""
    unmasked(field, values)
    try:
        found = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        # Ragged lists, and tensors that cannot simply be read.
        raise InvalidInputError(
            f"{field}: not an array of numbers ({error}); a rectangular numeric array is needed"
        ) from None
    entries = {type(entry) for entry in found.flat} if found.dtype == object else set()
    words = any(issubclass(entry, (str, bytes)) for entry in entries)
    dates = any(issubclass(entry, (np.datetime64, np.timedelta64)) for entry in entries)
    if found.dtype.kind not in "biufO" or words or dates:
        what = (
            "text"
            if words or found.dtype.kind in "USTa"
            else "a date"
            if dates
            else str(found.dtype)
        )
        raise InvalidInputError(
            f"{field}: {what} is not allowed; a rectangular array of numbers is needed "
            f"(agtopt.Columns reads tables)"
        )
    try:
        array = np.array(found, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInputError(
            f"{field}: not an array of numbers of float64; a rectangular numeric array is needed"
        ) from None
    _check_all_held(field, values, found, array)
    return read_only(array)


def _check_all_held(
    field: str, values: ArrayLike, found: NDArray[Any], array: NDArray[np.float64]
) -> None:
    """The same of an array."""
    if found is values and found.dtype == np.float64:
        return
    doubtful = np.isfinite(array)
    if found.dtype.kind == "f" and found.dtype != np.float64:
        doubtful &= found != array
    elif found.dtype != object:
        # Lists and tables of whole numbers beside others are of float64 before they are seen here.
        doubtful &= np.abs(array) >= WHOLE
    if doubtful.any():
        # A frame hands out its columns of whole numbers as they are to those who ask it.
        ask = getattr(values, "to_numpy", partial(np.asarray, values))
        exact = ask(dtype=object)
        for where in zip(*np.nonzero(doubtful), strict=True) if array.ndim else ((),):
            place = f"{field}: entry {[int(i) for i in where]}"
            _check_held(place, exact[where], float(array[where]))


def chunks(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The rows of an array in parts of some megabytes."""
    rows = max(1, CHUNK // max(1, array[:1].nbytes))
    return (array[first : first + rows] for first in range(0, len(array), rows))


def finite_map(field: str, values: NDArray[Any]) -> None:
    """Check an array on disk, which is read in parts and not copied."""
    if values.dtype != np.float64:
        raise InvalidInputError(
            f"{field}: a mapped array of {values.dtype} is not allowed; store it as float64, or "
            f"load it into memory"
        )
    if getattr(values, "mode", "r") != "r" or values.flags.writeable:
        raise InvalidInputError(
            f"{field}: a mapped array that can be written is not allowed; open it with "
            f'mmap_mode="r"'
        )
    if not all(np.isfinite(part).all() for part in chunks(values)):
        raise InvalidInputError(f"{field}: every entry must be finite")


def whole_numbers(field: str, values: Any) -> tuple[int, ...]:
    """Return a flat sequence of whole numbers as a tuple."""
    try:
        if isinstance(values, (str, bytes, Mapping)):
            raise TypeError
        entries = list(values)
    except TypeError:
        raise InvalidInputError(
            f"{field}: {values!r} is not allowed; it must be a list of sample indices"
        ) from None
    return tuple(whole(field, entry, 0) for entry in entries)


def indices(field: str, values: Any, size: int) -> NDArray[np.int64]:
    """Return `values` as sample indices within [0, size), each at most once."""
    unmasked(field, values)
    array = np.atleast_1d(np.array(values))
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise InvalidInputError(f"{field}: must be a flat list of sample indices, not {values!r}")
    array = array.astype(np.int64)
    if array.size and (array.min() < 0 or array.max() >= size):
        culprit = int(array[(array < 0) | (array >= size)][0])
        raise InvalidInputError(
            f"{field}: sample {culprit} does not exist; indices run from 0 to {size - 1}"
        )
    if len(np.unique(array)) != len(array):
        raise InvalidInputError(f"{field}: a sample is named twice; each may occur once")
    return array


def instance(field: str, value: Any, *kinds: type) -> None:
    """Refuse what is no instance of these types."""
    if not isinstance(value, kinds):
        allowed = " or ".join(kind.__name__ for kind in kinds)
        raise InvalidInputError(
            f"{field}: {type(value).__name__} is not allowed; it must be "
            f"{'an' if allowed[0] in 'AEIOU' else 'a'} {allowed}"
        )


def listed(field: str, values: Any, example: str) -> None:
    """Refuse one value, or one word, where a list is needed."""
    if not fits(values, Iterable):
        raise InvalidInputError(
            f"{field}: {values!r} is not allowed; it must be a list, as {example}"
        )
