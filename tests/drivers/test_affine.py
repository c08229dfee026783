"""S9: affine forms that are too small are not accepted, although their boxes hold every run."""

from dataclasses import replace

import numpy as np
import pytest

import agtopt
from agtopt import Bounded, Dataset, Dense, Network, Problem, SoundnessError, Training
from agtopt.drivers import affine
from tests.instances import random_problem


def without_form(domain):
    """The nominal run alone, in an honest box."""
    nothing = np.zeros(len(domain))
    return replace(
        domain, offset=nothing, touched=(), errors=np.zeros((0, len(domain))), radius=nothing
    )


def with_lies(monkeypatch, step):
    honest = affine.affine_steps

    def lying(problem, *args, **options):
        for t, domain in enumerate(honest(problem, *args, **options), start=1):
            yield without_form(domain) if t == step else domain

    monkeypatch.setattr(affine, "affine_steps", lying)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_form_that_leaves_out_runs_at_one_step(monkeypatch, step):
    problem = random_problem(4, 1, "hinge", "flips", samples=5, steps=3, n=1, vulnerable=range(5))
    with_lies(monkeypatch, step)
    with pytest.raises(SoundnessError, match=f"S9: the affine domain after step {step}"):
        agtopt.bound(problem, "AFFINE")


def test_a_form_at_one_side_of_a_kink(monkeypatch):
    """Nobody may touch the sample at the hinge's kink: the nominal run alone stands there."""
    problem = Problem(
        Network.chain([Dense(1, 1, False)], (1,), [np.array([[1.0]])]),
        Dataset([[1.0], [2.0]], [1.0, 1.0]),
        Bounded(n=1, nu=1, q=0, vulnerable=[1]),
        Training("hinge", batches=[[0]], learning_rate=0.5),
    )
    assert agtopt.bound(problem, "AFFINE").domain.width() > 0.4
    with_lies(monkeypatch, 1)
    with pytest.raises(SoundnessError, match="S9: the affine domain after step 1"):
        agtopt.bound(problem, "AFFINE")
