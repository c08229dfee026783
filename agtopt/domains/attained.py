"""The one comparison of bounds with what training attains (S9), on both sides."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.errors import SoundnessError
from agtopt.tolerances import RELATIVE_GAP, ROUNDING, common_unit

Mask = NDArray[np.bool_]


def excluded(
    bound: ArrayLike, attained: ArrayLike, sense: int, room: float = ROUNDING, unit: ArrayLike = 1.0
) -> Mask:
    """Which bounds exclude what is attained.

    Parameters
    ----------
    bound, attained : array_like, of shapes that broadcast
        NaN for a value that is not known; a bound that is NaN holds nothing.
    sense : int
        -1 for lower and +1 for upper bounds.
    room : float
        Relative to ``unit + |attained|``: `ROUNDING` for what is proved, `AGREEMENT` where the word
        of a solver is in a bound.
    unit : array_like
        Of what is bounded (`tolerances.unit_of`). `ROUNDING` has none: rounding is relative to what
        a value is the sum of.
    """
    scale = np.where(room > ROUNDING, unit, 1.0)
    limit, value = np.asarray(bound, dtype=np.float64), np.asarray(attained, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        beyond = sense * (value - limit) > room * (
            scale + np.where(np.isfinite(value), np.abs(value), 0.0)
        )
    return np.asarray(beyond | np.isnan(limit))


def attains(
    bound: ArrayLike, attained: ArrayLike, gap: float = RELATIVE_GAP, unit: ArrayLike = 1.0
) -> Mask:
    """Which bounds are attained, so that nothing improves them; arguments as of `excluded`, the gap
    relative to ``unit + |attained|``."""
    limit, value = np.asarray(bound, dtype=np.float64), np.asarray(attained, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(limit - value) <= gap * (np.asarray(unit) + np.abs(value)))


def refuse_excluded(
    what: str, lower: ArrayLike, upper: ArrayLike, attained: ArrayLike, room: float = ROUNDING
) -> None:
    """Raise where a value that training attains lies outside its bounds.

    Parameters
    ----------
    what : str
        The bounds, for the message.
    lower, upper : array_like, of the shape of one row
    attained : array_like, shape (runs, …)
    room : float
        As of `excluded`.

    Raises
    ------
    SoundnessError
        It names the first such bound.
    """
    values = np.asarray(attained, dtype=np.float64)
    unit = common_unit(lower, upper)
    for bound, sense in ((np.asarray(lower), -1), (np.asarray(upper), 1)):
        wrong = excluded(bound, values, sense, room, unit)
        if wrong.any():
            run, *place = (int(k) for k in np.argwhere(wrong)[0])
            raise SoundnessError(
                f"S9: {what}: the {'lower' if sense < 0 else 'upper'} bound {bound[tuple(place)]} "
                f"of entry {tuple(place)} excludes "
                f"{values[(run, *place)]}, which a training run attains"
            )
