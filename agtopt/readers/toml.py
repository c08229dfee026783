"""Files of TOML, validated."""

import tomllib
from collections.abc import Collection
from pathlib import Path
from reprlib import repr as short
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from agtopt.errors import InvalidInputError
from agtopt.files import read_text, refusing

M = TypeVar("M", bound=BaseModel)


def read_toml(path: Path, schema: type[M], hidden: Collection[str] = ()) -> M:
    """A file of TOML that a schema allows.

    Parameters
    ----------
    path : Path
    schema : type of pydantic.BaseModel
    hidden : collection of str
        Words that pydantic adds to the place of an error, and that are no keys of the file.

    Raises
    ------
    InvalidInputError
        If it cannot be read, or a value is not allowed.
    """
    refusal = f"{path}: is not valid TOML"
    text = read_text(path, refusal)
    with refusing(refusal):
        document = tomllib.loads(text)
    try:
        return schema.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(key) for key in first["loc"] if key not in hidden)
        raise InvalidInputError(
            f"{path}: {field}: {first['msg']} (it was {short(first['input'])})"
        ) from None
