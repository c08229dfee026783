r"""The adversary's choices: selectors, perturbed data, and cuts that are conditional on a selector.

:math:`s_i \in \{0, 1\}` says whether sample i is changed, :math:`\sum_i s_i \le n`. Features
:math:`|\tilde x_{ij} - x_{ij}| \le \epsilon s_i`, regression labels :math:`|\tilde y_i - y_i| \le \nu s_i`, flipped classes only where
:math:`s_i = 1`.
"""

import numpy as np

from agtopt.formulation.affine import Affine, Array, Mask, Site
from agtopt.tolerances import UNIT_ROUNDOFF


def budget(site: Site, selectors: Affine, n: int) -> None:
    """Σ_i s_i ≤ n; `selectors` has shape (samples,)."""
    # One scalar row: the sum of all selectors, keyed by nothing else.
    site.rows("", selectors.total(1)[np.newaxis], np.ones(1, dtype=bool), upper=float(n))


def perturbed(site: Site, nominal: Array, selectors: Affine, radius: float, where: Mask) -> Affine:
    """Values within `radius` of `nominal` where the sample's selector is 1; the first axis of `nominal` is the sample.

    The radius is widened by rounding, so that a corner of the ball that was computed in float64 satisfies the rows.
    """
    wide = radius + 4.0 * UNIT_ROUNDOFF * (np.abs(nominal) + radius)
    value = site.variables("", nominal - wide, nominal + wide, where, otherwise=nominal)
    reach = selectors.reshape(len(nominal), *(1,) * (nominal.ndim - 1)) * wide
    site.rows("_below", value - reach, where, upper=nominal)
    site.rows("_above", value + reach, where, lower=nominal)
    return value


def label_flip(site: Site, nominal: Array, selectors: Affine, own: bool, binaries: bool, where: Mask) -> Affine:
    """Class indicators (samples, classes) that may leave the nominal class where the selector is 1.

    Parameters
    ----------
    own : bool
        Whether flips have variables of their own; if not (two classes, labels the only thing that moves), a selected sample *is* flipped.
    where : mask, shape (samples,)
    """
    gate = selectors[:, np.newaxis]
    if not own:
        sign = np.where(where[:, np.newaxis], 1.0 - 2.0 * nominal, 0.0)
        return gate * sign + nominal
    label = site.variables("", 0.0, 1.0, np.broadcast_to(where[:, np.newaxis], nominal.shape), binaries, otherwise=nominal)
    site.rows("_one", label.total(1), where, lower=1.0, upper=1.0)
    stays = where[:, np.newaxis] & (nominal > 0)
    site.rows("_stays", label + gate, stays, lower=1.0)
    return label


def conditional_cuts(
    site: Site, suffix: str, value: Affine, clean: tuple[Array, Array], touched: tuple[Array, Array], selectors: Affine, where: Mask
) -> None:
    r"""Tie a quantity of a sample to its selector.

    With the range :math:`[v_L, v_U]` of the sample as it stands and :math:`[\tilde v_L, \tilde v_U]` under its worst perturbation:

    .. math:: v_L - s (v_L - \tilde v_L) \le v \le v_U + s (\tilde v_U - v_U).
    """
    rise = np.maximum(touched[1] - clean[1], 0.0)
    fall = np.maximum(clean[0] - touched[0], 0.0)
    site.rows(f"{suffix}_stays_below", value - selectors * rise, where & (rise > 0.0), upper=clean[1])
    site.rows(f"{suffix}_stays_above", value + selectors * fall, where & (fall > 0.0), lower=clean[0])
