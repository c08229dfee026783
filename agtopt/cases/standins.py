"""Small stand-ins for the data sets of the case studies, written as files of the same names and
formats.

They are drawn or made from the digits that scikit-learn ships; nothing is downloaded. What holds
for them says nothing of the real data.
"""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import UnsupportedError
from agtopt.files import replaced, saving, staged
from agtopt.problem.checks import number, whole

Array = NDArray[np.float64]
GOOD = [
    "wonderful",
    "moving",
    "brilliant",
    "superb",
    "gripping",
    "charming",
    "witty",
    "masterful",
    "touching",
    "delightful",
]
BAD = [
    "dull",
    "awful",
    "tedious",
    "clumsy",
    "boring",
    "lifeless",
    "shallow",
    "annoying",
    "predictable",
    "wooden",
]
NEUTRAL = [
    "the",
    "film",
    "a",
    "story",
    "and",
    "its",
    "actors",
    "of",
    "scene",
    "this",
    "plot",
    "with",
    "director",
    "music",
    "camera",
    "one",
    "hour",
    "it",
    "about",
    "script",
    "is",
]


def write_household(folder: str | Path, rows: int = 20_000, seed: int = 0) -> Path:
    """``household_power_consumption.txt``: a made-up household, a row every 97 minutes, one row in
    a hundred with missing values.

    Parameters
    ----------
    folder : str or Path
        Made if it does not exist.
    rows, seed : int

    Returns
    -------
    Path
        The folder.
    """
    import pandas as pd

    rng, count = np.random.default_rng(whole("seed", seed, 0)), whole("rows", rows, 2)
    when = pd.Timestamp("2006-12-16 17:24") + pd.to_timedelta(97 * np.arange(count), unit="min")
    hour = (when.hour + when.minute / 60).to_numpy()
    warm = np.cos(2 * np.pi * (when.day_of_year.to_numpy() - 15) / 365)
    awake = np.exp(-(((hour - 8) / 1.5) ** 2)) + 1.5 * np.exp(-(((hour - 20) / 2.5) ** 2))
    kitchen, laundry = (rng.random(count) < share * (0.2 + awake) for share in (0.10, 0.08))
    boiler = rng.random(count) < 0.25 + 0.2 * awake
    meters = np.stack(
        [
            kitchen * rng.uniform(10, 40, count),
            laundry * rng.uniform(5, 35, count),
            boiler * rng.uniform(15, 18, count),
        ]
    )
    power = (
        0.25
        + 0.5 * awake
        + 0.4 * np.maximum(warm, 0)
        + meters.sum(axis=0) * 0.06
        + rng.gamma(1.5, 0.1, count)
    )
    voltage = 241.0 - 1.2 * power + rng.normal(0, 2.0, count)
    reactive = np.maximum(rng.normal(0.12, 0.08, count), 0)
    frame = pd.DataFrame(
        {
            "Date": [f"{day.day}/{day.month}/{day.year}" for day in when],
            "Time": when.strftime("%H:%M:%S"),
            "Global_active_power": np.char.mod("%.3f", power),
            "Global_reactive_power": np.char.mod("%.3f", reactive),
            "Voltage": np.char.mod("%.3f", voltage),
            "Global_intensity": np.char.mod("%.3f", np.round(power * 1000 / voltage, 1)),
            **{
                f"Sub_metering_{k + 1}": np.char.mod("%.3f", np.round(meter))
                for k, meter in enumerate(meters)
            },
        }
    )
    frame.loc[rng.random(count) < 0.01, list(frame.columns[2:])] = "?"
    return _written(
        folder,
        "household_power_consumption.txt",
        lambda path: frame.to_csv(path, sep=";", index=False),
    )


def write_digits(folder: str | Path, test: int = 360) -> Path:
    """The four files of MNIST: scikit-learn's 1,797 digits of 8 × 8 pixels, three pixels for each,
    on 28 × 28.

    Parameters
    ----------
    folder : str or Path
    test : int
        How many of the last digits, by other writers than the first ones, are the test set.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UnsupportedError
        If scikit-learn is not installed.
    """
    images, labels = _digits()
    last = len(labels) - whole("test", test, 1)
    for name, array in (
        ("train-images-idx3-ubyte.gz", images[:last]),
        ("train-labels-idx1-ubyte.gz", labels[:last]),
        ("t10k-images-idx3-ubyte.gz", images[last:]),
        ("t10k-labels-idx1-ubyte.gz", labels[last:]),
    ):
        header = bytes([0, 0, 8, array.ndim]) + b"".join(
            int(extent).to_bytes(4, "big") for extent in array.shape
        )
        packed = gzip.compress(header + array.tobytes(), mtime=0)
        _written(folder, name, lambda path, packed=packed: path.write_bytes(packed))  # type: ignore[misc]
    return Path(folder)


def write_octmnist(folder: str | Path, train: int = 2000, test: int = 300, seed: int = 0) -> Path:
    """``octmnist.npz``: drawn layers of a retina, 28 × 28 pixels, with new vessels, oedemas, drusen
    or nothing.

    Parameters
    ----------
    folder : str or Path
    train, test : int
        Samples; a quarter of the training set are drusen (fewer in the published one), and a half
        is normal.
    seed : int

    Returns
    -------
    Path
        The folder.
    """
    rng = np.random.default_rng(whole("seed", seed, 0))
    arrays: dict[str, NDArray[np.uint8]] = {}
    for part, count in (
        ("train", whole("train", train, 1)),
        ("val", 4),
        ("test", whole("test", test, 1)),
    ):
        labels = rng.choice(4, count, p=[0.125, 0.125, 0.25, 0.5])
        arrays[f"{part}_images"] = np.stack([_retina(int(label), rng) for label in labels])
        arrays[f"{part}_labels"] = labels.astype(np.uint8)[:, np.newaxis]
    return _written(folder, "octmnist.npz", lambda path: np.savez(path, **arrays))  # type: ignore[arg-type]


def write_driving(
    folder: str | Path,
    frames: int = 400,
    size: tuple[int, int] = (33, 100),
    light: float = 1.0,
    shadows: bool = False,
    seed: int = 0,
) -> Path:
    """``driving_log.csv`` and ``IMG``: a drawn road; the steering angle follows from its bend and
    from the car's place in the lane.

    Parameters
    ----------
    folder : str or Path
    frames : int
    size : (int, int)
        Height and width of the images, in pixels.
    light : float
        Brightness, above 0; below 1 it is dusk.
    shadows : bool
        Whether shadows lie on the road.
    seed : int

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UnsupportedError
        If Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise UnsupportedError(
            "images are written by Pillow, which is not installed: pip install 'agtopt[data]'"
        ) from None
    rng, count = np.random.default_rng(whole("seed", seed, 0)), whole("frames", frames, 2)
    number("light", light, above=0.0)
    bend, place = (_wander(rng, count) for _ in range(2))
    steering = 0.35 * bend - 0.15 * place + rng.normal(0, 0.005, count)
    rows = []
    with staged(_made(Path(folder) / "IMG")) as stage:
        for k in range(count):
            picture = _road(bend[k], place[k], size, rng, shadows) * light
            name = f"center_{k:05d}.png"
            Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(stage / name)
            rows.append(f"IMG/{name},IMG/{name},IMG/{name},{steering[k]:.6f},0.5,0,20")
    lines = "\n".join(["center,left,right,steering,throttle,brake,speed", *rows]) + "\n"
    return _written(
        folder, "driving_log.csv", lambda file: file.write_text(lines, encoding="utf-8")
    )


def write_reviews(folder: str | Path, train: int = 600, test: int = 200, seed: int = 0) -> Path:
    """``train`` and ``test`` with ``pos`` and ``neg``: made-up reviews of neutral words, in which
    praise or blame prevails.

    Parameters
    ----------
    folder : str or Path
    train, test : int
        Reviews of each kind.
    seed : int

    Returns
    -------
    Path
        The folder.
    """
    rng = np.random.default_rng(whole("seed", seed, 0))
    for part, count in (("train", whole("train", train, 1)), ("test", whole("test", test, 1))):
        for name, words, others in (("neg", BAD, GOOD), ("pos", GOOD, BAD)):
            with staged(_made(Path(folder) / part / name)) as stage:
                for k in range(count):
                    own, foreign = rng.integers(6, 13), rng.integers(0, 4)
                    text = [
                        *rng.choice(NEUTRAL, 20),
                        *rng.choice(words, own),
                        *rng.choice(others, foreign),
                    ]
                    stars = rng.integers(7, 11) if name == "pos" else rng.integers(1, 5)
                    (stage / f"{k}_{stars}.txt").write_text(
                        " ".join(rng.permutation(text)) + ".", encoding="utf-8"
                    )
    return Path(folder)


def write_embeddings(
    folder: str | Path, train: int = 20_000, test: int = 300, features: int = 16, seed: int = 0
) -> Path:
    """``embeddings.npz``: normal vectors of two overlapping classes, in place of reviews that a
    language model embeds.

    Parameters
    ----------
    folder : str or Path
    train, test : int
        Samples.
    features : int
        Length of the vectors.
    seed : int

    Returns
    -------
    Path
        The folder.
    """
    rng, arrays = np.random.default_rng(whole("seed", seed, 0)), dict[str, NDArray[np.generic]]()
    direction = rng.normal(size=whole("features", features, 1))
    direction *= 2.0 / np.linalg.norm(direction)
    for part, count in (("train", whole("train", train, 1)), ("test", whole("test", test, 1))):
        labels = rng.integers(0, 2, count)
        arrays[f"{part}_features"] = rng.normal(size=(count, features)) + np.where(
            labels[:, np.newaxis], direction, -direction
        )
        arrays[f"{part}_labels"] = labels
    return _written(folder, "embeddings.npz", lambda path: np.savez(path, **arrays))  # type: ignore[arg-type]


def _written(folder: str | Path, name: str, write: Callable[[Path], object]) -> Path:
    path = _made(Path(folder))
    with replaced(path / name) as part:
        write(part)
    return path


def _made(folder: Path) -> Path:
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _digits() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise UnsupportedError(
            "the digits are scikit-learn's, which is not installed: pip install 'agtopt[data]'"
        ) from None
    images, labels = load_digits(return_X_y=True)
    large = np.kron(images.reshape(-1, 8, 8), np.ones((1, 3, 3))) * 255 / 16
    return np.pad(large, ((0, 0), (2, 2), (2, 2))).round().astype(np.uint8), labels.astype(np.uint8)


def _retina(kind: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Bright layers on dark ground: 0 new vessels lift the lowest one, 1 has dark cysts, 2 (drusen)
    has bumps in it, 3 is smooth."""
    rows, columns = np.mgrid[0:28, 0:28].astype(float)
    tilt, height = rng.normal(0, 0.08), rng.normal(9, 1)
    surface = (
        height + tilt * (columns - 14) + 1.5 * np.exp(-(((columns - rng.normal(14, 1)) / 4) ** 2))
    )
    floor = surface + 8
    if kind == 0:
        floor = floor - rng.uniform(3, 5) * np.exp(
            -(((columns - rng.uniform(9, 19)) / rng.uniform(3, 5)) ** 2)
        )
    if kind == 2:
        for centre in rng.uniform(4, 24, rng.integers(3, 6)):
            floor = floor - rng.uniform(1.5, 3) * np.exp(-(((columns - centre) / 1.2) ** 2))
    image = (
        25
        + 110.0 * ((rows > surface) & (rows < floor))
        + 110 * np.exp(-(((rows - floor) / 1.3) ** 2))
    )
    if kind == 1:
        for _ in range(rng.integers(2, 4)):
            across, down = rng.uniform(7, 21), rng.uniform(height + 2, height + 6)
            image -= 100 * np.exp(-(((columns - across) / 2.2) ** 2) - ((rows - down) / 1.5) ** 2)
    return np.asarray(np.clip(image + rng.normal(0, 12, image.shape), 0, 255), dtype=np.uint8)


def _wander(rng: np.random.Generator, count: int) -> Array:
    """A smooth random series within [−1, 1]."""
    steps = np.convolve(rng.normal(size=count + 40), np.hanning(41), mode="valid")
    return np.asarray(np.tanh(steps / 3.5))


def _road(
    bend: float, place: float, size: tuple[int, int], rng: np.random.Generator, shadows: bool
) -> Array:
    """A lane between white lines, up to the horizon: colours (height, width, 3)."""
    height, width = size
    horizon = round(0.4 * height)
    rows, columns = np.mgrid[0:height, 0:width].astype(float)
    near = np.clip((rows - horizon) / (height - horizon), 0.0, 1.0)
    centre = width * (0.5 + 0.35 * bend * (1 - near) ** 2 - 0.18 * place * near)
    half = width * (0.03 + 0.34 * near)
    ground = rows >= horizon
    road, line = (
        np.abs(columns - centre) < half,
        np.abs(np.abs(columns - centre) - half) < 0.6 + 2.0 * near,
    )
    picture = np.where(ground[..., np.newaxis], [70.0, 120.0, 60.0], [150.0, 190.0, 230.0])
    picture[ground & road] = 95.0
    picture[ground & line] = 235.0
    if shadows:
        for _ in range(3):
            first = rng.integers(horizon, height)
            picture[first : first + rng.integers(1, 5)] *= rng.uniform(0.4, 0.7)
    return np.asarray(picture + rng.normal(0, 4, picture.shape))
