"""Certificates for single predictions over a parameter-space domain (section 8.1 of Sosnin et al.
2025)."""

from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.arguments import typed
from agtopt.attacks import Attack
from agtopt.attacks.predictions import predicted
from agtopt.certificates.attained import check_outputs
from agtopt.certificates.points import PointCertificates
from agtopt.certificates.queries import Eps, Queries
from agtopt.certificates.scores import Domain, score_bounds
from agtopt.certificates.witness import find_witnesses
from agtopt.domains import intersect
from agtopt.drivers import Reach
from agtopt.errors import InvalidInputError, SoundnessError
from agtopt.intervals.scale.numerics import FLOAT64, Numerics
from agtopt.problem import Network
from agtopt.problem.checks import instance
from agtopt.training.concrete import trajectory

Array = NDArray[np.float64]


@typed()
def certify(
    reach: Reach,
    X: ArrayLike,
    y: ArrayLike | None = None,
    eps: Eps = 0.0,
    attack: Attack | None = None,
) -> PointCertificates:
    """Bound the predictions of every model in a domain.

    Outputs are bounded over the domain of the final parameters: by IBP and CROWN over its box, by
    linear programs where it is a polytope, and by its form where it is affine. Classes that outputs
    leave open are decided by margins, the differences of two outputs, bounded for every pair of
    them.

    Parameters
    ----------
    reach : Reach
        Result of `agtopt.bound`.
    X : array_like, shape (m, *input_shape)
    y : array_like, shape (m,) or (m, outputs), optional
        True labels, for certificates of correctness.
    eps : float or (array_like, array_like)
        How far the inputs move as well (a backdoor's trigger): the radius of an ℓ∞ ball around each
        (units of the features), or the lowest and highest inputs.
    attack : Attack, optional
        Runs that may refute what is not certified (`agtopt.attack`).

    Returns
    -------
    PointCertificates

    Raises
    ------
    InvalidInputError
        If X or y has the wrong shape, an entry is not finite, a label is not one of the loss's
        classes, `eps` is not allowed, or the attack is one on another problem.
    SoundnessError
        If the nominal run, or one of the attack, is outside a bound, or changes a prediction that
        is certified (S9).
    """
    instance("reach", reach, Reach)
    if attack is not None:
        instance("attack", attack, Attack)
    problem = reach.problem
    certified = certificates_over(
        reach, final_domain(reach), trajectory(problem)[-1], Queries.of(problem, X, y, eps)
    )
    return certified if attack is None else refuted_by(attack, certified)


def certificates_over(
    reach: Reach, domain: Domain, theta: Array, queries: Queries
) -> PointCertificates:
    """What a domain of the parameters proves of queries; `theta` (p,) are the nominal ones.

    Raises
    ------
    SoundnessError
        If a bound excludes what the nominal model says (S9).
    """
    problem, network = reach.problem, reach.problem.network
    lower, upper = score_bounds(
        network, domain, queries.lowest, highest=queries.highest, numerics=reach.numerics
    )
    nominal = reachable = None
    if problem.classes is not None:
        nominal = predicted(problem, theta, queries.points)
        reachable = _by_margins(network, domain, queries, _reachable(lower, upper), reach.numerics)
    unseen = (None,) * len(queries)
    certificates = PointCertificates(
        problem,
        str(reach.method),
        queries,
        lower,
        upper,
        nominal,
        reachable,
        unseen,
        reach.rigour,
        type(domain).__name__,
        interrupted=reach.interrupted,
    )
    check_outputs(certificates, theta[np.newaxis])
    return certificates


def refuted_by(attack: Attack, found: PointCertificates) -> PointCertificates:
    """The certificates with the witnesses that the runs of an attack give.

    Raises
    ------
    InvalidInputError
        If the attack is one on another problem.
    SoundnessError
        If a run is outside a bound of outputs, or changes a prediction that is certified (S9).
    """
    problem, nominal = found.problem, found.nominal
    if attack.problem.fingerprint != problem.fingerprint:
        raise InvalidInputError(
            "attack: it is one on another problem; take agtopt.attack(reach.problem)"
        )
    check_outputs(found, attack.theta)
    if nominal is None:
        return found
    witnesses = find_witnesses(attack, found.queries, nominal)
    for k in np.flatnonzero(found.stable):
        if witnesses[k] is not None:
            raise SoundnessError(
                f"S9: the prediction of point {k} is certified, and a training run changes it"
            )
    return replace(found, witnesses=tuple(witnesses))


def final_domain(reach: Reach) -> Domain:
    """The domain of the final parameters, within their box (S6)."""
    return domain_of(reach, len(reach.steps) - 1)


def domain_of(reach: Reach, t: int) -> Domain:
    """The domain of the parameters after step t, within their box (S6): the form or the polytope
    that is kept, else the box. What forms say of scores is found in float64."""
    box = reach.steps[t]
    form = reach.affines[t] if reach.affines else None
    if form is not None and reach.numerics == FLOAT64:
        return form.first(len(box))
    polytope = reach.polytopes[t] if reach.polytopes else None
    return box if polytope is None else intersect(polytope, box)


def _reachable(lower: Array, upper: Array) -> NDArray[np.bool_]:
    """Classes that may win as far as outputs alone tell: none that another one beats for sure; a
    tie is no win."""
    if lower.shape[1] == 1:
        return np.stack([~(lower[:, 0] > 0), ~(upper[:, 0] < 0)], axis=1)
    return np.asarray(~(upper < lower.max(axis=1, keepdims=True)))


def _by_margins(
    network: Network,
    domain: Domain,
    queries: Queries,
    open_: NDArray[np.bool_],
    numerics: Numerics,
) -> NDArray[np.bool_]:
    """Of the classes that are open at each point, those that no other open class beats for sure by
    the bounds of their difference."""
    left = open_.copy()
    if network.outputs == 1:
        return left
    for classes in np.unique(open_, axis=0):
        if classes.sum() < 2:
            continue
        here = np.flatnonzero((open_ == classes).all(axis=1))
        first, second = np.array(list(combinations(np.flatnonzero(classes), 2))).T
        unit = np.eye(network.outputs)
        lower, upper = score_bounds(
            network,
            domain,
            queries.lowest[here],
            unit[first] - unit[second],
            queries.highest[here],
            numerics,
        )
        for k, (i, j) in enumerate(zip(first, second, strict=True)):
            left[here, i] &= ~(upper[:, k] < 0)
            left[here, j] &= ~(lower[:, k] > 0)
    return left
