"""``agtopt new``: a problem folder from a table of one's own."""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from agtopt.errors import InvalidInputError, MissingFileError
from agtopt.files import replaced
from agtopt.problem import Bounded, Network, Perturbation, Problem, Removal, Training
from agtopt.readers import Columns, save
from agtopt.readers.folder import PROBLEM

TEST = "test.csv"


def new(
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    data: Annotated[Path, typer.Option(help="CSV file with a row of names.")],
    label: Annotated[str, typer.Option(help="Column of the class or the target.")],
    features: Annotated[str | None, typer.Option(help="Columns of the features, separated by commas; all others by default.")] = None,
    scale: Annotated[str, typer.Option(help="standard (mean 0, deviation 1 on these rows) or none.")] = "standard",
    hold_out: Annotated[float, typer.Option(help=f"Part of the rows that is not trained on, but written to {TEST}.")] = 0.0,
    loss: Annotated[str | None, typer.Option(help="By default hinge for two classes, cross-entropy for more that are text.")] = None,
    hidden: Annotated[str, typer.Option(help="Units of hidden layers, separated by commas; none: a linear model.")] = "",
    n: Annotated[int, typer.Option(help="How many samples the adversary may touch.")] = 1,
    eps: Annotated[float, typer.Option(help="By how much it may move each feature, after scaling.")] = 0.0,
    flips: Annotated[bool, typer.Option("--flips", help="It may flip labels: the default where nothing else is said.")] = False,
    nu: Annotated[float, typer.Option(help="By how much it may move a target.")] = 0.0,
    remove: Annotated[bool, typer.Option("--remove", help="It may leave samples out, and nothing else.")] = False,
    epochs: Annotated[int, typer.Option(help="Passes over the data.")] = 1,
    batch_size: Annotated[int | None, typer.Option(help="Samples per step; all by default.")] = None,
    learning_rate: Annotated[float, typer.Option()] = 0.1,
    seed: Annotated[int, typer.Option(help="Of the initial weights, the order of the samples and the rows held out.")] = 0,
) -> None:
    """Make a problem folder from a CSV file: what is certified, in a text file to edit."""
    if (folder / PROBLEM).exists():
        raise InvalidInputError(f"folder: {folder} holds a problem already; name another folder, or delete it first")
    frame = read_table(data)
    if not 0.0 <= hold_out < 1.0:
        raise InvalidInputError(f"hold_out: {hold_out:g} is not allowed; it must be at least 0 and below 1")
    held = np.sort(np.random.default_rng(seed).permutation(len(frame))[: round(hold_out * len(frame))])
    training, test = frame.iloc[np.setdiff1d(np.arange(len(frame)), held)], frame.iloc[held]
    columns = Columns.of(training, label, None if features is None else [name.strip() for name in features.split(",")], loss, scale)
    sizes = [len(columns.features), *(_unit(word.strip()) for word in hidden.split(",") if word.strip()), columns.network_outputs]
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
    print(problem.describe())
    if columns.classes is not None:
        print(f"classes: {', '.join(f'{word} = {number}' for word, number in zip(columns.classes, problem.classes or (), strict=False))}")
    if len(held):
        with replaced(folder / TEST) as part:
            test.to_csv(part, index=False)
        print(f"{len(held)} rows held out: agtopt certify {folder} --points {folder / TEST}")


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file with a row of names.

    Raises
    ------
    MissingFileError
        If it does not exist.
    InvalidInputError
        If it cannot be read.
    """
    if not path.is_file():
        raise MissingFileError(f"data: {path} does not exist")
    try:
        return pd.read_csv(path)
    except (ValueError, OSError) as error:
        raise InvalidInputError(f"data: {path} cannot be read as CSV: {str(error).strip().splitlines()[0]}") from None


def _adversary(columns: Columns, n: int, eps: float, flips: bool, nu: float, remove: bool) -> Perturbation:
    if remove:
        if eps or flips or nu:
            raise InvalidInputError("remove: samples are left out or changed, not both; leave out --eps, --flips and --nu")
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
        raise InvalidInputError(f"hidden: {word!r} is not allowed; name whole numbers, separated by commas")
    return int(word)
