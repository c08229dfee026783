"""The case studies of Sosnin et al. (2025) and of FullCert (Lorenz et al., 2024): problems made of
loaded data, and their curves.

Each function takes data as the readers return them, from the published files or from stand-ins of
the same format.
"""

from agtopt.cases.curves import histories, sweep
from agtopt.cases.fine_tuning import (
    mixed_batches,
    pretrained,
    retina_problem,
    steering_problem,
    without_drusen,
)
from agtopt.cases.fullcert import (
    MOONS_SEEDS,
    Moons,
    moons_problem,
    one_seven_problem,
    stopping_step,
)
from agtopt.cases.tabular import digits_problem, household_problem, reviews_problem
from agtopt.cases.voting import flip_baselines

__all__ = [
    "MOONS_SEEDS",
    "Moons",
    "digits_problem",
    "flip_baselines",
    "histories",
    "household_problem",
    "mixed_batches",
    "moons_problem",
    "one_seven_problem",
    "pretrained",
    "retina_problem",
    "reviews_problem",
    "steering_problem",
    "stopping_step",
    "sweep",
    "without_drusen",
]
