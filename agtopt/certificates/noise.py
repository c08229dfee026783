r"""Noise for private releases.

Floating-point noise is not the noise that proofs speak of: the low bits of a sum can tell what was
added (Mironov, 2012). Against that, uniform numbers carry 53 significant bits at every magnitude,
noise is rounded to multiples of `GRID` and what is released is clamped to ±`RANGE`; both are
post-processing that does not depend on the data. The probability of each value that can be released
then differs from its ideal by a relative error of about :math:`2^{-52} \max(s / \mathtt{GRID},
\mathtt{RANGE} / \mathtt{GRID})` for noise of scale s: below 10⁻⁸ for ε of at least 10⁻³. This is an
estimate, not a verified proof, and running times are not hidden.
"""

from collections.abc import Callable
from importlib import import_module
from math import copysign, ldexp, log, pi, tan
from random import Random, SystemRandom
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import UnsupportedError

Array = NDArray[np.float64]

GRID = 2.0**-10
"""What is released is a multiple of this; it does not depend on the data."""

RANGE = 2.0**10
"""What is released is clamped to ± this; only which side of 1/2 it lies on decides a class."""

BITS = 1000
"""Random bits per uniform number: the smallest, 2⁻¹⁰⁰⁰, is still a normal float."""


def cryptographic() -> Random:
    """The operating system's cryptographic generator."""
    return SystemRandom()


def uniform(source: Random) -> float:
    """A number of (0, 1] with 53 significant bits, however small it is."""
    return ldexp(float(source.getrandbits(BITS) + 1), -BITS)


def cauchy(source: Random) -> float:
    """Standard Cauchy noise, with density 1 / (π (1 + z²)), by inversion: no well-kept library of
    private mechanisms draws it."""
    # The tails come from small uniform numbers, which are precise; those near 1 are not, and make
    # noise near 0.
    return _sign(source) / tan(0.5 * pi * uniform(source))


def laplace(source: Random) -> float:
    """Laplace noise of scale 1, with density exp(−|z|) / 2, by inversion."""
    return -_sign(source) * log(uniform(source))


def released(answers: Array, noise: Array) -> Array:
    """Answers, which are multiples of `GRID`, with noise: rounded to the grid and clamped."""
    with np.errstate(over="ignore"):
        return np.clip(answers + GRID * np.round(noise / GRID), -RANGE, RANGE)


def opendp_laplace(scale: float) -> Callable[[Array], Array]:
    """What adds Laplace noise from OpenDP to answers; OpenDP draws it without floating point and
    cryptographically.

    Raises
    ------
    UnsupportedError
        If OpenDP is not installed.
    """
    try:
        dp: Any = import_module("opendp.prelude")
    except ImportError:
        raise UnsupportedError(
            "privacy: Laplace noise comes from OpenDP: pip install 'agtopt[privacy]', or pass a "
            "`source`"
        ) from None
    # OpenDP keeps its floating-point mechanisms behind this switch until they are vetted.
    dp.enable_features("contrib")
    space = dp.atom_domain(T=float, nan=False), dp.absolute_distance(T=float)
    mechanism = dp.m.make_laplace(*space, scale=scale)
    return lambda answers: np.array(
        [mechanism(answer) for answer in answers.tolist()], dtype=np.float64
    )


def _sign(source: Random) -> float:
    return copysign(1.0, source.getrandbits(1) - 0.5)
