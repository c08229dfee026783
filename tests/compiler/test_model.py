"""A compiled model and the dataset that its variables stand for."""

import numpy as np
import pyomo.environ as pyo
import pytest

import agtopt
from agtopt import Bounded, Dataset, Network, Problem, Substitution, Training

OFF = 1e-7
"""By what a solver's point may leave the bounds of its variables."""


@pytest.mark.parametrize(
    "adversary",
    [
        Bounded(n=1, nu=0.1, q=np.inf),
        Bounded(n=1, eps=0.1, nu=0.1, q=np.inf),
        Substitution(1, features=(-1.0, 1.0), labels=(-0.7, 0.9)),
    ],
    ids=["labels", "both", "replaced"],
)
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_point_of_a_solver_stands_for_an_admissible_dataset(adversary, side):
    """Its features and labels leave their boxes by the tolerance of the solver."""
    rng = np.random.default_rng(3)
    problem = Problem(
        network=Network.dense([2, 1]),
        dataset=Dataset(rng.normal(size=(3, 2)), rng.normal(size=3)),
        perturbation=adversary,
        training=Training("squared", batch_size=3, learning_rate=0.1),
    )
    model = agtopt.compile(problem, "MILP")
    for dataset in adversary.sample(problem, 4, rng):
        model.assign(dataset)
        for variable in model.pyomo.component_data_objects(pyo.Var):
            if not variable.is_integer():
                beyond = variable.ub if side > 0 else variable.lb
                variable.set_value(beyond + side * OFF, skip_validation=True)
        found = model.dataset
        assert problem.perturbation.admits(problem, found)
        assert found.changed(problem.dataset).sum() == 1
