"""Products δ aᵀ of many samples: their sums as products of matrices, their ends only for the entries and samples that are asked for.

As in `blocks`, both ends stand on a leading axis, the second as the upper ends of the negatives.
"""

from dataclasses import dataclass
from functools import cached_property
from math import inf

import torch
from torch import Tensor

from agtopt.semantics.arithmetic import COPIED, Nonnegative, Range, both, largest, nonnegative, rounding_of

Terms = list[tuple[Tensor, Tensor]]

ROOM = 1e-8
"""Products below this share of the largest number leave room for sums of some of them."""


def by_variant(value: Range) -> list[Range]:
    """The factors of every variant, with the sample axis last in memory."""
    last, kind = both(value, lambda end: end.mT.contiguous()), Nonnegative if isinstance(value, Nonnegative) else Range
    if last.lower.dim() == 2:
        return [kind(*last)]
    found = []
    for low, high in zip(*last, strict=True):
        # A sample as it stands has the features that it has.
        found.append(kind(low, low) if last.is_point or torch.equal(low, high) else kind(low, high))
    return found


class Factor:
    """One factor of many products, (i, n)."""

    def __init__(self, value: Range) -> None:
        self.lower, self.upper, self.is_point = *value, value.is_point
        self.nonnegative = nonnegative(value)

    def parts(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """How far the lower end lies below and above zero, and the upper end."""
        upper = self.upper.neg().relu_(), self.upper.relu()
        return (*upper, *upper) if self.is_point else (self.lower.neg().relu_(), self.lower.relu(), *upper)

    def straddling(self) -> Tensor:
        """Samples of which an entry straddles zero, (n,)."""
        return torch.minimum(-self.lower, self.upper).amax(dim=0) > 0

    def size(self) -> Tensor:
        """The largest magnitudes."""
        return self.upper if self.nonnegative else largest(Range(self.lower, self.upper))


class Mirrored:
    """The other factor: [u, −l, u], (3, o, n), so that its upper end and that of its negative stand in both orders without a copy."""

    def __init__(self, value: Range) -> None:
        self.slabs = torch.stack([value.upper, -value.lower, value.upper])

    @property
    def far(self) -> Tensor:
        """[u, −l], (2, o, n)."""
        return self.slabs[:2]

    def size(self) -> Tensor:
        """As of a factor."""
        return self.far.amax(dim=0)

    def straddling(self) -> Tensor | None:
        """As of a factor; none if no sample does."""
        # How far a number lies from zero on its nearer side is positive where its ends have two signs.
        reach = self.far.amin(dim=0)
        return None if reach.max().item() <= 0.0 else reach.amax(dim=0) > 0


class Mirror:
    """What was mirrored last: weights and biases of a layer have the same δ."""

    def __init__(self) -> None:
        self.value: Range | None = None
        self.found: list[Mirrored] = []

    def of(self, value: Range) -> list[Mirrored]:
        """One of (…, n, o) for every variant."""
        if value is not self.value:
            self.value, self.found = value, [Mirrored(variant) for variant in by_variant(value)]
        return self.found


@dataclass(frozen=True)
class Form:
    """Ends of products of δ (2, o, n) and inputs (i, n), each a sum of products of which one is not zero, so that it is rounded once.

    Attributes
    ----------
    terms : list of (Tensor, Tensor)
    where : Tensor of int
        Samples for which both factors may straddle zero: their end is the farther of two such sums; all samples if those are many.
    pairs : list of list
        The factors of those two, for these samples only.
    """

    terms: Terms
    where: Tensor
    pairs: list[Terms]

    @classmethod
    def of(cls, delta: Mirrored, inputs: Factor) -> "Form":
        """The form that fits what is known of the inputs' signs."""
        far, nowhere = delta.far, delta.far.new_empty(0, dtype=torch.int64)
        if inputs.nonnegative:
            if inputs.is_point:
                return cls([(far, inputs.upper)], nowhere, [])
            return cls([(far.relu(), inputs.upper), (far.clamp_max(0.0), inputs.lower)], nowhere, [])
        least_below, least_above, most_below, most_above = inputs.parts()
        # The negatives of the nearer ends, [−l, u].
        turned = delta.slabs[1:]
        if inputs.is_point:
            return cls([(far, most_above), (turned, most_below)], nowhere, [])
        above, below = delta.slabs.relu(), delta.slabs.clamp_max(0.0)
        terms = [(above[:2], most_above), (below[:2], least_above), (above[1:], least_below), (below[1:], most_below)]
        # Most often the δ of no sample does.
        straddling = delta.straddling()
        where = nowhere if straddling is None else torch.nonzero(straddling & inputs.straddling())[:, 0]
        if 2 * len(where) > far.shape[-1]:
            # It takes longer to choose most of them.
            where = torch.arange(far.shape[-1], device=far.device)
        if not len(where):
            return cls(terms, where, [])
        pairs = [[(far, most_above), (turned, most_below)], [(far, least_above), (turned, least_below)]]
        return cls(terms, where, [[(left[..., where], right[:, where]) for left, right in pair] for pair in pairs])

    @property
    def everywhere(self) -> bool:
        """Whether no sample is left to `terms`."""
        return len(self.where) == self.terms[0][1].shape[-1]

    def sums(self) -> Tensor:
        """Sums over the samples that are left to `terms`, (2, o, i): products of matrices."""
        terms = self.terms
        if len(self.where):
            terms = [
                (left.index_fill(-1, self.where, 0.0), right)
                if left.numel() < right.numel()
                else (left, right.index_fill(-1, self.where, 0.0))
                for left, right in terms
            ]
        if len(terms) > 1 and sum(factor.numel() for factor in terms[0]) <= COPIED:
            terms = [(torch.cat(lefts, -1), torch.cat(rights, -1)) for lefts, rights in [zip(*terms, strict=True)]]
        products = [left @ right.mT for left, right in terms]
        return sum(products[1:], start=products[0])

    def straddling(self, rows: slice, columns: slice) -> Tensor:
        """The ends for the samples `where`, (2, o, i, w)."""
        first, second = (_sum(terms, rows, columns) for terms in self.pairs)
        return torch.maximum(first, second, out=first)

    def ends(self, rows: slice, columns: slice) -> Tensor:
        """(2, o, i, n)."""
        if self.everywhere:
            return self.straddling(rows, columns)
        total = _sum(self.terms, rows, columns)
        if len(self.where):
            total[..., self.where] = self.straddling(rows, columns)
        return total

    def gains(self, touched: "Form", rows: slice, columns: slice) -> Tensor:
        """These ends less those of a form that holds this one, (2, o, i, n)."""
        if len(self.where) or touched.everywhere:
            return self.ends(rows, columns).sub_(touched.ends(rows, columns))
        total = _sum(self.terms, rows, columns)
        for left, right in touched.terms:
            total.addcmul_(left[:, rows].unsqueeze(2), right[columns], value=-1.0)
        if len(touched.where):
            clean = [(left[..., touched.where], right[:, touched.where]) for left, right in self.terms]
            total[..., touched.where] = _sum(clean, rows, columns).sub_(touched.straddling(rows, columns))
        return total

    def less(self, touched: "Form") -> "Form | None":
        """The gains as a form of its own, for the same inputs; none where something straddles."""
        if len(touched.where):
            return None
        pairs = zip(self.terms, touched.terms, strict=True)
        return Form([(first - second, inputs) for (first, inputs), (second, _) in pairs], self.where, [])


def _sum(terms: Terms, rows: slice, columns: slice) -> Tensor:
    (left, right), *others = ((left[:, rows].unsqueeze(2), right[columns]) for left, right in terms)
    total = left * right
    for factors in others:
        total.addcmul_(*factors)
    return total


class Product:
    """Gradients δ aᵀ of one tensor, for all samples and under all variants.

    Parameters
    ----------
    delta : list of Mirrored, shape (o, n)
    inputs : list of Range, shape (i, n)
        One of each, or one for every variant.
    bound : float
        Every entry is clipped to ± this.
    """

    def __init__(self, delta: list[Mirrored], inputs: list[Range], bound: float) -> None:
        self.shape, self.bound = (delta[0].far.shape[1], inputs[0].lower.shape[0]), bound
        self.shared, many = len(inputs) == 1, max(len(delta), len(inputs))
        factors = delta * (many // len(delta)), [Factor(a) for a in inputs] * (many // len(inputs))
        self.widest = factors[0][-1], factors[1][-1]
        self.forms = [Form.of(*pair) for pair in zip(*factors, strict=True)]
        # Unless they are clipped, magnitudes are products too: their sum is one of matrices.
        self.magnitude = factors[0][0].size() @ factors[1][0].size().mT
        if bound < inf:
            self.magnitude = self.magnitude.nan_to_num(nan=inf).clamp(max=bound * inputs[0].lower.shape[1])

    @cached_property
    def finite(self) -> bool:
        """Whether sums of a few products of any ends are; the last variant contains all others."""
        delta, inputs = self.widest
        return delta.far.max().item() * inputs.size().max().item() < ROOM * rounding_of(self.magnitude).largest

    @cached_property
    def sums(self) -> Tensor:
        """Sums over the samples as they stand, but for those where both factors straddle zero."""
        return self.forms[0].sums()

    @cached_property
    def gains(self) -> Form | None:
        """What the last variant gains, as a form where it can be."""
        return self.forms[0].less(self.forms[-1]) if self.shared else None


class Part:
    """A block of a `Product`."""

    def __init__(self, product: Product, rows: slice, columns: slice) -> None:
        self.product, self.rows, self.columns = product, rows, columns
        self.magnitude = product.magnitude[rows, columns]
        self._clean: Tensor | None = None

    @property
    def finite(self) -> bool:
        return self.product.finite

    def sums(self) -> Tensor:
        if self.product.bound < inf:
            self._clean = self._variant(0)
            return self._clean.sum(-1)
        form, found = self.product.forms[0], self.product.sums[:, self.rows, self.columns]
        return found + form.straddling(self.rows, self.columns).sum(-1) if len(form.where) else found

    def ends(self) -> list[Tensor]:
        return [self._variant(k) for k in range(len(self.product.forms))]

    def gains(self) -> Tensor:
        if self.product.bound < inf:
            return self._variant(0).sub_(self._variant(-1))
        if self.product.gains is not None:
            return self.product.gains.ends(self.rows, self.columns)
        return self.product.forms[0].gains(self.product.forms[-1], self.rows, self.columns)

    def _variant(self, variant: int) -> Tensor:
        bound = self.product.bound
        if variant == 0 and self._clean is not None:
            # Handed out once, as it may be overwritten.
            clean, self._clean = self._clean, None
            return clean
        ends = self.product.forms[variant].ends(self.rows, self.columns)
        if bound < inf:
            # Whatever an unknown gradient was, it is within the bounds once it is clipped.
            (ends if self.finite else ends.nan_to_num_(nan=bound)).clamp_(-bound, bound)
        return ends
