"""How a solve ended is one of a closed set of words, and an unbounded objective is never called
infeasible."""

import highspy
import pyomo.environ as pyo
import pytest
from pyomo.contrib.solver.common.results import TerminationCondition
from pyscipopt.scip import PY_SCIP_STATUS

import agtopt
from agtopt.solvers import Status, highs, pyomo_session, scip
from agtopt.solvers.status import translated
from tests.conftest import MODELS


@pytest.fixture(scope="module")
def regression():
    return agtopt.load(MODELS / "labels-squared")


@pytest.mark.parametrize("solver", ["highs", "scip", "gurobi", "proof", "scip_direct"])
@pytest.mark.parametrize("kind", ["LP", "MILP"])
def test_an_objective_without_bounds_is_unbounded(regression, kind, solver):
    """A compiled model and a free variable is never infeasible, and a row that no run satisfies
    is."""
    for sense in (pyo.minimize, pyo.maximize):
        model = agtopt.compile(regression, kind)
        model.pyomo.free = pyo.Var()
        model.pyomo.mine = pyo.Objective(expr=model.pyomo.free + 1.0, sense=sense)
        found = model.bound(solver)
        assert (found.status, found.bound) == (Status.UNBOUNDED, None)
    model.pyomo.never = pyo.Constraint(
        expr=next(iter(model.pyomo.parameter[model.stop].component_data_objects(pyo.Var))) >= 1e6
    )
    found = model.bound(solver)
    assert (found.status, found.bound, found.incumbent) == (Status.INFEASIBLE, None, None)


def test_every_word_of_every_solver_is_known():
    assert {
        end
        for name, end in vars(highspy.HighsModelStatus).items()
        if isinstance(end, highspy.HighsModelStatus)
    } == set(highs.STATUS)
    assert set(TerminationCondition) == set(pyomo_session.STATUS)
    assert {name.lower() for name in vars(PY_SCIP_STATUS) if not name.startswith("_")} == set(
        scip.STATUS
    )


def test_a_word_that_is_not_known_is_failed_and_named():
    with pytest.warns(UserWarning, match="'mine' ended with out of paper, which is not known"):
        assert translated({"fine": Status.OPTIMAL}, "out of paper", "mine") == Status.FAILED


def test_highs_believes_in_infeasible_only_without_presolve(regression, monkeypatch):
    """Presolve called models infeasible that a run satisfies to the last bit."""
    model = agtopt.compile(regression, "LP")
    model.minimise([1.0] + [0.0] * (regression.network.size - 1))
    session, asked, ended = highs.HighsSession(model.pyomo), [], highs.HighsSession._ended

    def once_wrong(self):
        asked.append(self.highs.getOptionValue("presolve")[1])
        return Status.INFEASIBLE if len(asked) == 1 else ended(self)

    monkeypatch.setattr(highs.HighsSession, "_ended", once_wrong)
    assert session.solve().status == Status.OPTIMAL
    assert asked == ["choose", "off"]
    assert session.highs.getOptionValue("presolve")[1] == "choose"
