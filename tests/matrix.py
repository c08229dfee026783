"""A generated matrix of problems: perturbation × loss × training feature × layers, in a design that
covers every pair of values."""

from dataclasses import replace
from itertools import combinations, product
from typing import NamedTuple

import networkx as nx
import numpy as np

import agtopt
from agtopt import (
    Add,
    AvgPool2d,
    Bounded,
    Conv2d,
    Dataset,
    Dense,
    Flatten,
    LeakyReLU,
    Network,
    Problem,
    ReLU,
    Removal,
    Substitution,
    Training,
)

ALL_KINDS = (agtopt.LP, agtopt.QCP, agtopt.MILP, agtopt.MIQCP, agtopt.MINLP)
CURVED = ("binary-cross-entropy", "cross-entropy")
"""Losses whose gradients have no exact mixed-integer form: corridors, except in MINLP."""


class Cell(NamedTuple):
    """One problem of the matrix, and how it is compiled."""

    adversary: str
    loss: str
    training: str
    layers: str
    n: int
    conditional: bool

    def __str__(self):
        cuts = "cuts" if self.conditional else "plain"
        return f"{self.adversary}-{self.loss}-{self.training}-{self.layers}-n{self.n}-{cuts}"


VALUES = Cell(
    ("box", "l2", "l1", "labels", "targeted", "both", "separate", "removal", "substitution"),
    ("squared", "hinge", "binary-cross-entropy", "cross-entropy", "multi-hinge"),
    ("plain", "shuffled", "batches", "clip", "momentum", "shrinking", "heavy", "floor", "frozen"),
    ("linear", "unbiased", "rectified", "leaky", "convolution", "pool", "residual"),
    (1, 2),
    (True, False),
)


def covering_design(values):
    """Rows in which every pair of values of any two dimensions occurs; each row is the one that
    covers most new pairs."""
    sizes = [len(column) for column in values]
    rows = np.array(list(product(*map(range, sizes))))
    pairs, total = [], 0
    for first, second in combinations(range(len(sizes)), 2):
        pairs.append(total + rows[:, first] * sizes[second] + rows[:, second])
        total += sizes[first] * sizes[second]
    of_row = np.stack(pairs, axis=1)
    missing, chosen = np.ones(total, dtype=bool), []
    while missing.any():
        best = int(missing[of_row].sum(axis=1).argmax())
        missing[of_row[best]] = False
        chosen.append(Cell(*(column[k] for column, k in zip(values, rows[best], strict=True))))
    return chosen


CELLS = covering_design(VALUES)


def network_of(layers, outputs, rng):
    """A few parameters of each kind of layer; hidden layers of two units."""
    shape, parts = {
        "linear": ((2,), [Dense(2, outputs)]),
        "unbiased": ((2,), [Dense(2, 2, bias=False), ReLU(), Dense(2, outputs, bias=False)]),
        "rectified": ((2,), [Dense(2, 2), ReLU(), Dense(2, outputs)]),
        "leaky": ((2,), [Dense(2, 2), LeakyReLU(0.2), Dense(2, outputs)]),
        "convolution": (
            (1, 3, 2),
            [Conv2d(1, 2, 2, stride=(1, 2)), ReLU(), Flatten(), Dense(4, outputs)],
        ),
        "pool": (
            (1, 2, 2),
            [
                Conv2d(1, 1, 2, padding=(1, 0)),
                AvgPool2d((2, 1), stride=1),
                Flatten(),
                Dense(2, outputs),
            ],
        ),
        "residual": ((2,), [Dense(2, 2), ReLU(), Dense(2, 2), Dense(2, outputs)]),
    }[layers]
    initial = [
        rng.uniform(-0.7, 0.7, shape)
        for part in parts
        for shape in part.parameter_shapes().values()
    ]
    chain = Network.chain(parts, shape, initial)
    if layers != "residual":
        return chain
    graph = nx.DiGraph(chain.graph)
    graph.remove_edge("dense2", "dense3")
    graph.add_node("join", layer=Add())
    graph.add_edges_from([("relu1", "join"), ("dense2", "join"), ("join", "dense3")])
    return Network(graph, shape, chain.initial)


def training_of(feature, loss, first_tensor, rng, samples, steps):
    """Two or three steps with one feature each; `shuffled` and `batches` have incomplete
    batches."""
    common = {"loss": loss, "learning_rate": 0.1 if loss == "squared" else 0.4}
    half = -(-samples // 2) + 1
    whole = {**common, "epochs": steps}
    return Training(
        **{
            "plain": whole,
            "shuffled": {**common, "epochs": 2, "batch_size": half, "seed": 1, "decay": 0.5},
            "batches": {
                **common,
                "batches": [
                    rng.permutation(samples)[:half].tolist(),
                    rng.permutation(samples)[:3].tolist(),
                ],
            },
            "clip": {**whole, "clip": 0.15},
            "momentum": {**whole, "momentum": 0.9},
            "shrinking": {**whole, "weight_decay": 0.5},
            "heavy": {**whole, "momentum": 0.5, "weight_decay": 3.0, "clip": 0.3},
            "floor": {**whole, "decay": 1.0, "floor": 0.3 if loss != "squared" else 0.07},
            "frozen": {**whole, "frozen": [first_tensor]},
        }[feature]
    )


def adversary_of(cell, problem_classes, n, eps, labels, samples):
    """The perturbation model of a cell; labels move in an interval for regression, by flips
    otherwise."""
    flips = problem_classes is not None
    moves = {"nu": 1.0, "q": 0} if flips else {"nu": 0.1}
    some = [0, *range(2, samples - 1)]
    targeted = (
        {
            "flips": [
                (problem_classes[0], problem_classes[1]),
                (problem_classes[-1], problem_classes[0]),
            ]
        }
        if flips
        else {}
    )
    return {
        "box": lambda: Bounded(n, eps=eps),
        "l2": lambda: Bounded(n, eps=eps, p=2),
        "l1": lambda: Bounded(n, eps=eps, p=1),
        "labels": lambda: Bounded(n, **moves),
        "targeted": lambda: Bounded(n, **moves, **targeted, vulnerable=some),
        "both": lambda: Bounded(n, eps=eps, **moves),
        "separate": lambda: Bounded(n_features=n, n_labels=1, eps=eps, **moves),
        "removal": lambda: Removal(n),
        "substitution": lambda: Substitution(
            n, vulnerable=some, features=(-eps, eps), labels=labels if flips else (-0.1, 0.1)
        ),
    }[cell.adversary]()


def cell_problem(cell, seed=0, samples=5, steps=2, eps=0.05, n=None, classes=None):
    """The problem of a cell; `seed` changes its numbers."""
    classes = classes or (3 if cell.conditional else 2)
    rng = np.random.default_rng([seed, *map(ord, str(cell))])
    outputs = {"squared": 1 + cell.n % 2, "hinge": 1, "binary-cross-entropy": 1}.get(
        cell.loss, classes
    )
    network = network_of(cell.layers, outputs, rng)
    first = (
        "dense1_bias"
        if cell.layers == "linear"
        else next(node for node in network.nodes if network.layer(node).parameter_shapes())
    )
    training = training_of(cell.training, cell.loss, first, rng, samples, steps)
    known = training.loss.classes(outputs)
    labels = (
        rng.normal(size=(samples, outputs))
        if known is None
        else np.resize(rng.permutation(known), samples)
    )
    smallest = min(map(len, training.schedule(samples)))
    many = cell.n if n is None else n
    if cell.adversary == "removal":
        many = min(many, smallest - 1)
    chosen = None if known is None or cell.n == 1 else known[:1]
    model = adversary_of(cell, known, many, eps, chosen, samples)
    return Problem(
        network,
        Dataset(rng.normal(size=(samples, *network.input_shape)), labels),
        model,
        training,
        name=str(cell),
    )


def zeroed(problem):
    """The same problem with an adversary who may do nothing."""
    model = problem.perturbation
    budgets = (
        {"n_features": 0, "n_labels": 0}
        if getattr(model, "n_features", None) is not None
        else {"n": 0}
    )
    return replace(problem, perturbation=replace(model, **budgets))
