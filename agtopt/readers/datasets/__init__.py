"""The data sets of the case studies, from the files in which they are published. Nothing is
downloaded."""

from agtopt.readers.datasets.driving import read_driving
from agtopt.readers.datasets.household import read_household
from agtopt.readers.datasets.imdb import bag_of_words, read_embeddings, read_imdb
from agtopt.readers.datasets.mnist import read_idx, read_mnist
from agtopt.readers.datasets.octmnist import DRUSEN, NORMAL, read_octmnist
from agtopt.readers.datasets.split import Split

__all__ = [
    "DRUSEN",
    "NORMAL",
    "Split",
    "bag_of_words",
    "read_driving",
    "read_embeddings",
    "read_household",
    "read_idx",
    "read_imdb",
    "read_mnist",
    "read_octmnist",
]
