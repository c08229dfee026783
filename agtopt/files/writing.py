"""Files that are whole or not there, whenever the disk is full or the process is killed."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from shutil import copy2, rmtree
from tempfile import TemporaryDirectory, mkdtemp

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
    end, all of them or none. Where a symbolic link has the name of one, the file that it points to
    is replaced.

    Parameters
    ----------
    folder : str or Path
        Exists.
    what : str or Path, optional
        What the error names; the folder by default.

    Raises
    ------
    SaveError
        If they cannot be written, or something that is no file has the name of one; what was in
        the folder before is still there.
    """
    place = Path(folder)
    named = place if what is None else what
    with saving(named):
        stage = Path(mkdtemp(prefix=".agtopt-", suffix=".tmp", dir=place))
    try:
        with saving(named):
            yield stage
            _settle({part: _destination(place / part.name) for part in sorted(stage.iterdir())})
    finally:
        rmtree(stage, ignore_errors=True)


@contextmanager
def replaced(path: str | Path) -> Iterator[Path]:
    """Where to write a file that is to stand at `path`, of the same name and ending; it takes its
    place at the end.

    Raises
    ------
    SaveError
        If it cannot be written, or no file (a folder, a device, a pipe) stands there; what was
        there before still is.
    """
    target = Path(path)
    _destination(target)
    with staged(target.parent, target) as stage:
        yield stage / target.name


def write_text(path: str | Path, text: str) -> None:
    """Write a file of text, in UTF-8; raises SaveError."""
    with replaced(path) as part:
        part.write_text(text, encoding="utf-8")


def _destination(path: Path) -> Path:
    """The file that a name stands for, or will stand for."""
    target = Path(os.path.realpath(path))
    if os.path.lexists(target) and not target.is_file():
        raise SaveError(
            f"{path}: what stands there is no file but a folder, a device, a pipe or a link to "
            f"itself, and is left as it is; give the name of a file"
        )
    return target


def _settle(targets: dict[Path, Path]) -> None:
    """Move files to where they belong; if one fails, those before it go back."""
    with ExitStack() as stack:
        parts = {_beside(part, target, stack): target for part, target in targets.items()}
        for part in parts:
            with part.open("r+b") as file:
                os.fsync(file.fileno())
        several = len(parts) > 1
        olds = {part: _kept(part, target) for part, target in parts.items() if several}
        settled: list[Path] = []
        try:
            for part, target in parts.items():
                os.replace(part, target)
                settled.append(part)
        except OSError:
            for part in settled:
                old = olds[part]
                with suppress(OSError):
                    if old is None:
                        parts[part].unlink()
                    else:
                        os.replace(old, parts[part])
            raise


def _beside(part: Path, target: Path, stack: ExitStack) -> Path:
    """The file, on the disk of its target: only there can it take its place at once."""
    if target.parent == Path(os.path.realpath(part.parent.parent)):
        return part
    folder = stack.enter_context(
        TemporaryDirectory(prefix=".agtopt-", suffix=".tmp", dir=target.parent)
    )
    return Path(copy2(part, folder))


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
