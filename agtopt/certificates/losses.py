r"""Bounds of the loss at single points, from bounds of what it is a monotone function of.

Squared errors take the outputs z; the others margins :math:`m_j = z_j - z_y` (one output: :math:`-s z` with the sign s of the class), in
which

.. math:: \text{hinge} = \max(0, 1 + m), \quad \text{logistic} = \log(1 + e^m), \quad
          \text{cross-entropy} = \log\Big(1 + \sum_{j \ne y} e^{m_j}\Big), \quad
          \text{multi-hinge} = \tfrac1C \sum_{j \ne y} \max(0, 1 + m_j)

only grow. Margins are bounded as differences, not output by output.
"""

from dataclasses import dataclass
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from agtopt.certificates.queries import Queries
from agtopt.certificates.scores import score_bounds
from agtopt.domains import Interval, Polytope
from agtopt.errors import InvalidInputError
from agtopt.problem import Network, Problem
from agtopt.problem.loss import Hinge, Loss, MultiHinge, SquaredError
from agtopt.tolerances import LOGARITHM_MARGIN

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LossBounds:
    """Bounds of the loss of every admissible model.

    Attributes
    ----------
    lower, upper : array, shape (m,)
        At each point, in the units of the loss; for the squared error without a factor of ½, summed over the outputs.
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


def loss_bounds(problem: Problem, domain: Interval | Polytope, theta: Array, queries: Queries) -> LossBounds:
    """Bound the loss at labelled points over a domain of the parameters; `theta` are the nominal ones, at the points themselves.

    Raises
    ------
    InvalidInputError
        If the points have no labels.
    """
    if queries.labels is None:
        raise InvalidInputError("y: the loss needs labels")
    still = Queries(queries.points, queries.points, queries.points, queries.labels)
    lower, upper = _bounded(problem, domain, queries)
    least, most = _bounded(problem, Interval.point(theta), still)
    return LossBounds(lower, upper, np.clip(0.5 * (least + most), lower, upper))


def _bounded(problem: Problem, domain: Interval | Polytope, queries: Queries) -> tuple[Array, Array]:
    loss, network = problem.training.loss, problem.network
    assert queries.labels is not None
    if isinstance(loss, SquaredError):
        low, high = score_bounds(network, domain, queries.lowest, highest=queries.highest)
        targets = queries.labels.reshape(low.shape)
        values = _squares(low - targets, high - targets)
    else:
        low, high = _margins(problem, network, domain, queries)
        values = loss_of_margins(loss, low), loss_of_margins(loss, high)
    least, most = (np.nan_to_num(end, nan=worst, posinf=np.inf) for end, worst in zip(values, (0.0, np.inf), strict=True))
    margin = [LOGARITHM_MARGIN * (1.0 + np.abs(np.where(np.isfinite(end), end, 0.0))) for end in (least, most)]
    return np.maximum(least - margin[0], 0.0), most + margin[1]


def _squares(low: Array, high: Array) -> tuple[Array, Array]:
    away = np.maximum(np.maximum(low, -high), 0.0)
    return (away**2).sum(axis=1), (np.maximum(np.abs(low), np.abs(high)) ** 2).sum(axis=1)


def _margins(problem: Problem, network: Network, domain: Interval | Polytope, queries: Queries) -> tuple[Array, Array]:
    """Bounds of z_j − z_y, shape (m, other classes)."""
    assert queries.labels is not None
    assert problem.classes is not None
    labels = np.searchsorted(np.array(problem.classes), queries.labels)
    many = max(1, network.outputs - 1)
    lower, upper = np.empty((len(labels), many)), np.empty((len(labels), many))
    for label in np.unique(labels):
        here = labels == label
        if network.outputs == 1:
            rows = np.array([[-1.0 if label else 1.0]])
        else:
            unit = np.eye(network.outputs)
            rows = np.delete(unit, label, axis=0) - unit[label]
        lower[here], upper[here] = score_bounds(network, domain, queries.lowest[here], rows, queries.highest[here])
    return lower, upper


@singledispatch
def loss_of_margins(loss: Loss, margins: Array) -> Array:
    """The loss from margins (m, others) that it grows with, shape (m,); logistic and cross-entropy (register a function per loss)."""
    return np.asarray(np.logaddexp.reduce(np.concatenate([np.zeros((len(margins), 1)), margins], axis=1), axis=1))


@loss_of_margins.register
def _(loss: Hinge, margins: Array) -> Array:
    return np.asarray(np.maximum(1.0 + margins[:, 0], 0.0))


@loss_of_margins.register
def _(loss: MultiHinge, margins: Array) -> Array:
    return np.asarray(np.maximum(1.0 + margins, 0.0).sum(axis=1) / (margins.shape[1] + 1))
