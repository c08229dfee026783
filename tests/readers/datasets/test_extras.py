"""What is not installed is named, with the command that brings it."""

import sys

import pytest

from agtopt import UnsupportedError
from agtopt.cases import standins
from agtopt.readers.datasets import bag_of_words, read_driving


def test_pillow_is_asked_for(monkeypatch, tmp_path):
    standins.write_driving(tmp_path, 3)
    monkeypatch.setitem(sys.modules, "PIL", None)
    for use in (read_driving, standins.write_driving):
        with pytest.raises(UnsupportedError, match=r"Pillow.*agtopt\[data\]"):
            use(tmp_path)


def test_scikit_learn_is_asked_for(monkeypatch, tmp_path):
    for name in ("sklearn", "sklearn.datasets", "sklearn.feature_extraction.text"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UnsupportedError, match=r"scikit-learn.*agtopt\[data\]"):
        bag_of_words(8)
    with pytest.raises(UnsupportedError, match=r"scikit-learn.*agtopt\[data\]"):
        standins.write_digits(tmp_path)
