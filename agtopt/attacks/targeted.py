"""Attacks on predictions: admissible datasets after which the trained model answers otherwise,
found by search and proved by training."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.arguments import typed
from agtopt.attacks.collision import collisions
from agtopt.attacks.first_order import run_entries
from agtopt.attacks.gradient import ROUNDS, gradient_attack
from agtopt.attacks.greedy import WORK, greedy_attack, worthwhile_runs
from agtopt.attacks.predictions import (
    loss_direction,
    margins,
    mean_losses,
    predicted,
    score_gradients,
)
from agtopt.attacks.runs import Attack, summarised
from agtopt.errors import InvalidInputError
from agtopt.problem import Dataset, Datasets, Problem
from agtopt.problem.checks import finite_array, instance, whole
from agtopt.training.concrete import trajectory

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

RANDOM = 64
"""Random admissible datasets that are tried beside the search: random flips, where labels flip."""

MOST_ENTRIES = 2**26
"""Entries of the datasets that an attack holds at once; fewer queries are aimed at where this is
not enough."""

AIMS = 2
"""Rounds of aiming: at the nominal model's derivative, then, where that turns, at that of the best
attacked model."""


@dataclass(frozen=True, eq=False)
class Refutations:
    """How far training really moves predictions: a lower bound beside every certificate of the same
    problem (S8).

    Attributes
    ----------
    problem : Problem
    attack : Attack
        Every run: what was trained on, and the final parameters.
    X : array, shape (m, *input_shape)
    classes : array of int, shape (m,)
        The class whose win is attacked.
    margins : array, shape (m,)
        By how much that class wins at worst over all runs, in units of the scores; negative where
        another class wins.
    runs : array of int, shape (m,)
        The run that attains it.
    """

    problem: Problem
    attack: Attack
    X: Array
    classes: Indices
    margins: Array
    runs: Indices

    @property
    def flipped(self) -> NDArray[np.bool_]:
        """Whether some run predicts another class; a tie is none."""
        return self.margins < 0

    def witness(self, k: int) -> Dataset:
        """The admissible dataset that is worst for query k."""
        return self.attack.dataset(int(self.runs[whole("k", k, 0)]))

    def replay(self, k: int) -> float:
        """Train on the witness of query k again, apart from all others: the margin that comes
        out."""
        theta = trajectory(self.problem, self.witness(k))[-1:]
        return float(margins(self.problem, theta, self.X[k : k + 1], self.classes[k : k + 1])[0, 0])


@dataclass(frozen=True, eq=False)
class Degradation:
    """How much training on admissible datasets really worsens a model: a lower bound of what an
    untargeted adversary attains.

    Attributes
    ----------
    problem : Problem
    attack : Attack
        Every run.
    nominal : float
        Mean loss of the model that is trained on the nominal data.
    losses : array, shape (runs,)
        Mean loss after every run.
    """

    problem: Problem
    attack: Attack
    nominal: float
    losses: Array

    @property
    def worst(self) -> float:
        """The largest mean loss."""
        return float(self.losses.max())

    def witness(self) -> Dataset:
        """The admissible dataset that attains it."""
        return self.attack.dataset(int(self.losses.argmax()))


@typed()
def prediction_attack(
    problem: Problem, X: ArrayLike, y: ArrayLike | None = None, work: int = WORK, seed: int = 0
) -> Refutations:
    """Search admissible datasets that flip the predictions of given queries.

    The margin of a query over each rival class is linear in the parameters of a one-layer model,
    and is linearised elsewhere: its derivative is the direction in which `gradient_attack` and
    `greedy_attack` push the parameters. Random datasets and feature collisions are tried too. Each
    dataset is trained on for real and counts for every query. Where `work` allows fewer directions
    than there are, the queries with the smallest margins are aimed at.

    Parameters
    ----------
    problem : Problem
        A classification.
    X : array_like, shape (m, *input_shape)
    y : array_like of int, shape (m,), optional
        Classes whose win is attacked, e.g. the true ones; what the nominal model predicts by
        default.
    work : int
        Per-sample gradient entries that the search may cost in each round.
    seed : int
        Of the random datasets.

    Returns
    -------
    Refutations

    Raises
    ------
    InvalidInputError
        If the loss has no classes, X or y does not fit, or a run diverges.
    """
    points = _points(problem, X)
    if problem.classes is None:
        raise InvalidInputError(
            f"prediction_attack: loss {problem.training.loss.name!r} predicts no class; use "
            f"loss_attack"
        )
    nominal = trajectory(problem)[-1]
    classes = (
        predicted(problem, nominal, points)
        if y is None
        else _labels(problem, y, len(points)).astype(np.int64)
    )
    datasets = Datasets(problem.dataset, 1).joined(_random(problem, seed))
    theta, aimed = np.tile(nominal, (len(points), 1)), np.empty((0, problem.network.size))
    for aim in range(AIMS):
        where, rivals, directions = _aims(problem, theta, points, classes, work)
        if len(aimed) == len(directions) and np.allclose(aimed, directions):
            break
        aimed = directions
        datasets = datasets.joined(_pushed(problem, directions, work))
        if not aim:
            queries, first = np.unique(where, return_index=True)
            datasets = datasets.joined(collisions(problem, nominal, points[queries], rivals[first]))
        attack = summarised(problem, datasets, exact=False)
        reached = margins(problem, attack.theta, points, classes)
        runs = reached.argmin(axis=0)
        theta = attack.theta[runs]
    return Refutations(
        problem, attack, points, classes, reached[runs, np.arange(len(points))], runs
    )


@typed()
def loss_attack(
    problem: Problem, X: ArrayLike, y: ArrayLike, work: int = WORK, seed: int = 0
) -> Degradation:
    """Search admissible datasets that worsen the model on a set of points.

    Parameters
    ----------
    problem : Problem
    X : array_like, shape (m, *input_shape)
    y : array_like, shape (m,) or (m, outputs)
        Labels or targets.
    work : int
        Per-sample gradient entries that the search may cost in each round.
    seed : int
        Of the random datasets.

    Returns
    -------
    Degradation

    Raises
    ------
    InvalidInputError
        If X or y does not fit, or a run diverges.
    """
    points = _points(problem, X)
    labels = problem.encode(_labels(problem, y, len(points)))
    theta = trajectory(problem)[-1]
    nominal = float(mean_losses(problem, theta[np.newaxis], points, labels)[0])
    datasets = Datasets(problem.dataset, 1).joined(_random(problem, seed))
    for _ in range(AIMS):
        datasets = datasets.joined(
            _pushed(problem, loss_direction(problem, theta, points, labels), work)
        )
        attack = summarised(problem, datasets, exact=False)
        losses = mean_losses(problem, attack.theta, points, labels)
        theta = attack.theta[losses.argmax()]
    return Degradation(problem, attack, nominal, losses)


def _aims(
    problem: Problem, theta: Array, X: Array, classes: Indices, work: int
) -> tuple[Indices, Indices, Array]:
    """Which query, which rival (its position) and which direction of the parameters: as many as
    `work` and memory allow."""
    many = len(problem.classes or ())
    own = np.searchsorted(np.array(problem.classes), classes)
    where, rivals = np.nonzero(~np.eye(many, dtype=bool)[own])
    if problem.network.outputs == 1:
        # A single score s decides between two classes: the first is ahead by −s, the second by s.
        rows = np.where(rivals > 0, 1.0, -1.0)[:, np.newaxis]
    else:
        rows = np.eye(many)[rivals] - np.eye(many)[own[where]]
    lead, directions = score_gradients(problem, theta[where], X[where], rows)
    runs = max(worthwhile_runs(problem), 2 * ROUNDS)
    most = min(
        work // (run_entries(problem) * runs),
        MOST_ENTRIES // (problem.dataset.features.size * (ROUNDS + 2)),
    )
    order = np.argsort(-lead, kind="stable")[: max(1, most)]
    return where[order], rivals[order], directions[order]


def _pushed(problem: Problem, directions: Array, work: int) -> Datasets:
    return gradient_attack(problem, directions).joined(greedy_attack(problem, directions, work))


def _random(problem: Problem, seed: int) -> Datasets:
    many = min(
        RANDOM,
        MOST_ENTRIES
        // max(problem.state_size * (problem.steps + 1), problem.dataset.features.size),
    )
    if not len(problem.perturbation.touchable(problem)):
        return Datasets(problem.dataset, 0)
    return problem.perturbation.sample(
        problem, max(1, many), np.random.default_rng(whole("seed", seed, 0))
    )


def _points(problem: Problem, X: ArrayLike) -> Array:
    instance("problem", problem, Problem)
    points, shape = finite_array("X", X), problem.network.input_shape
    if points.shape[1:] != shape or not len(points):
        raise InvalidInputError(
            f"X: shape {points.shape} does not fit; it must be (m, {', '.join(map(str, shape))})"
        )
    return points


def _labels(problem: Problem, y: ArrayLike, many: int) -> Array:
    labels = finite_array("y", y)
    if labels.ndim == 0 or len(labels) != many:
        raise InvalidInputError(f"y: shape {labels.shape} does not fit {many} points")
    problem.training.loss.check("y", labels, problem.network.outputs)
    return labels
