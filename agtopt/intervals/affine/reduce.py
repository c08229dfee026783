"""Fewer columns of errors: a box in principal axes that holds them all."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from agtopt.domains import Affine
from agtopt.tolerances import DOUBLE

Array = NDArray[np.float64]


def reduced(domain: Affine, most: int) -> Affine:
    """The same domain, or where it has more than `most` columns of errors one that holds it with as
    many as there are entries.

    For any axes U, E e = U y + (E − U Y) e with Y = Uᵀ E, so that the sums of |Y| are the lengths
    of the new columns, and what U fails to be orthogonal by goes into the radius.
    """
    errors = domain.errors
    kept = errors[np.abs(errors).any(axis=1)]
    if len(kept) <= most:
        return replace(domain, errors=kept)
    size = kept.shape[1]
    unit = np.abs(kept).max()
    _, axes = np.linalg.eigh((kept / unit).T @ (kept / unit))
    share = DOUBLE.accumulated(size + len(kept) + 16)
    lengths = np.abs(kept @ axes).sum(axis=0)
    norms = np.linalg.norm(kept, axis=1)
    # Rounding of Y, along each axis, is at most this share of the norms.
    total = norms.sum() * (1.0 + share)
    lengths = lengths * (1.0 + share) + share * total * (1.0 + np.linalg.norm(axes, axis=0))
    defect = np.linalg.norm(np.eye(size) - axes @ axes.T) + share * size
    columns = axes.T * lengths[:, np.newaxis]
    radius = domain.radius + defect * total * (1.0 + share) + share * np.abs(columns).sum(axis=0)
    return replace(domain, errors=columns, radius=radius)
