"""S4, S9: what a driver does with a solver that is wrong, silent or interrupted."""

import json
import re
from pathlib import Path

import numpy as np
import pyomo.environ as pyo
import pytest

import agtopt
from agtopt import InfeasibleError, SoundnessError
from agtopt.drivers import stage
from agtopt.solvers import PROVED, TOLERANCE, SolveResult, Status, open_session
from tests.instances import corrupted, random_problem, torch_sgd
from tests.matrix import Cell, cell_problem


def lie(monkeypatch, answer):
    """Let `answer(true result, number of the solve)` speak for every solver."""
    solves = []

    class Liar:
        def __init__(self, solver, model):
            self.honest = open_session(solver, model)

        def solve(self, *args, **kwargs):
            solves.append(len(solves))
            return answer(self.honest.solve(*args, **kwargs), len(solves))

    monkeypatch.setattr(stage, "open_session", Liar)
    return solves


def result(bound, status=Status.OPTIMAL, incumbent=None):
    return SolveResult(Status(status), bound, incumbent, TOLERANCE, 0.0)


@pytest.fixture
def problem():
    """Intervals are too loose to be closed by an attack, so the solver is asked; the attack is the
    whole hull."""
    return random_problem(4, 1, "hinge", "flips", samples=8, steps=3, n=2, vulnerable=range(8))


def saved_instance(message, ending=".mps", words="ROWS"):
    path = Path(re.search(r"saved in (\S+)", message).group(1))
    assert path.suffix == ending
    assert words in path.read_text()
    assert json.loads((path.parent / "options.json").read_text())["objective"].startswith("dense1")


@pytest.mark.parametrize("shift", [1e-3, 0.5, np.inf])
@pytest.mark.parametrize("kind", ["LP", "MILP"])
def test_a_bound_that_excludes_an_attained_run_raises_and_saves_the_instance(
    monkeypatch, problem, kind, shift
):
    solves = lie(
        monkeypatch, lambda r, k: result((r.incumbent if kind == "MILP" else 10.0) + shift)
    )
    with pytest.raises(SoundnessError, match="S9") as caught:
        agtopt.bound(problem, kind, conditional=False)
    assert solves
    saved_instance(str(caught.value))


def test_an_instance_with_exponentials_is_saved_too(monkeypatch):
    """MPS holds none; the error is still the one of the contradiction."""
    curved = cell_problem(
        Cell("both", "binary-cross-entropy", "plain", "linear", 1, True), samples=3
    )
    lie(monkeypatch, lambda r, k: result(10.0))
    with pytest.raises(SoundnessError, match="S9") as caught:
        agtopt.bound(curved, "MINLP", conditional=False, tighten=False)
    saved_instance(str(caught.value), ".nl", "o44")  # AMPL's code of an exponential


@pytest.mark.parametrize("status", ["optimal", "time limit"])
@pytest.mark.parametrize("bound", [None, -np.inf, np.nan])
@pytest.mark.parametrize("kind", ["LP", "MILP"])
def test_no_bound_falls_back_to_the_interval(monkeypatch, problem, kind, bound, status):
    """S4: and says so in the row."""
    solves = lie(monkeypatch, lambda r, k: result(bound, status, r.incumbent))
    reach = agtopt.bound(problem, kind, conditional=False)
    assert solves
    ibp = agtopt.bound(problem, "IBP").domain
    np.testing.assert_allclose(reach.domain.lower, ibp.lower, rtol=1e-9)
    np.testing.assert_allclose(reach.domain.upper, ibp.upper, rtol=1e-9)
    assert {row.source for row in reach.rows} == {"interval"}


def test_the_incumbent_is_never_a_bound(monkeypatch, problem):
    """S4, trap 4: an incumbent far inside changes nothing."""
    honest = agtopt.bound(problem, "MILP").domain
    lie(monkeypatch, lambda r, k: SolveResult(r.status, r.bound, 0.0, r.rigour, r.seconds))
    found = agtopt.bound(problem, "MILP").domain
    np.testing.assert_array_equal(found.lower, honest.lower)
    np.testing.assert_array_equal(found.upper, honest.upper)


def test_a_looser_bound_than_the_interval_is_not_taken(monkeypatch, problem):
    """S6."""
    lie(monkeypatch, lambda r, k: result(-1e6))
    ibp = agtopt.bound(problem, "IBP").domain
    found = agtopt.bound(problem, "LP", conditional=False).domain
    assert np.all(found.lower >= ibp.lower - 1e-9)
    assert np.all(found.upper <= ibp.upper + 1e-9)


@pytest.mark.parametrize("kind", ["LP", "MILP"])
def test_a_solver_that_calls_a_model_infeasible_costs_its_bound_only(monkeypatch, problem, kind):
    """S4: the nominal run is a feasible point, so that the interval holds, and the row says so."""
    lie(monkeypatch, lambda r, k: result(None, Status.INFEASIBLE))
    reach, ibp = agtopt.bound(problem, kind, conditional=False), agtopt.bound(problem, "IBP").domain
    np.testing.assert_allclose(reach.domain.lower, ibp.lower, rtol=1e-9)
    np.testing.assert_allclose(reach.domain.upper, ibp.upper, rtol=1e-9)
    asked = [row for row in reach.rows if row.status != Status.ATTAINED]
    assert asked
    assert {(row.status, row.source, row.rigour) for row in asked} == {
        (Status.CALLED_INFEASIBLE, "interval", PROVED)
    }


@pytest.mark.parametrize("kind", ["LP", "MILP"])
def test_a_model_without_the_nominal_run_raises(monkeypatch, problem, kind):
    """S4: the model is to blame, whatever a solver says of it."""
    honest = stage.compile

    def wrong(*arguments):
        model = honest(*arguments)
        variable = next(iter(model.pyomo.parameter[model.stop].component_data_objects(pyo.Var)))
        model.pyomo.never = pyo.Constraint(expr=variable >= variable.ub + 1.0)
        return model

    monkeypatch.setattr(stage, "compile", wrong)
    with pytest.raises(InfeasibleError, match="does not hold an admissible training run") as caught:
        agtopt.bound(problem, kind, conditional=False)
    assert isinstance(caught.value, ArithmeticError)
    saved_instance(str(caught.value))


@pytest.mark.parametrize("after", [1, 3, 6])
def test_interrupted_domains_hold_every_run(monkeypatch, problem, after):
    """S1: Ctrl-C returns what is certified so far."""

    def answer(honest, k):
        if k == after:
            raise KeyboardInterrupt
        return honest

    lie(monkeypatch, answer)
    reach = agtopt.bound(problem, "LP", conditional=False)
    assert reach.interrupted
    assert len(reach.steps) == problem.steps + 1
    for dataset in corrupted(problem, 20):
        for box, theta in zip(reach.steps, torch_sgd(problem, dataset), strict=True):
            assert box.contains(theta, 1e-7)
    full = agtopt.bound(problem, "IBP").domain
    assert np.all(reach.domain.lower >= full.lower - 1e-9)
