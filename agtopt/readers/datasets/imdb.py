"""Film reviews, good and bad (IMDB, Maas et al., 2011): as texts, or as embeddings that were
computed elsewhere."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.errors import InvalidInputError, MissingFileError, UnsupportedError
from agtopt.problem import Dataset
from agtopt.problem.checks import whole
from agtopt.readers.datasets.split import Split
from agtopt.readers.folder import read_arrays

CLASSES = ("negative", "positive")
FOLDERS = ("neg", "pos")
PARTS = ("train", "test")
ARRAYS = tuple(f"{part}_{what}" for part in PARTS for what in ("features", "labels"))
ORIGIN = (
    "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz (MD5 "
    "7c2ac02c03563afcf9b574c7e56c153a)"
)
Embedding = Callable[[Sequence[str]], ArrayLike]
"""From m texts to their features (m, d); it must look at each text alone."""


def bag_of_words(features: int) -> Embedding:
    """Counts of words, hashed to a number of features and scaled to length 1 (scikit-learn's
    HashingVectorizer; nothing is fitted).

    Parameters
    ----------
    features : int
        At least 1.

    Returns
    -------
    callable
        From texts to features, for `read_imdb`.

    Raises
    ------
    InvalidInputError
        If the number is not allowed.
    UnsupportedError
        If scikit-learn is not installed.
    """
    count = whole("features", features, 1)
    try:
        from sklearn.feature_extraction.text import HashingVectorizer
    except ImportError:
        raise UnsupportedError(
            "texts are hashed by scikit-learn, which is not installed: pip install 'agtopt[data]'"
        ) from None
    vectorizer = HashingVectorizer(n_features=count)
    return lambda texts: np.asarray(vectorizer.transform(texts).toarray())


def read_imdb(folder: str | Path, embedding: Embedding) -> Split:
    """Reviews as texts, embedded.

    The paper embeds them by GPT-2 (768 features), which is not loaded here: pass a function that
    does it, or `bag_of_words`.

    Parameters
    ----------
    folder : str or Path
        ``aclImdb``: holds ``train/neg``, ``train/pos``, ``test/neg`` and ``test/pos`` with one
        review per ``.txt`` file.
    embedding : callable
        From m texts to an array (m, d). For certificates to hold, it must not be fitted on what the
        adversary may change.

    Returns
    -------
    Split
        Features (N, d), 25,000 and 25,000 of the published ones, labels 1 (positive) and 0; good
        and bad in turn as far as both go.

    Raises
    ------
    MissingFileError
        If a folder is not there or holds no review.
    InvalidInputError
        If a review is no UTF-8, or the embedding is not an array of numbers (m, d).
    """
    parts = []
    for part in PARTS:
        texts, labels = _reviews(Path(folder) / part)
        features = np.asarray(embedding(texts), dtype=np.float64)
        if features.ndim != 2 or len(features) != len(texts):
            raise InvalidInputError(
                f"embedding: returned shape {features.shape} for {len(texts)} texts; it must be "
                f"({len(texts)}, d)"
            )
        parts.append(Dataset(features, labels))
    train, test = parts
    return Split(train, test, classes=CLASSES, origin="IMDB reviews")


def read_embeddings(path: str | Path) -> Split:
    """Reviews, or anything else with two classes, as embeddings that were computed elsewhere.

    Parameters
    ----------
    path : str or Path
        An ``.npz`` file with the arrays ``train_features`` (N, d), ``train_labels`` (N,) of 0 and
        1, ``test_features`` and ``test_labels``; or a folder with the four as ``.npy`` files.

    Returns
    -------
    Split

    Raises
    ------
    MissingFileError
        If a file is not there.
    InvalidInputError
        If one cannot be read, an array is missing, or they do not fit.
    """
    source = Path(path)
    if not source.exists():
        raise MissingFileError(
            f"{source}: does not exist; needed is an .npz file, or a folder, with "
            f"{', '.join(ARRAYS)}"
        )
    arrays = (
        {name: _array(source / f"{name}.npy") for name in ARRAYS}
        if source.is_dir()
        else read_arrays(source, *ARRAYS)
    )
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise InvalidInputError(
            f"{source}: has no array {missing[0]!r}; needed are {', '.join(ARRAYS)}"
        )
    for name in ("train_labels", "test_labels"):
        if not np.isin(arrays[name], (0, 1)).all():
            raise InvalidInputError(f"{source}: {name} has labels other than 0 and 1")
    train, test = (
        Dataset(arrays[f"{part}_features"], arrays[f"{part}_labels"].reshape(-1)) for part in PARTS
    )
    return Split(train, test, classes=CLASSES, origin=source.name)


def _array(path: Path) -> NDArray[np.float64]:
    if not path.is_file():
        raise MissingFileError(
            f"{path}: does not exist; the folder must hold "
            f"{', '.join(f'{name}.npy' for name in ARRAYS)}"
        )
    try:
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float64)
    except (ValueError, OSError, EOFError) as error:
        raise InvalidInputError(
            f"{path}: cannot be read as an array without pickle: {error}"
        ) from None


def _reviews(folder: Path) -> tuple[list[str], NDArray[np.float64]]:
    """Texts and labels, by the number in the file's name (``<number>_<stars>.txt``), so that good
    and bad ones take turns."""
    entries = []
    for label, name in enumerate(FOLDERS):
        files = sorted((folder / name).glob("*.txt"))
        if not files:
            raise MissingFileError(
                f"{folder / name}: holds no .txt file; get the reviews from {ORIGIN}"
            )
        entries += [(_number(file), label, file) for file in files]
    entries.sort()
    try:
        return [file.read_text(encoding="utf-8") for _, _, file in entries], np.array(
            [label for _, label, _ in entries], dtype=np.float64
        )
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{folder}: a review is not UTF-8: {error}") from None


def _number(file: Path) -> int:
    number = file.stem.partition("_")[0]
    if not number.isdecimal():
        raise InvalidInputError(f"{file}: is not named <number>_<stars>.txt")
    return int(number)
