"""Certified bands of loss and accuracy over training or over a swept setting: the data, and the
picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from agtopt.errors import InvalidInputError
from agtopt.names import caption
from agtopt.report.styles import BAR_STYLES, EDGE_STYLES, LINE_COLOURS, MARKERS, legend_above

Array = NDArray[np.float64]

LOSS, ACCURACY = "loss", "accuracy"
_AXES = {LOSS: "mean loss", ACCURACY: "accuracy (fraction of the points)"}
_COLUMNS = {
    LOSS: ("loss_lower", "loss", "loss_upper"),
    ACCURACY: ("certified", "nominal", "stable"),
}
_ATTACKED = {LOSS: "loss_attacked", ACCURACY: "attacked"}


@dataclass(frozen=True, eq=False)
class Band:
    """What is certified of one history: after every step of training, or for every value of a
    setting.

    Attributes
    ----------
    label : str
    quantity : str
        What varies: ``step``, or the name of the setting.
    at : array, shape (k,)
        Its values, ascending.
    lower, upper : array, shape (k,)
        Certified ends of the loss or of the accuracy, for every admissible training run; an upper
        end may be infinite.
    nominal : array, shape (k,)
        The same of the model that is trained on the nominal data.
    attacked : array, shape (k,), or None
        What an attack is known to cause.
    """

    label: str
    quantity: str
    at: Array
    lower: Array
    nominal: Array
    upper: Array
    attacked: Array | None


def band(frame: pd.DataFrame, measure: str = LOSS, label: str = "certified") -> Band:
    """Read one certified band from a table.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table of `agtopt.certified_history`, whose column ``step`` is what varies; or one row of
        `DatasetCertificate.table` per value of a setting, with these values as its named index.
    measure : str
        ``"loss"`` reads ``loss_lower``, ``loss``, ``loss_upper`` and, where the table has it,
        ``loss_attacked``. ``"accuracy"`` reads ``certified``, ``nominal``, ``stable`` and, where
        the table has it, ``attacked``: at most 1 − (stable − certified) of the points are predicted
        correctly under any admissible adversary, because a wrong prediction that is stable stays
        wrong.
    label : str

    Returns
    -------
    Band

    Raises
    ------
    InvalidInputError
        If the measure is unknown, a column that it needs is missing, or what varies is not numeric.
    """
    if measure not in _COLUMNS:
        raise InvalidInputError(
            f"measure: {measure!r} is not allowed; it must be {LOSS!r} or {ACCURACY!r}"
        )
    missing = [name for name in _COLUMNS[measure] if name not in frame]
    if missing:
        raise InvalidInputError(
            f"{label}: the table has no column {missing[0]!r}; take those of certified_history or "
            f"certify_dataset"
        )
    if "step" not in frame and frame.index.nlevels != 1:
        raise InvalidInputError(
            f"{label}: the index has {frame.index.nlevels} levels; it must be one setting"
        )
    values = frame["step"] if "step" in frame else frame.index.to_series()
    if not pd.api.types.is_numeric_dtype(values) or not len(frame):
        raise InvalidInputError(
            f"{label}: the index must hold the numbers of the setting that varies, or a column "
            f"'step' those of the steps"
        )
    at = values.to_numpy(np.float64)
    if len(np.unique(at)) != len(at):
        raise InvalidInputError(f"{label}: a value of {values.name or 'the setting'} stands twice")
    ordered = frame.iloc[np.argsort(at)]
    lower, nominal, last = (ordered[name].to_numpy(np.float64) for name in _COLUMNS[measure])
    attacked = (
        ordered[_ATTACKED[measure]].to_numpy(np.float64) if _ATTACKED[measure] in ordered else None
    )
    upper = last if measure == LOSS else 1.0 - (last - lower)
    return Band(label, str(values.name or "setting"), np.sort(at), lower, nominal, upper, attacked)


def plot_bands(
    frames: pd.DataFrame | Mapping[str, pd.DataFrame], measure: str = LOSS, ax: Axes | None = None
) -> Axes:
    """Certified bounds on the loss or the accuracy, over training or over a setting (Figures 8 to
    11 of Sosnin et al. 2025).

    Every history is a band from its lower to its upper end, the widest behind; the nominal line is
    drawn once where all share it. An upper end that is infinite runs off the axes.

    Parameters
    ----------
    frames : pandas.DataFrame or mapping from str to pandas.DataFrame
        One table or several by label; see `band`. All vary the same quantity.
    measure : str
        ``"loss"`` or ``"accuracy"``.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InvalidInputError
        As in `band`, if there is no table, or the tables vary different quantities.

    Examples
    --------
    Over the training, for two budgets::

        plot_bands({f"n = {n}": certified_history(reach[n], X, y) for n in (1, 10)}, "accuracy")

    Over the budget, after training::

        rows = pd.concat([certify_dataset(reach[n], X, y).table() for n in budgets])
        plot_bands(rows.set_axis(pd.Index(budgets, name="budget n")), "accuracy")
    """
    tables = {"certified": frames} if isinstance(frames, pd.DataFrame) else frames
    bands = [band(frame, measure, label) for label, frame in tables.items()]
    if not bands:
        raise InvalidInputError("plot: no table is given; give at least one")
    varied = sorted({found.quantity for found in bands})
    if len(varied) > 1:
        raise InvalidInputError(
            f"plot: the tables vary {' and '.join(varied)}; compare tables over one quantity"
        )
    axes = plt.gca() if ax is None else ax
    draw_bands(axes, bands)
    axes.set(
        xlabel="training step" if varied[0] == "step" else caption(varied[0]), ylabel=_AXES[measure]
    )
    legend_above(axes, 2)
    return axes


def draw_bands(axes: Axes, bands: Sequence[Band]) -> None:
    """Draw bands of one quantity, at least one; labels of the axes and the legend are left to the
    caller."""
    low, high = _view(bands)
    beyond = high + (high - low)
    styled = list(
        zip(
            bands,
            cycle(BAR_STYLES[1:]),
            cycle(LINE_COLOURS),
            cycle(EDGE_STYLES),
            cycle(MARKERS),
            strict=False,
        )
    )
    shared = _one_nominal(bands)
    for found, (colour, hatch), line, edge, marker in sorted(
        styled, key=lambda item: -_area(item[0], beyond)
    ):
        lower, upper = np.maximum(found.lower, low - (high - low)), np.minimum(found.upper, beyond)
        style: dict[str, Any] = {
            "facecolor": colour,
            "hatch": hatch,
            "edgecolor": "#777777",
            "linewidth": 0.0,
        }
        axes.fill_between(found.at, lower, upper, **style)
        # Outlines lie in front of all fillings: bands may cross.
        for end in (lower, upper):
            axes.plot(found.at, end, color=line, linestyle=edge, linewidth=1.2, zorder=2.1)
        spaced = max(1, len(found.at) // 12)
        if not shared:
            axes.plot(
                found.at,
                found.nominal,
                color="black",
                linewidth=1.8,
                marker=marker,
                markersize=5,
                markevery=spaced,
                zorder=2.3,
            )
        if found.attacked is not None:
            points: dict[str, Any] = {
                "marker": marker,
                "markersize": 6,
                "markerfacecolor": "white",
                "markevery": spaced,
            }
            axes.plot(
                found.at,
                found.attacked,
                color="black",
                linestyle=":",
                linewidth=1.2,
                zorder=2.4,
                **points,
            )
    for found, (colour, hatch), line, edge, _ in styled:
        axes.fill_between(
            [],
            [],
            [],
            facecolor=colour,
            hatch=hatch,
            edgecolor=line,
            linestyle=edge,
            linewidth=1.2,
            label=caption(found.label),
        )
    _label_lines(axes, styled, shared)
    axes.set_ylim(low, high)
    axes.margins(x=0.02)
    if all(np.array_equal(found.at, np.round(found.at)) for found in bands):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _label_lines(
    axes: Axes, styled: Sequence[tuple[Band, tuple[str, str], str, str, str]], shared: bool
) -> None:
    """Entries of the legend for what is no band."""
    if shared:
        first = styled[0][0]
        axes.plot(
            first.at, first.nominal, color="black", linewidth=1.8, zorder=2.3, label="nominal data"
        )
    for found, _, _, _, marker in styled:
        if not shared:
            axes.plot(
                [],
                [],
                color="black",
                linewidth=1.8,
                marker=marker,
                markersize=5,
                label=caption(f"{found.label}, nominal data"),
            )
        if found.attacked is not None:
            name = "attacked" if len(styled) == 1 else f"{found.label}, attacked"
            axes.plot(
                [],
                [],
                color="black",
                linestyle=":",
                marker=marker,
                markersize=6,
                markerfacecolor="white",
                label=caption(name),
            )


def _one_nominal(bands: Sequence[Band]) -> bool:
    """Whether all histories have the same nominal line, as where only the adversary differs."""
    first = bands[0]
    return all(
        np.array_equal(found.at, first.at) and np.array_equal(found.nominal, first.nominal)
        for found in bands
    )


def _view(bands: Sequence[Band]) -> tuple[float, float]:
    """Ends of the vertical axis: all that is finite, and room around it."""
    lines = [
        line
        for found in bands
        for line in (found.lower, found.nominal, found.upper, found.attacked)
        if line is not None
    ]
    ends = np.concatenate(lines)
    ends = ends[np.isfinite(ends)]
    room = 0.04 * max(float(np.ptp(ends)), 1e-9 + 0.01 * float(np.abs(ends).max()))
    low, high = float(ends.min()), float(ends.max())
    # What is never negative, as a loss, gets no room below zero.
    return (max(low - room, 0.0) if low >= 0.0 else low - room), high + room


def _area(found: Band, beyond: float) -> float:
    return float(np.mean(np.minimum(found.upper, beyond) - np.maximum(found.lower, -beyond)))
