"""Arguments of a wrong type, refused by name before anything is done: what is allowed is read from
the annotations."""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, wraps
from os import PathLike
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import ArrayLike

from agtopt.errors import InvalidInputError

F = TypeVar("F", bound=Callable[..., Any])

SHOWN = 60
"""Characters of a value that are repeated."""

LISTS = (list, tuple, set, frozenset, Sequence, Collection, Iterable)
MAPPINGS = (dict, Mapping)
ARRAYS = get_args(ArrayLike)
UNIONS = (Union, UnionType)
PLAIN: dict[Any, tuple[tuple[type, ...], str]] = {
    NoneType: ((NoneType,), "None"),
    bool: ((bool, np.bool_), "True or False"),
    int: ((int, np.integer), "a whole number"),
    float: ((int, float, np.integer, np.floating), "a number"),
    str: ((str,), "a str"),
    bytes: ((bytes,), "bytes"),
    Path: ((PathLike,), "PathLike"),
}
"""What is taken for each annotation; True is no number."""


def typed(place: str = "") -> Callable[[F], F]:
    """Check the arguments of a function, or of a class's constructor, against its annotations.

    Whole numbers, numbers, texts, paths, arrays of numbers, lists, mappings, literals, callables
    and classes are understood. Of anything else nothing is said here.

    Parameters
    ----------
    place : str
        What stands before the name of a parameter in the error, as ``perturbation``.
    """

    def decorate(target: F) -> F:
        if isinstance(target, type):
            kind: Any = target
            kind.__init__ = _checking(kind.__init__, place)
            return target
        return _checking(target, place)

    return decorate


def _checking(function: F, place: str) -> F:
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        hints = _hints(function)
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:
            return function(*args, **kwargs)  # which says what is missing, or one too many
        for name, value in given.items():
            if name in hints and not fits(value, hints[name]):
                raise _refusal(f"{place}.{name}" if place else name, value, hints[name])
        return function(*args, **kwargs)

    return cast(F, call)


@cache
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(function)


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is what an annotation says, as far as this module understands it."""
    kind, parts = get_origin(hint) or hint, get_args(hint)
    if kind in UNIONS:
        return any(fits(value, part) for part in _parts(hint))
    if kind is Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if kind in PLAIN:
        truth = isinstance(value, bool) and kind is not bool
        return isinstance(value, PLAIN[kind][0]) and not truth
    if kind is Callable:
        return callable(value)
    if kind in MAPPINGS:
        return isinstance(value, Mapping)
    if kind in LISTS:
        return _is_list(value, kind, parts)
    if isinstance(kind, type) and issubclass(kind, np.ndarray):
        return _is_array(value)
    return not _is_class(kind) or isinstance(value, kind)


def _is_array(value: Any) -> bool:
    """Whether NumPy makes an array of numbers of it; the entries are looked at elsewhere."""
    try:
        array = np.asarray(value)
        return array.dtype.kind in "biuf" or (
            array.dtype == object and array.astype(np.float64).shape == array.shape
        )
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return False


def _is_class(kind: Any) -> bool:
    """Whether only instances of it are taken: for arrays much else is, and protocols cannot be
    asked."""
    plain = not isinstance(kind, type) or getattr(kind, "_is_protocol", False)
    return not plain and kind not in (Any, object) and not issubclass(kind, np.ndarray)


def _is_list(value: Any, kind: Any, parts: tuple[Any, ...]) -> bool:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        return False
    try:
        count = len(cast(Collection[Any], value))
    except TypeError:
        return kind is Iterable and _iterates(value)
    if kind is tuple and Ellipsis not in parts:
        return count == len(parts) and all(map(fits, value, parts))
    return all(fits(entry, parts[0]) for entry in value) if parts else True


def _iterates(value: Any) -> bool:
    """An array without axes has the method, and does not."""
    try:
        iter(value)
    except TypeError:
        return False
    return True


def _refusal(field: str, value: Any, hint: Any) -> InvalidInputError:
    parts = tuple(_parts(hint))
    by_type = any(part is Path or (part not in PLAIN and _is_class(part)) for part in parts)
    shown = " ".join((type(value).__name__ if by_type else repr(value)).split())
    if len(shown) > SHOWN:
        shown = f"{shown[:SHOWN]}…"
    return InvalidInputError(f"{field}: {shown} is not allowed; it must be {_words(hint)}")


def _parts(hint: Any) -> list[Any]:
    """What an annotation joins; what may be an array counts as one."""
    if get_origin(hint) not in UNIONS:
        return [hint]
    parts = get_args(hint)
    rest = [part for part in parts if part not in ARRAYS]
    return [np.ndarray, *rest] if len(rest) + len(ARRAYS) == len(parts) else list(parts)


def _words(hint: Any) -> str:
    """What an annotation allows."""
    kind, parts = get_origin(hint) or hint, get_args(hint)
    if kind in UNIONS:
        return " or ".join(dict.fromkeys(map(_words, _parts(hint))))
    if kind is Literal:
        return " or ".join(map(repr, parts))
    if kind in PLAIN:
        return PLAIN[kind][1]
    if kind is Callable:
        return "a callable"
    if kind in MAPPINGS:
        return "a mapping"
    if kind is tuple and Ellipsis not in parts:
        return f"a list of {len(parts)}: {', '.join(map(_words, parts))}"
    if kind in LISTS:
        return f"a list, each entry {_words(parts[0])}" if parts else "a list"
    if isinstance(kind, type) and issubclass(kind, np.ndarray):
        return "an array of numbers"
    name = getattr(kind, "__name__", str(kind))
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
