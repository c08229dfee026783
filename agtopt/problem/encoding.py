"""A canonical encoding of values as bytes, so that a digest tells apart whatever differs
anywhere."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cached_property
from hashlib import sha256
from pathlib import PurePath
from typing import Any

import numpy as np

from agtopt.errors import UnsupportedError
from agtopt.problem.checks import chunks

PACKAGE = __name__.partition(".")[0]
_DUNDER = re.compile("__.*__")
_MACHINERY = frozenset({"_abc_impl", "_is_protocol"})
"""What Python itself keeps in a class."""


def digest(value: Any) -> str:
    """SHA-256 of a value, as 64 hexadecimal digits.

    Equal for equal values only: every part goes in with its type and its length. Numbers are told
    apart by value, whatever their type; a list counts as a tuple. Of a dataclass from outside the
    package go in its fields and what its classes hold for all instances, but no methods.

    Parameters
    ----------
    value : None, bool, number, str, bytes, path, enum member, array, tuple, list, set, mapping or
    dataclass, of these
        Arrays that are mapped from disk are read in parts.

    Raises
    ------
    UnsupportedError
        If something in it is none of these; the message names its place.
    """
    fingerprint = sha256()
    for piece in _encoded(value, "value"):
        fingerprint.update(piece)
    return fingerprint.hexdigest()


def _encoded(value: Any, place: str) -> Iterator[bytes]:
    """A tag, the length of what follows, and that itself."""
    if value is None or isinstance(value, (bool, np.bool_)):
        yield _piece("truth", str(value).encode())
    elif isinstance(value, Enum):
        yield _piece("member", f"{_name(value)}.{value.name}".encode())
    elif isinstance(value, (int, float, np.integer, np.float16, np.float32)):
        yield _piece("number", _number(value))
    elif isinstance(value, (str, PurePath)):
        yield _piece("text", str(value).encode("utf-8", "surrogatepass"))
    elif isinstance(value, bytes):
        yield _piece("bytes", value)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biufSU":
        yield _piece("array", f"{value.dtype.str} {value.shape}".encode())
        yield from (
            part.tobytes() for part in (chunks(value) if isinstance(value, np.memmap) else (value,))
        )
    elif isinstance(value, (tuple, list)):
        yield from _all("sequence", value, place)
    elif isinstance(value, (set, frozenset)):
        yield from _all("set", sorted(digest(entry) for entry in value), place)
    elif isinstance(value, Mapping):
        yield _piece("mapping", str(len(value)).encode())
        for key, entry in value.items():
            yield from _encoded(key, f"a key of {place}")
            yield from _encoded(entry, f"{place}.{key}")
    elif is_dataclass(value) and not isinstance(value, type):
        yield _piece("object", _name(value).encode())
        yield from _encoded({name: getattr(value, name) for name in _fields(value, place)}, place)
        if constants := _constants(type(value), _fields(value, place)):
            yield from _encoded(constants, f"{_name(value)} in {place}")
    else:
        raise UnsupportedError(
            f"fingerprint: {place} is of {_name(value)}, which has no canonical encoding; "
            "make it a number, a text, an array, a sequence, a mapping or a dataclass of these"
        )


def _all(tag: str, parts: Any, place: str) -> Iterator[bytes]:
    yield _piece(tag, str(len(parts)).encode())
    for index, part in enumerate(parts):
        yield from _encoded(part, f"{place}[{index}]")


def _fields(value: Any, place: str) -> list[str]:
    """Names of the fields of a dataclass, which must hold all that its instance holds."""
    names = [field.name for field in fields(value)]
    cached = {
        name
        for kind in type(value).__mro__
        for name, entry in vars(kind).items()
        if isinstance(entry, cached_property)
    }
    if surplus := sorted(set(getattr(value, "__dict__", ())) - set(names) - cached):
        raise UnsupportedError(
            f"fingerprint: {place} holds {', '.join(surplus)} outside its dataclass fields; "
            f"declare a field for each"
        )
    return names


def _constants(kind: type, fields: Collection[str]) -> dict[str, Any]:
    """What classes from outside the package say for all their instances (``ClassVar``), by name;
    those of the package itself follow from their names."""
    constants = {
        name: entry
        for each in reversed(kind.__mro__)
        if each is not object and each.__module__.partition(".")[0] != PACKAGE
        for name, entry in vars(each).items()
        if not (_DUNDER.fullmatch(name) or name in _MACHINERY or _behaves(entry))
    }
    return {name: constants[name] for name in sorted(set(constants) - set(fields))}


def _behaves(entry: Any) -> bool:
    """Methods, properties and everything else that a class does, not what it says."""
    return isinstance(entry, type) or hasattr(type(entry), "__get__")


def _piece(tag: str, content: bytes) -> bytes:
    return f"{tag} {len(content)}:".encode() + content


def _number(value: Any) -> bytes:
    """Exactly, and alike for 1, 1.0 and their NumPy scalars."""
    real = int(value) if isinstance(value, (int, np.integer)) else float(value)
    if isinstance(real, float) and not real.is_integer():
        return real.hex().encode()
    return str(int(real)).encode()


def _name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
