"""The operations that a training step is written in."""

from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from agtopt.problem.layers import Patches, Shape

V = TypeVar("V")


class Arithmetic(Protocol[V]):
    """One meaning of what layers, losses and updates are written in.

    V is what a quantity is: a tensor, an interval of tensors, an array of affine expressions.

    Quantities of a batch have the sample axis n first, parameters have no sample axis. A semantics
    may put further axes in front. `at` addresses a quantity that may need a name, as
    ``"<phase>.<node>"``, e.g. ``"forward.dense1"``.
    """

    def constant(self, value: NDArray[np.float64] | float) -> V:
        """A known number or array."""
        ...

    def add(self, first: V, second: V) -> V:
        """Sum, entry by entry, with broadcasting."""
        ...

    def scale(self, factor: float, value: V) -> V:
        """Product with a known number."""
        ...

    def contract(self, subscripts: str, first: V, second: V, at: str, shift: V | None = None) -> V:
        """Sum of products in Einstein's notation, e.g. ``"ni,oi->no"``, plus a shift; the first
        factor belongs to samples."""
        ...

    def rectify(self, value: V, at: str) -> tuple[V, V]:
        """max(0, z) and its derivative 1[z > 0]; both one-sided derivatives at z = 0 (S2)."""
        ...

    def positive(self, value: V, given: V, at: str) -> V:
        """given · 1[z > 0] for an indicator `given`; both values at z = 0 (S2)."""
        ...

    def sigmoid(self, value: V, at: str) -> V:
        """σ(z) = 1 / (1 + exp(−z)), entry by entry."""
        ...

    def softmax(self, value: V, at: str) -> V:
        """exp(z_c) / Σ_j exp(z_j) along the last axis of (n, classes)."""
        ...

    def clip(self, value: V, bound: float, at: str) -> V:
        """min(max(z, −bound), bound), entry by entry."""
        ...

    def define(self, value: V, at: str) -> V:
        """Give a quantity its name: the point where known bounds enter and where a model gets a
        variable."""
        ...

    def reshape(self, value: V, old: Shape, new: Shape) -> V:
        """(…, *old) as (…, *new), row-major."""
        ...

    def unfold(self, value: V, patches: Patches) -> V:
        """The windows of (n, channels, height, width) as (n, entries, places); zero where
        padded."""
        ...

    def fold(self, value: V, patches: Patches) -> V:
        """The transpose of `unfold`: (n, entries, places) summed into (n, channels, height,
        width)."""
        ...

    def column(self, value: V, index: int) -> V:
        """Column `index` of (n, columns), as (n, 1)."""
        ...

    def per_sample(self, value: V, rank: int = 1) -> V:
        """A parameter of `rank` axes with a sample axis of length 1 in front, so that it adds to a
        batch."""
        ...

    def update(self, terms: list[tuple[float, V]], tensor: str) -> V:
        """The linear combination of θ, v and Δ that is a tensor of the state, or several in a
        vector, after a step; θ or v first."""
        ...


class Operations(Arithmetic[V], Protocol[V]):
    """One meaning of training: arithmetic, how a batch enters, and how its gradients are
    aggregated."""

    def begin(self, t: int) -> tuple[V, V]:
        """Open step t and return its batch: features (n, …) and encoded labels (n, outputs or
        classes)."""
        ...

    def aggregate(self, gradient: V, tensor: str) -> V:
        """The descent direction Δ of one parameter tensor from its per-sample gradients, each of
        shape (n, *shape)."""
        ...


Maths = Arithmetic[Any]
Ops = Operations[Any]
