"""Certificates of one training run under several adversaries: over training, or after it."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
from numpy.typing import ArrayLike

from agtopt.certificates import certified_history, certify_dataset
from agtopt.certificates.queries import Eps
from agtopt.drivers import Reach, bound
from agtopt.drivers.interrupt import uninterrupted
from agtopt.errors import InvalidInputError
from agtopt.kinds import IBP, Propagation
from agtopt.problem import Perturbation, Problem

Adversaries = Mapping[float, Perturbation]


def histories(
    problem: Problem,
    adversaries: Mapping[str, Perturbation],
    X: ArrayLike,
    y: ArrayLike,
    kind: Propagation = IBP,
) -> dict[str, pd.DataFrame]:
    """What is certified of a test set after every step, under each of several adversaries (Figure
    8).

    Parameters
    ----------
    problem : Problem
        Its own perturbation model is replaced by each of the adversaries.
    adversaries : mapping from str to Perturbation
        By label.
    X : array_like, shape (m, *input_shape)
    y : array_like, shape (m,) or (m, outputs)
    kind : Propagation
        ``IBP`` or ``CROWN``.

    Returns
    -------
    dict from str to pandas.DataFrame
        A table of `agtopt.certified_history` per label, ready for `agtopt.report.plot_bands`.

    Raises
    ------
    InvalidInputError
        If an adversary does not fit the problem, or X and y do not fit each other.
    """
    return {
        label: certified_history(_bounded(problem, each, kind), X, y)
        for label, each in adversaries.items()
    }


def sweep(
    problem: Problem,
    adversaries: Adversaries,
    X: ArrayLike,
    y: ArrayLike,
    setting: str,
    eps: Mapping[float, Eps] | None = None,
    kind: Propagation = IBP,
) -> pd.DataFrame:
    """What is certified of a test set after training, for every value of a setting of the adversary
    (Figures 9 to 11).

    Parameters
    ----------
    problem, X, y, kind
        As in `histories`.
    adversaries : mapping from float to Perturbation
        By the value of the setting.
    setting : str
        Its name and unit, for the axis of a picture: ``"n"``.
    eps : mapping from float to (float or (array_like, array_like)), optional
        By the same values, how far test inputs move as well (backdoors); as in
        `agtopt.certify_dataset`.

    Returns
    -------
    pandas.DataFrame
        A row of `DatasetCertificate.table` per value, which is the index; ready for
        `agtopt.report.plot_bands`.

    Raises
    ------
    InvalidInputError
        If an adversary does not fit the problem, X and y do not fit each other, or `eps` has other
        values.
    """
    if eps is not None and set(eps) != set(adversaries):
        raise InvalidInputError(
            f"eps: is given for {sorted(eps)}; it must be given for {sorted(adversaries)}"
        )
    if not adversaries:
        raise InvalidInputError("adversaries: none is given; give at least one")
    rows = [
        certify_dataset(
            _bounded(problem, each, kind), X, y, 0.0 if eps is None else eps[value]
        ).table()
        for value, each in adversaries.items()
    ]
    return pd.concat(rows).set_axis(pd.Index(list(adversaries), name=setting))


def _bounded(problem: Problem, adversary: Perturbation, kind: Propagation) -> Reach:
    return uninterrupted(bound(replace(problem, perturbation=adversary), kind))
