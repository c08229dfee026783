"""Fixtures that several rooms share."""

from pathlib import Path

import pytest

import agtopt
from tests.instances import random_problem

MODELS = Path(__file__).parent.parent / "models"


@pytest.fixture(scope="session")
def half_moons():
    return agtopt.load(MODELS / "half-moons")


@pytest.fixture(scope="session")
def tiny_mlp():
    return agtopt.load(MODELS / "tiny-mlp")


@pytest.fixture(scope="session")
def half_moons_reach(half_moons):
    """The MILP domain of half-moons, solved once for the whole suite."""
    return agtopt.bound(half_moons, agtopt.MILP)


@pytest.fixture(scope="session")
def half_moons_hull(half_moons):
    return agtopt.attack(half_moons)


@pytest.fixture
def flips():
    """One layer, hinge, one label flip: the smallest problem with an exact MILP."""
    return random_problem(2, 1, "hinge", "flips", samples=5, steps=2, n=1, vulnerable=[0, 1, 2, 3, 4])
