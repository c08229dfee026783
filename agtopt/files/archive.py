"""Archives of arrays (.npz), without pickle: what is in one is known from its headers before
anything is taken into memory."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy
from numpy.typing import ArrayLike, NDArray

from agtopt.files.reading import refusing
from agtopt.files.writing import replaced
from agtopt.names import member, unmember

ROOM, RATIO = 2**28, 100
"""Bytes that an archive may unpack to: `ROOM`, or so many times its own size where that is more."""

NUMBERS, TEXT = "biuf", "U"
"""Kinds of data types."""

ENCRYPTED = 1
ENDING = ".npy"
Shape = tuple[int | None, ...]


class Archive:
    """The arrays of an open archive.

    Parameters
    ----------
    file : ZipFile
    size : int
        Bytes of the file.
    """

    def __init__(self, file: ZipFile, size: int) -> None:
        self._file = file
        self._left = max(ROOM, RATIO * size)
        members = [(unmember(info.filename.removesuffix(ENDING)), info) for info in file.infolist()]
        self._members = dict(members)
        if len(self._members) < len(members):
            raise ValueError("it holds two arrays of one name")

    @property
    def names(self) -> frozenset[str]:
        """The names of the arrays that the archive holds."""
        return frozenset(self._members)

    def only(self, needed: Collection[str], allowed: Collection[str] = ()) -> None:
        """Refuse an archive that lacks an array, or has one too many."""
        missing, surplus = (
            sorted(set(needed) - self.names),
            sorted(self.names - {*needed, *allowed}),
        )
        if missing:
            raise ValueError(f"it has no array {missing[0]!r}")
        if surplus:
            raise ValueError(f"it has an array {surplus[0]!r}, which has no meaning here")

    def array(self, name: str, *shapes: Shape, kinds: str = NUMBERS) -> NDArray[Any]:
        """One array.

        Parameters
        ----------
        name : str
        *shapes : tuple of int or None
            Those that are allowed, None for any extent; all by default.
        kinds : str
            The kinds of data types that are allowed.

        Raises
        ------
        InvalidInputError, or what `refusing` turns into one
            If it is not there, of another shape or kind, larger than the archive may unpack to, or
            broken.
        """
        if name not in self._members:
            raise ValueError(f"it has no array {name!r}")
        info = self._members[name]
        if info.flag_bits & ENCRYPTED:
            raise ValueError(f"the array {name!r} is encrypted")
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise ValueError(f"the array {name!r} is compressed in another way than numpy does")
        with self._file.open(info) as stream:
            shape, dtype = _header(stream)
            length = stream.tell()
        if dtype.hasobject or dtype.kind not in kinds or dtype.itemsize == 0:
            raise ValueError(
                f"the array {name!r} is of {dtype}, which is not allowed (Object arrays would need "
                f"pickle)"
            )
        if shapes and not any(_fits(shape, allowed) for allowed in shapes):
            words = " or ".join(str(allowed).replace("None", "…") for allowed in shapes)
            raise ValueError(f"the array {name!r} has the shape {shape}; it must have {words}")
        if length + prod(shape) * dtype.itemsize != info.file_size:
            raise ValueError(
                f"the array {name!r} is of {info.file_size} bytes, which its shape {shape} does "
                f"not fit"
            )
        self._take(name, info)
        with self._file.open(info) as stream:
            array: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
        return array

    def text(self, name: str) -> str:
        """An array that is a single text."""
        return str(self.array(name, (), kinds=TEXT))

    def _take(self, name: str, info: ZipInfo) -> None:
        self._left -= info.file_size
        if self._left < 0:
            raise ValueError(
                f"its arrays up to {name!r} unpack to more than {RATIO} times its size; save them "
                f"without compression"
            )


@contextmanager
def opened(path: str | Path, refusal: str) -> Iterator[Archive]:
    """The arrays of a file, for as long as the context lasts.

    Parameters
    ----------
    path : str or Path
    refusal : str
        Begins the message wherever something in it is not as it must be, also what is found within
        the context.

    Raises
    ------
    InvalidInputError
        If it is no archive, or what is read of it is broken.
    """
    file = Path(path)
    with refusing(refusal):
        if not file.is_file():
            raise ValueError("it is no file")
        with ZipFile(file) as found:
            yield Archive(found, file.stat().st_size)


def write_arrays(
    path: str | Path, arrays: Mapping[str, ArrayLike], compressed: bool = False
) -> None:
    """Write what `opened` reads; raises SaveError."""
    with replaced(path) as part:
        put_arrays(part, arrays, compressed)


def put_arrays(part: Path, arrays: Mapping[str, ArrayLike], compressed: bool = False) -> None:
    """`write_arrays` to a file that is not in its place yet (`staged`)."""
    members: dict[str, Any] = {member(name): values for name, values in arrays.items()}
    for save in (np.savez_compressed, np.savez) if compressed else (np.savez,):
        with part.open("wb") as file:
            save(file, allow_pickle=False, **members)
        # What is denser than this is refused when it is read.
        if (
            sum(np.asarray(values).nbytes for values in members.values())
            <= max(ROOM, RATIO * part.stat().st_size) // 2
        ):
            return


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"it holds an array of version {version} of the format")
    shape, _, dtype = (
        npy.read_array_header_1_0(stream)
        if version == (1, 0)
        else npy.read_array_header_2_0(stream)
    )
    if any(extent < 0 for extent in shape):
        raise ValueError(f"it holds an array of shape {shape}")
    return shape, dtype


def _fits(shape: tuple[int, ...], allowed: Shape) -> bool:
    return len(shape) == len(allowed) and all(
        extent in (None, found) for found, extent in zip(shape, allowed, strict=True)
    )
