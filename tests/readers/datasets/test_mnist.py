import gzip
import struct

import numpy as np
import pytest

from agtopt import InvalidInputError, MissingFileError
from agtopt.readers.datasets import DRUSEN, NORMAL, read_idx, read_mnist, read_octmnist
from agtopt.readers.datasets.mnist import FILES


def idx(array, code=8, kind=">u1"):
    return (
        struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
        + array.astype(kind).tobytes()
    )


@pytest.fixture
def digits():
    rng = np.random.default_rng(0)
    return [
        rng.integers(0, 256, (30, 28, 28)),
        np.arange(30) % 10,
        rng.integers(0, 256, (20, 28, 28)),
        np.arange(20) % 10,
    ]


@pytest.fixture
def folder(tmp_path, digits):
    for k, (name, array) in enumerate(zip(FILES, digits, strict=True)):
        packed = k % 2 == 0
        (tmp_path / (f"{name}.gz" if packed else name)).write_bytes(
            gzip.compress(idx(array)) if packed else idx(array)
        )
    return tmp_path


@pytest.mark.parametrize(
    ("code", "kind"),
    [(8, ">u1"), (9, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")],
)
@pytest.mark.parametrize("shape", [(7,), (2, 3), (2, 3, 4)])
def test_every_type_of_idx_files(tmp_path, code, kind, shape):
    array = np.arange(np.prod(shape)).reshape(shape)
    path = tmp_path / "array"
    path.write_bytes(idx(array, code, kind))
    found = read_idx(path)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.dtype(kind)


def test_images_are_scaled_and_labels_kept(folder, digits):
    split = read_mnist(folder)
    np.testing.assert_array_equal(split.train.features, digits[0] / 255)
    np.testing.assert_array_equal(split.test.features, digits[2] / 255)
    np.testing.assert_array_equal(split.train.labels, digits[1])
    assert split.classes == tuple("0123456789")
    assert read_mnist(folder, "clothes").classes[9] == "ankle boot"


def test_ones_against_sevens_are_ones_and_sevens(folder, digits):
    split = read_mnist(folder).between(1, 7)
    np.testing.assert_array_equal(split.train.features, digits[0][np.isin(digits[1], (1, 7))] / 255)
    np.testing.assert_array_equal(split.train.labels, [0, 1, 0, 1, 0, 1])
    assert split.classes == ("1", "7")


def test_checksums_are_those_of_the_published_files(folder):
    (folder / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(
        MissingFileError, match=r"train-labels-idx1-ubyte or train-labels-idx1-ubyte\.gz"
    ):
        read_mnist(folder)
    for name in FILES:
        (folder / f"{name}.gz").write_bytes(gzip.compress(b"not MNIST"))
    with pytest.raises(InvalidInputError, match="MD5"):
        read_mnist(folder, check=True)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[:-1],
        lambda raw: raw + b"\0",
        lambda raw: b"PNG" + raw,
        lambda raw: b"",
        lambda raw: raw[:6],
    ],
)
def test_broken_idx_files_are_named(tmp_path, spoil):
    path = tmp_path / "broken"
    path.write_bytes(spoil(idx(np.ones((2, 2)))))
    with pytest.raises(InvalidInputError, match="broken"):
        read_idx(path)
    path.write_bytes(gzip.compress(idx(np.ones((2, 2))))[:-4])
    with pytest.raises(InvalidInputError, match="unpacked"):
        read_idx(path)


def test_wrong_files_are_refused(folder, digits):
    with pytest.raises(MissingFileError):
        read_idx(folder / "none")
    with pytest.raises(InvalidInputError, match="'digits' or 'clothes'"):
        read_mnist(folder, "letters")
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(digits[1]))
    with pytest.raises(InvalidInputError, match="do not fit"):
        read_mnist(folder)


@pytest.fixture
def octmnist(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        f"{part}_images": rng.integers(0, 256, (8, 28, 28), dtype=np.uint8)
        for part in ("train", "val", "test")
    }
    arrays |= {
        f"{part}_labels": (np.arange(8) % 4).reshape(-1, 1).astype(np.uint8)
        for part in ("train", "val", "test")
    }
    np.savez(tmp_path / "octmnist.npz", **arrays)
    return tmp_path, arrays


def test_octmnist(octmnist):
    folder, arrays = octmnist
    split = read_octmnist(folder)
    np.testing.assert_array_equal(split.test.features, arrays["test_images"][:, np.newaxis] / 255)
    np.testing.assert_array_equal(split.train.labels, arrays["train_labels"][:, 0])
    assert (split.classes[DRUSEN], split.classes[NORMAL]) == ("drusen", "normal")
    with pytest.raises(InvalidInputError, match="MD5"):
        read_octmnist(folder, check=True)


def test_broken_octmnist_is_named(octmnist, tmp_path):
    folder, arrays = octmnist
    for change, said in (
        ({"test_images": None}, "no array 'test_images'"),
        ({"train_labels": np.arange(7)}, "do not fit"),
        ({"train_labels": np.full(8, 4)}, "labels other than"),
    ):
        np.savez(
            folder / "octmnist.npz",
            **{name: array for name, array in (arrays | change).items() if array is not None},
        )
        with pytest.raises(InvalidInputError, match=said):
            read_octmnist(folder)
    (folder / "octmnist.npz").write_bytes(b"nothing")
    with pytest.raises(InvalidInputError, match="without pickle"):
        read_octmnist(folder)
    with pytest.raises(MissingFileError, match="zenodo"):
        read_octmnist(tmp_path / "nowhere")
