"""Files that are whole or not there, whenever the disk is full or the process is killed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copy2, rmtree
from tempfile import mkdtemp

from agtopt.errors import AgtoptError, SaveError


@contextmanager
def saving(what: str | Path) -> Iterator[None]:
    """Raise a SaveError that says what could not be written, and why."""
    try:
        yield
    except AgtoptError:
        raise
    except OSError as error:
        failure = SaveError(
            f"{what}: could not be written ({error.strerror or error}); nothing is left half "
            f"written"
        )
        failure.errno = error.errno
        raise failure from error


@contextmanager
def staged(folder: str | Path, what: str | Path | None = None) -> Iterator[Path]:
    """A temporary folder in `folder`; the files that are written into it take their places at the
    end, all of them or none.

    Parameters
    ----------
    folder : str or Path
        Exists.
    what : str or Path, optional
        What the error names; the folder by default.

    Raises
    ------
    SaveError
        If they cannot be written; what was in the folder before is still there.
    """
    place = Path(folder)
    named = place if what is None else what
    with saving(named):
        stage = Path(mkdtemp(prefix=".agtopt-", suffix=".tmp", dir=place))
    try:
        with saving(named):
            yield stage
            _settle(sorted(stage.iterdir()), place)
    finally:
        rmtree(stage, ignore_errors=True)


@contextmanager
def replaced(path: str | Path) -> Iterator[Path]:
    """Where to write a file that is to stand at `path`, of the same name and ending; it takes its
    place at the end.

    Raises
    ------
    SaveError
        If it cannot be written; the file that was there before still is.
    """
    target = Path(path)
    with staged(target.parent, target) as stage:
        yield stage / target.name


def write_text(path: str | Path, text: str) -> None:
    """Write a file of text, in UTF-8; raises SaveError."""
    with replaced(path) as part:
        part.write_text(text, encoding="utf-8")


def _settle(parts: list[Path], folder: Path) -> None:
    """Move files to where they belong; if one fails, those before it go back."""
    for part in parts:
        with part.open("r+b") as file:
            os.fsync(file.fileno())
    olds = {part: _kept(part, folder / part.name) for part in parts} if len(parts) > 1 else {}
    settled: list[Path] = []
    try:
        for part in parts:
            os.replace(part, folder / part.name)
            settled.append(part)
    except OSError:
        for part in settled:
            old = olds[part]
            with suppress(OSError):
                if old is None:
                    (folder / part.name).unlink()
                else:
                    os.replace(old, folder / part.name)
        raise


def _kept(part: Path, target: Path) -> Path | None:
    """A second name, or a copy, of the file that is to be replaced."""
    if not target.exists():
        return None
    old = part.with_name(f"{part.name}.old")
    try:
        os.link(target, old)
    except OSError:
        copy2(target, old)
    return old
