r"""Bounds of the loss at single points, from bounds of the outputs or of what else the loss is a
monotone function of.

Squared errors take the outputs z; the other losses margins :math:`m_j = z_j - z_y` (one output:
:math:`-s z` with the sign s of the class), in which

.. math:: \text{hinge} = \max(0, 1 + m), \quad \text{logistic} = \log(1 + e^m), \quad
          \text{cross-entropy} = \log\Big(1 + \sum_{j \ne y} e^{m_j}\Big), \quad
          \text{multi-hinge} = \tfrac1C \sum_{j \ne y} \max(0, 1 + m_j)

only grow. Margins are bounded as differences, not output by output.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agtopt.certificates.queries import Queries
from agtopt.certificates.scores import Domain, score_bounds
from agtopt.domains import Interval
from agtopt.domains.interval import Ends
from agtopt.errors import InvalidInputError
from agtopt.intervals.scale.numerics import FLOAT64, Numerics
from agtopt.problem import Problem
from agtopt.problem.loss import (
    BinaryCrossEntropy,
    CrossEntropy,
    Hinge,
    Loss,
    MultiHinge,
    SquaredError,
)
from agtopt.tolerances import LOGARITHM_MARGIN
from agtopt.verbs import unregistered, verb

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LossBounds:
    """Bounds of the loss of every admissible model.

    Attributes
    ----------
    lower, upper : array, shape (m,)
        At each point, in the units of the loss; for the squared error without a factor of ½, summed
        over the outputs.
    nominal : array, shape (m,)
        Of the model that is trained on the nominal data.
    """

    lower: Array
    upper: Array
    nominal: Array

    @property
    def mean(self) -> tuple[float, float]:
        """Bounds of the mean over the points: each admissible model is within them."""
        return float(self.lower.mean()), float(self.upper.mean())

    @property
    def nominal_mean(self) -> float:
        """Mean loss of the model that is trained on the nominal data."""
        return float(self.nominal.mean())


def loss_bounds(
    problem: Problem,
    domain: Domain,
    theta: Array,
    queries: Queries,
    numerics: Numerics = FLOAT64,
) -> LossBounds:
    """Bound the loss at labelled points over a domain of the parameters; `theta` are the nominal
    ones, at the points themselves. Outputs are evaluated in the format of `numerics`, the formula
    of the loss in float64.

    Raises
    ------
    InvalidInputError
        If the points have no labels.
    UnsupportedError
        If no range of the loss is registered (`loss_range`).
    """
    if queries.labels is None:
        raise InvalidInputError("y: the loss needs labels")
    still = Queries(queries.points, queries.points, queries.points, queries.labels)
    lower, upper = _bounded(problem, domain, queries, numerics)
    least, most = _bounded(problem, Interval.point(theta), still)
    return LossBounds(lower, upper, np.clip(0.5 * (least + most), lower, upper))


def _bounded(
    problem: Problem, domain: Domain, queries: Queries, numerics: Numerics = FLOAT64
) -> Ends:
    loss = problem.training.loss
    ends = loss_range(loss, Scores(problem, domain, queries, numerics))
    least, most = (
        np.where(np.isnan(end), worst, end)
        for end, worst in zip(ends, (-np.inf, np.inf), strict=True)
    )
    margin = [
        LOGARITHM_MARGIN * (1.0 + np.abs(np.where(np.isfinite(end), end, 0.0)))
        for end in (least, most)
    ]
    return np.maximum(least - margin[0], loss.least), most + margin[1]


@dataclass(frozen=True, eq=False)
class Scores:
    """What all models of a domain say of labelled points, as far as bounds tell.

    Attributes
    ----------
    problem : Problem
    domain : Interval, Polytope or Affine
        Of the parameters.
    queries : Queries
        With labels.
    numerics : Numerics
        The format in which outputs are evaluated.
    """

    problem: Problem
    domain: Domain
    queries: Queries
    numerics: Numerics = FLOAT64

    @property
    def labels(self) -> Array:
        """Class labels (m,), or targets (m, outputs)."""
        assert self.queries.labels is not None
        labels = self.queries.labels
        return (
            labels
            if self.problem.classes is not None
            else labels.reshape(len(labels), self.problem.network.outputs)
        )

    def outputs(self) -> Ends:
        """Lowest and highest outputs z, shape (m, outputs) each."""
        return score_bounds(
            self.problem.network,
            self.domain,
            self.queries.lowest,
            highest=self.queries.highest,
            numerics=self.numerics,
        )

    def margins(self) -> Ends:
        """Lowest and highest z_j − z_y of every other class j, shape (m, classes − 1); of a single
        output z, or −z for the second class.

        They are bounded as differences, which is tighter than taking differences of bounds.
        """
        network, classes = self.problem.network, self.problem.classes
        if classes is None:
            raise InvalidInputError(
                f"training.loss: {self.problem.training.loss.name!r} has no classes, hence no "
                f"margins; take outputs"
            )
        labels = np.searchsorted(np.array(classes), self.labels)
        lower, upper = np.empty((2, len(labels), len(classes) - 1))
        for label in np.unique(labels):
            here = labels == label
            if network.outputs == 1:
                rows = np.array([[-1.0 if label else 1.0]])
            else:
                unit = np.eye(network.outputs)
                rows = np.delete(unit, label, axis=0) - unit[label]
            lowest, highest = self.queries.lowest[here], self.queries.highest[here]
            lower[here], upper[here] = score_bounds(
                network, self.domain, lowest, rows, highest, self.numerics
            )
        return lower, upper


@verb
def loss_range(loss: Loss, scores: Scores) -> Ends:
    """Lowest and highest loss at every point, shape (m,) each.

    NaN where nothing is known. Both ends are moved outward afterwards by `LOGARITHM_MARGIN`, which
    covers the rounding of a formula without cancellation.
    """
    raise unregistered("training.loss", loss, loss_range, "A loss")


@loss_range.register
def _(loss: SquaredError, scores: Scores) -> Ends:
    low, high = (end - scores.labels for end in scores.outputs())
    away = np.maximum(np.maximum(low, -high), 0.0)
    return (away**2).sum(axis=1), (np.maximum(np.abs(low), np.abs(high)) ** 2).sum(axis=1)


@loss_range.register
def _(loss: Hinge, scores: Scores) -> Ends:
    return _growing(scores, lambda margins: np.maximum(1.0 + margins[:, 0], 0.0))


@loss_range.register
def _(loss: MultiHinge, scores: Scores) -> Ends:
    return _growing(
        scores, lambda margins: np.maximum(1.0 + margins, 0.0).sum(axis=1) / (margins.shape[1] + 1)
    )


@loss_range.register
def _(loss: BinaryCrossEntropy, scores: Scores) -> Ends:
    return _growing(scores, _logistic)


@loss_range.register
def _(loss: CrossEntropy, scores: Scores) -> Ends:
    return _growing(scores, _logistic)


def _growing(scores: Scores, loss: Callable[[Array], Array]) -> Ends:
    low, high = scores.margins()
    return loss(low), loss(high)


def _logistic(margins: Array) -> Array:
    return np.asarray(
        np.logaddexp.reduce(np.concatenate([np.zeros((len(margins), 1)), margins], axis=1), axis=1)
    )
