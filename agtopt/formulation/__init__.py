"""One encoding per function: arrays of affine expressions in, Pyomo variables and constraints out."""

from agtopt.formulation.affine import Affine, Site
from agtopt.formulation.indicator import gated_indicator
from agtopt.formulation.product import binary_product, kept_product, mccormick
from agtopt.formulation.relu import relu
from agtopt.formulation.selector import budget, conditional_cuts, label_flip, perturbed

__all__ = [
    "Affine",
    "Site",
    "binary_product",
    "budget",
    "conditional_cuts",
    "gated_indicator",
    "kept_product",
    "label_flip",
    "mccormick",
    "perturbed",
    "relu",
]
