"""Intervals of the logistic function and of softmax, rounded outward (S3), stable at any logits."""

import torch
from torch import Tensor

from agtopt.semantics.arithmetic import Range, rounding_of


def sigmoid(value: Range) -> Range:
    """σ is increasing: both ends apart."""
    return Range(_sigmoid(value.lower, -1), _sigmoid(value.upper, 1))


def _sigmoid(z: Tensor, sense: int) -> Tensor:
    """σ(z) rounded up (`sense` 1) or down (−1), within [0, 1]; an unknown z gives the worst value."""
    decay = torch.exp(-z.abs())
    value = torch.where(z >= 0, 1.0 / (1.0 + decay), decay / (1.0 + decay))
    rounding = rounding_of(z)
    moved = torch.add(value, value, alpha=sense * rounding.evaluation).add_(sense * rounding.underflow).clamp_(0.0, 1.0)
    return torch.nan_to_num(moved, nan=0.0 if sense < 0 else 1.0)


def softmax(value: Range) -> Range:
    """The exact range of every probability, but for rounding: its own logit at one end, all others at the opposite end.

    p_c = σ(l_c − log Σ_{j≠c} exp u_j) at its smallest, and with the ends exchanged at its largest; along the last axis.
    """
    return Range(_probability(value.lower, value.upper, -1), _probability(value.upper, value.lower, 1))


def _probability(own: Tensor, others: Tensor, sense: int) -> Tensor:
    classes = own.shape[-1]
    if classes == 2:
        rivals = others.flip(-1)
    else:
        apart = torch.eye(classes, dtype=torch.bool, device=own.device)
        rivals = torch.logsumexp(others.unsqueeze(-2).masked_fill(apart, -torch.inf), dim=-1)
    # The error of logsumexp and of the difference is absolute: some units of the largest magnitude, and of the logarithm of the sum.
    size = own.abs() + others.abs().amax(dim=-1, keepdim=True) + classes
    return _sigmoid(own - rivals + sense * (classes + 8) * rounding_of(own).unit * size, sense)
