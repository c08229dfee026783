"""Training in plain torch for the instance zoo: reads the two files of a folder itself and shares
no code with agtopt.

Many datasets are trained at once by autograd and ``torch.optim.SGD``, on parameters with one axis
more. What is discrete is enumerated: which samples are touched, which labels they get, which are
left out. What is continuous (features, targets) is pushed by the gradient of the trained
parameters, for each of them up and down.
"""

import tomllib
from functools import partial
from itertools import combinations, product
from math import inf
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

FAR = 100.0
"""Where the features of a substituted sample end if nothing bounds them."""

LAYERS = {
    "dense": torch.nn.Linear,
    "conv2d": torch.nn.Conv2d,
    "avgpool2d": torch.nn.AvgPool2d,
    "relu": torch.nn.ReLU,
    "leakyrelu": torch.nn.LeakyReLU,
    "flatten": torch.nn.Flatten,
    "add": torch.nn.Identity,
}
OPTIONS = {"inputs": "in_features", "outputs": "out_features", "slope": "negative_slope"}
TRAINING = {
    "momentum": 0.0,
    "weight_decay": 0.0,
    "clip": inf,
    "floor": 0.0,
    "frozen": [],
    "seed": None,
    "batches": None,
}
"""What a problem.toml may leave out."""
LOSSES = {
    "squared": lambda z, y: (z - y.reshape(z.shape)).square().sum(dim=1),
    "hinge": lambda z, y: (1 - y * z[:, 0]).clamp(min=0),
    "binary-cross-entropy": lambda z, y: functional.binary_cross_entropy_with_logits(
        z[:, 0], y, reduction="none"
    ),
    "cross-entropy": lambda z, y: functional.cross_entropy(z, y.long(), reduction="none"),
    "multi-hinge": lambda z, y: functional.multi_margin_loss(z, y.long(), reduction="none"),
}


class Datasets(NamedTuple):
    """D datasets: their features and labels, which samples take part, and whose features and
    targets may move; each (D, N, …)."""

    x: torch.Tensor
    y: torch.Tensor
    present: torch.Tensor
    x_moves: torch.Tensor
    y_moves: torch.Tensor

    def rows(self, which):
        return Datasets(*(column[which] for column in self))


class Hull(NamedTuple):
    """Smallest and largest final parameters (p,), the datasets that attain them (p each), whether
    all were tried, and how many."""

    lower: np.ndarray
    upper: np.ndarray
    lowest: Datasets
    highest: Datasets
    exact: bool
    runs: int

    @property
    def width(self):
        return float((self.upper - self.lower).sum())


class Graph(torch.nn.Module):
    """The layers of a problem.toml: each takes the one before and is named by its type and number,
    unless it says otherwise."""

    def __init__(self, entries):
        super().__init__()
        self.layers, self.sources, before = torch.nn.ModuleDict(), {}, "input"
        for place, entry in enumerate(entries):
            number = sum(other["type"] == entry["type"] for other in entries[: place + 1])
            name = entry.get("name", f"{entry['type']}{number}")
            options = {
                OPTIONS.get(key, key): value
                for key, value in entry.items()
                if key not in ("type", "name", "sources")
            }
            self.layers[name], self.sources[name] = (
                LAYERS[entry["type"]](**options),
                entry.get("sources", [before]),
            )
            before = name

    def forward(self, x):
        values = {"input": x}
        for name, sources in self.sources.items():
            values[name] = self.layers[name](sum(values[source] for source in sources))
        return values[name]


class Folder:
    """A problem folder, read by its own."""

    def __init__(self, path):
        settings = tomllib.loads((path / "problem.toml").read_text(encoding="utf-8"))
        with np.load(path / "arrays.npz") as arrays:
            self.arrays = {
                name: torch.tensor(arrays[name], dtype=torch.float64) for name in arrays.files
            }
        self.x, self.y = self.arrays["features"], self.arrays["labels"]
        self.training, self.adversary = TRAINING | settings["training"], settings["perturbation"]
        self.graph = Graph(settings["network"]["layers"]).double()
        self.names = {
            name.removeprefix("layers.").replace(".", "_"): name
            for name, _ in self.graph.named_parameters()
        }
        self.order = settings["network"].get("parameters", list(self.names))
        outputs = self.outputs({name: self.arrays[name] for name in self.order}, self.x[0]).shape[1]
        two = {"squared": None, "hinge": [-1.0, 1.0], "binary-cross-entropy": [0.0, 1.0]}
        self.classes = two.get(self.training["loss"], [float(c) for c in range(outputs)])

    def schedule(self):
        """(learning rate, samples) of every step."""
        options, steps = self.training, []
        generator, size = (
            np.random.default_rng(options["seed"]),
            options.get("batch_size", len(self.x)),
        )
        for epoch in range(options["epochs"]):
            order = (
                np.arange(len(self.x))
                if options["seed"] is None
                else generator.permutation(len(self.x))
            )
            batches = options["batches"] or [
                order[first : first + size] for first in range(0, len(order), size)
            ]
            rate = max(options["learning_rate"] / (1 + options["decay"] * epoch), options["floor"])
            steps += [
                (rate, torch.as_tensor(batch))
                for batch in batches
                if not (options["drop_last"] and len(batch) < size)
            ]
        return steps

    def outputs(self, theta, x):
        """The outputs (1, outputs) for one sample, by one set of parameters."""
        return torch.func.functional_call(
            self.graph,
            {self.names[name]: value for name, value in theta.items()},
            (x.unsqueeze(0),),
        )

    def train(self, data):
        """The final parameters on every dataset, (D, p); differentiable in features and targets."""
        options = self.training
        start = {
            name: self.arrays[name].expand(len(data.x), *self.arrays[name].shape)
            for name in self.order
        }
        theta = {name: value.clone().requires_grad_() * 1.0 for name, value in start.items()}
        trained = [
            name
            for name in self.order
            if not {name, name.rsplit("_", 1)[0]} & set(options["frozen"])
        ]
        optimiser = torch.optim.SGD(
            [theta[name] for name in trained],
            momentum=options["momentum"],
            weight_decay=options["weight_decay"],
            differentiable=True,
        )
        for rate, batch in self.schedule():
            # A copy of the parameters for every sample, so that the gradient of each is known.
            own = {
                name: value.unsqueeze(1).repeat_interleave(len(batch), dim=1)
                for name, value in theta.items()
            }
            z = torch.vmap(torch.vmap(self.outputs))(own, data.x[:, batch])
            losses = LOSSES[options["loss"]](z.flatten(0, 2), data.y[:, batch].flatten(0, 1))
            found = torch.autograd.grad(
                losses.sum(), [own[name] for name in trained], create_graph=True
            )
            weights = data.present[:, batch] / data.present[:, batch].sum(dim=1, keepdim=True)
            for name, gradient in zip(trained, found, strict=True):
                clipped = gradient.clamp(-options["clip"], options["clip"])
                theta[name].grad = torch.einsum("dn,dn...->d...", weights, clipped)
            optimiser.param_groups[0]["lr"] = rate
            optimiser.step()
        return torch.cat([theta[name].flatten(1) for name in self.order], dim=1)

    def touched(self):
        """Every choice of samples: (whose features move, whose labels do, which are left out)."""
        adversary = self.adversary
        places = adversary.get("vulnerable", range(len(self.x)))

        def subsets(n):
            return [some for k in range(n + 1) for some in combinations(places, k)]

        if adversary["type"] == "removal":
            return [((), (), some) for some in subsets(adversary["n"])]
        if "n" in adversary:
            return [(some, some, ()) for some in subsets(adversary["n"])]
        return [
            (*pair, ())
            for pair in product(subsets(adversary["n_features"]), subsets(adversary["n_labels"]))
        ]

    def labels_of(self, sample):
        """The labels that a touched sample may have; its own where they move continuously or not at
        all."""
        adversary, own = self.adversary, self.y[sample]
        if self.classes is None or adversary.get("nu") == 0:
            return [own]
        if adversary["type"] == "substitution":
            return adversary.get("labels", self.classes)
        return [
            own,
            *(
                c
                for c in self.classes
                if c != own and [own, c] in adversary.get("flips", [[own, c]])
            ),
        ]

    def choices(self):
        """All that is discrete, the nominal dataset first."""
        adversary = self.adversary
        moves = adversary.get("eps", 1.0) > 0, self.classes is None and adversary.get("nu", 1.0) > 0
        rows = {}
        for moved, relabelled, removed in self.touched():
            masks = torch.zeros(3, len(self.x), dtype=torch.float64)
            for mask, places in zip(
                masks, (removed, moved * moves[0], relabelled * moves[1]), strict=True
            ):
                mask[list(places)] = 1.0
            for labels in product(*map(self.labels_of, relabelled)):
                y = self.y.clone()
                for place, label in zip(relabelled, labels, strict=True):
                    y[place] = label
                x = self.x
                if adversary["type"] == "substitution":
                    low, high, least, most = self.box()
                    x, y = (
                        chosen(masks[1] > 0, x.clamp(low, high), x),
                        chosen(masks[2] > 0, y.clamp(least, most), y),
                    )
                rows[(*y.flatten().tolist(), *masks.flatten().tolist())] = Datasets(
                    x, y, 1.0 - masks[0], *masks[1:]
                )
        return Datasets(*map(torch.stack, zip(*rows.values(), strict=True)))

    def box(self):
        """Lowest and highest features, then targets, of a substituted sample."""
        adversary = self.adversary
        x = [
            self.arrays.get(f"perturbation_{end}", adversary.get("features", (-FAR, FAR))[k])
            for k, end in enumerate(("lower", "upper"))
        ]
        y = adversary["labels"] if self.classes is None else (0.0, 0.0)
        return [torch.as_tensor(end, dtype=torch.float64) for end in (*x, *y)]

    def corner(self, x_slope, y_slope):
        """The admissible features and targets of touched samples where a linear function with these
        slopes is largest."""
        adversary = self.adversary
        if adversary["type"] == "substitution":
            low, high, least, most = self.box()
            return torch.where(x_slope > 0, high, low), torch.where(y_slope > 0, most, least)
        x = self.x + adversary["eps"] * steepest(x_slope.flatten(2), adversary["p"]).reshape(
            x_slope.shape
        )
        return x, self.y + adversary["nu"] * y_slope.sign()

    def towards(self, data, x_slope, y_slope, step):
        """Move what may move part of the way to the corner."""
        x, y = self.corner(x_slope, y_slope)
        x_part = step.unsqueeze(1) * data.x_moves
        y_part = step.unsqueeze(1) * data.y_moves
        return data._replace(
            x=data.x + spread(x_part, data.x) * (x - data.x),
            y=data.y + spread(y_part, data.y) * (y - data.y),
        )

    def hull(self, rounds=100, chunk=1024):
        """What the adversary attains: exactly where nothing moves continuously.

        Elsewhere every choice is followed for every parameter, up and down: each round goes part of
        the way to a corner, by turns the one that the gradient points to and a random one, and
        stays there if the parameter gained.
        """
        choices = self.choices()
        exact = not (choices.x_moves.any() or choices.y_moves.any())
        rounds = 0 if exact else rounds
        size = self.train(choices.rows([0])).shape[1]
        goals = (
            torch.zeros(1, size).double()
            if exact
            else torch.cat([torch.eye(size), -torch.eye(size)]).double()
        )
        pairs = torch.cartesian_prod(torch.arange(len(choices.x)), torch.arange(len(goals)))
        generator, best = torch.Generator().manual_seed(0), None
        for part in pairs.split(chunk):
            data, goal = choices.rows(part[:, 0]), goals[part[:, 1]]
            theta = self.train(data).detach()
            best = better(best, theta, data)
            for k in range(rounds):
                if k % 2:
                    slopes = [
                        torch.randn(column.shape, generator=generator).double()
                        for column in (data.x, data.y)
                    ]
                else:
                    free = data._replace(
                        x=data.x.clone().requires_grad_(), y=data.y.clone().requires_grad_()
                    )
                    slopes = torch.autograd.grad(
                        (goal * self.train(free)).sum(), (free.x, free.y), materialize_grads=True
                    )
                shift = (
                    0.5 ** (6.0 * torch.rand(len(goal), generator=generator).double())
                    if k
                    else torch.ones(len(goal)).double()
                )
                trial = self.towards(data, *slopes, shift)
                reached = self.train(trial).detach()
                best = better(best, reached, trial)
                gained = (goal * (reached - theta)).sum(dim=1) > 0
                data, theta = (
                    Datasets(*map(partial(chosen, gained), trial, data)),
                    chosen(gained, reached, theta),
                )
        (lower, lowest), (upper, highest) = best
        return Hull(lower.numpy(), upper.numpy(), lowest, highest, exact, len(pairs) * (1 + rounds))


def steepest(slope, p):
    """The points of the unit balls of the ℓ_p norm where linear functions (D, N, entries) are
    largest."""
    if p == inf:
        return slope.sign()
    if p == 2:
        return slope / slope.norm(dim=-1, keepdim=True).clamp(min=1e-300)
    return functional.one_hot(slope.abs().argmax(dim=-1), slope.shape[-1]) * slope.sign()


def better(best, theta, data):
    """The smallest and largest of each parameter so far and now, each with the datasets that attain
    them."""
    found = []
    for side, sense in enumerate((-1.0, 1.0)):
        values, rows = (sense * theta).max(dim=0)
        values, datasets = (
            sense * values,
            Datasets(*(column.detach() for column in data.rows(rows))),
        )
        if best is not None:
            before, old = best[side]
            keep = sense * before >= sense * values
            values = torch.where(keep, before, values)
            datasets = Datasets(*map(partial(chosen, keep), old, datasets))
        found.append((values, datasets))
    return found


def chosen(where, first, second):
    """The rows of the first where told, else those of the second."""
    return torch.where(spread(where, first), first, second)


def spread(values, like):
    """With axes of length 1 behind its own, as many as the other has."""
    return values.reshape(*values.shape, *(1,) * (like.dim() - values.dim()))
