"""Whatever is given for an argument, only errors of agtopt's own come out: every public function,
constructor and method, argument by argument, as their signatures name them."""

import inspect
import warnings
from functools import cache
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch

import agtopt
from agtopt import AgtoptError, Bounded, Dataset, Network, Problem, Training
from agtopt.readers.columns import Columns

X, Y = np.array([[1.0], [-1.0], [2.0], [-2.0]]), np.array([1.0, -1.0, 1.0, -1.0])
WRONG = {
    "None": None,
    "a number": 3,
    "a negative number": -1,
    "a fraction": 1.5,
    "a large number": 10**30,
    "NaN": float("nan"),
    "truth": True,
    "a text": "x",
    "bytes": b"x",
    "an object": object(),
    "a list": [1],
    "a list of lists": [[1]],
    "a ragged list": [[1], [2, 3]],
    "a list of objects": [object()],
    "a mapping": {"x": 1},
    "an array": np.array([1.0, 2.0]),
    "an array without axes": np.array("s"),
    "a tensor without axes": torch.tensor(1.0),
    "a complex number": 1j,
    "a type": int,
}


@cache
def made():
    """What fits, by the name of the argument."""
    problem = Problem(
        Network.dense([1, 1]), Dataset(X, Y), agtopt.Removal(1), Training("hinge", batch_size=2)
    )
    reach, attack = agtopt.bound(problem, "IBP"), agtopt.attack(problem)
    found = agtopt.certify(reach, X, attack=attack)
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["u", "v", "u"]})
    columns = Columns.of(frame, "b")
    ladder = agtopt.ladder(problem, [1])
    return {
        **{"problem": problem, "problems": problem, "reach": reach, "attack": attack, "X": X},
        **{"y": Y, "method": "LP", "methods": ["IBP"], "kind": "LP", "kinds": ["LP"]},
        **{"direction": np.ones(2), "point": X[0], "target": 0, "name": "dense1_bias[0]"},
        **{"found": found, "record": agtopt.Record.of(reach, found), "ladder": ladder},
        **{"workers": 1, "epsilon": 1.0, "n": 1, "budgets": [1], "account": agtopt.Account(1e9)},
        **{"noun": reach, "settings": agtopt.Settings("LP"), "frame": frame, "label": "b"},
        **{"lower": [0.0], "upper": [1.0], "directions": [[1.0, 1.0]], "p": 2, "pairs": [(0, 1)]},
        **{"count": 1, "theta": np.eye(2), "total": 1.0, "columns": columns, "loss": "hinge"},
        **{"features": X, "labels": Y, "inputs": 1, "outputs": 1, "in_channels": 1},
        **{"out_channels": 1, "kernel_size": 1, "sizes": [1, 1], "layers": [agtopt.ReLU()]},
        **{"input_shape": (1,), "initial": [], "module": torch.nn.Linear(1, 1), "source": b""},
        **{"graph": nx.DiGraph(), "network": problem.network, "dataset": problem.dataset},
        **{
            "perturbation": Bounded(1, eps=0.1),
            "training": problem.training,
            "other": reach.domain,
        },
        **{
            "values": agtopt.Settings("LP").to_dict(),
            "samples": [0],
            "distances": [1],
            "c": np.ones(2),
            "beta": 0.1,
            "t": 0,
        },
        **{"address": (0, "dense1_bias"), "node": "dense1", "tensors": problem.network.initial},
        **{"nominal": np.zeros(2), "offset": np.zeros(2), "touched": (), "box": reach.domain},
        **{"errors": np.zeros((0, 2)), "radius": np.zeros(2)},
        **{"other": reach.domain, "sense": "min", "solution": "none", "queries": 1},
    }


RESULTS = {
    *("Attack", "CollectiveCertificate", "Comparison", "CompiledModel", "DatasetCertificate"),
    *("Degradation", "Exported", "Ladder", "PointCertificates", "PrivatePredictions", "Reach"),
    *("Record", "Refutations", "Release", "Run", "Server", "Target", "Witness", "Columns"),
}
"""Agtopt makes them, and nobody else."""
ELSEWHERE = {"load_ipython_extension", "unload_ipython_extension", "processes"}
"""IPython calls the first two; the last one starts as many processes as a number says."""


def public(kind, chosen):
    """Public methods of a class that take arguments."""
    for name, method in vars(kind).items():
        if not name.startswith("_") and isinstance(method, chosen):
            yield f"{kind.__name__}.{name}"


def named(path):
    """A public function, constructor or class method by its path."""
    found = agtopt
    for name in path.split("."):
        found = getattr(found, name)
    return found


NAMES = [name for name in agtopt.__all__ if name not in ELSEWHERE]
CLASSES = [
    name
    for name in NAMES
    if inspect.isclass(named(name)) and not issubclass(named(name), (Exception, Warning))
]
CALLS = [
    *(name for name in NAMES if inspect.isfunction(named(name))),
    *(name for name in CLASSES if name not in RESULTS),
    *(path for name in CLASSES for path in public(named(name), classmethod)),
]


def folder_for(name, folder):
    """Paths to write to; what is read is not there."""
    return folder / "new" if name in {"path", "folder", "file"} else None


def called(function, arguments):
    """Call, and say what else than an error of agtopt's came out."""
    try:
        first, *rest = arguments
        function(arguments[first], **{name: arguments[name] for name in rest})
    except AgtoptError as error:
        assert "\n" not in str(error)  # noqa: PT017  (of each of many calls)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def faults(function, folder, limit=None):
    """Every argument and value after which something else than an `AgtoptError` comes out."""
    parameters = [
        each
        for each in inspect.signature(function).parameters.values()
        if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    fitting = {
        each.name: folder_for(each.name, folder) or made()[each.name]
        for each in parameters
        if each.default is each.empty or each.name == "methods"
    }
    for each in parameters:
        for what, value in WRONG.items():
            if fault := called(function, {**fitting, each.name: value}):
                yield f"{each.name} = {what}: {fault}"


@pytest.fixture
def aside(tmp_path, monkeypatch):
    """A folder for whatever a text names as a path."""
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield Path(tmp_path)


@pytest.mark.parametrize("what", sorted(set(WRONG) - {"a number"}))
def test_no_process_starts_for_what_is_no_number_of_workers(what):
    with pytest.raises(AgtoptError, match="workers"):
        agtopt.processes(WRONG[what])


@pytest.mark.parametrize("path", CALLS)
def test_every_call_refuses_what_is_of_a_wrong_type(path, aside):
    assert list(faults(named(path), aside)) == []
