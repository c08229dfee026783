"""Certificates of a whole test set (section 8.2 of Sosnin et al. 2025)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from agtopt.arguments import typed
from agtopt.attacks import Attack
from agtopt.certificates.attained import check_losses
from agtopt.certificates.losses import LossBounds, loss_bounds
from agtopt.certificates.points import PointCertificates
from agtopt.certificates.prediction import certificates_over, certify, domain_of, final_domain
from agtopt.certificates.queries import Eps, Queries
from agtopt.drivers import Reach
from agtopt.errors import InvalidInputError
from agtopt.problem.checks import instance, whole_numbers
from agtopt.training.concrete import trajectory


@dataclass(frozen=True, eq=False)
class DatasetCertificate:
    """What no admissible adversary can do to a test set.

    Attributes
    ----------
    points : PointCertificates
    losses : LossBounds
        Untargeted: the mean loss of every admissible model is within ``losses.mean``.
    safe : array of bool, shape (m,), or None
        Targeted: whether every reachable class of a point is in its safe set; None where none were
        given.
    searched : bool
        Whether an attack was given.
    """

    points: PointCertificates
    losses: LossBounds
    safe: NDArray[np.bool_] | None
    searched: bool

    def table(self) -> pd.DataFrame:
        """One row: accuracies (nominal ≥ certified, and in between attacked if there was an
        attack), the fraction that is safe, and the mean loss with its bounds.

        Where inputs move, the certified accuracy is the backdoor accuracy.
        """
        row: dict[str, Any] = {"points": len(self.points.queries)}
        if self.points.nominal is not None:
            row |= {
                "nominal": self.points.nominal_accuracy,
                **({"attacked": self.points.attacked_accuracy} if self.searched else {}),
                "certified": self.points.certified_accuracy,
                "stable": float(self.points.stable.mean()),
            }
        if self.safe is not None:
            row["safe"] = float(self.safe.mean())
        lower, upper = self.losses.mean
        return pd.DataFrame(
            [{**row, "loss_lower": lower, "loss": self.losses.nominal_mean, "loss_upper": upper}]
        )


@typed()
def certify_dataset(
    reach: Reach,
    X: ArrayLike,
    y: ArrayLike,
    eps: Eps = 0.0,
    safe: Sequence[Collection[int]] | None = None,
    attack: Attack | None = None,
) -> DatasetCertificate:
    """Certify a labelled test set: accuracy, safe predictions and loss.

    Parameters
    ----------
    reach : Reach
    X : array_like, shape (m, *input_shape)
    y : array_like, shape (m,) or (m, outputs)
    eps : float or (array_like, array_like)
        As in `certify`.
    safe : sequence of collections of int, optional
        For each point the classes that do no harm (targeted poisoning).
    attack : Attack, optional
        Runs that may refute what is not certified.

    Returns
    -------
    DatasetCertificate

    Raises
    ------
    InvalidInputError
        As in `certify`, or if the safe sets do not fit.
    SoundnessError
        As in `certify`.
    """
    points = certify(reach, X, y, eps, attack)
    problem, theta = reach.problem, trajectory(reach.problem)[-1:]
    losses = loss_bounds(problem, final_domain(reach), theta[0], points.queries, reach.numerics)
    seen = theta if attack is None else np.concatenate([theta, attack.theta])
    check_losses(problem, points.queries, losses, seen, reach.rigour)
    return DatasetCertificate(
        points, losses, None if safe is None else _harmless(points, safe), attack is not None
    )


@typed()
def certified_history(
    reach: Reach, X: ArrayLike, y: ArrayLike, eps: Eps = 0.0, steps: Iterable[int] | None = None
) -> pd.DataFrame:
    """What is certified of a labelled test set after each step of training, of a model that stops
    there.

    Parameters
    ----------
    reach, X, y, eps
        As in `certify_dataset`.
    steps : iterable of int, optional
        After which steps, within 0 … T; after every one by default.

    Returns
    -------
    pandas.DataFrame
        One row per step: ``step``, ``nominal``, ``certified`` and ``stable`` (fractions;
        classification), ``loss_lower``, ``loss`` and ``loss_upper`` (means over the points).

    Raises
    ------
    InvalidInputError
        As by `certify_dataset`, or if the steps are none of the run.
    """
    instance("reach", reach, Reach)
    problem, rows = reach.problem, []
    queries, thetas = Queries.of(problem, X, y, eps), trajectory(problem)
    chosen = range(problem.steps + 1) if steps is None else whole_numbers("steps", steps)
    if chosen and max(chosen) > problem.steps:
        raise InvalidInputError(
            f"steps: {max(chosen)} is not allowed; the run has {problem.steps} steps"
        )
    for t in chosen:
        theta, domain = thetas[t], domain_of(reach, t)
        row: dict[str, Any] = {"step": t}
        if problem.classes is not None:
            points = certificates_over(reach, domain, theta, queries)
            row |= {
                "nominal": points.nominal_accuracy,
                "certified": points.certified_accuracy,
                "stable": float(points.stable.mean()),
            }
        losses = loss_bounds(problem, domain, theta, queries, reach.numerics)
        check_losses(problem, queries, losses, theta[np.newaxis], reach.rigour)
        lower, upper = losses.mean
        rows.append({**row, "loss_lower": lower, "loss": losses.nominal_mean, "loss_upper": upper})
    return pd.DataFrame(rows)


def _harmless(points: PointCertificates, safe: Sequence[Collection[int]]) -> NDArray[np.bool_]:
    classes = points.problem.classes
    if classes is None or points.reachable is None:
        raise InvalidInputError("safe: the loss predicts no class, so that there are no safe sets")
    if len(safe) != len(points.queries):
        raise InvalidInputError(f"safe: {len(safe)} sets do not fit {len(points.queries)} points")
    unknown = {label for chosen in safe for label in chosen} - set(classes)
    if unknown:
        raise InvalidInputError(
            f"safe: {sorted(unknown)[0]!r} is no class; allowed are {', '.join(map(str, classes))}"
        )
    allowed = np.array([[label in chosen for label in classes] for chosen in safe])
    return np.asarray(~(points.reachable & ~allowed).any(axis=1))
