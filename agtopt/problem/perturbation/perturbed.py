"""What a perturbation model asks of the problem that it perturbs."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agtopt.problem.dataset import Dataset
from agtopt.problem.network import Network
from agtopt.problem.training import Training


class Perturbed(Protocol):
    """A problem, as far as a perturbation model asks; see `agtopt.Problem`."""

    @property
    def network(self) -> Network:
        """What is trained."""
        ...

    @property
    def dataset(self) -> Dataset:
        """The training data as they stand."""
        ...

    @property
    def training(self) -> Training:
        """Loss, batches and clipping."""
        ...

    @property
    def classes(self) -> tuple[int, ...] | None:
        """The class labels; None for regression."""
        ...

    @property
    def schedule(self) -> tuple[NDArray[np.int64], ...]:
        """Sample indices of each step."""
        ...

    def encode(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Labels as the program reads them."""
        ...
