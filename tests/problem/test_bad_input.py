"""Bad input: the fitting AgtoptError that is also the built-in one, and a message that names the
culprit."""

import re

import networkx as nx
import numpy as np
import pytest
import torch

import agtopt
from agtopt import (
    Add,
    AgtoptError,
    AvgPool2d,
    Bounded,
    Conv2d,
    Dataset,
    Dense,
    InvalidInputError,
    LeakyReLU,
    Network,
    Problem,
    ReLU,
    Removal,
    Substitution,
    Training,
    UnsupportedError,
)
from agtopt.domains import Interval

X, Y = np.zeros((4, 2)), np.array([1, -1, 1, 1])


def problem(**parts):
    return Problem(
        **{
            "network": Network.dense([2, 1]),
            "dataset": Dataset(X, Y),
            "perturbation": Bounded(1, nu=1, q=0),
            "training": Training("hinge"),
            **parts,
        }
    )


def with_nan():
    features = X.copy()
    features[2, 1] = np.nan
    return Dataset(features, Y)


CASES = {
    "features.*[2, 1].*nan": with_nan,
    "labels.*inf": lambda: Dataset(X, [1, np.inf, 1, 1]),
    "features: an entry is masked": lambda: Dataset(np.ma.array(X, mask=X == 0), Y),
    "labels: an entry is masked": lambda: Dataset(X, np.ma.array(Y, mask=[0, 1, 0, 0])),
    "features: an entry is masked; every": lambda: Dataset(
        [np.ma.array([1.0, 2.0], mask=[0, 1])] * 4, Y
    ),
    "present: an entry is masked": lambda: Dataset(
        X, Y, np.ma.array([True] * 4, mask=[0, 1, 0, 0])
    ),
    "initial.*masked": lambda: Network.chain(
        [Dense(2, 1)], (2,), [np.ma.array([[1.0, 2.0]], mask=[[0, 1]]), [0.0]]
    ),
    "perturbation.features: an entry is masked": lambda: Substitution(
        1, features=(np.ma.array([0.0, 0.0], mask=[0, 1]), 1.0)
    ),
    "features: a date is not allowed": lambda: Dataset(
        np.array([[np.datetime64("2020-01-01", "ns"), 1.0]] * 4, dtype=object), Y
    ),
    "features: datetime64.* is not allowed": lambda: Dataset(
        np.full((4, 2), np.datetime64("2020-01-01", "ns")), Y
    ),
    "features.*array of numbers": lambda: Dataset([[1.0], [1.0, 2.0]], [1, 1]),
    "features.*shape": lambda: Dataset(np.zeros(4), Y),
    "features.*N >= 1": lambda: Dataset(np.zeros((0, 2)), []),
    "labels.*4 samples": lambda: Dataset(X, [1, 1]),
    "labels.*0 is not allowed.*-1, 1": lambda: problem(dataset=Dataset(X, [1, 0, 1, 1])),
    "labels.*shape": lambda: problem(dataset=Dataset(X, Y[:, None])),
    "labels.*2 outputs": lambda: problem(
        network=Network.dense([2, 2]),
        dataset=Dataset(X, np.zeros((4, 3))),
        perturbation=Bounded(1),
        training=Training("squared"),
    ),
    # One label per sample cannot be the target of two outputs, however many samples there are.
    "labels.*(2,).*2 outputs": lambda: problem(
        network=Network.dense([2, 2]),
        dataset=Dataset(X[:2], [0.1, 0.2]),
        perturbation=Bounded(1),
        training=Training("squared"),
    ),
    "perturbation.n: 5.*4 samples": lambda: problem(perturbation=Bounded(5, nu=1, q=0)),
    "perturbation.n: -1": lambda: Bounded(-1),
    "perturbation.n: 1.5": lambda: Bounded(1.5),
    "perturbation.n: True": lambda: Bounded(True),
    "perturbation.eps: -0.1": lambda: Bounded(1, eps=-0.1),
    "perturbation.eps: nan": lambda: Bounded(1, eps=np.nan),
    "perturbation.eps: 'a'": lambda: Bounded(1, eps="a"),
    "perturbation.nu: 2": lambda: Bounded(1, nu=2, q=0),
    "perturbation.p: 3.*inf, 2 or 1": lambda: Bounded(1, eps=0.1, p=3),
    "perturbation.n: None": lambda: Bounded(),
    "perturbation.n: 1 with n_features 1": lambda: Bounded(1, n_features=1, n_labels=1),
    "perturbation.n: None with n_features 1 and n_labels None": lambda: Bounded(n_features=1),
    "perturbation.n_labels: -1": lambda: Bounded(n_features=1, n_labels=-1),
    "perturbation.n: 9.*4 samples": lambda: problem(
        perturbation=Bounded(n_features=9, n_labels=0, eps=0.1, nu=1, q=0)
    ),
    "perturbation.flips.*without q=0": lambda: Bounded(1, eps=0.1, flips=[(0, 1)]),
    "perturbation.flips.*must differ": lambda: Bounded(1, nu=1, q=0, flips=[(1, 1)]),
    "perturbation.vulnerable.*list of sample": lambda: Bounded(1, eps=0.1, vulnerable=b"\0\1"),
    "perturbation.vulnerable: {0.*list": lambda: Bounded(1, eps=0.1, vulnerable={0: "a"}),
    "training.batches: {0: 1.*list": lambda: Training("hinge", batches=[{0: 1, 1: 2}]),
    "perturbation.flips.*pairs": lambda: Bounded(1, nu=1, q=0, flips=[1, -1]),
    "perturbation.flips: 0.9 .*whole": lambda: Bounded(1, nu=1, q=0, flips=[(0.9, 1.9)]),
    "perturbation.flips: '0' .*number": lambda: Bounded(1, nu=1, q=0, flips=[("0", "1")]),
    "perturbation.flips: True .*number": lambda: Bounded(1, nu=1, q=0, flips=[(True, False)]),
    "perturbation.flips: 7 is no class.*-1, 1": lambda: problem(
        perturbation=Bounded(1, nu=1, q=0, flips=[(1, 7)])
    ),
    "perturbation.n: 4 removals.*step 0, which has 4": lambda: problem(perturbation=Removal(4)),
    "perturbation.n: 1 removals.*step 1, which has 1": lambda: problem(
        perturbation=Removal(1), training=Training("hinge", batches=[[0, 1, 2], [3]])
    ),
    "perturbation.vulnerable: sample 9": lambda: problem(perturbation=Removal(1, vulnerable=[9])),
    "perturbation.features: the box is empty": lambda: Substitution(1, features=(1.0, 0.0)),
    "perturbation.features.*NaN": lambda: Substitution(1, features=(np.nan, 1.0)),
    "perturbation.features.*shape (3,).*(2,)": lambda: problem(
        perturbation=Substitution(1, features=(np.zeros(3), np.ones(3)))
    ),
    "perturbation.features: an unbounded box.*clip": lambda: problem(perturbation=Substitution(1)),
    "perturbation.features: an unbounded.*finite": lambda: problem(
        perturbation=Substitution(1, features=(-np.inf, 1.0))
    ),
    "perturbation.labels: (2.0,).*-1, 1": lambda: problem(
        perturbation=Substitution(1, features=(0, 1), labels=(2,))
    ),
    "perturbation.labels: ().*-1, 1": lambda: problem(
        perturbation=Substitution(1, features=(0, 1), labels=())
    ),
    "perturbation.labels: None.*lowest, highest": lambda: problem(
        perturbation=Substitution(1, features=(0, 1)), training=Training("squared")
    ),
    "perturbation.labels: (1.0, 0.0).*lowest, highest": lambda: problem(
        perturbation=Substitution(1, features=(0, 1), labels=(1, 0)), training=Training("squared")
    ),
    "dataset.present: the nominal": lambda: problem(
        dataset=Dataset(X, Y, [True, False, True, True])
    ),
    "dataset.present.*one bool per sample": lambda: Dataset(X, Y, [1, 0, 1, 1]),
    "training.clip: 0": lambda: Training("hinge", clip=0.0),
    "training.momentum: 1.0.*below 1": lambda: Training("hinge", momentum=1.0),
    "training.momentum: -0.1": lambda: Training("hinge", momentum=-0.1),
    "training.weight_decay: nan": lambda: Training("hinge", weight_decay=np.nan),
    "training.floor: -1": lambda: Training("hinge", floor=-1.0),
    "training.frozen: 'dense1'": lambda: Training("hinge", frozen="dense1"),
    "training.frozen.*'nowhere' is neither a layer nor a tensor": lambda: problem(
        training=Training("hinge", frozen=["nowhere"])
    ),
    "training.frozen.*nothing to train": lambda: problem(
        training=Training("hinge", frozen=["dense1"])
    ),
    "labels.*3 is not allowed.*0, 1, 2": lambda: problem(
        network=Network.dense([2, 3]),
        dataset=Dataset(X, [0, 1, 2, 3]),
        training=Training("cross-entropy"),
    ),
    "1 outputs.*cross-entropy.*at least 2": lambda: problem(
        training=Training("cross-entropy"), dataset=Dataset(X, [0, 1, 1, 1])
    ),
    "2 outputs.*binary-cross-entropy.*takes 1": lambda: problem(
        training=Training("binary-cross-entropy"),
        network=Network.dense([2, 2]),
        dataset=Dataset(X, [0, 1, 1, 1]),
    ),
    "LeakyReLU.slope: 1.5": lambda: LeakyReLU(1.5),
    "Conv2d.kernel_size: 0": lambda: Conv2d(1, 1, 0),
    "Conv2d.stride: (1, 2, 3).*pair": lambda: Conv2d(1, 1, 2, stride=(1, 2, 3)),
    "a window of (3, 3) does not fit": lambda: Conv2d(1, 1, 3).output_shape((1, 2, 2)),
    "Conv2d.*does not fit an input of shape (2, 2, 2)": lambda: Conv2d(1, 1, 1).output_shape(
        (2, 2, 2)
    ),
    "AvgPool2d.*does not fit": lambda: AvgPool2d(2).output_shape((4,)),
    "Add does not fit": lambda: Add().output_shape((2,), (3,)),
    "layer 'add1'.*two or more": lambda: Network.chain(
        [Dense(2, 1), Add()], (2,), [np.zeros((1, 2)), [0.0]]
    ),
    "perturbation.q: 1": lambda: Bounded(1, q=1),
    "perturbation.q.*hinge.*q=0": lambda: problem(perturbation=Bounded(1, nu=1)),
    "perturbation.q.*squared.*interval": lambda: problem(training=Training("squared")),
    "perturbation.vulnerable: sample 4": lambda: problem(
        perturbation=Bounded(1, nu=1, q=0, vulnerable=[4])
    ),
    "perturbation.vulnerable: -1": lambda: problem(
        perturbation=Bounded(1, nu=1, q=0, vulnerable=[-1])
    ),
    "perturbation.vulnerable.*twice": lambda: problem(
        perturbation=Bounded(1, nu=1, q=0, vulnerable=[1, 1])
    ),
    "perturbation.vulnerable.*1.7": lambda: problem(
        perturbation=Bounded(1, nu=1, q=0, vulnerable=[0, 1.7])
    ),
    "perturbation.vulnerable.*2": lambda: problem(perturbation=Bounded(1, nu=1, q=0, vulnerable=2)),
    "perturbation.vulnerable: 'ab'": lambda: problem(
        perturbation=Bounded(1, nu=1, q=0, vulnerable="ab")
    ),
    "training.loss: 'mse'.*squared, hinge": lambda: Training("mse"),
    "training.epochs: 0": lambda: Training("hinge", epochs=0),
    "training.batch_size: 0": lambda: Training("hinge", batch_size=0),
    "training.batch_size: 9.*4 samples": lambda: problem(training=Training("hinge", batch_size=9)),
    "training.learning_rate: 0": lambda: Training("hinge", learning_rate=0),
    "training.learning_rate: inf": lambda: Training("hinge", learning_rate=np.inf),
    "training.decay: -1": lambda: Training("hinge", decay=-1),
    "training.seed: -1": lambda: Training("hinge", seed=-1),
    "training.drop_last: 1": lambda: Training("hinge", drop_last=1),
    "training.batches: an empty": lambda: Training("hinge", batches=[[0], []]),
    "training.batches: sample 7": lambda: problem(training=Training("hinge", batches=[[0, 7]])),
    "training.batches.*twice": lambda: problem(training=Training("hinge", batches=[[0, 0]])),
    "training.batches.*0.9": lambda: problem(training=Training("hinge", batches=[[0.9, 1]])),
    "training.batches: ": lambda: problem(training=Training("hinge", batches=[0, 1])),
    "Dense(3, 1).*does not fit": lambda: Network.chain(
        [Dense(2, 2), Dense(3, 1)], (2,), [np.zeros((2, 2)), np.zeros(2), np.zeros((1, 3)), [0]]
    ),
    "dense1_weight.*shape": lambda: Network.chain([Dense(2, 1)], (2,), [np.zeros((2, 1)), [0.0]]),
    "dense1_bias.*nan": lambda: Network.chain([Dense(2, 1)], (2,), [np.zeros((1, 2)), [np.nan]]),
    "1 tensors for 2": lambda: Network.chain([Dense(2, 1)], (2,), [np.zeros((1, 2))]),
    "network.initial.*surplus": lambda: Network.chain(
        [Dense(2, 1, False)], (2,), {"dense1_weight": np.zeros((1, 2)), "surplus": [0.0]}
    ),
    "Dense.inputs: 0": lambda: Dense(0, 1),
    "sizes.*too short": lambda: Network.dense([2]),
    "seed: -1": lambda: Network.dense([2, 1], seed=-1),
    "no layer has parameters": lambda: Network.chain([ReLU()], (2, 2), []),
    "acyclic": lambda: Network(nx.DiGraph([("a", "a")]), (1,), {}),
    "features.*(2,).*(3,)": lambda: problem(network=Network.dense([3, 1])),
    "2 outputs.*hinge": lambda: problem(network=Network.dense([2, 2])),
    "problem.network: int": lambda: problem(network=3),
    "training.batch_size: 3": lambda: problem(
        training=Training("hinge", batch_size=3, drop_last=True), dataset=Dataset(X[:2], Y[:2])
    ),
    "kind: 'XYZ'.*IBP, CROWN, AFFINE, LP": lambda: agtopt.bound(problem(), "XYZ"),
    "interval: entry 1": lambda: Interval([0.0, 2.0], [1.0, 1.0]),
    "interval: entry 0.*nan": lambda: Interval([np.nan], [1.0]),
    "interval: lower has shape": lambda: Interval([0.0], [1.0, 2.0]),
    "no Linear": lambda: Network.from_torch(torch.nn.Sequential(torch.nn.ReLU())),
    "no method": lambda: agtopt.compare(problem(), []),
}


@pytest.mark.parametrize("words", CASES)
def test_bad_input_is_named(words):
    with pytest.raises(AgtoptError, match=re.sub(r"[][()]", r"\\\g<0>", words)) as caught:
        CASES[words]()
    assert isinstance(caught.value, InvalidInputError)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (
            lambda: Network.from_torch(torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Tanh())),
            "Tanh",
        ),
    ],
)
def test_what_is_not_supported_is_not_implemented(case, words):
    with pytest.raises(UnsupportedError, match=words) as caught:
        case()
    assert isinstance(caught.value, NotImplementedError)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (agtopt.InvalidInputError, ValueError),
        (agtopt.MissingFileError, FileNotFoundError),
        (agtopt.UnsupportedError, NotImplementedError),
        (agtopt.SolverUnavailableError, RuntimeError),
        (agtopt.SoundnessError, ArithmeticError),
        (agtopt.InfeasibleError, agtopt.SoundnessError),
    ],
)
def test_every_error_is_also_the_fitting_builtin(error, builtin):
    assert issubclass(error, AgtoptError)
    assert issubclass(error, builtin)


def test_a_network_without_parameters_is_refused():
    with pytest.raises(InvalidInputError):
        problem(network=Network.chain([ReLU()], (1,), []), dataset=Dataset(X[:, :1], Y))
