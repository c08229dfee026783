"""OCT-MNIST: retinal images of four classes (MedMNIST, Yang et al., 2021)."""

from pathlib import Path

import numpy as np

from agtopt.errors import InvalidInputError
from agtopt.problem import Dataset
from agtopt.readers.datasets.files import check_md5, expected
from agtopt.readers.datasets.split import Split
from agtopt.readers.folder import read_arrays

CLASSES = ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal")
DRUSEN, NORMAL = 2, 3
ORIGIN = "https://zenodo.org/record/4269852, or with the package medmnist"
MD5 = "c68d92d5b585d8d81f7112f81e2d0842"
"""Of the file with 28 × 28 pixels, as the package medmnist has it."""


def read_octmnist(path: str | Path, check: bool = False) -> Split:
    """The retinal images of OCT-MNIST.

    Parameters
    ----------
    path : str or Path
        ``octmnist.npz`` or its folder: arrays ``train_images`` and ``test_images`` (N, 28, 28) of
        bytes, ``train_labels`` and ``test_labels`` (N, 1). The validation set is not used.
    check : bool
        Whether the file is compared with the checksum of the published one.

    Returns
    -------
    Split
        Features (N, 1, 28, 28) within [0, 1], 97,477 and 1,000 of the published ones; labels 0 … 3,
        `NORMAL` being 3 and `DRUSEN` 2.

    Raises
    ------
    MissingFileError
        If the file is not there.
    InvalidInputError
        If it cannot be read, an array is missing or misshapen, or the checksum differs.
    """
    source = expected(path, ["octmnist.npz"], ORIGIN)
    if check:
        check_md5(source, MD5)
    arrays = read_arrays(
        source, *(f"{part}_{what}" for part in ("train", "test") for what in ("images", "labels"))
    )
    parts = []
    for name in ("train", "test"):
        try:
            images, labels = arrays[f"{name}_images"], arrays[f"{name}_labels"]
        except KeyError as error:
            raise InvalidInputError(f"{source}: has no array {error}") from None
        if images.ndim != 3 or labels.size != len(images):
            raise InvalidInputError(
                f"{source}: {name}_images {images.shape} and {name}_labels {labels.shape} do not "
                f"fit each other"
            )
        if not np.isin(labels, range(len(CLASSES))).all():
            raise InvalidInputError(
                f"{source}: {name}_labels has labels other than 0 … {len(CLASSES) - 1}"
            )
        parts.append(Dataset(images[:, np.newaxis] / 255.0, labels.reshape(-1)))
    train, test = parts
    return Split(train, test, classes=CLASSES, origin="OCT-MNIST")
