"""From intervals of per-sample gradients to an interval of the descent direction (section 6.4 of
Sosnin et al. 2025).

A tally is given the gradients of a batch in fragments of samples, at a cost that is linear in the
number of entries. Lower ends are treated as upper ends of the negatives, the second of two on a
leading axis (`blocks`).
"""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agtopt.intervals.arithmetic import Range, largest, rounding_error
from agtopt.intervals.scale.blocks import Block

Batch = NDArray[np.int64]


class Tally(Protocol):
    """What is known of the descent direction of some entries from the samples that were added so
    far."""

    def add(self, block: Block, samples: Batch) -> None:
        """Gradients of more samples; those of a fragment of the batch."""
        ...

    def result(self) -> Range:
        """The interval of the descent direction, once all samples of the batch were added."""
        ...


class Total:
    """Sums of both ends, (2, entries), and of the magnitudes over samples."""

    def __init__(self) -> None:
        self.sums = torch.empty(0)
        self.magnitude = torch.empty(0)

    def add(self, block: Block) -> None:
        """The samples of a block, as they stand."""
        if self.sums.numel():
            self.sums = self.sums + block.sums()
            self.magnitude = self.magnitude + block.magnitude
        else:
            self.sums = block.sums()
            self.magnitude = block.magnitude

    def mean(self, size: int, terms: int, extra: Tensor | None = None) -> Range:
        """(Σ gradient ± extra) / b for nonnegative extra sums (2, entries) of `terms` further
        roundings."""
        sums, magnitude = self.sums, self.magnitude
        if extra is not None:
            sums, magnitude = sums + extra, magnitude + extra.amax(0)
        # Every product is rounded, by us and by a framework, and so is every sum of b of them.
        return _ends((sums + rounding_error(magnitude, size + terms + 2)).div_(size))


def _ends(values: Tensor) -> Range:
    upper, negated = values.unbind()
    return Range(-negated, upper)


class Least:
    """SEMin: the smallest `budget` values of every entry over all samples; n > b means n = b. Gains
    enter as negative numbers.

    Parameters
    ----------
    budget : int
    ceiling : float
        Values from here on need not be kept: 0 where only what is below counts.
    """

    def __init__(self, budget: int, ceiling: float = torch.inf) -> None:
        self.budget = budget
        self.ceiling = ceiling
        self.kept = list[Tensor]()

    def add(self, values: Tensor, known: bool) -> None:
        """Values of more samples, (…, n), which are overwritten; unless all are `known`, NaN counts
        as the smallest."""
        if not known:
            values = values.nan_to_num_(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
        self.kept.append(_smallest_entries(values, self.budget))
        if len(self.kept) > 1:
            self.kept = [_smallest_entries(torch.cat(self.kept, -1), self.budget)]

    def add_block(self, block: Block, gains: bool = False, samples: Tensor | None = None) -> None:
        """The ends of more samples as they stand, or their gains; of those named, all by
        default."""
        full = bool(self.kept) and self.kept[0].shape[-1] == self.budget > 0
        limit = (
            self.kept[0].amax(-1)
            if full
            else block.magnitude.new_full((2, *block.magnitude.shape), self.ceiling)
        )
        below = block.below(limit, 0 if full else self.budget, gains, samples)
        if below is not None:
            self.add(below, True)
            return
        values = block.gains() if gains else block.ends()[0]
        self.add(values if samples is None else values[..., samples], block.finite)

    def gained(self, less: Tensor | float = 0.0) -> Tensor:
        """The sum of those that are smaller than a number of every entry, as a gain."""
        gains = self.kept[0] if isinstance(less, float) else self.kept[0] - less.unsqueeze(-1)
        return (
            -gains.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
            .clamp(max=0.0)
            .sum(-1)
        )


class PlainMean:
    """The mean over all samples."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.total = Total()

    def add(self, block: Block, samples: Batch) -> None:
        self.total.add(block)

    def result(self) -> Range:
        return self.total.mean(self.size, 0)


class TouchedMean:
    """Theorem 9: ΔU = (1/b)(SEMax_n{δ̃_U − δ_U} + Σ δ_U), ΔL = (1/b)(SEMin_n{δ̃_L − δ_L} + Σ δ_L),
    for δ̃ ⊇ δ."""

    def __init__(self, size: int, budget: int) -> None:
        self.size = size
        self.budget = min(budget, size)
        self.total = Total()
        self.gains = Least(budget, 0.0)

    def add(self, block: Block, samples: Batch) -> None:
        self.total.add(block)
        self.gains.add_block(block, gains=True)

    def result(self) -> Range:
        return self.total.mean(self.size, self.budget + 6, self.gains.gained())


class SeparatelyTouchedMean:
    """Theorem 9 where n_x samples have changed features and, chosen independently, n_y samples a
    changed label.

    With the gains g_x, g_y, g_xy of a sample under either change and under both, a choice of
    samples gains at most each of SEMax_{n_x+n_y}{g_xy}, SEMax_{n_x}{g_x} + SEMax_{n_y}{max(g_y,
    g_xy − g_x)} and the same with x and y exchanged.
    """

    def __init__(self, size: int, budgets: tuple[int, int]) -> None:
        self.size = size
        self.budgets = budgets
        self.total = Total()
        both, (first, second) = sum(budgets), budgets
        self.gains = [Least(many) for many in (both, first, second, second, first)]
        # Three roundings more than in Theorem 9, each of terms that are part of the sums.
        self.reach = Least(both)

    def add(self, block: Block, samples: Batch) -> None:
        self.total.add(block)
        clean, *changed = block.ends()
        first, second, together = ((clean - ends).clamp_(max=0.0) for ends in changed)
        rests = torch.minimum(second, together - first), torch.minimum(first, together - second)
        for gain, values in zip(
            self.gains, (together.clone(), first, rests[0], second, rests[1]), strict=True
        ):
            gain.add(values, block.finite)
        self.reach.add(-changed[-1].amax(0) - clean.amax(0), block.finite)

    def result(self) -> Range:
        both, first, second_too, second, first_too = (gain.gained() for gain in self.gains)
        extra = torch.minimum(
            both, torch.minimum(first + second_too, second + first_too)
        ) + rounding_error(self.reach.gained(), 8)
        return self.total.mean(self.size, min(sum(self.budgets), 2 * self.size) + 6, extra)


class ReplacedMean:
    """Theorem 8: vulnerable samples become points of one box, whose gradient is added first, as a
    block without samples.

    A sample gains δ − ghost, so that the smallest δ_U and −δ_L decide.

    Parameters
    ----------
    size, budget : int
        Samples of the batch, and of those that are replaced.
    vulnerable : array of bool, shape (N,)
    """

    def __init__(self, size: int, budget: int, vulnerable: NDArray[np.bool_]) -> None:
        self.size = size
        self.budget = min(budget, size)
        self.vulnerable = vulnerable
        self.total = Total()
        self.lost = Least(budget)
        self.ghost = list[Tensor]()

    def add(self, block: Block, samples: Batch) -> None:
        if not len(samples):
            self.ghost = [block.ends()[0][..., 0]]
            return
        self.total.add(block)
        if self.ghost:
            self.lost.add_block(block, samples=_chosen(block, self.vulnerable[samples]))

    def result(self) -> Range:
        return self.total.mean(
            self.size, self.budget + 6, self.lost.gained(self.ghost[0]) if self.ghost else None
        )


class RemainingMean:
    """Theorem 6: the extreme means over the samples that remain when at most n of the vulnerable
    ones are left out.

    ΔU = max_{r ≤ n} (Σ δ_U − SEMin_r{δ_U}) / (b − r), which is SEMax_{b−n}{δ_U} / (b − n) where all
    are vulnerable.

    Parameters
    ----------
    size : int
        Samples of the batch.
    most : int
        Vulnerable samples that may be left out of it.
    vulnerable : array of bool, shape (N,)
    """

    def __init__(self, size: int, most: int, vulnerable: NDArray[np.bool_]) -> None:
        self.size = size
        self.most = most
        self.vulnerable = vulnerable
        self.total = Total()
        self.lost = Least(most)

    def add(self, block: Block, samples: Batch) -> None:
        self.total.add(block)
        self.lost.add_block(block, samples=_chosen(block, self.vulnerable[samples]))

    def result(self) -> Range:
        total = self.total.sums + rounding_error(self.total.magnitude, self.size + self.most + 8)
        extreme = total / self.size
        if self.most:
            left_out = self.lost.kept[0].sort(dim=-1).values.cumsum(-1)
            for r in range(1, self.most + 1):
                extreme = torch.maximum(extreme, (total - left_out[..., r - 1]) / (self.size - r))
        return _ends(extreme)


def weighted_mean(gradient: Range, present: Tensor, axis: int) -> Range:
    """The mean over the samples that are present; `present` is 0 or 1 with the sample axis last, to
    be spread over the axes behind."""
    weights = present.reshape(*present.shape, *(1,) * (-1 - axis))
    many = present.sum(dim=-1).reshape(*present.shape[:-1], *(1,) * (-1 - axis))
    kept = Range(
        torch.where(weights > 0, gradient.lower, 0.0), torch.where(weights > 0, gradient.upper, 0.0)
    )
    error = rounding_error(largest(kept).sum(axis), 2 * present.shape[-1])
    return Range((kept.lower.sum(axis) - error) / many, (kept.upper.sum(axis) + error) / many)


def _chosen(block: Block, mask: NDArray[np.bool_]) -> Tensor | None:
    """Those samples that the adversary may touch; none named if it may touch all."""
    return None if mask.all() else torch.tensor(np.flatnonzero(mask), device=block.magnitude.device)


def _smallest_entries(values: Tensor, many: int) -> Tensor:
    """The smallest entries along the last axis, in any order; the values are overwritten."""
    if many >= values.shape[-1]:
        # They may be a view of a far larger block.
        return values.clone()
    if many == 1:
        return values.amin(-1, keepdim=True)
    if values.device.type != "cpu":
        return values.topk(many, largest=False, sorted=False).values
    # NumPy selects with vector instructions, several times faster than torch; quickest where ties,
    # of samples without gain, are large.
    values.numpy().partition(many - 1, axis=-1)
    return values[..., :many].clone()
