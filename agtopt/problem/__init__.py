"""What is certified: network, dataset, perturbation model and training, as plain data."""

from agtopt.problem.dataset import Dataset, Datasets
from agtopt.problem.layers import Add, AvgPool2d, Conv2d, Dense, Flatten, Layer, LeakyReLU, ReLU
from agtopt.problem.loss import (
    BinaryCrossEntropy,
    CrossEntropy,
    Hinge,
    Loss,
    MultiHinge,
    SquaredError,
    loss_named,
)
from agtopt.problem.network import Network
from agtopt.problem.perturbation import (
    Bounded,
    Moving,
    Perturbation,
    Removal,
    Removing,
    Substitution,
)
from agtopt.problem.perturbation.base import in_box
from agtopt.problem.problem import Problem
from agtopt.problem.training import Training

__all__ = [
    "Add",
    "AvgPool2d",
    "BinaryCrossEntropy",
    "Bounded",
    "Conv2d",
    "CrossEntropy",
    "Dataset",
    "Datasets",
    "Dense",
    "Flatten",
    "Hinge",
    "Layer",
    "LeakyReLU",
    "Loss",
    "Moving",
    "MultiHinge",
    "Network",
    "Perturbation",
    "Problem",
    "ReLU",
    "Removal",
    "Removing",
    "SquaredError",
    "Substitution",
    "Training",
    "in_box",
    "loss_named",
]
