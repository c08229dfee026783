"""What one solve contributed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One bound that was asked of a solver.

    Attributes
    ----------
    start, stop : int
        The window.
    objective : str
        A parameter, ``direction[k]`` of the template, or with its step a pre-activation that was tightened.
    sense : str
        ``min`` or ``max``.
    status : str
        ``attained`` if a bound that was known already is attained by a training run, ``lost`` if no worker gave an answer (twice);
        otherwise what the solver said.
    attained : float
        The best value of any training run that was tried; NaN where none is known.
    incumbent : float or None
        Objective of the solver's best point; never used as a bound.
    bound : float
        The bound that holds.
    source : str
        Where the bound is from: ``interval``, ``LP`` (the relaxation) or the kind itself.
    rigour : str
        ``proved`` or ``solver tolerance``.
    seconds : float
        Of the solver.
    building : float
        Seconds for what this solve was the first to need: the compiled model, and its way into the solver.
    """

    start: int
    stop: int
    objective: str
    sense: str
    status: str
    attained: float
    incumbent: float | None
    bound: float
    source: str
    rigour: str
    seconds: float
    building: float = 0.0
