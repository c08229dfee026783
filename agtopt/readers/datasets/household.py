"""Electric power of one household, a minute a row (UCI, Hebrail and Berard, 2012):
'houseelectric'."""

from pathlib import Path

import numpy as np

from agtopt.errors import InvalidInputError
from agtopt.problem.checks import whole
from agtopt.readers.datasets.files import expected, read_csv
from agtopt.readers.datasets.split import Split, split_at_random

NAMES = (
    "household_power_consumption.txt",
    "household_power_consumption.zip",
    "individual+household+electric+power+consumption.zip",
)
ORIGIN = "https://archive.ics.uci.edu/dataset/235/individual+household+electric+power+consumption"
TARGET = "Global_active_power"
MEASURED = {
    "Global_reactive_power": "kW",
    "Voltage": "V",
    "Global_intensity": "A",
    "Sub_metering_1": "Wh",
    "Sub_metering_2": "Wh",
    "Sub_metering_3": "Wh",
}
CALENDAR = ("year", "month", "day", "hour", "minute")


def read_household(
    path: str | Path, rows: int | None = None, test: float = 0.1, seed: int = 0
) -> Split:
    """The power that a household draws, from the date, the time and six other measurements (section
    9.2 of Sosnin et al. 2025).

    Rows with a missing value (``?`` or nothing) are left out; 2,049,280 of the 2,075,259 published
    ones remain. The paper counts eleven features and does not name them; taken here are year,
    month, day, hour and minute, and everything measured but the target.

    Parameters
    ----------
    path : str or Path
        ``household_power_consumption.txt`` (``;`` between columns, with a header), a zip file that
        holds nothing else, or their folder.
    rows : int, optional
        How many complete rows to draw at random; all by default.
    test : float
        Share of the test set, drawn at random.
    seed : int
        Of both draws.

    Returns
    -------
    Split
        Features (N, 11) and targets (N,), the global active power in kW; not scaled, see
        `Split.standardised`.

    Raises
    ------
    MissingFileError
        If the file is not there.
    InvalidInputError
        If it has other columns, a date or a number cannot be read, or too few rows are complete.
    """
    import pandas as pd

    source = expected(path, NAMES, ORIGIN)
    frame = read_csv(
        source,
        "a table with ';' between its columns",
        sep=";",
        na_values=["?"],
        dtype={"Date": str, "Time": str},
    )
    missing = [name for name in ("Date", "Time", TARGET, *MEASURED) if name not in frame.columns]
    if missing:
        raise InvalidInputError(
            f"{source}: has no column {missing[0]!r}; it has {', '.join(map(str, frame.columns))}"
        )
    frame = frame.dropna(subset=["Date", "Time", TARGET, *MEASURED])
    if rows is not None:
        if whole("rows", rows, 2) > len(frame):
            raise InvalidInputError(
                f"rows: {rows} is more than the {len(frame)} complete rows of {source.name}"
            )
        chosen = np.random.default_rng(whole("seed", seed, 0)).choice(
            len(frame), rows, replace=False
        )
        frame = frame.iloc[np.sort(chosen)]
    if len(frame) < 2:
        raise InvalidInputError(
            f"{source}: has {len(frame)} complete rows; two at least are needed"
        )
    try:
        when = pd.to_datetime(frame["Date"] + " " + frame["Time"], format="%d/%m/%Y %H:%M:%S").dt
        measured = [frame[name].to_numpy(dtype=np.float64) for name in (*MEASURED, TARGET)]
    except ValueError as error:
        raise InvalidInputError(
            f"{source}: a date (dd/mm/yyyy), a time (hh:mm:ss) or a number cannot be read: {error}"
        ) from None
    calendar = [getattr(when, unit).to_numpy(dtype=np.float64) for unit in CALENDAR]
    *others, target = measured
    train, rest = split_at_random(np.stack([*calendar, *others], axis=1), target, test, seed)
    names = (*CALENDAR, *(f"{name} ({unit})" for name, unit in MEASURED.items()))
    return Split(train, rest, features=names, origin=f"{source.name}, {len(frame)} rows")
