"""The kinds of bound: optimisation formulations, and propagation through training."""

from dataclasses import dataclass, replace

from agtopt.errors import InvalidInputError

DEFAULT_SEGMENTS = 4
"""Segments of the corridor of a function where none are asked for."""


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
    segments: int = DEFAULT_SEGMENTS

    @property
    def linear(self) -> "Formulation":
        """The kind with the same binaries in which McCormick envelopes replace the products, and
        corridors the functions."""
        return (MILP if self.binaries else LP).with_segments(self.segments)

    def with_segments(self, segments: int) -> "Formulation":
        """The same kind with another number of segments.

        Raises
        ------
        InvalidInputError
            If it is no whole number of at least 1.
        """
        if isinstance(segments, bool) or not isinstance(segments, int) or segments < 1:
            raise InvalidInputError(
                f"segments: {segments!r} is not allowed; it must be a whole number of at least 1"
            )
        return replace(self, segments=segments)

    def __str__(self) -> str:
        return self.name if self.segments == DEFAULT_SEGMENTS else f"{self.name}:{self.segments}"


@dataclass(frozen=True)
class Propagation:
    """A bound by propagation of a domain through training, without a solver.

    Parameters
    ----------
    name : str
    linear : bool
        Whether pre-activations are bounded by linear bounds, substituted backwards, as well
        (CROWN).
    affine : bool
        Whether the deviation from the nominal run is kept as an affine form of what the adversary
        does to each sample, beside the intervals (AFFINE).
    """

    name: str
    linear: bool = False
    affine: bool = False

    def __str__(self) -> str:
        return self.name


MINLP = Formulation("MINLP", binaries=True, bilinear=True, functions=True)
MIQCP = Formulation("MIQCP", binaries=True, bilinear=True)
MILP = Formulation("MILP", binaries=True, bilinear=False)
QCP = Formulation("QCP", binaries=False, bilinear=True)
LP = Formulation("LP", binaries=False, bilinear=False)
IBP = Propagation("IBP")
CROWN = Propagation("CROWN", linear=True)
AFFINE = Propagation("AFFINE", affine=True)

KINDS: dict[str, Formulation | Propagation] = {
    kind.name: kind for kind in (IBP, CROWN, AFFINE, LP, QCP, MILP, MIQCP, MINLP)
}


def kind_named(name: "str | Formulation | Propagation") -> Formulation | Propagation:
    """Return the kind with this name (any case); kinds are returned as they are.

    A formulation's name may carry its number of segments, e.g. ``"MILP:8"``.

    Raises
    ------
    InvalidInputError
        If no kind has this name.
    """
    if isinstance(name, (Formulation, Propagation)):
        return name
    stem, colon, segments = str(name).partition(":")
    kind = KINDS.get(stem.upper())
    if kind is None or (colon and (isinstance(kind, Propagation) or not segments.isdecimal())):
        raise InvalidInputError(
            f"kind: {name!r} is unknown; allowed are {', '.join(KINDS)}, a formulation also as "
            f"e.g. MILP:8 (segments)"
        )
    return kind.with_segments(int(segments)) if colon and isinstance(kind, Formulation) else kind
