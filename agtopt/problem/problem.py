"""The whole problem: what is trained on what, how, and what an adversary may change."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from agtopt.errors import InvalidInputError
from agtopt.problem.dataset import Dataset
from agtopt.problem.network import Network
from agtopt.problem.perturbation import Bounded
from agtopt.problem.training import Training


@dataclass(frozen=True, eq=False)
class Problem:
    """A network, a dataset, a perturbation model and a training run, validated together once.

    Parameters
    ----------
    network : Network
    dataset : Dataset
    perturbation : Bounded
    training : Training
    name : str
        Shown in tables and file names.

    Raises
    ------
    InvalidInputError
        If two parts do not fit; the message names the field, what it was and what is allowed.
    """

    network: Network
    dataset: Dataset
    perturbation: Bounded
    training: Training
    name: str = "problem"

    def __post_init__(self) -> None:
        for field, kind in (("network", Network), ("dataset", Dataset), ("perturbation", Bounded), ("training", Training)):
            if not isinstance(getattr(self, field), kind):
                raise InvalidInputError(f"problem.{field}: {getattr(self, field)!r} is not allowed; it must be a {kind.__name__}")
        sample_shape = self.dataset.features.shape[1:]
        if sample_shape != self.network.input_shape:
            raise InvalidInputError(
                f"dataset.features: samples of shape {sample_shape} do not fit the network, which takes {self.network.input_shape}"
            )
        loss = self.training.loss
        if loss.name == "hinge" and self.network.outputs != 1:
            raise InvalidInputError(f"network: {self.network.outputs} outputs do not fit loss 'hinge', which takes 1")
        loss.check("dataset.labels", self.dataset.labels, self.network.outputs)
        self.perturbation.check(self.dataset, loss)
        if not self.schedule:
            raise InvalidInputError("training: no step is left; every batch was dropped")

    def encode(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Labels with the shape of the dataset's, behind any leading axes, as the program reads them: (…, N, outputs or classes)."""
        loss = self.training.loss
        return loss.encode(labels[..., np.newaxis] if loss.classes is None and self.dataset.labels.ndim == 1 else labels)

    @cached_property
    def schedule(self) -> tuple[NDArray[np.int64], ...]:
        """Sample indices of each step; its length is the number T of steps."""
        return self.training.schedule(len(self.dataset))

    @property
    def steps(self) -> int:
        """Number T of SGD steps."""
        return len(self.schedule)

    @cached_property
    def learning_rates(self) -> NDArray[np.float64]:
        """α_t, shape (T,)."""
        return self.training.learning_rates(self.steps)

    @cached_property
    def initial(self) -> NDArray[np.float64]:
        """θ₀, flattened, shape (p,)."""
        return self.network.flatten(self.network.initial)

    def describe(self) -> str:
        """One line in words."""
        model = self.perturbation
        reach = [f"features ±{model.eps:g}"] * (model.eps > 0)
        reach += [("label flips" if model.flips else f"labels ±{model.nu:g}")] * (model.nu > 0)
        return (
            f"{self.name}: {'-'.join(str(prod(self.network.shapes[n])) for n in ('input', *self.network.nodes) if 'relu' not in n)} "
            f"({self.network.size} parameters), {len(self.dataset)} samples, {self.training.loss.name} loss, {self.steps} steps; "
            f"at most {model.n} sample{'s' * (model.n != 1)} with {' and '.join(reach) or 'no change'}"
        )
