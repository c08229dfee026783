"""``agtopt export`` and ``agtopt import-solution``."""

import shlex
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from agtopt.cli import screen
from agtopt.cli.options import Conditional, Folder, Kind, read_points
from agtopt.compiler import Target, direction_target, export_file, output_target, parameter_target
from agtopt.compiler import export as export_models
from agtopt.errors import InvalidInputError
from agtopt.names import visible
from agtopt.problem import Problem
from agtopt.readers import load
from agtopt.report import import_solution

Parameter = Annotated[
    str | None,
    typer.Option(
        help="Parameter in the objective, e.g. 'dense1_weight[0,3]'; the first by default."
    ),
]
Sense = Annotated[
    str, typer.Option(help="min or max (max is written as the minimum of the negative).")
]
Direction = Annotated[
    str | None,
    typer.Option(
        help=(
            "Weighted sum of parameters in the objective, e.g. 'dense1_weight[0,3]=1 "
            "dense1_bias[0]=-0.5'."
        )
    ),
]
Point = Annotated[
    Path | None,
    typer.Option(help=".npz whose array X holds one input: an output there is the objective."),
]
OutputUnit = Annotated[int, typer.Option(help="Which output of the network at that input.", min=0)]


def export(
    folder: Folder,
    to: Annotated[
        Path,
        typer.Option(help="File to write; ends in .lp, .mps, .nl or .gms. With --all a folder."),
    ],
    kind: Annotated[
        str,
        typer.Option(
            help="LP, QCP, MILP, MIQCP or MINLP; with --all any of them, separated by commas."
        ),
    ] = "MILP",
    parameter: Parameter = None,
    sense: Sense = "min",
    direction: Direction = None,
    point: Point = None,
    output: OutputUnit = 0,
    all_: Annotated[
        bool,
        typer.Option(
            "--all", help="Every parameter, minimum and maximum, in every kind and format named."
        ),
    ] = False,
    formats: Annotated[str, typer.Option(help="With --all: endings, separated by commas.")] = "mps",
    conditional: Conditional = True,
) -> None:
    """Write models of the whole horizon for other solvers, with a name map and a README."""
    problem = load(folder)
    if all_:
        if parameter is not None or direction is not None or point is not None or sense != "min":
            raise InvalidInputError(
                "export: --all writes every parameter in both senses; leave out what names one "
                "objective"
            )
        kinds = [name.strip() for name in kind.split(",")]
        endings = ["." + name.strip().removeprefix(".") for name in formats.split(",")]
        files = export_models(problem, to, kinds, endings=endings, conditional=conditional)
        screen.console.print(
            f"{to}: {len(files)} models of {visible(problem.name)}, a name map for each, README.md"
        )
        return
    file = export_file(
        problem, to, _target(problem, parameter, direction, point, output, sense), kind, conditional
    )
    size = file.size
    screen.console.print(
        f"{to}: {file.kind}, {sense} {visible(file.target.name)}, {size.binaries} binaries, "
        f"{size.continuous} continuous variables, "
        f"{size.linear} linear and {size.quadratic} quadratic constraints"
    )
    low, high = file.optimum
    unit = "" if file.unit == 1.0 else f" in its unit of {file.unit!r}"
    screen.console.print(
        f"optimum of the file between {low:.9g} and {high:.9g}{unit}; beside it "
        f"{to.name}.names.csv and {to.name}.md"
    )


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
    """Read a solution of an exported model, and train for real on the data that it stands for;
    options as for the export."""
    problem = load(folder)
    target = _target(problem, parameter, direction, point, output, sense)
    screen.console.print(
        import_solution(problem, file, target, kind, conditional).describe(), highlight=False
    )


def _target(
    problem: Problem,
    parameter: str | None,
    direction: str | None,
    point: Path | None,
    output: int,
    sense: str,
) -> Target:
    if sum(choice is not None for choice in (parameter, direction, point)) > 1:
        raise InvalidInputError("objective: give one of --parameter, --direction and --point")
    if point is not None:
        inputs, outputs = read_points(point)[0], problem.network.outputs
        if len(inputs) != 1:
            raise InvalidInputError(f"point: X must hold one input, not {len(inputs)}")
        if output >= outputs:
            raise InvalidInputError(f"output: {output} does not exist; the network has {outputs}")
        return output_target(
            problem, inputs[0], np.eye(outputs)[output], sense, f"output[{output}]"
        )
    if direction is not None:
        return direction_target(problem, dict(map(_weight, _split(direction))), sense)
    return parameter_target(
        problem, problem.network.parameter_names[0] if parameter is None else parameter, sense
    )


def _split(words: str) -> list[str]:
    """As a shell splits: names with blanks stand in quotes."""
    try:
        return shlex.split(words)
    except ValueError as error:
        raise InvalidInputError(f"direction: {words!r} is not allowed: {error}") from None


def _weight(word: str) -> tuple[str, float]:
    name, _, weight = word.rpartition("=")
    try:
        return name, float(weight)
    except ValueError:
        raise InvalidInputError(
            f"direction: {word!r} is not allowed; give a parameter and its weight as "
            f"dense1_bias[0]=-0.5"
        ) from None
