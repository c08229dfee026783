"""The kinds of bound: four optimisation formulations and interval propagation."""

from dataclasses import dataclass

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
    """

    name: str
    binaries: bool
    bilinear: bool

    @property
    def exact(self) -> bool:
        """Whether the formulation is no relaxation at all."""
        return self.binaries and self.bilinear

    @property
    def linear(self) -> "Formulation":
        """The kind with the same binaries in which McCormick envelopes replace the products."""
        return MILP if self.binaries else LP

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Propagation:
    """A bound by propagation of intervals through training, without a solver."""

    name: str

    def __str__(self) -> str:
        return self.name


MIQCP = Formulation("MIQCP", binaries=True, bilinear=True)
MILP = Formulation("MILP", binaries=True, bilinear=False)
QCP = Formulation("QCP", binaries=False, bilinear=True)
LP = Formulation("LP", binaries=False, bilinear=False)
IBP = Propagation("IBP")

KINDS: dict[str, Formulation | Propagation] = {kind.name: kind for kind in (IBP, LP, QCP, MILP, MIQCP)}


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
