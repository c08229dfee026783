"""``agtopt bound`` and ``agtopt compare``."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from agtopt.cli import screen
from agtopt.cli.options import (
    Conditional,
    Folder,
    Kind,
    Memory,
    Output,
    SolverName,
    Tightening,
    TimeLimit,
    Window,
    Workers,
    running,
    tightening,
)
from agtopt.cli.screen import show, tell_of_limits
from agtopt.drivers import bound as bound_parameters
from agtopt.errors import AgtoptError, InvalidInputError
from agtopt.files import attempt
from agtopt.kinds import KINDS, kind_named
from agtopt.readers import load
from agtopt.report import compare as compare_methods
from agtopt.report.compare import SIZES
from agtopt.solvers import PROVED, TOLERANCE


def bound(
    folder: Folder,
    kind: Kind = "MILP",
    window: Window = None,
    stride: Annotated[int | None, typer.Option(help="Steps from one window to the next.")] = None,
    solver: SolverName = None,
    time_limit: TimeLimit = None,
    conditional: Conditional = True,
    obbt: Tightening = 0,
    proofs: Annotated[
        Path | None,
        typer.Option(help="Prove every bound (LP, MILP), and write the proofs to this folder."),
    ] = None,
    memory: Memory = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Folder for what is found; a run that was killed goes on from there."),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            help=(
                "Where IBP, CROWN and the boxes of AFFINE run: cpu, cuda or cuda:1 (written for "
                "CUDA, tested on the CPU)."
            )
        ),
    ] = "cpu",
    dtype: Annotated[
        str,
        typer.Option(
            help="In which format: float64, or float32, which covers training in float32 too."
        ),
    ] = "float64",
    workers: Workers = 1,
    output: Output = None,
) -> None:
    """Bound every parameter that training can reach."""
    problem = load(folder)
    with running(workers) as pool:
        reach = bound_parameters(
            problem,
            kind,
            window=window,
            stride=stride,
            solver=solver,
            time_limit=time_limit,
            conditional=conditional,
            obbt=tightening(obbt),
            rigour=TOLERANCE if proofs is None else PROVED,
            proofs=proofs,
            executor=pool,
            progress=True,
            memory=memory,
            checkpoint=checkpoint,
            device=device,
            dtype=dtype,
        )
    box = reach.steps[-1]
    frame = pd.DataFrame(
        {"parameter": problem.network.parameter_names, "lower": box.lower, "upper": box.upper}
    )
    show(frame, problem.describe(), output)
    screen.console.print(
        f"{reach.method}: width {box.width():.6g} in {reach.seconds:.1f} s"
        + " (interrupted)" * reach.interrupted
    )
    tell_of_limits(reach.rows)


def compare(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders with problem.toml and arrays.npz.")
    ],
    kinds: Annotated[
        str | None,
        typer.Option(help="Kinds, separated by commas; all that differ on a problem by default."),
    ] = None,
    windows: Annotated[
        str, typer.Option(help="Windows, separated by commas; 'full' is the whole horizon.")
    ] = "full",
    solvers: Annotated[
        str,
        typer.Option(
            help="Solvers, separated by commas; 'default' leaves the choice to the model."
        ),
    ] = "default",
    time_limit: Annotated[
        str, typer.Option(help="Seconds per solve; for a kind apart as e.g. '5,QCP=0.5'.")
    ] = "10",
    conditional: Conditional = True,
    tighten: Annotated[
        str | None,
        typer.Option(
            help="LP or MILP: what bounds the steps within a window; the kind itself by default."
        ),
    ] = None,
    obbt: Tightening = 0,
    workers: Annotated[
        int, typer.Option(help="Processes that work on cells of the table side by side.", min=1)
    ] = 1,
    resume: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps what is solved; a comparison goes on from there."),
    ] = None,
    output: Output = None,
) -> None:
    """Width, time and size of several kinds, windows and solvers, beside what training attains;
    Ctrl-C shows what is there."""
    problems = [load(folder) for folder in folders]
    named = None if kinds is None else _words(kinds)
    with running(workers) as pool:
        comparison = compare_methods(
            problems,
            named,
            [_window(word) for word in _words(windows)],
            [None if word == "default" else word for word in _words(solvers)],
            time_limit=_limits(time_limit, KINDS if named is None else named),
            conditional=conditional,
            tighten=True if tighten is None else tighten,
            obbt=tightening(obbt),
            executor=pool,
            progress=True,
            resume=resume,
        )
    for instance in comparison.instances:
        rows = comparison.table.query("instance == @instance.problem.name")
        hidden = ["instance", "to_enumerated", "building", "solving", *SIZES, "bounds", "rigour"]
        # A message is no cell of a table: it stands below.
        refused = rows[rows["status"].str.startswith("refused: ").astype(bool)]
        shown = rows.drop(
            columns=[*hidden, "solver"] if rows["solver"].isin(["", "default"]).all() else hidden
        )
        show(
            shown.assign(status=shown["status"].str.replace(":.*", "", regex=True)),
            instance.problem.describe(),
        )
        inner = instance.inner
        how = "enumerated exactly" if inner.exact else "attained by attacks (a lower bound)"
        screen.console.print(
            f"{how}: width {inner.domain.width():.6g} over {inner.runs} training runs"
        )
        for row in refused.itertuples():
            screen.console.print(
                f"{row.method}, window {row.window}, solver {row.solver}: {row.status}",
                highlight=False,
            )
    if output is not None:
        attempt(partial(comparison.save, output))
    if comparison.interrupted:
        screen.console.print(
            f"interrupted: {len(comparison.cells)} cells are shown"
            + (f"; go on with --resume {resume}" if resume else "")
        )


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _limits(words: str, kinds: Iterable[str]) -> dict[str, float | None]:
    """Seconds by kind: one number for all, then those of single kinds."""
    limits: dict[str, float | None] = dict.fromkeys(str(kind_named(kind)) for kind in kinds)
    for word in _words(words):
        name, _, seconds = word.rpartition("=")
        try:
            limits |= dict.fromkeys([str(kind_named(name))] if name else limits, float(seconds))
        except ValueError as error:
            if isinstance(error, AgtoptError):
                raise
            raise InvalidInputError(
                f"time_limit: {word!r} is not allowed; it must be seconds, or a kind with seconds "
                f"as QCP=0.5"
            ) from None
    return limits


def _window(word: str) -> int | None:
    if word == "full":
        return None
    if not word.isdecimal():
        raise InvalidInputError(
            f"windows: {word!r} is not allowed; each must be a whole number or 'full'"
        )
    return int(word)
