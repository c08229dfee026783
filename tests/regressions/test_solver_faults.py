"""Instances on which a solver was once wrong (S9)."""

from pathlib import Path

import numpy as np
import pytest

import agtopt

HERE = Path(__file__).parent


@pytest.mark.slow
def test_scip_keeps_a_run_on_the_edge_of_conditional_cuts():
    """Cuts without any room where a selector is 0 made SCIP 10 call −0.39752 optimal, where training attains −0.39148."""
    problem = agtopt.load(HERE / "separate-bce-six-samples")
    reach = agtopt.bound(problem, "MIQCP", time_limit=1.0)
    inner = agtopt.attack(problem)
    for t, box in enumerate(reach.steps):
        assert box.contains(np.stack([inner.lower[t], inner.upper[t]]), 1e-7)
