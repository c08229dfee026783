"""Names of users: what may be one, and one function per target that makes it safe there; a name
that is fine stays as it is."""

import re
from hashlib import sha256
from typing import Any
from urllib.parse import quote, unquote

from agtopt.errors import InvalidInputError

MOST = 1000
"""Characters of a name at most: what is longer fits into no table and into few formats."""

_FILE = re.compile(r"[a-z0-9_+,-][a-z0-9_+,.-]*(\[[0-9,]+\])?")
_FILE_MOST = 120
_MARKDOWN = re.compile(r"[\\`*<&|~]|(?<![^\W_])_|_(?![^\W_])|\](?=\()|^[#>]|^[-+](?=\s)")
_ENTITIES = {"&": "&amp;", "<": "&lt;"}


def checked(field: str, value: Any) -> str:
    """Return a name that every format can keep.

    Raises
    ------
    InvalidInputError
        If it is no text, longer than `MOST`, or holds half a surrogate pair, which no file holds.
    """
    if not isinstance(value, str):
        raise InvalidInputError(
            f"{field}: {value!r} is not allowed; a name must be text, as {str(value)!r}"
        )
    if len(value) > MOST:
        raise InvalidInputError(
            f"{field}: a name of {len(value)} characters is not allowed; it may have {MOST}"
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"{field}: {value!r} is not allowed; UTF-8 cannot hold it ({error.reason})"
        ) from None
    return str(value)


def digest(name: str) -> str:
    """A short word that differs where names do."""
    return sha256(name.encode()).hexdigest()[:12]


def shortened(name: str, fine: str, most: int, mark: str) -> str:
    """What can be read of a name within a set of characters (of a regular expression), then its
    digest."""
    words = re.sub(f"[^{fine}]+", "_", name[:most])[:most].strip("_.")
    return f"{words}{mark}{digest(name)}"


def file_name(name: str) -> str:
    """A name as part of a file's: others have another one, also where case or the form of letters
    makes no difference."""
    if len(name) <= _FILE_MOST and _FILE.fullmatch(name):
        return name
    return shortened(name, "A-Za-z0-9_+,.-", _FILE_MOST, "~")


def title(name: str) -> str:
    """A name in the head of a model file: one word, which ends no comment."""
    return (
        name
        if len(name) <= _FILE_MOST and re.fullmatch(r"[\w.-]+", name, re.ASCII)
        else shortened(name, "A-Za-z0-9_.-", _FILE_MOST, "_")
    )


def member(name: str) -> str:
    """A name within an archive; `unmember` undoes it."""
    return re.sub(r"[^\w .+,()\[\]-]", lambda sign: quote(sign[0], safe=""), name)


def unmember(name: str) -> str:
    """The inverse of `member`; raises UnicodeDecodeError where nothing was written like that."""
    return unquote(name, errors="strict")


def visible(name: str) -> str:
    """A name in running text: on one line, with what cannot be seen as ⟨U+000A⟩."""
    if name.isprintable() and "⟨" not in name:
        return name
    return "".join(
        sign if sign.isprintable() and sign != "⟨" else f"⟨U+{ord(sign):04X}⟩" for sign in name
    )


def markdown(name: str) -> str:
    """A name in a line or cell of Markdown (GitHub's): it reads as it is."""
    return _MARKDOWN.sub(lambda found: _ENTITIES.get(found[0], "\\" + found[0]), visible(name))


def caption(name: str) -> str:
    """A name in a picture of matplotlib: no formula, and in the legend also where it begins with an
    underscore."""
    shown = visible(name).replace("$", r"\$")
    return f"\N{HAIR SPACE}{shown}" if shown.startswith("_") else shown
