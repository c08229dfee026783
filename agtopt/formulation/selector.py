r"""The adversary's choices: selectors, perturbed data, and cuts that are conditional on a selector.

:math:`s_i \in \{0, 1\}` says whether sample i is changed, :math:`\sum_i s_i \le n`. Features in the
box :math:`[l, u]` where :math:`s_i = 1`, :math:`x - s_i (x - l) \le \tilde x \le x + s_i (u - x)`,
likewise regression labels; flipped classes only where :math:`s_i = 1`. A ball of the norm
:math:`\ell_1` or :math:`\ell_2` within that box has its own rows (`ball`).
"""

from math import sqrt

import numpy as np

from agtopt.formulation.affine import AffineArray, Array, Mask
from agtopt.formulation.polynomial import Polynomial
from agtopt.formulation.site import Site
from agtopt.tolerances import UNIT_ROUNDOFF, unit_of

PAIRED = 12
"""Entries of a sample up to which an ℓ2 ball is cut by a row for each pair of them."""


def budget(site: Site, selectors: AffineArray, n: int) -> None:
    """Σ_i s_i ≤ n; `selectors` has shape (samples,)."""
    # One scalar row: the sum of all selectors, keyed by nothing else.
    site.rows("", selectors.total(1)[np.newaxis], np.ones(1, dtype=bool), upper=float(n))


def perturbed(
    site: Site, nominal: Array, selectors: AffineArray, box: tuple[Array, Array], where: Mask
) -> AffineArray:
    """Values within `box` ∋ `nominal` where the sample's selector is 1, nominal where it is 0; the
    first axis is the sample.

    The box is widened by rounding, so that a corner that was computed in float64 satisfies the
    rows.
    """
    fall, rise = (
        np.maximum(reach, 0.0) + 4.0 * UNIT_ROUNDOFF * (np.abs(nominal) + np.abs(reach))
        for reach in (nominal - box[0], box[1] - nominal)
    )
    value = site.variables("", nominal - fall, nominal + rise, where, otherwise=nominal)
    gate = selectors.reshape(len(nominal), *(1,) * (nominal.ndim - 1))
    site.rows("_below", value - gate * rise, where, upper=nominal)
    site.rows("_above", value + gate * fall, where, lower=nominal)
    return value


def ball(
    site: Site,
    value: AffineArray,
    nominal: Array,
    selectors: AffineArray,
    radius: float,
    p: float,
    kept: bool,
    where: Mask,
) -> None:
    r"""Rows that hold a perturbed sample in an :math:`\ell_1` or :math:`\ell_2` ball,
    :math:`\|\tilde x - x\| \le \epsilon s`.

    With :math:`r \ge |\tilde x - x|`, for p = 1 :math:`\sum_j r_j \le \epsilon s`. For p = 2 a
    polyhedron around the ball, :math:`\sum_j r_j \le \sqrt{d} \epsilon s` and :math:`r_j + r_k \le
    \sqrt{2} \epsilon s`, and where products are `kept` the cone :math:`\sum_j r_j^2 \le \epsilon^2
    s^2` itself: r is of the size of :math:`\epsilon`, however large x is.

    Parameters
    ----------
    value : AffineArray, shape (samples, d)
    nominal : array, shape (samples, d)
    selectors : AffineArray, shape (samples,)
    where : mask, shape (samples,)
    """
    many = nominal.shape[1]
    wide = radius + 4.0 * UNIT_ROUNDOFF * (np.abs(nominal).sum(axis=1) + radius)
    entries: Mask = np.broadcast_to(where[:, np.newaxis], nominal.shape)
    size = site.variables("_size", 0.0, wide[:, np.newaxis], entries)
    site.assign(size, entries, lambda: np.abs(value.values() - nominal))
    site.rows("_size_up", size - value, entries, lower=-nominal)
    site.rows("_size_down", size + value, entries, lower=nominal)
    site.rows(
        "_total",
        size.total(1) - selectors * (wide * (1.0 if p == 1 else sqrt(many))),
        where,
        upper=0.0,
    )
    if p == 1:
        return
    if 2 < many <= PAIRED:
        first, second = np.triu_indices(many, 1)
        pairs = size[:, first] + size[:, second] - (selectors * (sqrt(2.0) * wide))[:, np.newaxis]
        site.rows(
            "_pair",
            pairs,
            np.broadcast_to(where[:, np.newaxis], (len(where), len(first))),
            upper=0.0,
        )
    if kept:
        relations, unit = [], unit_of(wide)
        for sample in np.flatnonzero(where).tolist():
            row, reach = Polynomial(), selectors[sample] * float(wide[sample] / unit[sample])
            for part in size[sample] * (1.0 / unit[sample]):
                row.add(1.0, part, part)
            row.add(-1.0, reach, reach)
            relations.append(row.at_most_zero())
        site.constrain("_ball", site.keys(where), relations)


def label_flip(
    site: Site,
    nominal: Array,
    selectors: AffineArray,
    possible: Array,
    own: bool,
    binaries: bool,
    where: Mask,
) -> AffineArray:
    """Class indicators (samples, classes) that may leave the nominal class where the selector is 1.

    Parameters
    ----------
    possible : array, shape (samples, classes)
        1 for every class that a selected sample may have.
    own : bool
        Whether flips have variables of their own; if not (one other class, nothing else moves), a
        selected sample *is* flipped.
    where : mask, shape (samples,)
    """
    gate = selectors[:, np.newaxis]
    if not own:
        return gate * np.where(where[:, np.newaxis], possible - nominal, 0.0) + nominal
    free = (
        where[:, np.newaxis]
        & ((possible > 0) | (nominal > 0))
        & ((possible != nominal).any(axis=1, keepdims=True))
    )
    label = site.variables("", 0.0, 1.0, free, binaries, otherwise=nominal)
    site.rows("_one", label.total(1), free.any(axis=1), lower=1.0, upper=1.0)
    site.rows("_stays", label + gate, free & (nominal > 0), lower=1.0)
    return label


def ghosts(site: Site, assigned: AffineArray, where: Mask) -> None:
    r"""Which ghost replaces which sample: :math:`a_{ij} \in \{0, 1\}`, at most one ghost a sample
    and one sample a ghost.

    Ghosts are alike, so they replace samples in ascending order, the first ones first (symmetry):
    :math:`\sum_{i' \le i} a_{i',j+1} \le \sum_{i' < i} a_{i'j}`.

    Parameters
    ----------
    assigned : AffineArray, shape (samples, ghosts)
    where : mask, shape (samples,)
    """
    many = assigned.shape[1]
    site.rows("_sample", assigned.total(1), where, upper=1.0)
    by_ghost = assigned.map(lambda array, extra: np.moveaxis(array, 1, 0))
    site.rows("_ghost", by_ghost.total(1), np.ones(many, dtype=bool), upper=1.0)
    places = np.flatnonzero(where)
    for j in range(many - 1):
        upto = np.tril(np.ones((len(places), len(places))))
        later, earlier = by_ghost[j + 1][places], by_ghost[j][places]
        body = (later.broadcast(upto.shape) * upto).total(1) - (
            earlier.broadcast(upto.shape) * (upto - np.eye(len(places)))
        ).total(1)
        site.rows(f"_order_{j}", body, np.ones(len(places), dtype=bool), upper=0.0)


def conditional_cuts(
    site: Site,
    suffix: str,
    value: AffineArray,
    clean: tuple[Array, Array],
    reach: "list[tuple[AffineArray, Array, Array]]",
    where: Mask,
) -> None:
    r"""Tie a quantity of a sample to its selectors.

    With the range :math:`[v_L, v_U]` of the sample as it stands, and selectors s each of which
    lowers it by at most f and raises it by at most r:

    .. math:: v_L - \sum s f \le v \le v_U + \sum s r.

    The range is moved outward: with no room left where :math:`s = 0`, SCIP called exponentials
    infeasible that a run satisfies (S9).

    Parameters
    ----------
    reach : list of (selectors, fall, rise)
        Each of the shape of `value`, or one that broadcasts to it.
    """
    fallen = rising = value
    moves_down = moves_up = np.zeros(value.shape, dtype=bool)
    for selectors, fall, rise in reach:
        rising, fallen = rising - selectors * rise, fallen + selectors * fall
        moves_up, moves_down = moves_up | (rise > 0.0), moves_down | (fall > 0.0)
    site.rows(f"{suffix}_stays_below", rising, where & moves_up, upper=clean[1], margin=True)
    site.rows(f"{suffix}_stays_above", fallen, where & moves_down, lower=clean[0], margin=True)
