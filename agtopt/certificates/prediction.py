"""Certificates for single predictions over a parameter-space domain (section 8.1 of Sosnin et al. 2025)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from agtopt.domains import Interval
from agtopt.drivers import Reach
from agtopt.errors import InvalidInputError
from agtopt.problem import Problem
from agtopt.problem.checks import finite_array
from agtopt.program import forward
from agtopt.semantics.concrete import trajectory
from agtopt.semantics.crown import LinearIntervals
from agtopt.semantics.propagation import tensor_ranges


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
    lower, upper = output_bounds(problem, reach.domain, points)
    nominal = reachable = None
    if problem.classes is not None:
        scores, _ = output_bounds(problem, Interval.point(trajectory(problem)[-1]), points)
        nominal = np.array(problem.classes)[_winners(scores)]
        reachable = _reachable(lower, upper)
    return PointCertificates(problem, str(reach.method), lower, upper, nominal, reachable, labels)


def output_bounds(problem: Problem, domain: Interval, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds of the network's output, each (m, outputs), over all parameters in a domain (the tighter of IBP and CROWN)."""
    ops, network = LinearIntervals(), problem.network
    parameters = tensor_ranges(network.unflatten(domain.lower), network.unflatten(domain.upper))
    output, _ = forward(ops, network, parameters, ops.trace(ops.constant(np.array(points)), len(network.input_shape)))
    # NaN certifies nothing: it becomes the whole line.
    lower, upper = (
        np.nan_to_num(end.numpy(), nan=worst, posinf=np.inf, neginf=-np.inf) for end, worst in zip(output, (-np.inf, np.inf), strict=True)
    )
    return lower, upper


def _winners(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Position of the class that wins; one score decides between two classes by its sign."""
    winners: NDArray[np.int64] = (scores[:, 0] > 0).astype(np.int64) if scores.shape[1] == 1 else scores.argmax(axis=1)
    return winners


def _reachable(lower: NDArray[np.float64], upper: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Classes that may win: none that another one beats for sure; a tie is no win."""
    if lower.shape[1] == 1:
        return np.stack([~(lower[:, 0] > 0), ~(upper[:, 0] < 0)], axis=1)
    return np.asarray(~(upper < lower.max(axis=1, keepdims=True)))


def _positions(problem: Problem, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.searchsorted(np.array(problem.classes), labels)
