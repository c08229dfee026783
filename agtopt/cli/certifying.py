"""``agtopt certify`` and ``agtopt verify``."""

from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from agtopt.attacks import attack
from agtopt.certificates import Record, certify_end_to_end
from agtopt.certificates import certify as certify_points
from agtopt.certificates import verify as verify_record
from agtopt.certificates.verify import FAILS
from agtopt.cli import screen
from agtopt.cli.options import (
    Conditional,
    Decimal,
    Encoding,
    Folder,
    Kind,
    Output,
    Separator,
    SolverName,
    TimeLimit,
    Window,
    Workers,
    read_points,
    running,
    writable,
)
from agtopt.cli.screen import show, tell_of_limits
from agtopt.drivers import bound as bound_parameters
from agtopt.files import attempt
from agtopt.readers import Columns, load, read_table
from agtopt.report import save_table
from agtopt.solvers import PROVED, TOLERANCE


def certify(
    folder: Folder,
    points: Annotated[
        Path | None,
        typer.Option(
            help=".npz with X and, if known, y, or CSV as for `new`; else the training data."
        ),
    ] = None,
    kind: Kind = "MILP",
    window: Window = None,
    solver: SolverName = None,
    time_limit: TimeLimit = None,
    conditional: Conditional = True,
    eps: Annotated[
        float, typer.Option(help="Radius by which the inputs move too (backdoors).", min=0.0)
    ] = 0.0,
    end_to_end: Annotated[
        str | None,
        typer.Option(help="Kind that decides what the domain leaves open, over the whole run."),
    ] = None,
    proofs: Annotated[
        Path | None,
        typer.Option(help="Prove every bound (LP, MILP), and write the proofs to this folder."),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(help="Write the certificate to this JSON file.", callback=writable),
    ] = None,
    workers: Workers = 1,
    output: Output = None,
    separator: Separator = ",",
    decimal: Decimal = ".",
    encoding: Encoding = "utf-8",
) -> None:
    """Which predictions no admissible adversary can change, and which one does."""
    problem = load(folder)
    X, y = (
        (problem.dataset.features, problem.dataset.labels)
        if points is None
        else _queries(points, folder, separator, decimal, encoding)
    )
    rigour, runs = TOLERANCE if proofs is None else PROVED, attack(problem)
    with running(workers) as pool:
        reach = bound_parameters(
            problem,
            kind,
            window=window,
            solver=solver,
            time_limit=time_limit,
            conditional=conditional,
            rigour=rigour,
            proofs=proofs,
            executor=pool,
            progress=True,
        )
        if end_to_end is None or reach.interrupted:
            certificates = certify_points(reach, X, y, eps, runs)
        else:
            certificates = certify_end_to_end(
                reach,
                X,
                y,
                eps,
                end_to_end,
                solver=solver,
                time_limit=time_limit,
                conditional=conditional,
                rigour=rigour,
                proofs=proofs,
                attack=runs,
                executor=pool,
                progress=True,
            )
    frame = certificates.table()
    show(frame.head(20), f"{problem.describe()} (first 20 of {len(frame)} points)")
    if record is not None:
        attempt(partial(Record.of(reach, certificates).save, record))
    if output is not None:
        attempt(partial(save_table, frame, output))
    if certificates.nominal is not None:
        counts = pd.Series(certificates.verdicts).value_counts()
        screen.console.print(
            f"of {len(frame)} predictions "
            + ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
        )
        if y is not None:
            accuracies = (
                certificates.certified_accuracy,
                certificates.attacked_accuracy,
                certificates.nominal_accuracy,
            )
            screen.console.print(
                "accuracy: certified {:.4f}, attacked {:.4f}, nominal {:.4f}".format(*accuracies)
            )
    tell_of_limits((*reach.rows, *certificates.rows))
    if certificates.interrupted:
        screen.console.print(
            "(interrupted): what is certified holds, and what is unknown was not decided to the end"
        )


def verify(
    record: Annotated[Path, typer.Argument(help="JSON file of a certificate.")],
    folder: Folder,
    proofs: Annotated[
        Path | None, typer.Option(help="Folder with the proofs of its bounds.")
    ] = None,
) -> None:
    """Check a certificate again from the problem alone; exit code 1 if anything in it fails."""
    checks = verify_record(Record.load(record), load(folder), proofs)
    show(checks.table(), f"{record}")
    if any(check.verdict == FAILS for check in checks):
        raise typer.Exit(1)


def _queries(
    path: Path, folder: Path, separator: str, decimal: str, encoding: str
) -> tuple[np.ndarray, np.ndarray | None]:
    if path.suffix.lower() != ".csv":
        return read_points(path)
    return Columns.load(folder).points(read_table(path, separator, decimal, encoding))
