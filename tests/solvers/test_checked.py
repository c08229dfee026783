"""Two solvers of which neither is believed alone."""

import numpy as np
import pyomo.environ as pyo
import pytest

from agtopt import LP, MILP
from agtopt.compiler import compile
from agtopt.solvers import SOLVERS, TOLERANCE, SolveResult, Status, open_session
from agtopt.solvers.checked import CheckedSession
from agtopt.solvers.highs import HighsSession


class Saying:
    """A session that gives one answer."""

    def __init__(self, status=Status.OPTIMAL, bound=None, incumbent=None, seconds=1.0):
        self.result = SolveResult(status, bound, incumbent, TOLERANCE, seconds)
        self.loaded = False

    def solve(self, time_limit=None, start=False):
        return self.result

    def load(self):
        self.loaded = True
        return True


def checked(first, second):
    model = pyo.ConcreteModel()
    model.x = pyo.Var(bounds=(-1, 1))
    model.objective = pyo.Objective(expr=1.0 * model.x)
    return CheckedSession(model, {"highs": first, "scip": second})


@pytest.mark.parametrize("turned", [False, True])
def test_the_weaker_bound_holds_and_a_refuted_one_is_named(turned):
    wrong, right = Saying(bound=0.5, incumbent=0.5), Saying(bound=-0.7, incumbent=-0.7)
    session = checked(*((right, wrong) if turned else (wrong, right)))
    with pytest.warns(UserWarning, match="gave the bound 0.5, and .* found -0.7"):
        found = session.solve()
    assert (found.bound, found.incumbent, found.seconds) == (-0.7, -0.7, 2.0)
    assert session.load()
    assert (right.loaded, wrong.loaded) == (True, False)


@pytest.mark.parametrize(
    ("first", "second", "status", "bound"),
    [
        (Saying(bound=0.5), Saying(Status.TIME_LIMIT, -1.0), Status.TIME_LIMIT, -1.0),
        (Saying(Status.TIME_LIMIT, -1.0), Saying(bound=-0.9), Status.TIME_LIMIT, -1.0),
        (Saying(bound=0.5), Saying(Status.LOST), Status.LOST, None),
        (Saying(Status.INFEASIBLE), Saying(bound=0.5), Status.OPTIMAL, 0.5),
        (Saying(bound=0.5), Saying(Status.INFEASIBLE), Status.OPTIMAL, 0.5),
        (Saying(Status.INFEASIBLE), Saying(Status.INFEASIBLE), Status.INFEASIBLE, None),
        (Saying(bound=0.5), Saying(Status.UNBOUNDED), Status.UNBOUNDED, None),
    ],
)
def test_no_bound_is_the_weakest_and_an_empty_model_the_strongest(first, second, status, bound):
    found = checked(first, second).solve()
    assert (found.status, found.bound) == (status, bound)


def test_highs_by_name_is_checked_where_there_are_binaries_only(flips):
    for kind, session in ((MILP, CheckedSession), (LP, HighsSession)):
        model = compile(flips, kind)
        model.minimise(np.eye(flips.network.size)[0])
        assert isinstance(open_session(SOLVERS["highs"], model.pyomo), session)
