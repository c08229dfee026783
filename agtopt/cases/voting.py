"""The baselines of Figure 9 beside a certificate of label flips."""

from collections.abc import Iterable

import pandas as pd

from agtopt.baselines import deep_partition_aggregation, smoothed_least_squares
from agtopt.problem import Problem
from agtopt.problem.checks import whole_numbers
from agtopt.readers.datasets import Split


def flip_baselines(
    problem: Problem,
    split: Split,
    budgets: Iterable[int],
    parts: Iterable[int] = (50,),
    noise: Iterable[float] = (0.1,),
    ridge: float = 0.0,
) -> pd.DataFrame:
    """Certified accuracy of deep partition aggregation and of randomised smoothing under label
    flips.

    Parameters
    ----------
    problem : Problem
        Its network and training are those of each model of the ensemble.
    split : Split
        Data that the problem was made of; labels 0 … K−1.
    budgets : iterable of int
        How many labels are flipped.
    parts : iterable of int
        Numbers of models of deep partition aggregation; 3,000 in the paper.
    noise : iterable of float
        Probabilities of a flip for randomised smoothing.
    ridge : float
        Of the least squares that are smoothed.

    Returns
    -------
    pandas.DataFrame
        One row per budget (the index, ``n``), one column per baseline.

    Raises
    ------
    InvalidInputError
        If an argument is not allowed.
    """
    flips = whole_numbers("budgets", budgets)
    X, y, classes = split.test.features, split.test.labels, len(problem.classes or ())
    certified = {
        f"partitions, k = {count}": deep_partition_aggregation(
            problem.network, split.train, problem.training, X, count
        ).certified()
        for count in parts
    }
    certified |= {
        f"smoothing, q = {q:g}": smoothed_least_squares(
            split.train, X, classes, q, ridge
        ).certified()
        for q in noise
    }
    columns = {
        name: [each.certified_accuracy(y, n) for n in flips] for name, each in certified.items()
    }
    return pd.DataFrame(columns, index=pd.Index(flips, name="n"))
