"""What is proved, and what is refuted, of single predictions."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agtopt.certificates.queries import Queries
from agtopt.certificates.witness import Witness
from agtopt.drivers import Settings
from agtopt.drivers.row import Row, stopped
from agtopt.errors import InvalidInputError
from agtopt.problem import Problem

CERTIFIED, REFUTED, UNKNOWN = "certified", "refuted", "unknown"


@dataclass(frozen=True, eq=False)
class PointCertificates:
    """What is proved of each point, under one perturbation model (S8).

    Attributes
    ----------
    problem : Problem
        Carries the perturbation model and the budget that the certificates hold for.
    method : str
        How the domain was found.
    queries : Queries
        The points, and the boxes that they move in.
    lower, upper : array, shape (m, outputs)
        Bounds of the network's output.
    nominal : array of int, shape (m,), or None
        Class that the model trained on the nominal data predicts; None for regression.
    reachable : array of bool, shape (m, classes), or None
        Classes that some admissible model may predict; a tie is no win.
    witnesses : tuple of Witness or None
        One per point: what was seen to change its prediction.
    rigour : str
        ``proved``, or ``solver tolerance`` where a bound rests on a solver's word.
    domain : str
        What outputs and margins were bounded over: ``Interval``, ``Polytope`` or ``Affine``.
    rows : tuple of Row
        One per margin that was asked of a solver.
    settings : Settings or None
        How margins were asked over the compiled run; None where the domain alone was used.
    interrupted : bool
        Whether Ctrl-C cut short the domain or the margins; what is certified holds all the same.
    """

    problem: Problem
    method: str
    queries: Queries
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    nominal: NDArray[np.int64] | None
    reachable: NDArray[np.bool_] | None
    witnesses: tuple[Witness | None, ...]
    rigour: str
    domain: str
    rows: tuple[Row, ...] = ()
    settings: Settings | None = None
    interrupted: bool = False

    @property
    def stopped(self) -> int:
        """How many of its margins were stopped at their time limit: they hold, and longer limits
        may tighten them."""
        return stopped(self.rows)

    @property
    def labels(self) -> NDArray[np.float64] | None:
        """True labels, where they were given."""
        return self.queries.labels

    @property
    def winners(self) -> NDArray[np.int64]:
        """Positions of the nominal classes, shape (m,)."""
        return np.searchsorted(np.array(self.problem.classes), self._classified()[0])

    @property
    def stable(self) -> NDArray[np.bool_]:
        """Whether every admissible model predicts the nominal class."""
        _, reachable = self._classified()
        alone: NDArray[np.bool_] = reachable.sum(axis=1) == 1
        return alone & reachable[np.arange(len(reachable)), self.winners]

    @property
    def refuted(self) -> NDArray[np.bool_]:
        """Whether an admissible dataset is known whose model predicts another class."""
        self._classified()
        return np.array([witness is not None for witness in self.witnesses])

    @property
    def verdicts(self) -> list[str]:
        """``certified``, ``refuted`` or ``unknown``, for the stability of every prediction."""
        return [
            CERTIFIED if stable else REFUTED if refuted else UNKNOWN
            for stable, refuted in zip(self.stable, self.refuted, strict=True)
        ]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether every admissible model predicts the true class."""
        right: NDArray[np.bool_] = self.stable & self._right()
        return right

    @property
    def certified_accuracy(self) -> float:
        """Fraction of the points that are certified correct."""
        return float(np.mean(self.correct))

    @property
    def attacked_accuracy(self) -> float:
        """Fraction of the points that are correct and not refuted: what the attacks leave, at least
        the certified accuracy."""
        return float(np.mean(self._right() & ~self.refuted))

    @property
    def nominal_accuracy(self) -> float:
        """Fraction of the points that the model trained on the nominal data predicts correctly."""
        return float(np.mean(self._right()))

    def _right(self) -> NDArray[np.bool_]:
        nominal, _ = self._classified()
        if self.labels is None:
            raise InvalidInputError(
                "certify: no labels were given, so correctness is not known; pass y"
            )
        return np.asarray(nominal == self.labels)

    def _classified(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        if self.nominal is None or self.reachable is None:
            raise InvalidInputError(
                f"certify: loss {self.problem.training.loss.name!r} predicts no class; use the "
                f"output bounds `lower` and `upper`"
            )
        return self.nominal, self.reachable

    def table(self) -> pd.DataFrame:
        """One row per point."""
        columns = {}
        for c in range(self.lower.shape[1]):
            suffix = "" if self.lower.shape[1] == 1 else f"[{c}]"
            columns[f"lower{suffix}"], columns[f"upper{suffix}"] = (
                self.lower[:, c],
                self.upper[:, c],
            )
        frame = pd.DataFrame(columns)
        if self.nominal is not None and self.reachable is not None:
            classes = np.array(self.problem.classes)
            frame["nominal"], frame["stable"], frame["verdict"] = (
                self.nominal,
                self.stable,
                self.verdicts,
            )
            frame["reachable"] = [" ".join(map(str, classes[row])) for row in self.reachable]
            if self.labels is not None:
                frame["correct"] = self.correct
        return frame
