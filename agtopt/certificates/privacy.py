r"""Private prediction by smooth sensitivity (section 10.2 of Sosnin et al. 2025, after Nissim,
Raskhodnikova and Smith, 2007).

The prediction f(D) ∈ {0, 1} of a binary classifier at a query depends on the training data D. Let
k(D) be the largest distance at which it is certified stable under ``Substitution(k)``, 0 where it
is not. Then f is constant up to distance k, so the local sensitivity is 0 at every dataset closer
than k, and

.. math:: S(D) = e^{-\beta k(D)} \ge \max_{D'} e^{-\beta d(D, D')} LS_f(D') .

**An upper bound is not enough to calibrate noise.** The noise itself must not tell D from its
neighbour: S has to be β-smooth, S(D) ≤ e^β S(D') for neighbours, that is, k may change by at most
one (Definition 2.1 of Nissim et al.). Theorem 11 alone does not give that, and it fails for a
ladder with gaps, for solvers that stop at a gap or a time limit, for CROWN, whose lines depend on
the bounds, and is not shown for AFFINE, whose form is centred at the run on the data themselves. It
holds here for plain interval propagation on a ladder without gaps, from 1 to K:

    Let D and D' differ in sample i, whose values at both lie in the substitution box. If [θ] at D
    under budget k contains [θ'] at D' under k − 1, then so it is after a step: interval arithmetic
    is inclusion isotonic, and whatever k − 1 samples are replaced by the worst of the box at D',
    with the own gradient of i or without, is no worse than to replace i as well at D. So certified
    at (D, k) implies certified at (D', k − 1), hence k(D') ≥ k(D) − 1; a largest rung K cuts off
    both alike. (Exact but for rounding.)

So `private_predictions` takes no other method. `Ladder.distances` takes every method;
`smooth_sensitivity` of these is a valid upper bound of the smooth sensitivity (Theorem 11), to look
at, not to calibrate noise with.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.arguments import typed
from agtopt.attacks.predictions import predicted
from agtopt.certificates.account import Account
from agtopt.certificates.ladder import Ladder, by_intervals
from agtopt.certificates.noise import cauchy, cryptographic, laplace, opendp_laplace, released
from agtopt.drivers import Reach
from agtopt.errors import InvalidInputError, UnsupportedError
from agtopt.intervals.interval import IntervalOperations
from agtopt.intervals.states import tensor_ranges
from agtopt.problem import Problem, Substitution
from agtopt.problem.checks import finite_array, instance, number
from agtopt.program import forward
from agtopt.training.concrete import trajectory

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

CAUCHY_FACTOR = 6.0
"""Cauchy noise of scale 6 S / ε is ε-differentially private for an (ε/6)-smooth S (Lemma 2.7 of
Nissim et al., γ = 2)."""


@typed()
def smooth_sensitivity(distances: ArrayLike, beta: float) -> Array:
    """Upper bound exp(−β k) of the β-smooth sensitivity of a binary prediction that is stable at
    distance k (Theorem 11).

    Parameters
    ----------
    distances : array_like of int, shape (m,)
        As `Ladder.distances` finds them under `Substitution`; 0 where nothing is certified.
    beta : float
        Above 0.

    Returns
    -------
    array, shape (m,)
        At most 1, which is the global sensitivity; never 0.

    Raises
    ------
    InvalidInputError
        If a distance is negative or β is not above 0.
    """
    stable = finite_array("distances", distances)
    if (stable < 0).any():
        raise InvalidInputError(
            f"distances: {stable.min():g} is not allowed; they must be at least 0"
        )
    # Rounded up; a scale of 0 would release the prediction itself.
    bound = np.nextafter(np.exp(-number("beta", beta, above=0.0) * stable), np.inf)
    return np.minimum(np.maximum(bound, np.finfo(np.float64).tiny), 1.0)


class Mechanism(Protocol):
    """How a prediction in {0, 1} is made private by additive noise, under ε-differential
    privacy."""

    def scale(self, distances: Indices, epsilon: float) -> Array:
        """Scale of the noise for queries that are stable at these distances, shape (m,)."""
        ...

    def flipped(self, scale: Array) -> Array:
        """Probability that noise of this scale moves a prediction across 1/2, shape (m,)."""
        ...

    def noise(self, scale: Array, source: Random | None) -> Callable[[Array], Array]:
        """What adds noise to answers (m,), from a cryptographic source if none is given; it draws
        nothing before it is called."""
        ...


@dataclass(frozen=True)
class Cauchy:
    """Cauchy noise of scale 6 S / ε, S the (ε/6)-smooth upper bound of the sensitivity: little
    where the prediction is stable."""

    def scale(self, distances: Indices, epsilon: float) -> Array:
        scale: Array = (
            CAUCHY_FACTOR / epsilon * smooth_sensitivity(distances, epsilon / CAUCHY_FACTOR)
        )
        return scale

    def flipped(self, scale: Array) -> Array:
        return np.asarray(np.arctan(2.0 * scale) / np.pi)

    def noise(self, scale: Array, source: Random | None) -> Callable[[Array], Array]:
        drawn = source or cryptographic()
        return lambda answers: released(answers, scale * np.array([cauchy(drawn) for _ in answers]))


@dataclass(frozen=True)
class Laplace:
    """The baseline: Laplace noise of scale 1/ε for the global sensitivity, 1; it looks at no
    certificate."""

    def scale(self, distances: Indices, epsilon: float) -> Array:
        return np.full(len(distances), 1.0 / epsilon)

    def flipped(self, scale: Array) -> Array:
        return 0.5 * np.exp(-0.5 / scale)

    def noise(self, scale: Array, source: Random | None) -> Callable[[Array], Array]:
        if source is None:
            # One scale for all answers: it does not depend on the data.
            return opendp_laplace(float(scale[0]))
        return lambda answers: released(
            answers, scale * np.array([laplace(source) for _ in answers])
        )


CAUCHY, LAPLACE = Cauchy(), Laplace()


@dataclass(frozen=True, eq=False)
class Release:
    """What may be published: it says nothing of the training data beyond its privacy loss.

    Attributes
    ----------
    classes : array of int, shape (m,)
        Class labels: which side of 1/2 the noisy prediction lies on.
    values : array, shape (m,)
        Predictions in {0, 1} with noise.
    epsilon : float
        Privacy loss of each answer.
    cost : float
        Privacy loss of all of them, which the account was charged.
    mechanism : str
    neighbours : str
        Which change of the data is hidden (S8): one sample of those that may be replaced, by any
        point of its box.
    cryptographic : bool
        Whether the noise is from a cryptographic source; False makes it a test.
    """

    classes: Indices
    values: Array
    epsilon: float
    cost: float
    mechanism: str
    neighbours: str
    cryptographic: bool


@dataclass(frozen=True, eq=False)
class PrivatePredictions:
    """Predictions and how stable they are, on the private side: only what `release` returns may be
    published.

    Attributes
    ----------
    problem : Problem
        Under ``Substitution(K)``, K the largest rung (S8).
    prediction : array of int, shape (m,)
        Class that the model trained on the data predicts.
    distance : array of int, shape (m,)
        The largest k ≤ K at which it is certified stable by interval propagation.
    """

    problem: Problem
    prediction: Indices
    distance: Indices

    def sensitivity(self, epsilon: float) -> Array:
        """The (ε/6)-smooth upper bound of the sensitivity of every prediction, shape (m,)."""
        return smooth_sensitivity(
            self.distance, number("epsilon", epsilon, above=0.0) / CAUCHY_FACTOR
        )

    def accuracy(self, y: ArrayLike, epsilon: float, mechanism: Mechanism = CAUCHY) -> float:
        """Expected accuracy of the released classes, in closed form: the mean over the noise. It
        depends on the private data.

        Parameters
        ----------
        y : array_like, shape (m,)
            True labels.
        epsilon : float
            Privacy loss of each answer.
        mechanism : Mechanism
            `CAUCHY` or `LAPLACE`.
        """
        labels = finite_array("y", y)
        if labels.shape != self.prediction.shape:
            raise InvalidInputError(
                f"y: shape {labels.shape} does not fit {len(self.prediction)} queries"
            )
        self.problem.training.loss.check("y", labels, self.problem.network.outputs)
        flipped = mechanism.flipped(
            mechanism.scale(self.distance, number("epsilon", epsilon, above=0.0))
        )
        return float(np.mean(np.where(self.prediction == labels, 1.0 - flipped, flipped)))

    def release(
        self,
        epsilon: float,
        account: Account,
        mechanism: Mechanism = CAUCHY,
        source: Random | None = None,
    ) -> Release:
        """Answer every query once, each with ε-differential privacy.

        Neighbouring datasets differ in one vulnerable sample, which is any point of the
        substitution box in both; the number of samples, all other samples, θ₀, the order of the
        data and the hyper-parameters are public. What is done to features before training must not
        depend on the data. How `agtopt.certificates.noise` bounds the effect of floating point is
        not a verified proof.

        Parameters
        ----------
        epsilon : float
            Privacy loss of each answer, above 0.
        account : Account
            Pays ε for every query before any noise is drawn, and for nothing where that fails.
        mechanism : Mechanism
            `CAUCHY` or `LAPLACE`.
        source : random.Random, optional
            For tests: ``random.Random(0)`` repeats itself; NumPy's generators are refused. By
            default noise is cryptographic; that of `LAPLACE` comes from OpenDP.

        Raises
        ------
        BudgetSpentError
            If the account cannot pay.
        InvalidInputError
            If an argument is not allowed.
        UnsupportedError
            If OpenDP is needed and not installed.

        Whatever is raised, nothing was released and nothing is paid.
        """
        instance("account", account, Account)
        instance("mechanism", mechanism, Cauchy, Laplace)
        if source is not None:
            instance("source", source, Random)
        scale = mechanism.scale(self.distance, number("epsilon", epsilon, above=0.0))
        if not np.isfinite(scale).all():
            raise InvalidInputError(
                f"epsilon: {epsilon!r} is not allowed; it is so small that the scale of the noise "
                f"is infinite"
            )
        noisy, (least, most) = mechanism.noise(scale, source), self._classes
        with account.paying(epsilon, len(self.prediction)):
            values = noisy((self.prediction == most).astype(np.float64))
            classes = np.where(values > 0.5, most, least)
            return Release(
                classes,
                values,
                float(epsilon),
                float(epsilon) * len(classes),
                type(mechanism).__name__,
                self._neighbours,
                source is None or isinstance(source, type(cryptographic())),
            )

    @property
    def _neighbours(self) -> str:
        model = self.problem.perturbation
        among = (
            ""
            if model.vulnerable is None
            else f", of the {len(model.vulnerable)} that are vulnerable"
        )
        return replace(model, n=1, vulnerable=None).describe() + among

    @property
    def _classes(self) -> tuple[int, int]:
        least, most = self.problem.classes or (0, 1)
        return least, most


@typed()
def private_predictions(ladder: Ladder, X: ArrayLike) -> PrivatePredictions:
    """Predictions of a binary classifier with the distances that private release needs.

    Parameters
    ----------
    ladder : Ladder
        Under `Substitution`, budgets 1 … K without gaps, bounded by plain IBP, as it is by default.
        Noise shrinks by a factor e for every 6/ε rungs; K must not be chosen by looking at the
        data.
    X : array_like, shape (m, *input_shape)

    Returns
    -------
    PrivatePredictions

    Raises
    ------
    InvalidInputError
        If the perturbation model is not `Substitution`, the ladder has gaps, or a sample that may
        be replaced is not itself a point of the box: it would have no neighbours to hide among.
    UnsupportedError
        If the classifier is not binary, or the ladder has a bounder of its own: its distances may
        differ by more than one between neighbouring datasets, and would give them away. What a
        `Reach` says of its method is not enough: `bound_parts` by IBP branches with linear bounds.
    """
    instance("ladder", ladder, Ladder)
    problem = ladder.problem
    # A class derived from it may admit other datasets: the theorem is about this one.
    if type(problem.perturbation) is not Substitution:
        raise InvalidInputError(
            f"privacy: {problem.perturbation.describe()}: neighbours differ in one sample "
            f"replaced; use Substitution"
        )
    if problem.classes is None or len(problem.classes) != 2:
        raise UnsupportedError(
            f"privacy: {problem.classes} are not two classes; only binary predictions are released"
        )
    if ladder.budgets[0] != 1 or any(high != low + 1 for low, high in pairwise(ladder.budgets)):
        raise InvalidInputError(
            "privacy: a ladder with gaps gives no smooth bound, since distances of neighbouring "
            "datasets may differ by a gap; "
            f"use range(1, {ladder.budgets[-1] + 1})"
        )
    if ladder.bounder is not by_intervals:
        raise UnsupportedError(
            "privacy: a ladder with a bounder of its own need not give a smooth bound of the "
            "sensitivity: by CROWN, AFFINE or solvers, distances of neighbouring datasets may "
            "differ by more than one; leave the bounder out, so that it is bounded by plain IBP"
        )
    most = ladder.at(ladder.budgets[-1])
    _check_own_samples(most)
    distance = ladder.distances(X, _stable_by_intervals)
    return PrivatePredictions(
        most, predicted(most, trajectory(most)[-1], finite_array("X", X)), distance
    )


def _stable_by_intervals(reach: Reach, points: Array) -> NDArray[np.bool_]:
    """Whether the prediction is certified by plain intervals, which are inclusion isotonic; CROWN,
    in `certify`, is not."""
    problem, ops, box = reach.problem, IntervalOperations(), reach.steps[-1]
    parameters = tensor_ranges(
        problem.network.unflatten(box.lower), problem.network.unflatten(box.upper)
    )
    outputs, _ = forward(ops, problem.network, parameters, ops.constant(np.array(points)))
    low, high = outputs.lower.numpy(), outputs.upper.numpy()
    if problem.network.outputs == 2:
        low, high = low[:, 1:] - high[:, :1], high[:, 1:] - low[:, :1]
    wins = predicted(problem, trajectory(problem)[-1], points) == (problem.classes or (0, 1))[1]
    # A tie is no win, and NaN certifies nothing.
    stable: NDArray[np.bool_] = np.where(wins, low[:, 0] > 0, high[:, 0] < 0)
    return stable


def _check_own_samples(problem: Problem) -> None:
    model, data, touchable = (
        problem.perturbation,
        problem.dataset,
        problem.perturbation.touchable(problem),
    )
    low, high = model.feature_box(problem, data.features)
    encoded = problem.encode(data.labels)
    moved = np.clip(data.features, low, high) != data.features
    outside = np.any(moved.reshape(len(data), -1), axis=1) | np.any(
        encoded > model.label_box(problem, encoded)[1], axis=1
    )
    if len(culprits := np.intersect1d(touchable, np.flatnonzero(outside))):
        culprit = int(culprits[0])
        raise InvalidInputError(
            f"privacy: sample {culprit} may be replaced but is not itself a point of the box; "
            f"widen Substitution(features=…, labels=…)"
        )
