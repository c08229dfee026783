"""Fixtures that several rooms share."""

import os
from pathlib import Path

import pytest

import agtopt
from agtopt.training.concrete import use_one_thread
from tests.instances import random_problem

MODELS = Path(__file__).parent.parent / "models"


def pytest_configure():
    """Workers side by side, and the processes that they start, would wait for each other's threads:
    ten times as long."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    use_one_thread()


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
    return random_problem(
        2, 1, "hinge", "flips", samples=5, steps=2, n=1, vulnerable=[0, 1, 2, 3, 4]
    )
