"""The kinds of bound: optimisation formulations, and propagation through training."""

from dataclasses import dataclass, replace

from agtopt.errors import InvalidInputError


@dataclass(frozen=True)
class Formulation:
    """One of the optimisation formulations of Table 1 of Sosnin et al. (2025).

    Parameters
    ----------
    name : str
    binaries : bool
        Whether selectors and indicators stay binary (else they are relaxed to [0, 1]).
    bilinear : bool
        Whether products of two continuous quantities stay (else McCormick envelopes replace them).
    functions : bool
        Whether exponentials and logarithms stay (else a piecewise-linear corridor replaces them).
    segments : int
        Number of segments of a corridor; more are tighter and slower, any number is sound.
    """

    name: str
    binaries: bool
    bilinear: bool
    functions: bool = False
    segments: int = 4

    @property
    def linear(self) -> "Formulation":
        """The kind with the same binaries in which McCormick envelopes replace the products, and corridors the functions."""
        return (MILP if self.binaries else LP).with_segments(self.segments)

    def with_segments(self, segments: int) -> "Formulation":
        """The same kind with another number of segments.

        Raises
        ------
        InvalidInputError
            If it is no whole number of at least 1.
        """
        if isinstance(segments, bool) or not isinstance(segments, int) or segments < 1:
            raise InvalidInputError(f"segments: {segments!r} is not allowed; it must be a whole number of at least 1")
        return replace(self, segments=segments)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Propagation:
    """A bound by propagation of intervals through training, without a solver.

    Parameters
    ----------
    name : str
    linear : bool
        Whether pre-activations are bounded by linear bounds, substituted backwards, as well (CROWN).
    """

    name: str
    linear: bool = False

    def __str__(self) -> str:
        return self.name


MINLP = Formulation("MINLP", binaries=True, bilinear=True, functions=True)
MIQCP = Formulation("MIQCP", binaries=True, bilinear=True)
MILP = Formulation("MILP", binaries=True, bilinear=False)
QCP = Formulation("QCP", binaries=False, bilinear=True)
LP = Formulation("LP", binaries=False, bilinear=False)
IBP = Propagation("IBP")
CROWN = Propagation("CROWN", linear=True)

KINDS: dict[str, Formulation | Propagation] = {kind.name: kind for kind in (IBP, CROWN, LP, QCP, MILP, MIQCP, MINLP)}


def kind_named(name: "str | Formulation | Propagation") -> Formulation | Propagation:
    """Return the kind with this name (any case); kinds are returned as they are.

    Raises
    ------
    InvalidInputError
        If no kind has this name.
    """
    if isinstance(name, (Formulation, Propagation)):
        return name
    try:
        return KINDS[str(name).upper()]
    except KeyError:
        raise InvalidInputError(f"kind: {name!r} is unknown; allowed are {', '.join(KINDS)}") from None
