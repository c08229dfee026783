"""The operations that a training step is written in."""

from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

V = TypeVar("V")


class Operations(Protocol[V]):
    """One meaning of training; V is what a quantity is: a tensor, an interval of tensors, an array of affine expressions.

    Quantities of a batch have the sample axis n first, parameters have no sample axis. A semantics may put further axes in front.
    `at` addresses a quantity that may need a name, as ``"<phase>.<node>"``, e.g. ``"forward.dense1"``.
    """

    def begin(self, t: int) -> tuple[V, V]:
        """Open step t and return its batch: features (n, …) and encoded labels (n, outputs or classes)."""
        ...

    def constant(self, value: NDArray[np.float64] | float) -> V:
        """A known number or array."""
        ...

    def add(self, first: V, second: V) -> V:
        """Sum, entry by entry, with broadcasting."""
        ...

    def scale(self, factor: float, value: V) -> V:
        """Product with a known number."""
        ...

    def contract(self, subscripts: str, first: V, second: V, at: str) -> V:
        """Sum of products in Einstein's notation, e.g. ``"ni,oi->no"``."""
        ...

    def rectify(self, value: V, at: str) -> tuple[V, V]:
        """max(0, z) and its derivative 1[z > 0]; both one-sided derivatives at z = 0 (S2)."""
        ...

    def positive(self, value: V, given: V, at: str) -> V:
        """given · 1[z > 0] for an indicator `given`; both values at z = 0 (S2)."""
        ...

    def define(self, value: V, at: str) -> V:
        """Give a quantity its name: the point where known bounds enter and where a model gets a variable."""
        ...

    def flatten(self, value: V) -> V:
        """(n, …) as (n, size), row-major."""
        ...

    def unflatten(self, value: V, shape: tuple[int, ...]) -> V:
        """(n, size) as (n, *shape), row-major."""
        ...

    def column(self, value: V, index: int) -> V:
        """Column `index` of (n, columns), as (n, 1)."""
        ...

    def per_sample(self, value: V) -> V:
        """A parameter with a sample axis of length 1 in front, so that it adds to a batch."""
        ...

    def aggregate(self, gradient: V, tensor: str) -> V:
        """The descent direction Δ of one parameter tensor from its per-sample gradients (n, *shape)."""
        ...

    def descend(self, parameter: V, direction: V, rate: float, tensor: str) -> V:
        """θ − rate · Δ: the tensor after the step that is open."""
        ...


Ops = Operations[Any]
