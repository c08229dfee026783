"""Every number that loosens a bound or decides whether two bounds agree, each with its reason."""

from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Rounding(NamedTuple):
    """What rounding outward takes in one floating-point format (S3).

    Attributes
    ----------
    unit : float
        Twice the rounding error of one operation: a bound with it covers our own evaluation *and*
        that of any framework that evaluates the same expression in this format or a wider one, in
        another order.
    smallest : float
        The smallest subnormal number, added per term so that underflow cannot make an interval too
        small.
    normal : float
        The smallest normal number: what is below it may have been flushed to zero.
    largest : float
        The largest finite number.
    """

    unit: float
    smallest: float
    normal: float
    largest: float

    @classmethod
    def of(cls, dtype: type[np.floating[Any]]) -> "Rounding":
        """The rounding of a floating-point format, by its type in NumPy."""
        info = np.finfo(dtype)
        return cls(
            float(info.eps),
            float(info.smallest_subnormal),
            float(info.smallest_normal),
            float(info.max),
        )

    @property
    def evaluation(self) -> float:
        """Relative error of a sigmoid, ours or any framework's: an exponential, an addition and a
        division, each within a few units."""
        return 16.0 * self.unit

    @property
    def underflow(self) -> float:
        """Absolute error of a sigmoid near zero, where exponentials lose digits or are flushed."""
        return 4.0 * self.normal

    def accumulated(self, terms: float) -> float:
        """γ = t u / (1 − t u) for t roundings, infinite where sums of so many terms have no bound.

        Twice in it: u is twice the rounding error of one operation, and the denominator pays for
        the terms of second order, those of a magnitude that is a rounded sum itself among them.
        """
        share = terms * self.unit
        return share / (1.0 - share) if share < 1.0 else inf


DOUBLE = Rounding.of(np.float64)
UNIT_ROUNDOFF, SMALLEST, *_ = DOUBLE

CURVE_MARGIN = 1e-13
"""Relative margin of a line of a corridor: some hundred units in the last place of the few
operations that it takes."""

LOGARITHM_MARGIN = 1e-12
"""Margin, relative to ``1 + |value|``, of logarithms of sums that bound quantities of a model."""

ADMITTED = 2.0 * UNIT_ROUNDOFF
"""Relative to the ends of a box or to what is moved: how far rounding may take a dataset beyond
what is admissible. Boxes of intervals and models are moved outward by no less (S3), so that what is
admitted is covered."""

FEASIBILITY = 1e-7
"""Primal and dual feasibility tolerance that is asked of every solver; tighter is not safer
(docs/solver-faults.md)."""

INTEGRALITY = 1e-7
"""How far a binary may be from 0 or 1 in a solver."""

MIXED_FEASIBILITY = 1e-6
"""HiGHS's own default for mixed-integer models: with a tighter one it cuts off points that training
attains (docs/solver-faults.md), with a looser one bounds are only wider."""

RELATIVE_GAP = 1e-5
"""Relative gap at which a mixed-integer solve stops: it costs width, never soundness, as the dual
bound is used (S4)."""

ORDINARY = 2.0**-7, 2.0**10
"""Sizes that need no unit of their own. Within them an absolute tolerance is a relative one too, up
to what `BOUND_MARGIN` leaves free."""

FARTHEST = 200
"""Units lie between 2 to the power of minus this and of this, so that nothing which is measured in
them over- or underflows."""

BOUND_MARGIN = 1e-6
"""Every bound of a solver is moved outward by this times ``unit + |bound|``, ten times the
feasibility tolerance, before it becomes a domain, a big-M or decides an indicator (S9). The unit is
that of the row, column or objective (`unit_of`): the solver sees it in that unit, so that its
absolute tolerance is so many units. For a bound proved from LP duals (S5) it is not needed for that
bound but protects the indicators decided with it."""

KINK_ROOM = 1e-12
"""Relative to (1 + the largest bound): how far a pre-activation may lie on the wrong side of its
kink, so that a framework whose own rounding decides there is covered by proofs too, which know no
tolerance (S2, S3)."""

LARGEST_BIG_M = 1e9
"""Intervals beyond this get no model: rows with such numbers lose what `BOUND_MARGIN` protects, and
solvers refuse or misread them."""

LARGEST_EXPONENT = 40.0
"""Exponents beyond this get no exponential in a model: SCIP takes 1e20, which is e^46, for
infinite, and bounds were wrong by factors."""

SMALLEST_COEFFICIENT = 2e-9
"""Coefficients up to this are left out of rows, in the units of these, and paid for: solvers ignore
those of 1e-9 silently (HiGHS: small_matrix_value; SCIP: numerics/epsilon). Twice that leaves room
for what they divide rows by."""

AGREEMENT = 1e-6
"""Relative to ``unit + |value|``: bounds that contradict each other by more raise a SoundnessError
(S6), and so do bounds with the word of a solver in them that exclude an attained run by more
(S9)."""

ROUNDING = 1e-12
"""Relative to ``1 + |value|``: proved bounds that exclude an attained run by more raise a
SoundnessError (S9). They cover the rounding of every run (S3); what this forgives is that of our
own evaluation of an attained value, as of a sum over a direction."""

READING = 1e-9
"""Relative to the largest entry: what outputs and gradients of a network may differ by, in float64,
from those of the module it was read from. Rounding in another order takes some 1e-14 of it; what is
another function differs by far more somewhere."""


def unit_of(size: ArrayLike) -> NDArray[np.float64]:
    """The unit in which a solver sees quantities of a size: 1 where that is `ORDINARY`, otherwise
    the next larger power of two.

    A solver's tolerances are absolute, and it drops coefficients below `SMALLEST_COEFFICIENT`: in
    these units both are relative to what they apply to. To multiply by a power of two is exact, so
    that units change no model.

    Parameters
    ----------
    size : array_like
        Largest absolute values; of 0 and of what is not finite the unit is 1.
    """
    sizes = np.asarray(size, dtype=np.float64)
    least, most = ORDINARY
    plain = ~np.isfinite(sizes) | (sizes == 0.0) | ((least <= sizes) & (sizes <= most))
    if plain.all():
        return np.ones(sizes.shape)
    _, exponents = np.frexp(np.where(plain, 1.0, sizes))
    return np.where(plain, 1.0, np.ldexp(1.0, np.clip(exponents, -FARTHEST, FARTHEST)))


def size_of(lower: ArrayLike, upper: ArrayLike) -> NDArray[np.float64]:
    """The largest absolute value in each interval."""
    return np.maximum(np.abs(lower), np.abs(upper))


def outward(bound: ArrayLike, sense: int, unit: ArrayLike) -> NDArray[np.float64]:
    """Move bounds outward by the margin (S9); `sense` is -1 for lower and +1 for upper bounds,
    `unit` that of what is bounded.

    Bounds from intervals need it too once they become rows of a model: rows that leave less room
    than a solver's tolerance have been declared infeasible although the nominal run satisfies them.
    """
    values = np.asarray(bound, dtype=np.float64)
    finite = np.isfinite(values)
    size = np.asarray(unit, dtype=np.float64) + np.abs(np.where(finite, values, 0.0))
    return np.where(finite, values + sense * BOUND_MARGIN * size, values)


def common_unit(lower: ArrayLike, upper: ArrayLike) -> float:
    """The unit of all intervals together: of a single one that is zero but for rounding it would be
    that of the rounding."""
    sizes = size_of(lower, upper)
    return float(unit_of(np.max(sizes, where=np.isfinite(sizes), initial=0.0)))


def crossed(lower: ArrayLike, upper: ArrayLike) -> NDArray[np.bool_]:
    """Where a lower bound exceeds its upper bound by more than rounding and solver tolerance, in
    their common unit (S6)."""
    low, high = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(low - high > AGREEMENT * (common_unit(low, high) + np.abs(low)))
