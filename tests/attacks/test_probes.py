"""The few runs that every bound is compared with."""

from importlib import import_module

import numpy as np
import pytest

import agtopt
from agtopt.attacks import attained_states, probes
from agtopt.attacks.probes import MOST_RUNS
from tests.conftest import MODELS
from tests.instances import random_problem, torch_states


@pytest.mark.parametrize(
    "name", ["removal-hinge", "residual-momentum", "substitution-clip", "flips-cross-entropy"]
)
def test_states_are_those_of_plain_training(name):
    problem = agtopt.load(MODELS / name)
    runs = probes(problem)
    assert len(runs) == MOST_RUNS
    assert not runs[0].changed(problem.dataset).any()
    found = np.stack(list(attained_states(problem, runs)), axis=1)
    for k, data in enumerate(runs):
        assert problem.perturbation.admits(problem, data)
        np.testing.assert_allclose(found[k], torch_states(problem, data)[1:], rtol=1e-9, atol=1e-12)


def test_only_the_nominal_run_where_memory_or_choices_are_short(monkeypatch):
    problem = random_problem(0, 1, "hinge", "flips")
    monkeypatch.setattr(import_module("agtopt.attacks.probes"), "MOST_TRAINING", 1)
    assert len(probes(problem)) == 1
    monkeypatch.undo()
    assert len(probes(random_problem(0, 1, "hinge", "flips", vulnerable=[]))) == 1
