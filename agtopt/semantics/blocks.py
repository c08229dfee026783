"""Per-sample gradients in blocks of parameter entries: those of dense layers are multiplied out only where single samples count."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import inf, prod
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from agtopt.semantics.arithmetic import Range, both, nonnegative, norm, rounding_of

Index = tuple[slice, ...]
Terms = list[tuple[Tensor, Tensor]]

ROOM = 1e-8
"""Products below this share of the largest number leave room for sums of some of them."""


class Ends(NamedTuple):
    """Upper ends of gradient entries and of their negatives, so that both are treated alike."""

    upper: Tensor
    negated: Tensor


class Block(Protocol):
    """Gradients of some entries: of the samples as they stand, then under every variant of being touched.

    Attributes
    ----------
    finite : bool
        Whether every end is known to be finite.
    magnitude : Tensor, shape (entries,)
        Sum over the samples of the largest magnitude as they stand, or more.
    """

    @property
    def finite(self) -> bool: ...

    @property
    def magnitude(self) -> Tensor: ...

    def sums(self) -> Ends:
        """Sums over the samples as they stand, (entries,)."""
        ...

    def ends(self) -> list[Ends]:
        """Ends of the samples, (entries, n) each, under every variant; the caller may overwrite them."""
        ...

    def gains(self) -> Ends:
        """The ends as they stand less those under the last variant, (entries, n); the caller may overwrite them."""
        ...


class Entries:
    """A block of gradients that are there as numbers.

    Parameters
    ----------
    variants : list of Ends, shape (entries, n)
    """

    def __init__(self, variants: list[Ends]) -> None:
        self.variants = variants
        self.magnitude = torch.maximum(*variants[0]).sum(-1)

    @cached_property
    def finite(self) -> bool:
        return all(bool(torch.maximum(*ends).sum().isfinite()) for ends in self.variants)

    def sums(self) -> Ends:
        return Ends(*(end.sum(-1) for end in self.variants[0]))

    def ends(self) -> list[Ends]:
        return [Ends(*(end.clone(memory_format=torch.contiguous_format) for end in ends)) for ends in self.variants]

    def gains(self) -> Ends:
        return Ends(*(before - after for before, after in zip(self.variants[0], self.variants[-1], strict=True)))


@dataclass(frozen=True)
class Outer:
    """Per-sample gradients δ aᵀ of a dense layer's weights, as their factors.

    Parameters
    ----------
    delta : Range, shape (…, n, o)
    inputs : Range, shape (…, n, i)
        Either may have a leading axis of variants.
    bound : float
        Every entry is clipped to ± this.
    """

    delta: Range
    inputs: Range
    bound: float = inf


Gradient = Range | Outer


def whole(gradient: Range, axis: int) -> Block:
    """All entries at once; variants are a leading axis before the sample axis."""
    return Entries(_variants(gradient, axis))


def _variants(gradient: Range, axis: int) -> list[Ends]:
    ends = gradient.upper.movedim(axis, -1), (-gradient.lower).movedim(axis, -1)
    if gradient.lower.dim() == -axis:
        return [Ends(*ends)]
    return [Ends(*pair) for pair in zip(*ends, strict=True)]


def blocks(gradient: Gradient, axis: int, entries: int) -> Iterator[tuple[Index, Block]]:
    """The entries in blocks that do not depend on the number of samples.

    Parameters
    ----------
    gradient : Range or Outer
    axis : int
        The sample axis of the multiplied gradient.
    entries : int
        Entries of a block.

    Yields
    ------
    index : tuple of slice
        Which entries of the tensor.
    block : Block
    """
    if isinstance(gradient, Outer):
        yield from _products(gradient, entries)
        return
    shape = gradient.lower.shape[gradient.lower.dim() + axis + 1 :]
    variants = _variants(gradient, axis)
    step = max(1, entries // prod(shape[1:]))
    for first in range(0, shape[0], step):
        rows = slice(first, first + step)
        yield (rows,), Entries([Ends(upper[rows], negated[rows]) for upper, negated in variants])


def _products(outer: Outer, entries: int) -> Iterator[tuple[Index, Block]]:
    product = Product(_by_variant(outer.delta), _by_variant(outer.inputs), outer.bound)
    columns = min(product.shape[1], max(1, entries))
    rows = max(1, entries // columns)
    for first in range(0, product.shape[0], rows):
        for start in range(0, product.shape[1], columns):
            index = slice(first, first + rows), slice(start, start + columns)
            yield index, Part(product, *index)


def _by_variant(value: Range) -> list[Range]:
    """The factors of every variant, with the sample axis last in memory."""
    last = both(value, lambda end: end.mT.contiguous())
    if last.lower.dim() == 2:
        return [last]
    found = []
    for low, high in zip(*last, strict=True):
        # A sample as it stands has the features that it has.
        found.append(Range(low, low) if last.is_point or torch.equal(low, high) else Range(low, high))
    return found


class Factor:
    """One factor of many products, (…, n), and what they need to know of it, found once."""

    def __init__(self, value: Range) -> None:
        self.ends, self.is_point = value[:], value.is_point

    @cached_property
    def nonnegative(self) -> bool:
        """Whether all of it is."""
        return nonnegative(self.ends[0])

    @cached_property
    def parts(self) -> list[tuple[Tensor, Tensor]]:
        """What of the lower and of the upper end lies below and above zero."""
        split = [(end.clamp(max=0.0), end.clamp(min=0.0)) for end in self.ends[: 2 - self.is_point]]
        return [split[0], split[-1]]

    @cached_property
    def straddling(self) -> Tensor:
        """Samples of which an entry straddles zero, (n,)."""
        return torch.minimum(-self.ends[0], self.ends[1]).amax(dim=0) > 0

    @cached_property
    def extent(self) -> Tensor:
        """The largest magnitude of all."""
        return torch.maximum(self.ends[1].amax(), -self.ends[0].amin())

    @cached_property
    def size(self) -> Tensor:
        """At least the Euclidean norm of the largest magnitudes over the samples."""
        return norm(Range(*self.ends), -1)


@dataclass(frozen=True)
class Form:
    """One end of products of δ (o, n) and inputs (i, n), each a sum of products of which one is not zero, so that it is rounded once.

    Attributes
    ----------
    sense : int
        1 for upper ends; −1 for lower ends, which are handed out as upper ends of the negatives.
    terms : list of (Tensor, Tensor)
    where : Tensor of int
        Samples for which both factors may straddle zero: their end is the farther of two such sums; all samples if those are many.
    pairs : list of list
        The factors of those two, for these samples only.
    """

    sense: int
    terms: Terms
    where: Tensor
    pairs: list[Terms]

    @classmethod
    def of(cls, sense: int, delta: Factor, inputs: Factor) -> "Form":
        """The form that fits what is known of the inputs' signs."""
        # Indices of the end that is farther out in this sense and of the other one; of the parts above and below zero as well.
        far, near = (1, 0)[::sense]
        nowhere = delta.ends[0].new_empty(0, dtype=torch.int64)
        if inputs.nonnegative and inputs.is_point:
            return cls(sense, [(delta.ends[far], inputs.ends[1])], nowhere, [])
        if inputs.nonnegative:
            return cls(sense, list(zip(delta.parts[far][::-sense], inputs.ends[::-1], strict=True)), nowhere, [])
        least, most = inputs.parts
        if inputs.is_point:
            return cls(sense, [(delta.ends[far], most[1]), (delta.ends[near], most[0])], nowhere, [])
        outside, inside = (delta.parts[far][far], delta.parts[near][far]), (delta.parts[far][near], delta.parts[near][near])
        terms = [(outside[0], most[1]), (inside[0], least[1]), (inside[1], least[0]), (outside[1], most[0])]
        where = torch.nonzero(delta.straddling & inputs.straddling)[:, 0]
        if 2 * len(where) > len(delta.straddling):
            # It takes longer to choose most of them.
            where = torch.arange(len(delta.straddling), device=where.device)
        pairs = [[(delta.ends[far], end[1]), (delta.ends[near], end[0])] for end in (most, least)] if len(where) else []
        return cls(sense, terms, where, [[(left[:, where], right[:, where]) for left, right in pair] for pair in pairs])

    @property
    def everywhere(self) -> bool:
        """Whether no sample is left to `terms`."""
        return len(self.where) == self.terms[0][1].shape[-1]

    def sums(self) -> Tensor:
        """Sums over the samples that are left to `terms`, (o, i): products of matrices."""
        products = []
        for left, right in self.terms:
            if len(self.where) and len(left) < len(right):
                left = left.index_fill(-1, self.where, 0.0)
            elif len(self.where):
                right = right.index_fill(-1, self.where, 0.0)
            products.append(left @ right.mT)
        return self.sense * sum(products[1:], start=products[0])

    def straddling(self, rows: slice, columns: slice) -> Tensor:
        """The ends for the samples `where`, (o, i, w)."""
        first, second = (_sum(terms, rows, columns, self.sense) for terms in self.pairs)
        return torch.maximum(first, second, out=first)

    def ends(self, rows: slice, columns: slice) -> Tensor:
        """(o, i, n)."""
        if self.everywhere:
            return self.straddling(rows, columns)
        total = _sum(self.terms, rows, columns, self.sense)
        if len(self.where):
            total[..., self.where] = self.straddling(rows, columns)
        return total

    def gains(self, touched: "Form", rows: slice, columns: slice) -> Tensor:
        """These ends less those of a form that holds this one, (o, i, n)."""
        if len(self.where) or touched.everywhere:
            return self.ends(rows, columns).sub_(touched.ends(rows, columns))
        first, second = (self, touched)[:: self.sense]
        total = _sum(first.terms, rows, columns)
        for left, right in second.terms:
            total.addcmul_(left[rows].unsqueeze(1), right[columns], value=-1.0)
        if len(touched.where):
            clean = [(left[:, touched.where], right[:, touched.where]) for left, right in self.terms]
            total[..., touched.where] = _sum(clean, rows, columns, self.sense).sub_(touched.straddling(rows, columns))
        return total

    def less(self, touched: "Form") -> "Form | None":
        """The gains as a form of its own, for the same inputs; none where something straddles."""
        if len(touched.where):
            return None
        pairs = zip(*(form.terms for form in (self, touched)[:: self.sense]), strict=True)
        return Form(1, [(first - second, inputs) for (first, inputs), (second, _) in pairs], self.where, [])


def _sum(terms: Terms, rows: slice, columns: slice, sense: int = 1) -> Tensor:
    (left, right), *others = ((left[rows].unsqueeze(1), right[columns]) for left, right in terms)
    total = (left if sense > 0 else -left) * right
    for factors in others:
        total.addcmul_(*factors, value=sense)
    return total


class Product:
    """Gradients δ aᵀ of one tensor, for all samples and under all variants.

    Parameters
    ----------
    delta : list of Range, shape (o, n)
    inputs : list of Range, shape (i, n)
        One of each, or one for every variant.
    bound : float
        Every entry is clipped to ± this.
    """

    def __init__(self, delta: list[Range], inputs: list[Range], bound: float) -> None:
        self.shape, self.bound = (delta[0].lower.shape[0], inputs[0].lower.shape[0]), bound
        self.shared, many = len(inputs) == 1, max(len(delta), len(inputs))
        factors = [Factor(d) for d in delta] * (many // len(delta)), [Factor(a) for a in inputs] * (many // len(inputs))
        self.pairs = list(zip(*factors, strict=True))
        self.forms = [(Form.of(1, *pair), Form.of(-1, *pair)) for pair in self.pairs]
        self.magnitude = torch.outer(self.pairs[0][0].size, self.pairs[0][1].size)
        if bound < inf:
            self.magnitude = self.magnitude.nan_to_num(nan=inf).clamp(max=bound * delta[0].lower.shape[1])

    @cached_property
    def finite(self) -> bool:
        """Whether sums of a few products of any ends are; the last variant contains all others."""
        delta, inputs = self.pairs[-1]
        return bool(delta.extent * inputs.extent < ROOM * rounding_of(self.magnitude).largest)

    @cached_property
    def sums(self) -> list[Tensor]:
        """Sums over the samples as they stand, but for those where both factors straddle zero."""
        return [form.sums() for form in self.forms[0]]

    @cached_property
    def gains(self) -> list[Form | None]:
        """What the last variant gains, as forms where it can be."""
        if not self.shared:
            return [None, None]
        return [before.less(after) for before, after in zip(self.forms[0], self.forms[-1], strict=True)]


class Part:
    """A block of a `Product`."""

    def __init__(self, product: Product, rows: slice, columns: slice) -> None:
        self.product, self.rows, self.columns = product, rows, columns
        self.magnitude = product.magnitude[rows, columns]
        self._clean: Ends | None = None

    @property
    def finite(self) -> bool:
        return self.product.finite

    def sums(self) -> Ends:
        if self.product.bound < inf:
            self._clean = self._variant(0)
            return Ends(*(end.sum(-1) for end in self._clean))
        found = []
        for form, total in zip(self.product.forms[0], self.product.sums, strict=True):
            some = form.straddling(self.rows, self.columns).sum(-1) if len(form.where) else 0.0
            found.append(total[self.rows, self.columns] + some)
        return Ends(*found)

    def ends(self) -> list[Ends]:
        return [self._variant(k) for k in range(len(self.product.forms))]

    def gains(self) -> Ends:
        if self.product.bound < inf:
            return Ends(*(before.sub_(after) for before, after in zip(self._variant(0), self._variant(-1), strict=True)))
        clean, touched = self.product.forms[0], self.product.forms[-1]
        return Ends(
            *(
                before.gains(after, self.rows, self.columns) if gain is None else gain.ends(self.rows, self.columns)
                for before, after, gain in zip(clean, touched, self.product.gains, strict=True)
            )
        )

    def _variant(self, variant: int) -> Ends:
        bound = self.product.bound
        if variant == 0 and self._clean is not None:
            # Handed out once, as it may be overwritten.
            clean, self._clean = self._clean, None
            return clean
        ends = Ends(*(form.ends(self.rows, self.columns) for form in self.product.forms[variant]))
        if bound < inf:
            for end in ends:
                # Whatever an unknown gradient was, it is within the bounds once it is clipped.
                (end if self.finite else end.nan_to_num_(nan=bound)).clamp_(-bound, bound)
        return ends
