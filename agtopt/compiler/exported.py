"""Exported model files, and what is known of their optima."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from agtopt.compiler.size import Size
from agtopt.compiler.target import Target
from agtopt.kinds import Formulation


@dataclass(frozen=True)
class Exported:
    """A model file, and what is known of its optimum.

    Attributes
    ----------
    path : Path
        The names of its variables and constraints stand in ``<path>.names.csv``.
    kind : Formulation
    target : Target
    size : Size
    lower, upper : float
        Interval bounds of the target's value over all admissible runs.
    nominal : float
        Its value on the nominal data.
    attained : float
        The best value that a training run is known to attain.
    exact : bool
        Whether every admissible run was tried for it.
    unit : float
        Of the objective in the file, 1 for ordinary sizes: what the file states, times it, is the
        value.
    """

    path: Path
    kind: Formulation
    target: Target
    size: Size
    lower: float
    upper: float
    nominal: float
    attained: float
    exact: bool
    unit: float

    @property
    def optimum(self) -> tuple[float, float]:
        """Between which numbers the optimum of the file lies, as the file states it, in its unit
        (the negative of a ``max``)."""
        ends = (
            (self.lower, self.attained)
            if self.target.sense == "min"
            else (-self.upper, -self.attained)
        )
        return ends[0] / self.unit + 0.0, ends[1] / self.unit + 0.0


class ExportedSet(tuple[Exported, ...]):
    """Every file of an export, in order."""

    __slots__ = ()

    def table(self) -> pd.DataFrame:
        """One row per file: its size, and between which numbers its optimum lies."""
        return pd.DataFrame(
            [
                {
                    "file": file.path.name,
                    "kind": str(file.kind),
                    "objective": f"{file.target.sense} {file.target.name}",
                    **vars(file.size),
                    "optimum, least": file.optimum[0],
                    "optimum, most": file.optimum[1],
                }
                for file in self
            ]
        )
