r"""The gated indicator of a margin.

:math:`h = g \cdot 1[m > 0]` for an indicator g and a margin :math:`m \in [l, u]` is 0 when :math:`u
< 0` and g when :math:`l > 0`; otherwise, with :math:`h \in \{0, 1\}`,

.. math:: h \le g, \quad m \le u (h + 1 - g), \quad m \ge l (1 - h).

m = 0 leaves h free (S2), and so does an m within `KINK_ROOM` of it. This is the projection of the
indicator of m and its product with g: the same relaxation with one variable fewer. Where the
product is kept (QCP), :math:`h = g k` with :math:`m \le u k, m \ge l (1 - k)`, which is never
looser.
"""

import numpy as np

from agtopt.formulation.affine import AffineArray, Array, Mask
from agtopt.formulation.product import kept_product
from agtopt.formulation.site import Site
from agtopt.tolerances import KINK_ROOM


def gated_indicator(
    site: Site,
    margin: AffineArray,
    gate: AffineArray,
    low: Array,
    high: Array,
    binaries: bool,
    bilinear: bool,
) -> AffineArray:
    """The indicator of a positive margin times `gate`; entries that the bounds decide need no
    variable."""
    possible = gate.varies | (gate.constant != 0.0)
    undecided = (low <= 0.0) & (high >= 0.0) & possible
    gated = undecided & gate.varies
    on: Mask = (low > 0.0) & possible
    decided = gate * on.astype(np.float64)

    room = KINK_ROOM * (1.0 + np.maximum(-low, high))

    def sign() -> Array:
        signs: Array = (margin.values() > 0.0).astype(np.float64)
        return signs

    if bilinear and not binaries and gated.any():
        inner = site.variables("_sign", 0.0, 1.0, gated)
        site.assign(inner, gated, sign)
        site.rows("_sign_on", margin - inner * high, gated, upper=room)
        site.rows("_sign_off", margin + inner * low, gated, lower=low - room)
        zero, one = np.zeros(gated.shape), np.ones(gated.shape)
        factors = gate.reshape(*gated.shape, 1), inner.reshape(*gated.shape, 1)
        kept = kept_product(site, "", *factors, AffineArray.known(zero), (zero, one), gated)
        free = site.variables("_free", 0.0, 1.0, undecided & ~gated)
        site.assign(free, undecided & ~gated, lambda: gate.values() * sign())
        active = kept + free
    else:
        active = site.variables("", 0.0, 1.0, undecided, binaries)
        site.assign(active, undecided, lambda: gate.values() * sign())
    site.rows("_gate", active - gate, gated, upper=0.0)
    site.rows("_on", margin - (active - gate + 1.0) * high, undecided, upper=room)
    site.rows("_off", margin + active * low, undecided, lower=low - room)
    return active + decided
