"""Camera images and steering angles of a drive: the logs of Udacity's simulator and of its car."""

from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import InvalidInputError, MissingFileError, UnsupportedError
from agtopt.problem import Dataset
from agtopt.problem.checks import whole
from agtopt.problem.layers import pair
from agtopt.readers.datasets.files import expected, read_csv
from agtopt.readers.datasets.split import Split, held_out

if TYPE_CHECKING:
    import pandas as pd

NAMES = ("driving_log.csv", "interpolated.csv")
ORIGIN = "https://github.com/udacity/self-driving-car (or recorded with Udacity's simulator)"
SIMULATOR = ("center", "left", "right", "steering", "throttle", "brake", "speed")
"""The columns of ``driving_log.csv``, which often has no header."""
CAMERAS = SIMULATOR[:3]
HALF_RANGE = 127.5


def read_driving(
    path: str | Path,
    camera: str = "center",
    size: tuple[int, int] = (66, 200),
    crop: tuple[int, int] = (0, 0),
    rows: int | None = None,
    test: float = 0.2,
) -> Split:
    """One drive's images, as PilotNet takes them, and its steering angles (section 9.5 of Sosnin et
    al. 2025).

    Parameters
    ----------
    path : str or Path
        ``driving_log.csv`` of the simulator (columns center, left, right, steering, throttle,
        brake, speed, with or without a header) or ``interpolated.csv`` of the car (columns
        filename, angle and frame_id, one drive, e.g. one of the six videos), or its folder. Images
        lie where the table says, seen from the folder, or by their bare names in the folder or in
        its ``IMG``.
    camera : str
        ``"center"``, ``"left"`` or ``"right"``.
    size : (int, int)
        Height and width, in pixels, that images are scaled to.
    crop : (int, int)
        How many rows of pixels are cut off above (sky) and below (bonnet) before that.
    rows : int, optional
        How many of the first rows to read; all by default.
    test : float
        Share of the test set: the end of the drive, since images that follow each other are alike.

    Returns
    -------
    Split
        Features (N, 3, height, width): Y, U and V, within [−1, 1]; labels (N,): the steering angle,
        in radians of the car, or as a share of the simulator's largest angle.

    Raises
    ------
    MissingFileError
        If the table or an image is not there.
    InvalidInputError
        If the table has other columns, an angle is no number or an image cannot be read.
    UnsupportedError
        If Pillow is not installed.
    """
    source = expected(path, NAMES, ORIGIN)
    height, width = pair("size", size, 1)
    upper, lower = pair("crop", crop, 0)
    if camera not in CAMERAS:
        raise InvalidInputError(
            f"camera: {camera!r} is not allowed; it must be one of {', '.join(CAMERAS)}"
        )
    files, angles = _table(source, camera)
    if rows is not None:
        files, angles = files[: whole("rows", rows, 2)], angles[:rows]
    if len(files) < 2:
        raise InvalidInputError(
            f"{source}: has {len(files)} rows of the {camera} camera; two at least are needed"
        )
    read = _image_reader((height, width), (upper, lower))
    images = np.empty((len(files), 3, height, width))
    for image, name in zip(images, files, strict=True):
        image[...] = read(_found(source.parent, name))
    last = len(files) - held_out(len(files), test)
    train, rest = Dataset(images[:last], angles[:last]), Dataset(images[last:], angles[last:])
    return Split(train, rest, origin=f"{source.name}, {camera} camera, {height} × {width} pixels")


def _table(source: Path, camera: str) -> tuple[list[str], NDArray[np.float64]]:
    """Files of images and angles."""
    frame = read_csv(source, "a table", skipinitialspace=True)
    if "steering" not in frame and "angle" not in frame and frame.shape[1] == len(SIMULATOR):
        frame = read_csv(
            source, "a table", skipinitialspace=True, header=None, names=list(SIMULATOR)
        )
    if "steering" in frame and camera in frame:
        return _columns(source, frame, camera, "steering")
    if {"filename", "angle", "frame_id"} <= set(frame):
        return _columns(
            source, frame[frame["frame_id"].astype(str).str.startswith(camera)], "filename", "angle"
        )
    raise InvalidInputError(
        f"{source}: has the columns {', '.join(map(str, frame.columns))}; needed are {camera} and "
        f"steering, or filename, angle and frame_id"
    )


def _columns(
    source: Path, frame: "pd.DataFrame", image: str, angle: str
) -> tuple[list[str], NDArray[np.float64]]:
    try:
        angles = frame[angle].to_numpy(dtype=np.float64)
    except ValueError:
        raise InvalidInputError(f"{source}: column {angle!r} is not a column of numbers") from None
    return [str(name).strip() for name in frame[image]], angles


def _found(folder: Path, name: str) -> Path:
    """An image; a log names it as the machine that recorded it did, often with its own folders and
    backslashes."""
    bare = PureWindowsPath(name).name
    for path in (folder / name, folder / bare, folder / "IMG" / bare):
        if path.is_file():
            return path
    raise MissingFileError(f"{folder}: the image {name} is not there, nor {bare}, nor IMG/{bare}")


def _image_reader(
    size: tuple[int, int], crop: tuple[int, int]
) -> Callable[[Path], NDArray[np.float64]]:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise UnsupportedError(
            "images are read by Pillow, which is not installed: pip install 'agtopt[data]'"
        ) from None

    def read(path: Path) -> NDArray[np.float64]:
        try:
            with Image.open(path) as image:
                left, above, right, below = 0, crop[0], image.width, image.height - crop[1]
                if above >= below:
                    raise InvalidInputError(
                        f"crop: {crop} leaves nothing of {path}, which is {image.height} pixels "
                        f"high"
                    )
                cut: Any = image.convert("YCbCr").crop((left, above, right, below))
                scaled = cut.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        except (UnidentifiedImageError, OSError) as error:
            raise InvalidInputError(f"{path}: cannot be read as an image: {error}") from None
        return np.moveaxis(np.asarray(scaled, dtype=np.float64), -1, 0) / HALF_RANGE - 1.0

    return read
