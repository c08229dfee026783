"""Intervals of the logistic function and of softmax, rounded outward (S3), stable at any logits."""

import torch
from torch import Tensor

from agtopt.intervals.arithmetic import Range, rounding_of


def sigmoid(value: Range) -> Range:
    """σ is increasing: both ends apart, rounded outward within [0, 1]; an unknown end gives the
    worst value."""
    logistic = torch.stack(value).sigmoid_()
    rounding = rounding_of(logistic)
    (low, high), (below, above) = (
        logistic,
        torch.mul(logistic, rounding.evaluation).add_(rounding.underflow),
    )
    return Range(
        low.sub_(below).nan_to_num_(nan=0.0).clamp_(min=0.0),
        high.add_(above).nan_to_num_(nan=1.0).clamp_(max=1.0),
    )


def softmax(value: Range) -> Range:
    """The exact range of every probability, but for rounding: its own logit at one end, all others
    at the opposite end.

    p_c = σ(l_c − log Σ_{j≠c} exp u_j) at its smallest, and with the ends exchanged at its largest;
    along the last axis.
    """
    low, high = value
    return sigmoid(Range(_log_odds(low, high, -1), _log_odds(high, low, 1)))


def _log_odds(own: Tensor, others: Tensor, sense: int) -> Tensor:
    classes = own.shape[-1]
    if classes == 2:
        rivals = others.flip(-1)
    else:
        apart = torch.eye(classes, dtype=torch.bool, device=own.device)
        rivals = torch.logsumexp(others.unsqueeze(-2).masked_fill(apart, -torch.inf), dim=-1)
    # The error of logsumexp and of the difference is absolute: some units of the largest magnitude,
    # and of the logarithm of the sum.
    size = own.abs() + others.abs().amax(dim=-1, keepdim=True) + classes
    return own - rivals + sense * (classes + 8) * rounding_of(own).unit * size
