"""Products δ aᵀ of many samples: their sums as products of matrices, their ends only for the
entries and samples that are asked for.

As in `blocks`, both ends stand on a leading axis, the second as the upper ends of the negatives.
"""

from functools import cached_property, reduce
from math import inf, isfinite

import torch
from torch import Tensor

from agtopt.intervals.arithmetic import (
    COPIED,
    Nonnegative,
    Range,
    both,
    largest,
    nonnegative,
    rounding_of,
)
from agtopt.intervals.scale import kernels
from agtopt.intervals.scale.kernels import Factors

Terms = list[tuple[Tensor, Tensor]]

ROOM = 1e-8
"""Products below this share of the largest number leave room for sums of some of them."""


def by_variant(value: Range, axis: int) -> list[Range]:
    """The ends under every variant, a leading axis before the sample axis if there are several,
    with the sample axis last in memory."""
    last, kind = (
        both(value, lambda end: end.movedim(axis, -1).contiguous()),
        Nonnegative if isinstance(value, Nonnegative) else Range,
    )
    if last.lower.dim() == -axis:
        return [kind(*last)]
    variants = []
    for low, high in zip(*last, strict=True):
        # A sample as it stands has the features that it has.
        variants.append(
            kind(low, low) if last.is_point or torch.equal(low, high) else kind(low, high)
        )
    return variants


class Factor:
    """One factor of many products, (i, n)."""

    def __init__(self, value: Range) -> None:
        self.lower, self.upper = value
        self.is_point = value.is_point
        self.nonnegative = nonnegative(value)

    def size(self) -> Tensor:
        """The largest magnitude of each entry, (i, n)."""
        return self.upper if self.nonnegative else largest(Range(self.lower, self.upper))


class VariantEnds:
    """The other factor, or gradients that are there as numbers: the ends [l, u] under one variant,
    (…, n)."""

    def __init__(self, value: Range) -> None:
        self.value = value

    @cached_property
    def slabs(self) -> Tensor:
        """[u, −l, u], (3, …, n): the upper end and that of the negative stand in both orders
        without a copy."""
        return torch.stack([self.value.upper, -self.value.lower, self.value.upper])

    @property
    def far(self) -> Tensor:
        """[u, −l], (2, …, n)."""
        return self.slabs[:2]

    @cached_property
    def size(self) -> Tensor:
        """The largest magnitude of each entry, (…, n)."""
        return self.far.amax(dim=0)

    @cached_property
    def reach(self) -> float:
        """No magnitude is larger; NaN if one is."""
        return abs(self.value.upper.max().item()) + abs(self.value.lower.min().item())


def ends_of(value: Range, axis: int = -2) -> list[VariantEnds]:
    """Those under every variant; the sample axis is named."""
    return [VariantEnds(variant) for variant in by_variant(value, axis)]


class Mirror:
    """What was seen last: weights and biases of a layer have the same δ."""

    def __init__(self) -> None:
        self.value: Range | None = None
        self.found: list[VariantEnds] = []

    def of(self, value: Range) -> list[VariantEnds]:
        """The ends of `value` under every variant; those found last, if it is the same object."""
        if value is not self.value:
            self.value = value
            self.found = ends_of(value)
        return self.found


def _forms(delta: VariantEnds, inputs: Factor) -> list[Terms]:
    """Sums of products of δ and inputs, of which one is not zero, so that each is rounded once: the
    ends are the largest of them."""
    far, ends = delta.far, [inputs.upper] if inputs.is_point else [inputs.upper, inputs.lower]
    if not inputs.nonnegative:
        # Of δ, the farther end counts where an input is positive, and the negative of the nearer
        # one, [−l, u], where it is negative.
        return [[(far, end.relu()), (delta.slabs[1:], end.neg().relu_())] for end in ends]
    if inputs.is_point:
        return [[(far, inputs.upper)]]
    return [[(far.relu(), inputs.upper), (far.clamp_max(0.0), inputs.lower)]]


def _matrices(terms: Terms) -> Tensor:
    """Their sums over the samples, (2, o, i)."""
    if len(terms) > 1 and sum(factor.numel() for factor in terms[0]) <= COPIED:
        terms = [
            (torch.cat(lefts, -1), torch.cat(rights, -1))
            for lefts, rights in [zip(*terms, strict=True)]
        ]
    products = [left @ right.mT for left, right in terms]
    return sum(products[1:], start=products[0])


def _multiplied(terms: Terms, rows: slice, columns: slice) -> Tensor:
    (left, right), *others = ((left[:, rows].unsqueeze(2), right[columns]) for left, right in terms)
    total = left * right
    for factors in others:
        total.addcmul_(*factors)
    return total


class Product:
    """Gradients δ aᵀ of one tensor, for all samples and under all variants.

    Parameters
    ----------
    delta : list of VariantEnds, shape (o, n)
    inputs : list of Range, shape (i, n)
        One of each, or one for every variant.
    bound : float
        Every entry is clipped to ± this.
    """

    def __init__(self, delta: list[VariantEnds], inputs: list[Range], bound: float) -> None:
        self.shape = (delta[0].value.lower.shape[0], inputs[0].lower.shape[0])
        self.bound = bound
        self.variants = many = max(len(delta), len(inputs))
        self.delta = delta * (many // len(delta))
        self.inputs = [Factor(a) for a in inputs] * (many // len(inputs))
        self._forms = dict[int, list[Terms]]()
        # Unless they are clipped, magnitudes are products too: their sum is one of matrices.
        self.unclipped = self.delta[0].size @ self.inputs[0].size().mT
        self.magnitude = self.unclipped
        if bound < inf:
            self.magnitude = self.magnitude.nan_to_num(nan=inf).clamp(
                max=bound * inputs[0].lower.shape[1]
            )

    @cached_property
    def finite(self) -> bool:
        """Whether sums of a few products of any ends are; the last variant contains all others,
        unless these are unknown."""
        reach = self.delta[-1].reach * self.inputs[-1].size().max().item()
        return reach < ROOM * rounding_of(self.magnitude).largest and isfinite(
            self.unclipped.max().item()
        )

    @property
    def linear(self) -> bool:
        """Whether the sign of every input is known, and nothing is clipped, so that sums are
        products of matrices."""
        return self.bound == inf and (self.inputs[0].nonnegative or self.inputs[0].is_point)

    def forms(self, variant: int) -> list[Terms]:
        """Made when they are first asked for."""
        if variant not in self._forms:
            self._forms[variant] = _forms(self.delta[variant], self.inputs[variant])
        return self._forms[variant]

    @cached_property
    def sums(self) -> Tensor:
        """Sums over the samples as they stand, if it is `linear`."""
        return _matrices(self.forms(0)[0])

    def factors(self, variant: int, rows: slice, columns: slice) -> Factors:
        """Ends of δ and of the inputs in a block of rows and columns, as the compiled loops take
        them."""
        (low, high), inputs = self.delta[variant].value, self.inputs[variant]
        return low[rows], high[rows], inputs.lower[columns], inputs.upper[columns]


class ProductBlock:
    """The rows and columns of a `Product` that are summed and searched at once."""

    def __init__(self, product: Product, rows: slice, columns: slice) -> None:
        self.product = product
        self.rows = rows
        self.columns = columns
        self.magnitude = product.magnitude[rows, columns]

    @property
    def finite(self) -> bool:
        return self.product.finite

    def sums(self) -> Tensor:
        product = self.product
        if product.linear:
            return product.sums[:, self.rows, self.columns]
        if kernels.suits(self.finite, self.magnitude):
            return kernels.sums(product.factors(0, self.rows, self.columns), product.bound)
        return self._variant(0).sum(-1)

    def ends(self) -> list[Tensor]:
        return [self._variant(k) for k in range(self.product.variants)]

    def gains(self) -> Tensor:
        return self._variant(0).sub_(self._variant(self.product.variants - 1))

    def below(
        self, limit: Tensor, wanted: int, gains: bool, samples: Tensor | None
    ) -> Tensor | None:
        product = self.product
        if not kernels.suits(self.finite, limit):
            return None
        stands, touched = (product.factors(k, self.rows, self.columns) for k in (0, -1))
        return kernels.values_below(
            limit, wanted, stands, touched if gains else None, product.bound, samples
        )

    def _variant(self, variant: int) -> Tensor:
        bound = self.product.bound
        ends = reduce(
            torch.maximum,
            (_multiplied(terms, self.rows, self.columns) for terms in self.product.forms(variant)),
        )
        if bound < inf:
            # Whatever an unknown gradient was, it is within the bounds once it is clipped.
            (ends if self.finite else ends.nan_to_num_(nan=bound)).clamp_(-bound, bound)
        return ends
