r"""Randomised smoothing over label flips for linear models (Rosenfeld, Winston, Ravikumar and
Kolter, 2020).

The base classifier is least squares: with the training features X, the score of a class at x is
:math:`\alpha^T \mathbf 1[y = c]`, :math:`\alpha = X (X^T X + \lambda I)^{-1} x`. The smoothed
classifier predicts the class that it predicts with the highest probability when every training
label is flipped independently: kept with probability 1 − q, else one of the K − 1 others. Nothing
is sampled:

1. A Chernoff bound, minimised over t > 0, bounds the probability that another class wins. It gives
  a lower bound p of the probability
   that class c is predicted.
2. r flips move the distribution of the noisy labels by a Kullback–Leibler divergence of r κ,
   :math:`\kappa = (1 - \tfrac{K q}{K-1}) \log \tfrac{(1-q)(K-1)}{q}`; below :math:`KL(\tfrac12 \|
   p) = -\tfrac12 \log 4 p (1 - p)` the class keeps more than half of the probability.

For two classes that is :math:`r < \log(4p(1-p)) / (2 (1-2q) \log \tfrac{q}{1-q})`, the certificate
of the paper. For more classes the same argument is used here, with a union bound over the other
classes. The weights α, as floating-point numbers, *are* the base classifier (they do not depend on
labels); all that follows from them is rounded outward.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.baselines.certified import ABSTAINS, RobustPredictions
from agtopt.errors import InvalidInputError
from agtopt.problem import Dataset
from agtopt.problem.checks import finite_array, number, whole

Array = NDArray[np.float64]
EPSILON = float(np.finfo(np.float64).eps)
CHUNK = 2**21
"""Entries (points × samples) that are held at once; it bounds memory and changes no result."""
DOUBLINGS, HALVINGS = 60, 26
"""Of the search for the best t. Any t > 0 gives a valid bound; near the best one the bound is
flat."""


@dataclass(frozen=True, eq=False)
class Smoothed:
    """Predictions of the smoothed classifier.

    Attributes
    ----------
    prediction : array of int, shape (m,)
        Class labels, −1 where no class is shown to have more than half of the probability.
    probability : array, shape (m,)
        Lower bound of the probability of that class; 0 where there is none.
    radius : array of int, shape (m,)
        How many label flips change no prediction.
    q : float
        Probability of a flip.
    """

    prediction: NDArray[np.int64]
    probability: Array
    radius: NDArray[np.int64]
    q: float

    def certified(self) -> RobustPredictions:
        """Under an adversary who flips labels, to any other class, and leaves features alone."""
        return RobustPredictions(self.prediction, self.radius, "labels flipped")


def smoothed_least_squares(
    dataset: Dataset, X: ArrayLike, classes: int = 2, q: float = 0.1, ridge: float = 0.0
) -> Smoothed:
    """Certify least squares under label flips, point by point.

    Parameters
    ----------
    dataset : Dataset
        Training features (N, d), to which a constant is added, and labels 0 … K−1.
    X : array_like, shape (m, d)
    classes : int
        K. It is part of the classifier, which may see labels that no sample has now.
    q : float
        Probability of a flip, above 0 and below (K−1)/K. More noise certifies more flips of fewer
        points.
    ridge : float
        λ: a larger one makes weights smaller and certificates larger, and predictions worse.

    Returns
    -------
    Smoothed

    Raises
    ------
    InvalidInputError
        If the data, q or the ridge is not allowed.
    """
    x, points, labels = dataset.features, finite_array("X", X), dataset.labels
    if x.ndim != 2 or points.ndim != 2 or points.shape[1] != x.shape[1]:
        raise InvalidInputError(
            f"X: shape {points.shape} does not fit training features of shape {x.shape}; both must "
            f"be (…, d)"
        )
    many = whole("classes", classes, 2)
    unknown = ~np.isin(labels, np.arange(many))
    if labels.ndim != 1 or unknown.any():
        shown = f"{labels[unknown][0]:g}" if unknown.any() else f"shape {labels.shape}"
        raise InvalidInputError(
            f"dataset.labels: {shown} is not allowed; they must be 0 … {many - 1}, one per sample"
        )
    if number("q", q, above=0.0) >= 1.0 - 1.0 / many:
        raise InvalidInputError(
            f"q: {q!r} is not allowed; it must be below {1.0 - 1.0 / many:g} for {many} classes"
        )
    x, points = (np.c_[array, np.ones(len(array))] for array in (x, points))
    moments = x.T @ x + number("ridge", ridge, least=0.0) * np.eye(x.shape[1])
    factors = np.linalg.pinv(moments, hermitian=True) @ x.T
    size, known = max(1, CHUNK // len(x)), labels.astype(np.int64)
    voted = [
        _best(points[first : first + size] @ factors, known, many, q)
        for first in range(0, len(points), size)
    ]
    prediction, log_other = (np.concatenate(column) for column in zip(*voted, strict=True))
    return _certified(prediction, log_other, many, q, len(x))


def _certified(
    prediction: NDArray[np.int64], log_other: Array, classes: int, q: float, samples: int
) -> Smoothed:
    """Predictions and flips that leave them, from upper bounds `log_other` of log(1 − p)."""
    sure = log_other < np.log(0.5) - 4 * EPSILON
    other = np.where(sure, log_other, np.log(0.5))
    slack = 8 * EPSILON * (2.0 + np.abs(other))
    least = -0.5 * (np.log(4.0) + np.log1p(-np.exp(other)) + other) - slack
    flip = (
        (1.0 - classes * q / (classes - 1))
        * np.log((1.0 - q) * (classes - 1) / q)
        * (1.0 + 16 * EPSILON)
    )
    # Strictly below; and no adversary flips more labels than there are.
    radius = np.minimum(np.ceil(least / flip * (1.0 - 4 * EPSILON)) - 1.0, samples)
    return Smoothed(
        np.where(sure, prediction, ABSTAINS),
        np.where(sure, np.nextafter(-np.expm1(np.minimum(other + slack, 0.0)), 0.0), 0.0),
        np.where(sure, np.maximum(radius, 0.0), 0.0).astype(np.int64),
        q,
    )


def _best(
    weights: Array, labels: NDArray[np.int64], classes: int, q: float
) -> tuple[NDArray[np.int64], Array]:
    """For weights (m, N) the class that wins on average (m,), and an upper bound of the
    log-probability (m,) that it does not win."""
    noise = np.full((classes, classes), q / (classes - 1))
    np.fill_diagonal(noise, 1.0 - q)
    if classes == 2:
        # The paper's rule: class 1 where αᵀy is at least 1/2.
        winner = (weights @ noise[labels, 1] >= 0.5).astype(np.int64)
        bound = np.empty(len(weights))
        for label, sign in ((0, -1.0), (1, 1.0)):
            here = winner == label
            bound[here] = log_tail(weights[here], noise[labels], np.array([0.0, sign]), 0.5 * sign)
        return winner, bound
    winner = (weights @ noise[labels]).argmax(axis=1)
    bounds = np.full((len(weights), classes), -np.inf)
    for label in range(classes):
        here = np.flatnonzero(winner == label)
        for other in range(classes):
            if other != label and len(here):
                unit = np.eye(classes)
                bounds[here, other] = log_tail(
                    weights[here], noise[labels], unit[label] - unit[other], 0.0
                )
    total = np.logaddexp.reduce(bounds, axis=1)
    return winner, total + 8 * classes * EPSILON * (1.0 + np.abs(total))


def log_tail(weights: Array, noise: Array, values: Array, threshold: float) -> Array:
    """Upper bound of log P(Σ_s α_s v[ỹ_s] ≤ threshold) for independent labels ỹ_s: Chernoff's,
    minimised over t, rounded up.

    Parameters
    ----------
    weights : array, shape (m, N)
        α, one row per point.
    noise : array, shape (N, classes)
        Distribution of each label.
    values : array, shape (classes,)
        v, of few different values.
    threshold : float

    Returns
    -------
    array, shape (m,)
        At most 0.
    """
    levels = np.unique(values)
    chances = [noise[:, values == level].sum(axis=1) for level in levels]

    def log_mgf(t: Array) -> tuple[Array, Array]:
        """log E exp(−t α v) of every sample (m, N), and −α E v under the tilted distribution."""
        exponents = [-t[:, np.newaxis] * weights * level for level in levels]
        peak = np.maximum.reduce(exponents)
        terms = [
            chance * np.exp(exponent - peak)
            for chance, exponent in zip(chances, exponents, strict=True)
        ]
        total = np.add.reduce(terms)
        slope = (
            -weights
            * np.add.reduce([level * term for level, term in zip(levels, terms, strict=True)])
            / total
        )
        return peak + np.log(total), slope

    def rising(t: Array) -> NDArray[np.bool_]:
        return np.asarray(threshold + log_mgf(t)[1].sum(axis=1) >= 0)

    largest = np.abs(weights).max(axis=1, initial=0.0)
    low, high = np.zeros(len(weights)), 1.0 / np.where(largest > 0, largest, 1.0)
    for _ in range(DOUBLINGS):
        below = ~rising(high)
        if not below.any():
            break
        low, high = np.where(below, high, low), np.where(below, 2.0 * high, high)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        above = rising(middle)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    logs, _ = log_mgf(high)
    bound = high * threshold + logs.sum(axis=1)
    # Errors of the exponents, of the chances and of exp and log, sample by sample; then of the sum.
    size = high[:, np.newaxis] * np.abs(weights) * np.abs(levels).max()
    error = EPSILON * (
        (4.0 * size + 32.0 + len(values)).sum(axis=1)
        + weights.shape[1] * np.abs(logs).sum(axis=1)
        + 4.0 * np.abs(high * threshold)
    )
    return np.asarray(np.minimum(bound + error, 0.0))
