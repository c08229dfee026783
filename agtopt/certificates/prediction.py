"""Certificates for single predictions over a parameter-space domain (section 8.1 of Sosnin et al. 2025)."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from agtopt.certificates.scores import score_bounds
from agtopt.domains import Interval, Polytope, intersect
from agtopt.drivers import Reach
from agtopt.errors import InvalidInputError
from agtopt.problem import Network, Problem
from agtopt.problem.checks import finite_array
from agtopt.semantics.concrete import trajectory

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PointCertificates:
    """What a domain proves of each point, under one perturbation model (S8).

    Attributes
    ----------
    problem : Problem
        Carries the perturbation model and the budget that the certificates hold for.
    method : str
        How the domain was found.
    lower, upper : array, shape (m, outputs)
        Bounds of the network's output over the domain.
    nominal : array of int, shape (m,), or None
        Class that the model trained on the nominal data predicts; None for regression.
    reachable : array of bool, shape (m, classes), or None
        Classes that some model in the domain may predict; a tie is no win.
    labels : array, shape (m,) or (m, outputs), or None
        True labels, where they were given.
    """

    problem: Problem
    method: str
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    nominal: NDArray[np.int64] | None
    reachable: NDArray[np.bool_] | None
    labels: NDArray[np.float64] | None

    @property
    def stable(self) -> NDArray[np.bool_]:
        """Whether every model in the domain predicts the nominal class."""
        nominal, reachable = self._classified()
        alone: NDArray[np.bool_] = reachable.sum(axis=1) == 1
        return alone & reachable[np.arange(len(nominal)), _positions(self.problem, nominal)]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether every model in the domain predicts the true class."""
        nominal, _ = self._classified()
        if self.labels is None:
            raise InvalidInputError("certify: no labels were given, so correctness is not known; pass y")
        right: NDArray[np.bool_] = nominal == self.labels
        return self.stable & right

    @property
    def certified_accuracy(self) -> float:
        """Fraction of the points that are certified correct."""
        return float(np.mean(self.correct))

    @property
    def nominal_accuracy(self) -> float:
        """Fraction of the points that the model trained on the nominal data predicts correctly."""
        nominal, _ = self._classified()
        if self.labels is None:
            raise InvalidInputError("certify: no labels were given, so accuracy is not known; pass y")
        return float(np.mean(nominal == self.labels))

    def _classified(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        if self.nominal is None or self.reachable is None:
            raise InvalidInputError(
                f"certify: loss {self.problem.training.loss.name!r} predicts no class; use the output bounds `lower` and `upper`"
            )
        return self.nominal, self.reachable

    def table(self) -> pd.DataFrame:
        """One row per point."""
        columns = {}
        for c in range(self.lower.shape[1]):
            suffix = "" if self.lower.shape[1] == 1 else f"[{c}]"
            columns[f"lower{suffix}"], columns[f"upper{suffix}"] = self.lower[:, c], self.upper[:, c]
        frame = pd.DataFrame(columns)
        if self.nominal is not None and self.reachable is not None:
            classes = np.array(self.problem.classes)
            frame["nominal"], frame["stable"] = self.nominal, self.stable
            frame["reachable"] = [" ".join(map(str, classes[row])) for row in self.reachable]
            if self.labels is not None:
                frame["correct"] = self.correct
        return frame


def certify(reach: Reach, X: ArrayLike, y: ArrayLike | None = None) -> PointCertificates:
    """Bound the predictions of every model in a domain.

    Outputs are bounded over the domain of the final parameters: by IBP and CROWN over its box, and by linear programs where it is a
    polytope. Classes that outputs leave open are decided by margins, the differences of two outputs, bounded for every pair of them.

    Parameters
    ----------
    reach : Reach
        Result of `agtopt.bound`.
    X : array_like, shape (m, *input_shape)
    y : array_like, shape (m,) or (m, outputs), optional
        True labels, for certificates of correctness.

    Returns
    -------
    PointCertificates

    Raises
    ------
    InvalidInputError
        If X or y has the wrong shape, an entry is not finite, or a label is not one of the loss's classes.
    """
    problem = reach.problem
    points = finite_array("X", X)
    if points.shape[1:] != problem.network.input_shape or not len(points):
        raise InvalidInputError(f"X: shape {points.shape} does not fit; it must be (m, {', '.join(map(str, problem.network.input_shape))})")
    labels = None
    if y is not None:
        labels = finite_array("y", y)
        if labels.ndim == 0 or len(labels) != len(points):
            raise InvalidInputError(f"y: shape {labels.shape} does not fit {len(points)} points")
        problem.training.loss.check("y", labels, problem.network.outputs)
    network, domain = problem.network, _domain(reach)
    lower, upper = score_bounds(network, domain, points)
    nominal = reachable = None
    if problem.classes is not None:
        scores, _ = score_bounds(network, Interval.point(trajectory(problem)[-1]), points)
        nominal = np.array(problem.classes)[_winners(scores)]
        reachable = _by_margins(network, domain, points, _reachable(lower, upper))
    return PointCertificates(problem, str(reach.method), lower, upper, nominal, reachable, labels)


def _domain(reach: Reach) -> Interval | Polytope:
    """The domain of the final parameters, within their box (S6)."""
    return intersect(reach.domain, reach.steps[-1]) if isinstance(reach.domain, Polytope) else reach.steps[-1]


def _winners(scores: Array) -> NDArray[np.int64]:
    """Position of the class that wins; one score decides between two classes by its sign."""
    winners: NDArray[np.int64] = (scores[:, 0] > 0).astype(np.int64) if scores.shape[1] == 1 else scores.argmax(axis=1)
    return winners


def _reachable(lower: Array, upper: Array) -> NDArray[np.bool_]:
    """Classes that may win as far as outputs alone tell: none that another one beats for sure; a tie is no win."""
    if lower.shape[1] == 1:
        return np.stack([~(lower[:, 0] > 0), ~(upper[:, 0] < 0)], axis=1)
    return np.asarray(~(upper < lower.max(axis=1, keepdims=True)))


def _by_margins(network: Network, domain: Interval | Polytope, points: Array, open_: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of the classes that are open at each point, those that no other open class beats for sure by the bounds of their difference."""
    left = open_.copy()
    if network.outputs == 1:
        return left
    for classes in np.unique(open_, axis=0):
        if classes.sum() < 2:
            continue
        here = np.flatnonzero((open_ == classes).all(axis=1))
        first, second = np.array(list(combinations(np.flatnonzero(classes), 2))).T
        unit = np.eye(network.outputs)
        lower, upper = score_bounds(network, domain, points[here], unit[first] - unit[second])
        for k, (i, j) in enumerate(zip(first, second, strict=True)):
            left[here, i] &= ~(upper[:, k] < 0)
            left[here, j] &= ~(lower[:, k] > 0)
    return left


def _positions(problem: Problem, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.searchsorted(np.array(problem.classes), labels)
