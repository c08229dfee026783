r"""The rectifier and its derivative.

:math:`a = \max(0, z)` with :math:`z \in [l, u]` is 0 when :math:`u < 0` and z when :math:`l > 0`; otherwise, with :math:`d \in \{0, 1\}`,

.. math:: a \ge 0, \quad a \ge z, \quad a \le z - l (1 - d), \quad a \le u d.

d is the derivative that the backward pass uses; z = 0 leaves it free (S2), and so does a z within `KINK_ROOM` of it.
With d relaxed to [0, 1] the projection onto (z, a)
is the triangle :math:`a \le u (z - l) / (u - l)`.
"""

import numpy as np

from agtopt.formulation.affine import Affine, Array, Site
from agtopt.tolerances import KINK_ROOM


def relu(site: Site, value: Affine, low: Array, high: Array, binaries: bool) -> tuple[Affine, Affine]:
    """Output and derivative of the rectifier; three rows and two variables for each undecided entry."""
    undecided = (low <= 0.0) & (high >= 0.0)
    on = low > 0.0
    active = site.variables("_active", 0.0, 1.0, undecided, binaries, otherwise=on)
    output = site.variables("", 0.0, np.maximum(high, 0.0), undecided)
    site.assign(active, undecided, lambda: (value.values() > 0.0).astype(np.float64))
    site.assign(output, undecided, lambda: np.maximum(value.values(), 0.0))
    site.rows("_above", output - value, undecided, lower=0.0)
    room = KINK_ROOM * (1.0 + np.maximum(-low, high))
    site.rows("_on", output - value - active * low, undecided, upper=room - low)
    site.rows("_off", output - active * high, undecided, upper=room)
    identity = value * on.astype(np.float64)
    return output + identity, active
