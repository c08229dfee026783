"""Files that a reader expects: found, or an error that says which file belongs where; and their
checksums."""

import warnings
from collections.abc import Iterable
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agtopt.errors import InvalidInputError, MissingFileError

if TYPE_CHECKING:
    import pandas as pd


def expected(folder: str | Path, names: Iterable[str], origin: str) -> Path:
    """The first of some files that is there.

    Parameters
    ----------
    folder : str or Path
        The folder, or the file itself.
    names : iterable of str
        What the file may be called within the folder.
    origin : str
        Where to get it, for the message.

    Returns
    -------
    Path

    Raises
    ------
    MissingFileError
        If none of them is there; the message names them and where to get them.
    """
    path, wanted = Path(folder), list(names)
    if path.is_file():
        return path
    for name in wanted:
        if (path / name).exists():
            return path / name
    raise MissingFileError(f"{path}: {' or '.join(wanted)} is not there; get it from {origin}")


def read_csv(path: Path, what: str, **options: Any) -> "pd.DataFrame":
    """A CSV file by `pandas.read_csv`, which would take the first of surplus fields for an index
    and shift the columns.

    Raises
    ------
    InvalidInputError
        If it cannot be read as `what`, or a row has more fields than there are names.
    """
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            frame: pd.DataFrame = pd.read_csv(path, index_col=False, **options)
        except (ValueError, pd.errors.ParserWarning) as error:
            raise InvalidInputError(f"{path}: cannot be read as {what}: {error}") from None
    return frame


def check_md5(path: Path, known: str) -> None:
    """Raise InvalidInputError where the MD5 checksum of a file is not the known one (of the
    published file)."""
    digest = md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    if digest.hexdigest() != known:
        raise InvalidInputError(
            f"{path}: MD5 {digest.hexdigest()} is not that of the published file, {known}; "
            f"download it again"
        )
