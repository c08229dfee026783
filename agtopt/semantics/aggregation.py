"""From intervals of per-sample gradients to an interval of the descent direction (section 6.4 of Sosnin et al. 2025)."""

import torch
from torch import Tensor

from agtopt.semantics.arithmetic import Range, largest, rounding_error


def mean(gradient: Range, axis: int, extra: Range | None = None) -> Range:
    """(Σ gradient + extra) / b along the sample axis."""
    size = gradient.lower.shape[axis]
    low, high = gradient.lower.sum(axis), gradient.upper.sum(axis)
    error = largest(gradient).sum(axis)
    if extra is not None:
        low, high = low + extra.lower, high + extra.upper
        error = error + largest(extra)
    error = rounding_error(error, 2 * size)
    return Range((low - error) / size, (high + error) / size)


def weighted_mean(gradient: Range, present: Tensor, axis: int) -> Range:
    """The mean over the samples that are present; `present` is 0 or 1 with the sample axis last, to be spread over the axes behind."""
    weights = present.reshape(*present.shape, *(1,) * (-1 - axis))
    many = present.sum(dim=-1).reshape(*present.shape[:-1], *(1,) * (-1 - axis))
    kept = Range(torch.where(weights > 0, gradient.lower, 0.0), torch.where(weights > 0, gradient.upper, 0.0))
    error = rounding_error(largest(kept).sum(axis), 2 * present.shape[-1])
    return Range((kept.lower.sum(axis) - error) / many, (kept.upper.sum(axis) + error) / many)


def touched_mean(clean: Range, touched: Range, budget: int, axis: int) -> Range:
    """Theorem 9: ΔU = (1/b)(SEMax_n{δ̃_U − δ_U} + Σ δ_U), ΔL = (1/b)(SEMin_n{δ̃_L − δ_L} + Σ δ_L), for δ̃ ⊇ δ."""
    rise, fall = _excess(clean, touched)
    return mean(clean, axis, Range(-_most(fall, budget, axis), _most(rise, budget, axis)))


def separately_touched_mean(clean: Range, features: Range, labels: Range, touched: Range, budgets: tuple[int, int], axis: int) -> Range:
    """Theorem 9 where n_x samples have changed features and, chosen independently, n_y samples a changed label.

    With the gains g_x, g_y, g_xy of a sample under either change and under both, a choice of samples gains at most each of
    SEMax_{n_x+n_y}{g_xy}, SEMax_{n_x}{g_x} + SEMax_{n_y}{max(g_y, g_xy − g_x)} and the same with x and y exchanged.
    """
    gains = [_excess(clean, reach) for reach in (features, labels, touched)]
    bounds = []
    for first, second, together in zip(*gains, strict=True):
        both = _most(together, sum(budgets), axis)
        one = _most(first, budgets[0], axis) + _most(torch.maximum(second, together - first), budgets[1], axis)
        other = _most(second, budgets[1], axis) + _most(torch.maximum(first, together - second), budgets[0], axis)
        bounds.append(torch.minimum(both, torch.minimum(one, other)))
    # Three roundings more than in Theorem 9, each of terms that are part of the sums.
    slack = rounding_error(_most(largest(touched) + largest(clean), sum(budgets), axis), 8)
    return mean(clean, axis, Range(-bounds[1] - slack, bounds[0] + slack))


def remaining_mean(gradient: Range, vulnerable: Tensor, budget: int, axis: int) -> Range:
    """Theorem 6: the extreme means over the samples that remain when at most n of the vulnerable ones are left out.

    ΔU = max_{r ≤ n} (Σ δ_U − SEMin_r{δ_U}) / (b − r), which is SEMax_{b−n}{δ_U} / (b − n) where all are vulnerable.
    """
    many = int(vulnerable.sum())
    most = min(budget, many)
    size = gradient.lower.shape[axis]
    error = rounding_error(largest(gradient).sum(axis), 2 * size)
    low, high = gradient.lower.sum(axis), gradient.upper.sum(axis)
    least, greatest = (low - error) / size, (high + error) / size
    if most:
        where = torch.nonzero(vulnerable).squeeze(1)
        smallest = gradient.upper.index_select(axis, where).topk(most, axis, largest=False).values.movedim(axis, 0).cumsum(0)
        highest = gradient.lower.index_select(axis, where).topk(most, axis).values.movedim(axis, 0).cumsum(0)
        for r in range(1, most + 1):
            least = torch.minimum(least, (low - highest[r - 1] - error) / (size - r))
            greatest = torch.maximum(greatest, (high - smallest[r - 1] + error) / (size - r))
    return Range(least, greatest)


def _excess(clean: Range, touched: Range) -> tuple[Tensor, Tensor]:
    return (touched.upper - clean.upper).clamp(min=0.0), (clean.lower - touched.lower).clamp(min=0.0)


def _most(values: Tensor, budget: int, axis: int) -> Tensor:
    """SEMax: the sum of the largest `budget` entries along the sample axis; n > b means n = b."""
    return values.topk(min(budget, values.shape[axis]), axis).values.sum(axis)
