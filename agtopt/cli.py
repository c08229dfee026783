"""The command line."""

import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from agtopt.attacks import attack
from agtopt.certificates import Record, certify_end_to_end
from agtopt.certificates import certify as certify_points
from agtopt.certificates import verify as verify_record
from agtopt.certificates.verify import FAILS
from agtopt.cli_new import new, read_table
from agtopt.compiler import Target, direction_target, export_file, output_target, parameter_target, predicted_size
from agtopt.compiler import export as export_models
from agtopt.drivers import OBBT, processes
from agtopt.drivers import bound as bound_parameters
from agtopt.errors import AgtoptError, InvalidInputError, MissingFileError
from agtopt.kinds import KINDS, Formulation, kind_named
from agtopt.problem import Problem
from agtopt.readers import Columns, load, read_arrays
from agtopt.report import compare as compare_methods
from agtopt.report import import_solution, save_table
from agtopt.report.compare import SIZES
from agtopt.report.tables import table_path
from agtopt.solvers import PROVED, TOLERANCE, describe_solvers

app = typer.Typer(
    help="How far can anyone who tampers with the training data push the trained model?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(width=None if sys.stdout.isatty() else 110)

Folder = Annotated[Path, typer.Argument(help="Folder with problem.toml and arrays.npz.")]
Kind = Annotated[str, typer.Option(help=f"One of {', '.join(KINDS)}, or auto; a formulation with its segments as e.g. MILP:8.")]
Window = Annotated[int | None, typer.Option(help="Steps per model; the full horizon by default.")]
SolverName = Annotated[str | None, typer.Option(help="highs, scip, gurobi or an interface of Pyomo's contrib.solver.")]
TimeLimit = Annotated[float | None, typer.Option(help="Seconds per solve; the dual bound reached by then is used.")]
Conditional = Annotated[bool, typer.Option(help="Whether cuts tie quantities to the adversary's selectors.")]
Tightening = Annotated[int, typer.Option(min=0, help="Solves per model that tighten undecided pre-activations first (OBBT).")]
Memory = Annotated[float | None, typer.Option(help="GiB that one model may take; three quarters of what is free by default.")]
Workers = Annotated[int, typer.Option(help="Processes that solve side by side.", min=1)]


def _writable(path: Path | None) -> Path | None:
    if path is not None and not path.parent.is_dir():
        raise InvalidInputError(f"output: the folder {str(path.parent)!r} does not exist")
    return path


def _table_file(path: Path | None) -> Path | None:
    return None if path is None else table_path(path)


Output = Annotated[
    Path | None, typer.Option(help="Also write the table to this file; ends in .csv, .json, .md or .tex.", callback=_table_file)
]


@contextmanager
def _processes(workers: int) -> Iterator[Executor | None]:
    if workers == 1:
        yield None
        return
    with processes(workers) as pool:
        yield pool


def _show(frame: pd.DataFrame, title: str, output: Path | None = None) -> None:
    console.print(title, markup=False, highlight=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in frame.columns:
        table.add_column(name, justify="right" if pd.api.types.is_numeric_dtype(frame[name]) else "left", no_wrap=True)
    for row in frame.itertuples(index=False):
        table.add_row(*("" if pd.isna(value) else f"{value:.4g}" if isinstance(value, float) else str(value) for value in row))
    console.print(table)
    if output is not None:
        save_table(frame, output)


def _obbt(solves: int) -> OBBT | None:
    return OBBT(solves) if solves else None


app.command()(new)


@app.command()
def bound(
    folder: Folder,
    kind: Kind = "MILP",
    window: Window = None,
    stride: Annotated[int | None, typer.Option(help="Steps from one window to the next.")] = None,
    solver: SolverName = None,
    time_limit: TimeLimit = None,
    conditional: Conditional = True,
    obbt: Tightening = 0,
    proofs: Annotated[Path | None, typer.Option(help="Prove every bound (LP, MILP), and write the proofs to this folder.")] = None,
    memory: Memory = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Folder for what is found; a run that was killed goes on from there.")] = None,
    workers: Workers = 1,
    output: Output = None,
) -> None:
    """Bound every parameter that training can reach."""
    problem = load(folder)
    with _processes(workers) as pool:
        reach = bound_parameters(
            problem,
            kind,
            window,
            stride,
            solver,
            time_limit,
            conditional,
            obbt=_obbt(obbt),
            rigour=TOLERANCE if proofs is None else PROVED,
            proofs=proofs,
            executor=pool,
            progress=True,
            memory=memory,
            checkpoint=checkpoint,
        )
    box = reach.steps[-1]
    frame = pd.DataFrame({"parameter": problem.network.parameter_names, "lower": box.lower, "upper": box.upper})
    _show(frame, problem.describe(), output)
    console.print(f"{reach.method}: width {box.width():.6g} in {reach.seconds:.1f} s" + " (interrupted)" * reach.interrupted)
    if reach.stopped:
        console.print(f"{reach.stopped} of {len(reach.rows)} bounds stopped at --time-limit: they hold, and a longer one may tighten them")


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(help="Folders with problem.toml and arrays.npz.")],
    kinds: Annotated[str | None, typer.Option(help="Kinds, separated by commas; all that differ on a problem by default.")] = None,
    windows: Annotated[str, typer.Option(help="Windows, separated by commas; 'full' is the whole horizon.")] = "full",
    solvers: Annotated[str, typer.Option(help="Solvers, separated by commas; 'default' leaves the choice to the model.")] = "default",
    time_limit: Annotated[str, typer.Option(help="Seconds per solve; for a kind apart as e.g. '5,QCP=0.5'.")] = "10",
    conditional: Conditional = True,
    tighten: Annotated[
        str | None, typer.Option(help="LP or MILP: what bounds the steps within a window; the kind itself by default.")
    ] = None,
    obbt: Tightening = 0,
    workers: Annotated[int, typer.Option(help="Processes that work on cells of the table side by side.", min=1)] = 1,
    resume: Annotated[Path | None, typer.Option(help="Folder that keeps what is solved; a comparison goes on from there.")] = None,
    output: Output = None,
) -> None:
    """Width, time and size of several kinds, windows and solvers, beside what training attains; Ctrl-C shows what is there."""
    problems = [load(folder) for folder in folders]
    named = None if kinds is None else _words(kinds)
    with _processes(workers) as pool:
        comparison = compare_methods(
            problems,
            named,
            [_window(word) for word in _words(windows)],
            [None if word == "default" else word for word in _words(solvers)],
            _limits(time_limit, KINDS if named is None else named),
            conditional,
            True if tighten is None else tighten,
            _obbt(obbt),
            executor=pool,
            progress=True,
            resume=resume,
        )
    if output is not None:
        comparison.save(output)
    for instance in comparison.instances:
        rows = comparison.table.query("instance == @instance.problem.name")
        hidden = ["instance", "to_enumerated", "building", "solving", *SIZES, "bounds", "rigour"]
        # A message is no cell of a table: it stands below.
        refused = rows[rows["status"].str.startswith("refused: ").astype(bool)]
        shown = rows.drop(columns=[*hidden, "solver"] if rows["solver"].isin(["", "default"]).all() else hidden)
        _show(shown.assign(status=shown["status"].str.replace(":.*", "", regex=True)), instance.problem.describe())
        inner = instance.inner
        how = "enumerated exactly" if inner.exact else "attained by attacks (a lower bound)"
        console.print(f"{how}: width {inner.domain.width():.6g} over {inner.runs} training runs")
        for row in refused.itertuples():
            console.print(f"{row.method}, window {row.window}, solver {row.solver}: {row.status}", markup=False, highlight=False)
    if comparison.interrupted:
        console.print(f"interrupted: {len(comparison.cells)} cells are shown" + (f"; go on with --resume {resume}" if resume else ""))


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
            raise InvalidInputError(f"time_limit: {word!r} is not allowed; it must be seconds, or a kind with seconds as QCP=0.5") from None
    return limits


def _window(word: str) -> int | None:
    if word == "full":
        return None
    if not word.isdecimal():
        raise InvalidInputError(f"windows: {word!r} is not allowed; each must be a whole number or 'full'")
    return int(word)


@app.command()
def certify(
    folder: Folder,
    points: Annotated[Path | None, typer.Option(help=".npz with X and, if known, y, or CSV as for `new`; else the training data.")] = None,
    kind: Kind = "MILP",
    window: Window = None,
    solver: SolverName = None,
    time_limit: TimeLimit = None,
    conditional: Conditional = True,
    eps: Annotated[float, typer.Option(help="Radius by which the inputs move too (backdoors).", min=0.0)] = 0.0,
    end_to_end: Annotated[str | None, typer.Option(help="Kind that decides what the domain leaves open, over the whole run.")] = None,
    proofs: Annotated[Path | None, typer.Option(help="Prove every bound (LP, MILP), and write the proofs to this folder.")] = None,
    record: Annotated[Path | None, typer.Option(help="Write the certificate to this JSON file.", callback=_writable)] = None,
    workers: Workers = 1,
    output: Output = None,
) -> None:
    """Which predictions no admissible adversary can change, and which one does."""
    problem = load(folder)
    X, y = (problem.dataset.features, problem.dataset.labels) if points is None else _queries(points, folder)
    rigour, runs = TOLERANCE if proofs is None else PROVED, attack(problem)
    with _processes(workers) as pool:
        reach = bound_parameters(
            problem, kind, window, None, solver, time_limit, conditional, rigour=rigour, proofs=proofs, executor=pool, progress=True
        )
        if end_to_end is None:
            certificates = certify_points(reach, X, y, eps, runs)
        else:
            certificates = certify_end_to_end(
                reach, X, y, eps, end_to_end, solver, time_limit, conditional, rigour, proofs, attack=runs, executor=pool, progress=True
            )
    if record is not None:
        Record.of(reach, certificates).save(record)
    frame = certificates.table()
    _show(frame.head(20), f"{problem.describe()} (first 20 of {len(frame)} points)")
    if output is not None:
        save_table(frame, output)
    if certificates.nominal is not None:
        counts = pd.Series(certificates.verdicts).value_counts()
        console.print(f"of {len(frame)} predictions " + ", ".join(f"{number} {verdict}" for verdict, number in counts.items()))
        if y is not None:
            accuracies = certificates.certified_accuracy, certificates.attacked_accuracy, certificates.nominal_accuracy
            console.print("accuracy: certified {:.4f}, attacked {:.4f}, nominal {:.4f}".format(*accuracies))


@app.command()
def verify(
    record: Annotated[Path, typer.Argument(help="JSON file of a certificate.")],
    folder: Folder,
    proofs: Annotated[Path | None, typer.Option(help="Folder with the proofs of its bounds.")] = None,
) -> None:
    """Check a certificate again from the problem alone; exit code 1 if anything in it fails."""
    checks = verify_record(Record.load(record), load(folder), proofs)
    _show(checks.table(), f"{record}")
    if any(check.verdict == FAILS for check in checks):
        raise typer.Exit(1)


def _queries(path: Path, folder: Path) -> tuple[np.ndarray, np.ndarray | None]:
    return Columns.load(folder).points(read_table(path)) if path.suffix.lower() == ".csv" else _points(path)


def _points(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    if not path.exists():
        raise MissingFileError(f"points: {path} does not exist")
    arrays = read_arrays(path)
    if "X" not in arrays:
        raise InvalidInputError(f"points: {path} has no array 'X'")
    return arrays["X"], arrays.get("y")


Parameter = Annotated[str | None, typer.Option(help="Parameter in the objective, e.g. 'dense1_weight[0,3]'; the first by default.")]
Sense = Annotated[str, typer.Option(help="min or max (max is written as the minimum of the negative).")]
Direction = Annotated[
    str | None, typer.Option(help="Weighted sum of parameters in the objective, e.g. 'dense1_weight[0,3]=1 dense1_bias[0]=-0.5'.")
]
Point = Annotated[Path | None, typer.Option(help=".npz whose array X holds one input: an output there is the objective.")]
OutputUnit = Annotated[int, typer.Option(help="Which output of the network at that input.", min=0)]


@app.command()
def export(
    folder: Folder,
    to: Annotated[Path, typer.Option(help="File to write; ends in .lp, .mps, .nl or .gms. With --all a folder.")],
    kind: Annotated[str, typer.Option(help="LP, QCP, MILP, MIQCP or MINLP; with --all any of them, separated by commas.")] = "MILP",
    parameter: Parameter = None,
    sense: Sense = "min",
    direction: Direction = None,
    point: Point = None,
    output: OutputUnit = 0,
    all_: Annotated[bool, typer.Option("--all", help="Every parameter, minimum and maximum, in every kind and format named.")] = False,
    formats: Annotated[str, typer.Option(help="With --all: endings, separated by commas.")] = "mps",
    conditional: Conditional = True,
) -> None:
    """Write models of the whole horizon for other solvers, with a name map and a README."""
    problem = load(folder)
    if all_:
        if parameter is not None or direction is not None or point is not None or sense != "min":
            raise InvalidInputError("export: --all writes every parameter in both senses; leave out what names one objective")
        kinds = [name.strip() for name in kind.split(",")]
        endings = ["." + name.strip().removeprefix(".") for name in formats.split(",")]
        files = export_models(problem, to, kinds, endings=endings, conditional=conditional)
        console.print(f"{to}: {len(files)} models of {problem.name}, a name map for each, README.md")
        return
    file = export_file(problem, to, _target(problem, parameter, direction, point, output, sense), kind, conditional)
    size = file.size
    console.print(
        f"{to}: {file.kind}, {sense} {file.target.name}, {size.binaries} binaries, {size.continuous} continuous variables, "
        f"{size.linear} linear and {size.quadratic} quadratic constraints"
    )
    low, high = file.optimum
    console.print(f"optimum of the file between {low:.9g} and {high:.9g}; beside it {to.name}.names.csv and {to.name}.md")


@app.command("import-solution")
def import_solution_file(
    folder: Folder,
    file: Annotated[Path, typer.Argument(help="Solution file of HiGHS, SCIP, Gurobi or CBC.")],
    kind: Kind = "MILP",
    parameter: Parameter = None,
    sense: Sense = "min",
    direction: Direction = None,
    point: Point = None,
    output: OutputUnit = 0,
    conditional: Conditional = True,
) -> None:
    """Read a solution of an exported model, and train for real on the data that it stands for; options as for the export."""
    problem = load(folder)
    target = _target(problem, parameter, direction, point, output, sense)
    console.print(import_solution(problem, file, target, kind, conditional).describe(), markup=False, highlight=False)


def _target(problem: Problem, parameter: str | None, direction: str | None, point: Path | None, output: int, sense: str) -> Target:
    if sum(choice is not None for choice in (parameter, direction, point)) > 1:
        raise InvalidInputError("objective: give one of --parameter, --direction and --point")
    if point is not None:
        inputs, outputs = _points(point)[0], problem.network.outputs
        if len(inputs) != 1:
            raise InvalidInputError(f"point: X must hold one input, not {len(inputs)}")
        if output >= outputs:
            raise InvalidInputError(f"output: {output} does not exist; the network has {outputs}")
        return output_target(problem, inputs[0], np.eye(outputs)[output], sense, f"output[{output}]")
    if direction is not None:
        return direction_target(problem, dict(map(_weight, direction.split())), sense)
    return parameter_target(problem, problem.network.parameter_names[0] if parameter is None else parameter, sense)


def _weight(word: str) -> tuple[str, float]:
    name, _, weight = word.rpartition("=")
    try:
        return name, float(weight)
    except ValueError:
        raise InvalidInputError(f"direction: {word!r} is not allowed; give a parameter and its weight as dense1_bias[0]=-0.5") from None


@app.command()
def solvers() -> None:
    """What is installed, licensed, and which kinds each solver takes."""
    _show(pd.DataFrame(describe_solvers()), "Solvers")


@app.command()
def info(folder: Folder) -> None:
    """What a problem is, and how large its models are at most."""
    problem = load(folder)
    count = problem.perturbation.count(problem)
    console.print(problem.describe())
    console.print(f"admissible datasets: {'infinitely many' if np.isinf(count) else int(count)}")
    sizes = [{"kind": kind.name, **vars(predicted_size(problem, kind))} for kind in KINDS.values() if isinstance(kind, Formulation)]
    _show(pd.DataFrame(sizes), "Largest size of the whole horizon (predicted; bounds that decide indicators make it smaller)")


def main() -> None:
    """Entry point: an AgtoptError is one line and exit code 2."""
    try:
        app()
    except AgtoptError as error:
        Console(stderr=True, soft_wrap=True).print(f"agtopt: {error}", style="bold red", markup=False, highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
