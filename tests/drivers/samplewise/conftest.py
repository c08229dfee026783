"""The problem that most tests of the decomposition are about."""

import pytest

from tests.instances import random_problem


@pytest.fixture
def problem():
    """Intervals are loose here, and every kind is tighter than the next."""
    return random_problem(
        12, 2, "squared", "both", samples=4, steps=2, n=1, eps=0.2, vulnerable=range(4)
    )
