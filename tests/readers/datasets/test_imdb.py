import numpy as np
import pytest

from agtopt import InvalidInputError, MissingFileError
from agtopt.readers.datasets import bag_of_words, read_embeddings, read_imdb


@pytest.fixture
def folder(tmp_path):
    for part in ("train", "test"):
        for name, word in (("neg", "bad"), ("pos", "good")):
            (tmp_path / part / name).mkdir(parents=True)
            for k in range(12):
                (tmp_path / part / name / f"{k}_{k % 4 + 1}.txt").write_text(
                    f"A {word} film, number {k}.", encoding="utf-8"
                )
    return tmp_path


def number_and_word(texts):
    return [[float(text.rstrip(".").rpartition(" ")[2]), float("good" in text)] for text in texts]


def test_reviews_take_turns_by_their_number(folder):
    split = read_imdb(folder, number_and_word)
    for part in (split.train, split.test):
        np.testing.assert_array_equal(part.features[:, 0], np.repeat(np.arange(12), 2))
        np.testing.assert_array_equal(part.features[:, 1], part.labels)
        np.testing.assert_array_equal(part.labels, [0, 1] * 12)
    assert split.classes == ("negative", "positive")


def test_bag_of_words_looks_at_each_text_alone():
    embed = bag_of_words(64)
    both, one = embed(["good film", "a bad film"]), embed(["a bad film"])
    np.testing.assert_array_equal(np.asarray(both)[1:], one)
    np.testing.assert_allclose(np.linalg.norm(both, axis=1), 1.0)
    with pytest.raises(InvalidInputError, match="features"):
        bag_of_words(0)


def test_bad_reviews_are_named(folder):
    with pytest.raises(InvalidInputError, match="embedding"):
        read_imdb(folder, lambda texts: np.ones(len(texts)))
    (folder / "train" / "pos" / "3_4.txt").write_bytes(b"\xff\xff")
    with pytest.raises(InvalidInputError, match="UTF-8"):
        read_imdb(folder, number_and_word)
    (folder / "train" / "pos" / "3_4.txt").rename(folder / "train" / "pos" / "three.txt")
    with pytest.raises(InvalidInputError, match=r"<number>_<stars>.txt"):
        read_imdb(folder, number_and_word)
    for file in (folder / "test" / "neg").iterdir():
        file.unlink()
    (folder / "train" / "pos" / "three.txt").unlink()
    with pytest.raises(MissingFileError, match="stanford"):
        read_imdb(folder, number_and_word)


def test_embeddings_from_one_file_or_four(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        f"{part}_features": rng.normal(size=(6, 3)).astype(np.float32) for part in ("train", "test")
    }
    arrays |= {f"{part}_labels": np.arange(6) % 2 for part in ("train", "test")}
    np.savez(tmp_path / "all.npz", **arrays)
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    for path in (tmp_path / "all.npz", tmp_path):
        split = read_embeddings(path)
        np.testing.assert_array_equal(split.test.features, arrays["test_features"])
        np.testing.assert_array_equal(split.train.labels, arrays["train_labels"])
        assert split.train.features.dtype == np.float64


def test_bad_embeddings_are_named(tmp_path):
    with pytest.raises(MissingFileError, match="train_features"):
        read_embeddings(tmp_path / "none.npz")
    with pytest.raises(MissingFileError, match="train_features"):
        read_embeddings(tmp_path)
    (tmp_path / "train_features.npy").write_bytes(b"nothing")
    with pytest.raises(InvalidInputError, match="without pickle"):
        read_embeddings(tmp_path)
    np.savez(
        tmp_path / "some.npz",
        train_features=np.ones((2, 2)),
        train_labels=[0, 2],
        test_features=np.ones((2, 2)),
    )
    with pytest.raises(InvalidInputError, match="no array 'test_labels'"):
        read_embeddings(tmp_path / "some.npz")
    np.savez(
        tmp_path / "some.npz",
        train_features=np.ones((2, 2)),
        train_labels=[0, 2],
        test_features=np.ones((2, 2)),
        test_labels=[0, 1],
    )
    with pytest.raises(InvalidInputError, match="other than 0 and 1"):
        read_embeddings(tmp_path / "some.npz")
