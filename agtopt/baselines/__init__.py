"""Other ways to certify predictions against poisoned training data, to compare with: each changes
how predictions are made."""

from agtopt.baselines.certified import RobustPredictions
from agtopt.baselines.partition import Votes, deep_partition_aggregation
from agtopt.baselines.smoothing import Smoothed, smoothed_least_squares

__all__ = [
    "RobustPredictions",
    "Smoothed",
    "Votes",
    "deep_partition_aggregation",
    "smoothed_least_squares",
]
