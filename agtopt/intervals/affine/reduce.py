"""Fewer columns of errors."""

from dataclasses import replace

import numpy as np

from agtopt.domains import Affine
from agtopt.tolerances import DOUBLE


def reduced(domain: Affine, most: int) -> Affine:
    """The same domain, or where it has more than `most` columns of errors one that holds it with
    half as many.

    The smaller ones become a box, which is exact along every axis (Girard, 2005). A box in
    principal axes was twice as wide after twelve steps: it turns what lies along the axes.
    """
    errors = domain.errors[np.abs(domain.errors).any(axis=1)]
    if len(errors) <= most:
        return replace(domain, errors=errors)
    order = np.argsort(-np.abs(errors).sum(axis=1))
    large, small = errors[order[: most // 2]], errors[order[most // 2 :]]
    share = DOUBLE.accumulated(len(small) + 8)
    radius = domain.radius + np.abs(small).sum(axis=0) * (1.0 + share)
    return replace(domain, errors=large, radius=radius)
