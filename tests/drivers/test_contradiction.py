"""S9: what is known before any solve, and what a model says, beside a run: on both sides, and with
the room that its rigour has."""

import numpy as np
import pytest

import agtopt
from agtopt import SoundnessError
from agtopt.domains import KnownBounds
from agtopt.drivers import Settings, stage
from agtopt.drivers.contradiction import check_found, check_known
from agtopt.drivers.models import Models
from agtopt.drivers.objectives import Objective
from agtopt.drivers.task import Stage, Task
from agtopt.intervals.states import initial_domain
from agtopt.kinds import LP
from agtopt.solvers import PROVED, TOLERANCE, Status
from agtopt.symbolic.branches import BranchBounds
from agtopt.tolerances import AGREEMENT, RELATIVE_GAP, ROUNDING
from tests.instances import random_problem

PROBLEM = random_problem(4, 1, "hinge", "flips", samples=5, steps=2, n=1, vulnerable=range(5))


def task(known, attained, sense, rigour=PROVED, unit=1.0, address=None):
    asked = Stage(
        PROBLEM,
        Settings(LP, conditional=False),
        LP,
        0,
        PROBLEM.steps,
        initial_domain(PROBLEM),
        KnownBounds(),
        BranchBounds.nothing(),
        Models(),
    )
    objective = Objective("θ", np.array([0]), np.ones(1), address)
    return Task(asked, 0, objective, sense, known, attained, PROBLEM.dataset, unit, rigour=rigour)


@pytest.fixture(scope="module")
def model():
    model = agtopt.compile(PROBLEM, "LP", conditional=False)
    model.minimise(np.eye(PROBLEM.network.size)[0])
    return model


ROOMS = [(PROVED, 1.0, ROUNDING), (TOLERANCE, 1.0, AGREEMENT), (TOLERANCE, 2.0**20, AGREEMENT)]


@pytest.mark.parametrize("sense", [-1, 1])
@pytest.mark.parametrize(("rigour", "unit", "room"), ROOMS)
def test_what_is_known_before_any_solve(sense, rigour, unit, room):
    """A run beyond it is no run that attains it: nothing is solved, and it raises."""
    check_known(task(-sense * 0.5 * room * unit, 0.0, sense, rigour, unit))
    beyond = task(-sense * 2.0 * room * unit, 0.0, sense, rigour, unit)
    with pytest.raises(SoundnessError, match=r"S9: the bound .* on θ after step 2 excludes 0.0"):
        check_known(beyond)
    with pytest.raises(SoundnessError, match="S9: the bound"):
        stage.run_task(beyond)
    with pytest.raises(SoundnessError, match=r"on θ excludes"):
        check_known(task(-sense, 0.0, sense, address=(0, "forward.dense1")))


@pytest.mark.parametrize("sense", [-1, 1])
@pytest.mark.parametrize("known", [PROVED, TOLERANCE])
@pytest.mark.parametrize("found", [PROVED, TOLERANCE])
def test_what_a_model_says(model, sense, known, found):
    """It is proved if what it was made from is."""
    room = ROUNDING if (known, found) == (PROVED, PROVED) else AGREEMENT
    asked = task(sense * 10.0, 0.0, sense, known)
    check_found(asked, -sense * 0.5 * room, found, model)
    with pytest.raises(SoundnessError, match=r"S9: the LP bound .* the instance is saved in"):
        check_found(asked, -sense * 2.0 * room, found, model)


@pytest.mark.parametrize("sense", [-1, 1])
def test_a_bound_is_closed_where_a_run_attains_it_and_only_there(sense):
    """On either side: beyond it is a contradiction, which others find."""
    for unit in (1.0, 2.0**-20):
        asked = task(sense * 10.0, 0.0, sense, unit=unit)
        for side in (-1.0, 1.0):
            assert stage.closed(asked, side * 0.5 * RELATIVE_GAP * unit)
            assert not stage.closed(asked, side * 2.0 * RELATIVE_GAP * unit)


@pytest.mark.parametrize("sense", [-1, 1])
def test_a_solver_is_asked_once_and_only_where_it_may_gain_something(monkeypatch, sense):
    """A row says where its bound is from, and what it is worth."""
    solves, honest = [], stage.open_session

    def noted(*arguments):
        solves.append(arguments)
        return honest(*arguments)

    monkeypatch.setattr(stage, "open_session", noted)
    attained = float(
        (agtopt.attack(PROBLEM).domain.lower, agtopt.attack(PROBLEM).domain.upper)[sense > 0][0]
    )
    still = stage.run_task(task(attained, attained, sense, TOLERANCE))
    assert solves == []
    assert (still.status, still.bound, still.source) == (Status.ATTAINED, attained, "interval")
    asked = task(sense * 100.0, attained, sense)
    row = stage.run_task(asked)
    assert len(solves) == 1
    assert (row.status, row.source, row.rigour) == (Status.OPTIMAL, "LP", PROVED)
    assert sense * (row.bound - attained) >= 0.0
    assert sense * row.bound < 100.0
