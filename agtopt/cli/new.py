"""``agtopt new``: a problem folder from a table of one's own."""

import csv
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from agtopt.cli.options import Decimal, Encoding, Separator
from agtopt.cli.overview import classes_read, columns_read, counting, too_rare
from agtopt.errors import InvalidInputError
from agtopt.files import replaced
from agtopt.problem import Bounded, Network, Perturbation, Problem, Removal, Training
from agtopt.readers import Columns, read_table, save
from agtopt.readers.cells import words
from agtopt.readers.folder import PROBLEM
from agtopt.readers.holdout import held_out
from agtopt.spreadsheet import write_csv

TEST = "test.csv"


def new(
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    data: Annotated[Path, typer.Option(help="CSV file with a row of names.")],
    label: Annotated[str, typer.Option(help="Column of the class or the target.")],
    features: Annotated[
        str | None,
        typer.Option(
            help=(
                "Columns of the features, separated by commas (a name with one in quotation marks)."
            )
        ),
    ] = None,
    scale: Annotated[
        str, typer.Option(help="standard (mean 0, deviation 1 on these rows) or none.")
    ] = "standard",
    hold_out: Annotated[
        float,
        typer.Option(
            help=f"Part of the rows of each class that is written to {TEST} and not trained on."
        ),
    ] = 0.0,
    loss: Annotated[
        str | None,
        typer.Option(
            help="By default hinge for two classes, cross-entropy for more that are text."
        ),
    ] = None,
    hidden: Annotated[
        str, typer.Option(help="Units of hidden layers, separated by commas; none: a linear model.")
    ] = "",
    n: Annotated[int, typer.Option(help="How many samples the adversary may touch.")] = 1,
    eps: Annotated[
        float, typer.Option(help="By how much it may move each feature, after scaling.")
    ] = 0.0,
    flips: Annotated[
        bool,
        typer.Option("--flips", help="It may flip labels: the default where nothing else is said."),
    ] = False,
    nu: Annotated[float, typer.Option(help="By how much it may move a target.")] = 0.0,
    remove: Annotated[
        bool, typer.Option("--remove", help="It may leave samples out, and nothing else.")
    ] = False,
    epochs: Annotated[int, typer.Option(help="Passes over the data.")] = 1,
    batch_size: Annotated[
        int | None, typer.Option(help="Samples per step; all by default.")
    ] = None,
    learning_rate: Annotated[float, typer.Option()] = 0.1,
    seed: Annotated[
        int,
        typer.Option(
            help="Of the initial weights, the order of the samples and the rows held out."
        ),
    ] = 0,
    separator: Separator = ",",
    decimal: Decimal = ".",
    encoding: Encoding = "utf-8",
) -> None:
    """Make a problem folder from a CSV file: what is certified, in a text file to edit."""
    if (folder / PROBLEM).exists():
        raise InvalidInputError(
            f"folder: {folder} holds a problem already; name another folder, or delete it first"
        )
    frame = read_table(data, separator, decimal, encoding)
    whole = Columns.of(frame, label, None if features is None else _listed(features), loss, scale)
    held = held_out(
        len(frame), hold_out, seed, None if whole.classes is None else words(frame, label)
    )
    training, test = frame.iloc[np.setdiff1d(np.arange(len(frame)), held)], frame.iloc[held]
    columns = Columns.of(training, label, whole.features, whole.loss, scale)
    sizes = [
        len(columns.features),
        *(_unit(word.strip()) for word in hidden.split(",") if word.strip()),
        columns.network_outputs,
    ]
    problem = Problem(
        Network.dense(sizes, seed),
        columns.dataset(training),
        _adversary(columns, n, eps, flips, nu, remove),
        Training(columns.loss, epochs, batch_size, learning_rate, seed=seed),
        name=folder.resolve().name,
    )
    read = f"{data.name}: {label} from {', '.join(columns.features)}; scale {scale}"
    origin = f"{read}; {len(held)} of {len(frame)} rows held out (seed {seed})"
    columns.save(save(problem, folder, origin))
    if len(held):
        with replaced(folder / TEST) as part:
            write_csv(part, frame.columns, test.to_numpy().tolist())
    print(f"{data.name}: {len(frame)} rows", columns_read(frame, columns), sep="\n", end="\n\n")
    if columns.classes is not None:
        print(classes_read(frame, columns, problem.classes or (), held), end="\n\n")
    for name in counting(frame, columns):
        print(f"column {name!r} counts the rows: leave it out (--features) if it measures nothing")
    for word in too_rare(frame, columns, held):
        print(f"class {word!r} is too rare to be held out: all its rows are trained on")
    print(problem.describe())
    if len(held):
        print(f"{len(held)} rows held out: agtopt certify {folder} --points {folder / TEST}")


def _listed(features: str) -> list[str]:
    """Names between commas; one with a comma stands in quotation marks."""
    try:
        return [
            name.strip()
            for name in next(csv.reader([features], skipinitialspace=True, strict=True), [])
        ]
    except csv.Error as error:
        raise InvalidInputError(
            f"features: {features!r} cannot be read as names between commas: {error}"
        ) from None


def _adversary(
    columns: Columns, n: int, eps: float, flips: bool, nu: float, remove: bool
) -> Perturbation:
    if remove:
        if eps or flips or nu:
            raise InvalidInputError(
                "remove: samples are left out or changed, not both; leave out --eps, --flips and "
                "--nu"
            )
        return Removal(n)
    if columns.classes is None:
        if flips:
            raise InvalidInputError("flips: targets have no classes to flip; move them by --nu")
        if not (eps or nu):
            raise InvalidInputError("adversary: say what it may do: --eps, --nu or --remove")
        return Bounded(n, eps=eps, nu=nu)
    if nu:
        raise InvalidInputError("nu: classes do not move by a number; allow flips by --flips")
    return Bounded(n, eps=eps, nu=float(flips or not eps), q=0)


def _unit(word: str) -> int:
    if not word.isascii() or not word.isdecimal():
        raise InvalidInputError(
            f"hidden: {word!r} is not allowed; name whole numbers, separated by commas"
        )
    return int(word)
