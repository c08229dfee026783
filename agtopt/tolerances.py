"""Every number that loosens a bound or decides whether two bounds agree, each with its reason."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

UNIT_ROUNDOFF = float(np.finfo(np.float64).eps)
"""2**-52, twice the rounding error of one float64 operation: a bound with it covers our own evaluation *and* that of any
framework that evaluates the same expression in another order (S3)."""

SMALLEST = float(np.finfo(np.float64).smallest_subnormal)
"""Added per term so that underflow cannot make an interval too small (S3)."""

EVALUATION = 16.0 * UNIT_ROUNDOFF
"""Relative error of a sigmoid, ours or any framework's: an exponential, an addition and a division, each within a few units (S3)."""

UNDERFLOW = 2.0**-1020
"""Absolute error of a sigmoid near zero, where exponentials lose digits or are flushed (S3)."""

CURVE_MARGIN = 1e-13
"""Relative margin of a line of a corridor: some hundred units in the last place of the few operations that it takes."""

LOGARITHM_MARGIN = 1e-12
"""Margin, relative to ``1 + |value|``, of logarithms of sums that bound quantities of a model."""

FEASIBILITY = 1e-7
"""Primal and dual feasibility tolerance that is asked of every solver; tighter is not safer (docs/decisions.md)."""

INTEGRALITY = 1e-7
"""How far a binary may be from 0 or 1 in a solver."""

RELATIVE_GAP = 1e-5
"""Relative gap at which a mixed-integer solve stops: it costs width, never soundness, as the dual bound is used (S4)."""

BOUND_MARGIN = 1e-6
"""Every bound of a solver is moved outward by this times ``1 + |bound|``, ten times the feasibility tolerance, before it becomes a
domain, a big-M or decides an indicator (S9). For a bound proved from LP duals (S5) it is not needed for that bound
but protects the indicators decided with it."""

KINK_ROOM = 1e-12
"""Relative to (1 + the largest bound): how far a pre-activation may lie on the wrong side of its kink, so that a framework whose own
rounding decides there is covered by proofs too, which know no tolerance (S2, S3)."""

LARGEST_BIG_M = 1e9
"""Intervals beyond this get no model: rows with such numbers lose what `BOUND_MARGIN` protects, and solvers refuse or misread them."""

SMALLEST_COEFFICIENT = 1e-9
"""Coefficients of cuts below this are left out: solvers ignore them silently (HiGHS: small_matrix_value)."""

AGREEMENT = 1e-6
"""Relative to ``1 + |value|``: bounds that contradict each other or an attained run by more raise a SoundnessError (S6, S9)."""


def outward(bound: ArrayLike, sense: int) -> NDArray[np.float64]:
    """Move bounds outward by the margin (S9); `sense` is -1 for lower and +1 for upper bounds.

    Bounds from intervals need it too once they become rows of a model: rows that leave less room than a solver's tolerance have been
    declared infeasible although the nominal run satisfies them.
    """
    values = np.asarray(bound, dtype=np.float64)
    finite = np.isfinite(values)
    return np.where(finite, values + sense * BOUND_MARGIN * (1.0 + np.abs(np.where(finite, values, 0.0))), values)
