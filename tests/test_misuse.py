"""Whatever a user does wrong, the answer is one line that says what was wrong and what is
allowed."""

import inspect
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import agtopt
from agtopt import AgtoptError, Bounded, Dataset, Network, Problem, Training
from agtopt.solvers import pyomo_session, registry
from tests.conftest import MODELS

X, Y = np.arange(8.0).reshape(4, 2) / 4, np.array([1.0, -1.0, 1.0, -1.0])
FLIP = Bounded(1, nu=1, q=0)


def problem(**changes):
    return replace(
        Problem(Network.dense([2, 1]), Dataset(X, Y), FLIP, Training("hinge", epochs=2)), **changes
    )


def reach():
    return agtopt.bound(problem(), "IBP")


def unbounded():
    return agtopt.load(MODELS / "substitution-unbounded")


MISUSES = {
    # Arrays: types and entries.
    "labels are words": (
        lambda: Dataset(X, ["a", "b", "a", "b"]),
        "dataset.labels: text is not allowed.*Columns",
    ),
    "numbers as text": (lambda: Dataset(X.astype(str), Y), "dataset.features: text is not allowed"),
    "text among objects": (lambda: Dataset([[1, "a"], [2, "b"]], [1, 2]), "text is not allowed"),
    "text in a frame": (
        lambda: Dataset(pd.DataFrame({"a": ["u"], "b": [1]}), [1]),
        "text is not allowed",
    ),
    "a missing entry": (
        lambda: Dataset(np.array([[1, None]], dtype=object), [1]),
        r"entry \[0, 1\] is nan; every entry must be finite",
    ),
    "NaN": (lambda: Dataset([[1, np.nan]], [1]), r"entry \[0, 1\] is nan"),
    "infinity": (lambda: Dataset([[1, np.inf]], [1]), r"entry \[0, 1\] is inf"),
    "complex numbers": (lambda: Dataset(X * 1j, Y), "complex128 is not allowed"),
    "dates": (
        lambda: Dataset(np.array([["2020-01-01"]], dtype="datetime64[D]"), [1]),
        r"datetime64\[D\] is not allowed",
    ),
    "ragged rows": (lambda: Dataset([[1, 2], [3]], [1, 2]), "not an array of numbers"),
    "a tensor with a gradient": (lambda: Dataset(torch.tensor(X, requires_grad=True), Y), "detach"),
    # Shapes.
    "features in one axis": (
        lambda: Dataset([1, 2], [1, 2]),
        r"shape \(2,\) is not allowed; it must be \(N, …\)",
    ),
    "labels of another length": (
        lambda: Dataset(X, [1, 2]),
        r"shape \(2,\) does not fit 4 samples",
    ),
    "another network": (
        lambda: problem(network=Network.dense([3, 1])),
        r"\(2,\) do not fit the network, which takes \(3,\)",
    ),
    "another label": (
        lambda: problem(dataset=Dataset(X, [0, 1, 0, 1])),
        "0 is not allowed; loss 'hinge' takes the labels -1, 1",
    ),
    "boolean labels": (lambda: problem(dataset=Dataset(X, Y > 0)), "takes the labels -1, 1"),
    "queries of another shape": (
        lambda: agtopt.certify(reach(), np.zeros((3, 5))),
        r"\(3, 5\) does not fit; it must be \(m, 2\)",
    ),
    "one query": (lambda: agtopt.certify(reach(), np.zeros(2)), r"must be \(m, 2\)"),
    "too few labels": (lambda: agtopt.certify(reach(), X, [1]), "does not fit 4 points"),
    # Things of another type.
    "arrays for a dataset": (
        lambda: problem(dataset=(X, Y)),
        "problem.dataset: tuple is not allowed; it must be a Dataset",
    ),
    "a module for a network": (
        lambda: problem(network=torch.nn.Linear(2, 1)),
        "problem.network: Linear is not allowed",
    ),
    "a path for a problem": (
        lambda: agtopt.bound("models/half-moons", "LP"),
        "problem: str is not allowed; it must be a Problem",
    ),
    "compile a path": (lambda: agtopt.compile("p", "LP"), "problem: str"),
    "attack a path": (lambda: agtopt.attack("p"), "problem: str"),
    "compare a path": (
        lambda: agtopt.compare("p"),
        "problems: str is not allowed; it must be a Problem",
    ),
    "export a path": (lambda: agtopt.export("p", "q"), "problem: str"),
    "save a path": (lambda: agtopt.save("p", "q"), "problem: str"),
    "certify a problem": (
        lambda: agtopt.certify(problem(), X),
        "reach: Problem is not allowed; it must be a Reach",
    ),
    "certify by a reach": (
        lambda: agtopt.certify(reach(), X, attack=reach()),
        "attack: Reach is not allowed",
    ),
    "verify a path": (
        lambda: agtopt.verify("certificate.json", problem()),
        "record: str is not allowed; it must be a Record",
    ),
    "load nothing": (
        lambda: agtopt.load(None),
        "folder: NoneType is not allowed; it must be a str or PathLike",
    ),
    "load a file": (
        lambda: agtopt.load(__file__),
        "a problem is a folder with problem.toml and arrays.npz",
    ),
    "workers for an executor": (
        lambda: agtopt.bound(problem(), "LP", executor=4),
        "executor: int is not allowed; it must be an Executor",
    ),
    "fix nothing": (lambda: agtopt.compile(problem(), "LP").fix(None), "dataset: NoneType"),
    "replay arrays": (
        lambda: agtopt.compile(problem(), "LP").replay_error((X, Y)),
        "dataset: tuple",
    ),
    "sizes as a number": (
        lambda: Network.dense(2),
        r"sizes: 2 is not allowed; it must be a list, as \[2, 8, 1\]",
    ),
    "a kind for kinds": (
        lambda: agtopt.export(problem(), "q", "LP"),
        r"kinds: 'LP' is not allowed; it must be a list",
    ),
    "a method for methods": (lambda: agtopt.compare(problem(), "LP"), "methods: 'LP'"),
    "a window for windows": (lambda: agtopt.compare(problem(), ["LP"], 3), "windows: 3"),
    # Names and numbers.
    "loss": (lambda: Training("mse"), "'mse' is unknown; allowed are squared, hinge"),
    "losses": (lambda: Training(["hinge"]), r"\['hinge'\] is unknown; allowed are"),
    "kind": (
        lambda: agtopt.bound(problem(), "MIP"),
        "'MIP' is unknown; allowed are IBP, CROWN, AFFINE, LP",
    ),
    "solver": (
        lambda: agtopt.bound(problem(), "LP", solver="cplex"),
        "'cplex' is unknown; allowed are highs, scip, gurobi",
    ),
    "a local solver": (
        lambda: agtopt.bound(problem(), "LP", solver="ipopt"),
        "finds points but proves no bounds; use one of highs",
    ),
    "a linear solver": (
        lambda: agtopt.bound(agtopt.load(MODELS / "tiny-mlp"), "QCP", solver="highs"),
        "use scip or gurobi, or the kind MILP or LP",
    ),
    "eps as text": (
        lambda: Bounded(1, eps="0.1"),
        "perturbation.eps: '0.1' is not allowed; it must be a finite number",
    ),
    "half a sample": (lambda: Bounded(1.5, eps=0.1), "perturbation.n: 1.5 is not allowed"),
    "more than all": (
        lambda: problem(perturbation=Bounded(9, nu=1, q=0)),
        "9 is more than the 4 samples",
    ),
    "intervals for classes": (
        lambda: problem(perturbation=Bounded(1, nu=1)),
        r"it needs q=0 \(flips\)",
    ),
    "no time": (
        lambda: agtopt.bound(problem(), "LP", time_limit=0),
        "time_limit: 0 is not allowed",
    ),
    # No bounds.
    "an infinite box": (lambda: agtopt.bound(unbounded(), "LP"), "give a finite box, or use IBP"),
    "an infinite box, compiled": (
        lambda: agtopt.compile(unbounded(), "MILP"),
        "give a finite box, or use IBP",
    ),
    "a run that diverges": (
        lambda: agtopt.bound(
            problem(
                perturbation=agtopt.Removal(1),
                training=Training("squared", epochs=400, learning_rate=1e3),
            ),
            "LP",
        ),
        "diverges to infinity; lower learning_rate or epochs",
    ),
}


@pytest.mark.parametrize("name", MISUSES)
def test_a_misuse_is_answered_in_one_line(name):
    misuse, words = MISUSES[name]
    with pytest.raises(AgtoptError, match=words) as caught:
        misuse()
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 320


def taking(first):
    """The public functions whose first argument is called so."""
    functions = [
        (name, getattr(agtopt, name))
        for name in agtopt.__all__
        if inspect.isfunction(getattr(agtopt, name))
    ]
    return [
        name
        for name, function in functions
        if next(iter(inspect.signature(function).parameters), None) == first
    ]


def test_the_public_functions_are_found():
    assert {"bound", "compile", "export", "bound_parts"} <= set(taking("problem"))
    assert {"certify", "certify_end_to_end", "serve"} <= set(taking("reach"))


@pytest.mark.parametrize(
    ("name", "first"),
    [(name, first) for first in ("problem", "reach", "ladder", "record") for name in taking(first)],
)
def test_every_public_function_refuses_a_path_for_a_noun(name, first):
    function = getattr(agtopt, name)
    fitting = {
        "X": X,
        "y": Y,
        "method": "LP",
        "direction": np.ones(3),
        "point": X[0],
        "target": None,
        "name": "dense1_bias[0]",
    }
    needed = [
        each
        for each in inspect.signature(function).parameters.values()
        if each.default is inspect.Parameter.empty
    ]
    with pytest.raises(
        agtopt.InvalidInputError, match=f"^{first}: str is not allowed; it must be an? [A-Z][a-z]+$"
    ):
        function("models/half-moons", *(fitting.get(each.name, "elsewhere") for each in needed[1:]))


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "uint8", object])
def test_other_numbers_are_taken(dtype):
    data = Dataset(np.array([[0, 1], [1, 1]]).astype(dtype), np.array([1, -1], dtype="int8"))
    assert data.features.dtype == data.labels.dtype == np.float64
    assert Dataset(pd.DataFrame(X), pd.Series(Y)).features.shape == (4, 2)


@pytest.mark.parametrize(
    ("name", "package"), [("highs", "highspy"), ("scip", "pyscipopt"), ("gurobi", "gurobipy")]
)
def test_a_missing_solver_says_what_to_install(name, package, monkeypatch):
    real = registry.find_spec
    monkeypatch.setattr(
        registry, "find_spec", lambda wanted: None if wanted == package else real(wanted)
    )
    with pytest.raises(
        agtopt.SolverUnavailableError,
        match=f"'{name}' is not installed; pip install {package}, or use one of",
    ) as caught:
        agtopt.bound(problem(), "MILP", solver=name, conditional=False)
    assert name not in str(caught.value).partition("use one of")[2]


def test_a_licence_that_is_too_small_names_other_solvers(monkeypatch):
    class Limited:
        config = ()

        def solve(self, model, **options):
            raise RuntimeError(
                "Model too large for size-limited license; visit https://gurobi.com/unrestricted "
                "for more information"
            )

    monkeypatch.setattr(pyomo_session, "SolverFactory", lambda name: Limited())
    with pytest.raises(
        agtopt.SolverUnavailableError,
        match="too large for this licence of 'gurobi'; use scip or highs",
    ):
        agtopt.bound(problem(), "MILP", solver="gurobi", conditional=False)


def test_a_time_limit_is_no_error_and_is_told():
    tiny = agtopt.load(MODELS / "tiny-mlp")
    found = agtopt.bound(tiny, "MIQCP", time_limit=0.01, conditional=False, tighten=False)
    assert found.stopped > 0
    assert found.stopped == (found.table()["status"] == "time limit").sum()
    assert found.domain.contains(agtopt.attack(tiny).theta, 1e-9)
    assert f"{found.stopped} of {len(found.rows)} bounds at their time limit" in agtopt.html(found)
