"""Values that nobody can edit once they are part of a problem, whose fingerprint is found once."""

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from copy import copy
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

K = TypeVar("K")
V = TypeVar("V")
A = TypeVar("A", bound=np.ndarray[Any, Any])


class ReadOnly(Mapping[K, V]):
    """A mapping that cannot be edited; unlike `MappingProxyType` it can be pickled."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[K, V] | None = None) -> None:
        self._entries = MappingProxyType(dict(entries or {}))

    def __getitem__(self, key: K) -> V:
        return self._entries[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    # A dict's own views, which are faster than a `Mapping`'s and can be reversed.
    def keys(self) -> KeysView[K]:
        return self._entries.keys()

    def values(self) -> ValuesView[V]:
        return self._entries.values()

    def items(self) -> ItemsView[K, V]:
        return self._entries.items()

    def __repr__(self) -> str:
        return repr(dict(self._entries))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self._entries),)

    def copy(self) -> dict[K, V]:
        """A dict with the same entries."""
        return dict(self._entries)


class Unchanging:
    """Base of what a problem is made of: its copies, also those in other processes, hold read-only
    arrays as well, which NumPy alone would make writable."""

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, frozen(value))


def frozen(value: Any) -> Any:
    """The same value, but read-only: arrays, lists, sets, mappings and the fields of dataclasses,
    at any depth. What can be written elsewhere is copied; what is read-only already, is not.

    Anything else is returned as it is; `agtopt.problem.encoding` refuses what it does not know.
    """
    if isinstance(value, np.ndarray):
        return value if _is_read_only(value) else read_only(value.copy())
    if isinstance(value, (list, tuple)):
        entries = [frozen(entry) for entry in value]
        if isinstance(value, tuple) and _same(entries, value):
            return value
        return getattr(type(value), "_make", tuple)(entries)  # named tuples have it
    if isinstance(value, (set, frozenset)):
        return frozenset(value)
    if isinstance(value, Mapping):
        copies = {key: frozen(entry) for key, entry in value.items()}
        unchanged = isinstance(value, ReadOnly) and _same(copies.values(), value.values())
        return value if unchanged else ReadOnly(copies)
    if is_dataclass(value) and not isinstance(value, type):
        return _frozen_fields(value)
    return value


def read_only(array: A) -> A:
    """A view of the array, which cannot be written any more: NumPy lets an owner be made writable
    again, but no view of one that is read-only."""
    array.setflags(write=False)
    return array.view()


def _is_read_only(array: np.ndarray[Any, Any]) -> bool:
    """Also what it is a view of."""
    part: Any = array
    while isinstance(part, np.ndarray):
        if part.flags.writeable:
            return False
        part = part.base
    return True


def _frozen_fields(value: Any) -> Any:
    names = [field.name for field in fields(value) if hasattr(value, field.name)]
    entries = {name: frozen(getattr(value, name)) for name in names}
    if _same(entries.values(), [getattr(value, name) for name in names]):
        return value
    made = copy(value)
    for name, entry in entries.items():
        object.__setattr__(made, name, entry)
    return made


def _same(first: Any, second: Any) -> bool:
    return all(one is other for one, other in zip(first, second, strict=True))
