"""The whole problem: what is trained on what, how, and what an adversary may change."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.errors import InvalidInputError
from agtopt.frozen import ReadOnly, Unchanging, frozen, read_only
from agtopt.names import checked, visible
from agtopt.problem.checks import instance
from agtopt.problem.dataset import Dataset
from agtopt.problem.fingerprint import fingerprint
from agtopt.problem.network import INPUT, VELOCITY, Network
from agtopt.problem.perturbation import Perturbation
from agtopt.problem.training import Training

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Problem(Unchanging):
    """A network, a dataset, a perturbation model and a training run, validated together once.

    Parameters
    ----------
    network : Network
    dataset : Dataset
    perturbation : Perturbation
        `Bounded`, `Removal` or `Substitution`.
    training : Training
    name : str
        Shown in tables, model files and pictures.

    Raises
    ------
    InvalidInputError
        If two parts do not fit; the message names the field, what it was and what is allowed.
    """

    network: Network
    dataset: Dataset
    perturbation: Perturbation
    training: Training
    name: str = "problem"

    def __post_init__(self) -> None:
        for field, kind in (
            ("network", Network),
            ("dataset", Dataset),
            ("perturbation", Perturbation),
            ("training", Training),
        ):
            instance(f"problem.{field}", getattr(self, field), kind)
        checked("problem.name", self.name)
        object.__setattr__(self, "perturbation", frozen(self.perturbation))
        sample_shape = self.dataset.features.shape[1:]
        if sample_shape != self.network.input_shape:
            raise InvalidInputError(
                f"dataset.features: samples of shape {sample_shape} do not fit the network, which "
                f"takes {self.network.input_shape}"
            )
        if self.dataset.present is not None:
            raise InvalidInputError(
                "dataset.present: the nominal dataset must be whole; leave the samples out of it"
            )
        self.training.loss.check("dataset.labels", self.dataset.labels, self.network.outputs)
        if not self.schedule:
            raise InvalidInputError("training: no step is left; every batch was dropped")
        if self.learning_rates.min() < np.finfo(np.float64).tiny:
            raise InvalidInputError(
                f"training.learning_rate: it decays to {self.learning_rates.min():g}, which cannot "
                f"be divided by; give it a floor"
            )
        if not self.trained:
            raise InvalidInputError(
                f"training.frozen: {list(self.training.frozen)!r} leaves nothing to train"
            )
        self.perturbation.check(self)
        self.perturbation.check_boxes(self)

    @cached_property
    def classes(self) -> tuple[int, ...] | None:
        """The class labels; None for regression."""
        return self.training.loss.classes(self.network.outputs)

    def encode(self, labels: Array) -> Array:
        """Labels with the shape of the dataset's, behind any leading axes, as the program reads
        them: (…, N, outputs or classes).

        Classes become indicators.
        """
        if self.classes is None:
            return labels[..., np.newaxis] if self.dataset.labels.ndim == 1 else labels
        indicators: Array = (labels[..., np.newaxis] == np.array(self.classes)).astype(np.float64)
        return indicators

    @cached_property
    def schedule(self) -> tuple[NDArray[np.int64], ...]:
        """Sample indices of each step; its length is the number T of steps."""
        return self.training.schedule(len(self.dataset))

    @property
    def steps(self) -> int:
        """Number T of SGD steps."""
        return len(self.schedule)

    @cached_property
    def learning_rates(self) -> Array:
        """α_t, shape (T,)."""
        return self.training.learning_rates(self.steps)

    @cached_property
    def trained(self) -> tuple[str, ...]:
        """The tensors that training moves."""
        frozen: set[str] = set()
        for name in self.training.frozen:
            try:
                frozen |= set(self.network.tensors_of(name))
            except InvalidInputError as error:
                raise InvalidInputError(f"training.frozen: {error}") from None
        return tuple(name for name in self.network.initial if name not in frozen)

    @cached_property
    def head(self) -> str:
        """The last node that all of what is trained, and the output, lies behind: what comes out of
        it does not change in training."""
        network, graph = self.network, self.network.graph
        owners = {
            node for node in network.nodes if set(network.tensors_of(node)) & set(self.trained)
        }
        above = nx.immediate_dominators(graph, INPUT)
        common = [set(_chain(above, node)) - {node} for node in owners]
        return next(
            node for node in _chain(above, network.output) if all(node in chain for chain in common)
        )

    @cached_property
    def initial(self) -> Array:
        """θ₀, flattened, shape (p,)."""
        theta: Array = self.network.flatten(self.network.initial)
        return read_only(theta)

    @cached_property
    def state(self) -> Mapping[str, Array]:
        """What a step hands to the next, by name, before the first: θ₀ and, with momentum, the
        velocities v₀ = 0 of the trained tensors."""
        moving = self.trained if self.training.momentum > 0 else ()
        still = {
            VELOCITY + name: read_only(np.zeros_like(self.network.initial[name])) for name in moving
        }
        return ReadOnly({**self.network.initial, **still})

    @cached_property
    def state_size(self) -> int:
        """Number of entries of the flattened state: p, and with momentum as many more as are
        trained."""
        return sum(value.size for value in self.state.values())

    def flatten(self, tensors: Mapping[str, ArrayLike]) -> Array:
        """A state by name, each (…, *shape), as one array (…, state_size): the parameters first."""
        arrays = {name: np.asarray(tensors[name], dtype=np.float64) for name in self.state}
        return np.concatenate(
            [
                array.reshape(*array.shape[: array.ndim - self.state[name].ndim], -1)
                for name, array in arrays.items()
            ],
            axis=-1,
        )

    def unflatten(self, state: ArrayLike) -> dict[str, Array]:
        """The inverse of `flatten`."""
        array = np.asarray(state, dtype=np.float64)
        if array.shape[-1:] != (self.state_size,):
            raise InvalidInputError(
                f"state: shape {array.shape} does not fit; the last axis must have "
                f"{self.state_size} entries"
            )
        ends = np.cumsum([value.size for value in self.state.values()])[:-1]
        return {
            name: part.reshape(array.shape[:-1] + value.shape)
            for (name, value), part in zip(
                self.state.items(), np.split(array, ends, axis=-1), strict=True
            )
        }

    @cached_property
    def fingerprint(self) -> str:
        """The version of the encoding and the SHA-256 of everything that defines the problem but
        its name."""
        network, data = self.network, self.dataset
        layers = [(node, network.layer(node), network.inputs_of(node)) for node in network.nodes]
        return fingerprint(
            (
                layers,
                network.input_shape,
                network.initial,
                data.features,
                data.labels,
                self.perturbation,
                self.training,
            )
        )

    def describe(self) -> str:
        """One line in words."""
        network = self.network
        shown = [INPUT, *(node for node in network.nodes if network.layer(node).parameter_shapes())]
        unbiased = (
            visible(f", no bias in {', '.join(network.unbiased)}") if network.unbiased else ""
        )
        return (
            f"{visible(self.name)}: {'-'.join(str(prod(network.shapes[node])) for node in shown)} "
            f"({network.size} parameters{unbiased}), "
            f"{len(self.dataset)} samples, {self.training.loss.name} loss, {self.steps} steps; "
            f"{self.perturbation.describe()}"
        )


def _chain(above: Mapping[str, str | None], node: str) -> Iterator[str]:
    """A node and all that dominate it, nearest first."""
    yield node
    while node != INPUT:
        node = above[node] or INPUT
        yield node
