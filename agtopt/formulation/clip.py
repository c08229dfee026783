r"""The truncation of a gradient.

:math:`c = \min(\max(g, -\kappa), \kappa)` as two rectifiers, each of which disappears where the
bounds of g decide it:

.. math:: m = \max(-\kappa, g), \qquad c = -\max(-\kappa, -m).

Their kinks are at :math:`-\kappa`, so a g that is far from them is written as it is. Nothing is
added to it and taken away again, which would cost it digits.
"""

import numpy as np

from agtopt.formulation.affine import AffineArray, Array
from agtopt.formulation.relu import relu
from agtopt.formulation.site import Site


def clip(
    site: Site, value: AffineArray, low: Array, high: Array, bound: float, binaries: bool
) -> AffineArray:
    """`value` in [low, high], truncated to [−bound, bound]."""
    raised, _ = relu(site.named(f"{site.name}_lower"), value, low, high, binaries, kink=-bound)
    least, most = (np.maximum(end, -bound) for end in (low, high))
    lowered, _ = relu(
        site.named(f"{site.name}_upper"), -raised, -most, -least, binaries, kink=-bound
    )
    return -lowered
