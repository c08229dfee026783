"""What is certified: network, dataset, perturbation model and training, as plain data."""

from agtopt.problem.dataset import Dataset
from agtopt.problem.layers import Dense, Flatten, Layer, ReLU
from agtopt.problem.loss import Hinge, Loss, SquaredError, loss_named
from agtopt.problem.network import Network
from agtopt.problem.perturbation import Bounded
from agtopt.problem.problem import Problem
from agtopt.problem.training import Training

__all__ = [
    "Bounded",
    "Dataset",
    "Dense",
    "Flatten",
    "Hinge",
    "Layer",
    "Loss",
    "Network",
    "Problem",
    "ReLU",
    "SquaredError",
    "Training",
    "loss_named",
]
