"""One encoding per function: arrays of affine expressions in, Pyomo variables and constraints
out."""

from agtopt.formulation.affine import AffineArray
from agtopt.formulation.clip import clip
from agtopt.formulation.curve import (
    EXPONENTIAL,
    SIGMOID,
    SOFTPLUS,
    Curve,
    curve_corridor,
    curve_itself,
)
from agtopt.formulation.indicator import gated_indicator
from agtopt.formulation.product import binary_product, kept_product, mccormick
from agtopt.formulation.relu import relu
from agtopt.formulation.selector import (
    ball,
    budget,
    conditional_cuts,
    ghosts,
    label_flip,
    perturbed,
)
from agtopt.formulation.site import Site

__all__ = [
    "EXPONENTIAL",
    "SIGMOID",
    "SOFTPLUS",
    "AffineArray",
    "Curve",
    "Site",
    "ball",
    "binary_product",
    "budget",
    "clip",
    "conditional_cuts",
    "curve_corridor",
    "curve_itself",
    "gated_indicator",
    "ghosts",
    "kept_product",
    "label_flip",
    "mccormick",
    "perturbed",
    "relu",
]
