"""MNIST and Fashion-MNIST: images in IDX files, packed or not."""

import gzip
from math import prod
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import InvalidInputError, MissingFileError
from agtopt.problem import Dataset
from agtopt.readers.datasets.files import check_md5, expected
from agtopt.readers.datasets.split import Split

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
ORIGIN = (
    "https://ossci-datasets.s3.amazonaws.com/mnist (digits) or "
    "https://github.com/zalandoresearch/fashion-mnist (clothes)"
)
DIGITS = tuple(map(str, range(10)))
CLOTHES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
MD5 = MappingProxyType(
    {
        "digits": (
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
        "clothes": (
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    }
)
"""Of the four packed files (``.gz``), in the order of `FILES`; as torchvision has them."""


def read_idx(path: str | Path) -> NDArray[np.generic]:
    """One array of an IDX file (http://yann.lecun.com/exdb/mnist), packed with gzip or not.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    array
        Of the shape and the type that the file says.

    Raises
    ------
    MissingFileError
        If the file is not there.
    InvalidInputError
        If it is not an IDX file, or ends too early or too late.
    """
    source = Path(path)
    if not source.is_file():
        raise MissingFileError(f"{source}: does not exist")
    raw = source.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError) as error:
            raise InvalidInputError(f"{source}: cannot be unpacked: {error}") from None
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in TYPES:
        raise InvalidInputError(f"{source}: is not an IDX file; it begins with {raw[:4]!r}")
    kind, rank = np.dtype(TYPES[raw[2]]), raw[3]
    start = 4 + 4 * rank
    shape = tuple(int.from_bytes(raw[4 + 4 * k : 8 + 4 * k], "big") for k in range(rank))
    if len(raw) != start + kind.itemsize * prod(shape):
        raise InvalidInputError(
            f"{source}: has {len(raw)} bytes; an array of shape {shape} takes "
            f"{start + kind.itemsize * prod(shape)}"
        )
    return np.frombuffer(raw, dtype=kind, offset=start).reshape(shape)


def read_mnist(folder: str | Path, kind: str = "digits", check: bool = False) -> Split:
    """The images of MNIST or Fashion-MNIST.

    Parameters
    ----------
    folder : str or Path
        Holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte``
        and ``t10k-labels-idx1-ubyte``, each packed (``.gz``) or not. Both data sets have files of
        these names.
    kind : str
        ``"digits"`` or ``"clothes"``: what the classes are called, and which checksums are known.
    check : bool
        Whether the packed files are compared with the checksums of the published ones.

    Returns
    -------
    Split
        Features (N, 28, 28) within [0, 1], 60,000 and 10,000 of the published ones; labels 0 … 9.
        For ones against sevens take ``.between(1, 7)``, for 32 principal components
        ``.principal_components(32)``.

    Raises
    ------
    MissingFileError
        If one of the files is not there.
    InvalidInputError
        If a file cannot be read, images and labels do not fit, or a checksum is asked for and
        differs or is of an unpacked file.
    """
    if kind not in MD5:
        raise InvalidInputError(f"kind: {kind!r} is not allowed; it must be 'digits' or 'clothes'")
    arrays = []
    for name, known in zip(FILES, MD5[kind], strict=True):
        path = expected(folder, [f"{name}.gz"] if check else [name, f"{name}.gz"], ORIGIN)
        if check:
            check_md5(path, known)
        arrays.append(read_idx(path))
    train, test = (_dataset(folder, images, labels) for images, labels in (arrays[:2], arrays[2:]))
    return Split(
        train, test, classes=DIGITS if kind == "digits" else CLOTHES, origin=f"MNIST ({kind})"
    )


def _dataset(
    folder: str | Path, images: NDArray[np.generic], labels: NDArray[np.generic]
) -> Dataset:
    if images.ndim != 3 or labels.shape != images.shape[:1] or images.dtype != np.uint8:
        raise InvalidInputError(
            f"{folder}: images {images.dtype} {images.shape} and labels {labels.shape} do not fit "
            f"each other"
        )
    return Dataset(images.astype(np.float64) / 255.0, labels.astype(np.float64))
