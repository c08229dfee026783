"""Solutions of other programs, in terms of the problem."""

from dataclasses import dataclass
from pathlib import Path

from agtopt.arguments import typed
from agtopt.compiler import Replay, Target, compile, replay
from agtopt.kinds import Formulation
from agtopt.problem import Problem
from agtopt.problem.checks import instance
from agtopt.readers.solution import Solution, read_solution


@dataclass(frozen=True, eq=False)
class ImportedSolution:
    """A solution file beside real training on the data that it stands for.

    Attributes
    ----------
    solution : Solution
        As read.
    replay : Replay
        What it means.
    """

    solution: Solution
    replay: Replay

    @property
    def stated(self) -> float | None:
        """The program's objective in the target's own sense and scale (a file minimises the
        negative of a ``max``, in a unit)."""
        return (
            None
            if self.solution.objective is None
            else self.replay.target.sign * self.replay.unit * self.solution.objective
        )

    def describe(self) -> str:
        """A few lines in words."""
        replayed = self.replay
        target, data = replayed.target, replayed.dataset
        gone = "" if data.present is None else f", {int((~data.presence()).sum())} of them left out"
        lines = [
            f"{self.solution.program}"
            + (f" ({self.solution.status})" if self.solution.status else "")
            + f": {target.sense} {target.name}",
            f"samples touched: {', '.join(map(str, replayed.touched)) or 'none'}{gone}",
            f"stated by the program: "
            f"{'nothing' if self.stated is None else format(self.stated, '.9g')}",
            f"value at the point in the model: {replayed.modelled:.9g} (largest violation "
            f"{replayed.violation:.1e})",
        ]
        if replayed.attained is None:
            lines.append(
                "training: not done, as the point stands for no admissible dataset (a relaxation's "
                "point need not)"
            )
        else:
            lines.append(
                f"training on that data attains: {replayed.attained:.9g} (difference "
                f"{abs(replayed.attained - replayed.modelled):.1e})"
            )
        return "\n".join(lines)


@typed()
def import_solution(
    problem: Problem,
    path: str | Path,
    target: Target,
    kind: str | Formulation = "MILP",
    conditional: bool = True,
) -> ImportedSolution:
    """Read a solution file of HiGHS, SCIP, Gurobi or CBC, and train on the data that it stands for.

    Parameters
    ----------
    problem : Problem
    path : str or Path
        See `agtopt.readers.solution.read_solution`.
    target, kind, conditional
        As the model was exported.

    Returns
    -------
    ImportedSolution

    Raises
    ------
    MissingFileError
        If a file does not exist.
    InvalidInputError
        If the file cannot be read, holds no point, or is of another model.
    """
    instance("problem", problem, Problem)
    solution = read_solution(path)
    return ImportedSolution(
        solution, replay(compile(problem, kind, conditional=conditional), target, solution.values)
    )
