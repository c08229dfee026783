r"""The truncation of a gradient.

:math:`c = \min(\max(g, -\kappa), \kappa)` as two rectifiers, each of which disappears where the bounds of g decide it:

.. math:: m = -\kappa + \max(0, g + \kappa), \qquad c = \kappa - \max(0, \kappa - m).
"""

import numpy as np

from agtopt.formulation.affine import Affine, Array, Site
from agtopt.formulation.relu import relu


def clip(site: Site, value: Affine, low: Array, high: Array, bound: float, binaries: bool) -> Affine:
    """`value` in [low, high], truncated to [−bound, bound]."""
    upper, _ = relu(site.named(f"{site.name}_lower"), value + bound, low + bound, high + bound, binaries)
    least, most = np.maximum(low, -bound), np.maximum(high, -bound)
    lower, _ = relu(site.named(f"{site.name}_upper"), (upper - 2.0 * bound) * -1.0, bound - most, bound - least, binaries)
    return lower * -1.0 + bound
