"""``agtopt info`` and ``agtopt solvers``."""

import numpy as np
import pandas as pd

from agtopt.cli import screen
from agtopt.cli.options import Folder
from agtopt.cli.screen import show
from agtopt.compiler import predicted_size
from agtopt.kinds import KINDS, Formulation
from agtopt.readers import load
from agtopt.solvers import describe_solvers


def solvers() -> None:
    """What is installed, licensed, and which kinds each solver takes."""
    show(pd.DataFrame(describe_solvers()), "Solvers")


def info(folder: Folder) -> None:
    """What a problem is, and how large its models are at most."""
    problem = load(folder)
    count = problem.perturbation.count(problem)
    screen.console.print(problem.describe())
    screen.console.print(
        f"admissible datasets: {'infinitely many' if np.isinf(count) else int(count)}"
    )
    sizes = [
        {"kind": kind.name, **vars(predicted_size(problem, kind))}
        for kind in KINDS.values()
        if isinstance(kind, Formulation)
    ]
    show(
        pd.DataFrame(sizes),
        "Largest size of the whole horizon (predicted; bounds that decide indicators make it "
        "smaller)",
    )
