"""Files of unknown origin: whatever is wrong with one is said as an InvalidInputError."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile

from agtopt.errors import AgtoptError, InvalidInputError

MOST_TEXT = 2**28
"""Bytes of a text file at most: what describes a problem or a certificate is far smaller."""

MOST_WORDS = 300
"""Characters of a parser's message that are repeated."""

UNREADABLE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    SyntaxError,
    ArithmeticError,
    # Also RecursionError and NotImplementedError; zipfile raises it for a password.
    RuntimeError,
    MemoryError,
    TokenError,
    BadZipFile,
    zlib.error,
)
"""What the parsers of Python and numpy raise at bytes that nobody meant for them."""


@contextmanager
def refusing(refusal: str) -> Iterator[None]:
    """Turn what a parser raises into an InvalidInputError that begins with `refusal`."""
    try:
        yield
    except AgtoptError:
        raise
    except UNREADABLE as error:
        words = " ".join(str(error).split())[:MOST_WORDS]
        raise InvalidInputError(f"{refusal}: {words or type(error).__name__}") from None


def read_text(path: str | Path, refusal: str) -> str:
    """A text file in UTF-8.

    Raises
    ------
    InvalidInputError
        If it is a folder, no text, or larger than `MOST_TEXT`.
    """
    file = Path(path)
    with refusing(refusal):
        if file.stat().st_size > MOST_TEXT:
            raise ValueError(f"it is larger than {MOST_TEXT:,} bytes")
        return file.read_text(encoding="utf-8")
