r"""The rectifier and its derivative.

:math:`a = \max(k, z)` with :math:`z \in [l, u]` is k when :math:`u < k` and z when :math:`l > k`;
otherwise, with :math:`d \in \{0, 1\}`,

.. math:: a \ge k, \quad a \ge z, \quad a \le z + (k - l) (1 - d), \quad a \le k + (u - k) d.

For k = 0 d is the derivative that the backward pass uses; z = 0 leaves it free (S2), and so does a
z within `KINK_ROOM` of it. With d relaxed to [0, 1] the projection onto (z, a) is the triangle
:math:`a \le k + (u - k) (z - l) / (u - l)`.
"""

import numpy as np

from agtopt.formulation.affine import AffineArray, Array
from agtopt.formulation.site import Site
from agtopt.tolerances import KINK_ROOM


def relu(
    site: Site, value: AffineArray, low: Array, high: Array, binaries: bool, kink: float = 0.0
) -> tuple[AffineArray, AffineArray]:
    """Output and derivative of the rectifier; three rows and two variables for each undecided
    entry."""
    undecided = (low <= kink) & (high >= kink)
    on = low > kink
    active = site.variables("_active", 0.0, 1.0, undecided, binaries, otherwise=on)
    output = site.variables(
        "", kink, np.maximum(high, kink), undecided, otherwise=np.where(on, 0.0, kink)
    )
    site.assign(active, undecided, lambda: (value.values() > kink).astype(np.float64))
    site.assign(output, undecided, lambda: np.maximum(value.values(), kink))
    site.rows("_above", output - value, undecided, lower=0.0)
    room = KINK_ROOM * (1.0 + np.maximum(kink - low, high - kink))
    site.rows("_on", output - value + active * (kink - low), undecided, upper=room + (kink - low))
    site.rows("_off", output - active * (high - kink), undecided, upper=room + kink)
    identity = value * on.astype(np.float64)
    return output + identity, active
