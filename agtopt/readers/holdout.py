"""Which rows of a table are held out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import InvalidInputError


def held_out(
    rows: int, share: float, seed: int, classes: Sequence[str] | None = None
) -> NDArray[np.intp]:
    """Rows that are held out, in their order: a random share, of every class alike.

    One row of each class at least is left to train on, so that a class with one row is never held
    out.

    Parameters
    ----------
    rows : int
    share : float
        At least 0 and below 1.
    seed : int
        Of ``numpy.random.default_rng``.
    classes : sequence of str, length `rows`, or None
        The class of each row; None for targets.

    Raises
    ------
    InvalidInputError
        If the share is not allowed, or is not 0 and holds out no row, or leaves none to train on.
    """
    if not 0.0 <= share < 1.0:
        raise InvalidInputError(
            f"hold_out: {share:g} is not allowed; it must be at least 0 and below 1"
        )
    groups = (
        np.zeros(rows, dtype=np.intp)
        if classes is None
        else np.unique(np.array(classes, dtype=object), return_inverse=True)[1]
    )
    sizes = np.bincount(groups)
    counts = _shares(sizes, share)
    if share and not counts.sum():
        raise InvalidInputError(
            f"hold_out: {share:g} of {rows} rows holds out none; give a larger part, or 0"
        )
    order = np.random.default_rng(seed).permutation(rows)
    chosen = [order[groups[order] == group][:count] for group, count in enumerate(counts)]
    return np.sort(np.concatenate(chosen))


def _shares(sizes: NDArray[np.intp], share: float) -> NDArray[np.intp]:
    """How many of each group: its share rounded down, and one more where most is cut off, until the
    whole is the share of all."""
    wanted = sizes * share
    counts: NDArray[np.intp] = np.floor(wanted).astype(np.intp)
    for group in np.argsort(counts - wanted, kind="stable"):
        if counts.sum() < round(share * sizes.sum()) and counts[group] < sizes[group] - 1:
            counts[group] += 1
    return counts
