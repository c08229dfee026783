"""Pictures that are also read in black and white; every function takes and returns the axes."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from agtopt.attacks import Attack
from agtopt.drivers import Reach
from agtopt.errors import InvalidInputError
from agtopt.names import caption
from agtopt.report.figures import (
    Array,
    Extent,
    Features,
    Regions,
    boundary_scores,
    common_names,
    parameter_intervals,
    projection,
)
from agtopt.report.styles import (
    BAR_STYLES,
    CLASS_STYLES,
    EDGE_STYLES,
    LINE_COLOURS,
    MARKERS,
    legend_above,
    plain,
    plain_log_axis,
)

NAMED = 40
"""Parameters up to which each is named on the axis; more would overlap."""

# Lines that lie close together have their numbers at other corners of their markers.
_CORNERS: tuple[dict[str, Any], ...] = tuple(
    {"xytext": (x, y), "ha": "left" if x > 0 else "right"}
    for x, y in ((6, 4), (-6, -10), (6, -10), (-6, 4))
)


def plot_regions(regions: Regions, ax: Axes | None = None) -> Axes:
    """Where each class is certified, and the decision boundary of the nominal model (Figure 6b of
    Sosnin et al. 2025).

    Parameters
    ----------
    regions : Regions
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    axes = plt.gca() if ax is None else ax
    classes = regions.problem.classes or ()
    for label, (colour, hatch) in zip(classes, cycle(CLASS_STYLES), strict=False):
        certified = (regions.stable & (regions.predicted == label)).astype(float)
        style: dict[str, Any] = {
            "facecolor": colour,
            "hatch": hatch,
            "edgecolor": "#777777",
            "linewidth": 0.0,
        }
        if certified.any():
            filled = axes.contourf(
                regions.a, regions.b, certified, levels=[0.5, 1.5], colors=[colour], hatches=[hatch]
            )
            filled.set_edgecolor(style["edgecolor"])
            filled.set_linewidth(0.0)
        name = f"{label:+d}".replace("-", "−") if min(classes) < 0 else str(label)
        axes.fill_between([], [], [], label=f"class {name} certified ({regions.method})", **style)
    axes.fill_between(
        [], [], [], facecolor="white", edgecolor="black", linewidth=0.5, label="not certified"
    )
    _draw_boundary(axes, regions.a, regions.b, regions.score, "black", 2.4)
    axes.plot([], [], color="black", linewidth=2.4, label="boundary, nominal data")
    _frame(axes, regions.extent)
    return axes


def plot_boundaries(
    attack: Attack, features: Features, extent: Extent, ax: Axes | None = None, most: int = 200
) -> Axes:
    """Decision boundaries of the attained models as thin lines (Figure 6b of Sosnin et al. 2025).

    Parameters
    ----------
    attack : Attack
    features : callable
        Points (m, 2) to the network's inputs (m, *input_shape).
    extent : tuple of float
        First and last a, first and last b, in the units of the inputs.
    ax : matplotlib Axes, optional
    most : int
        Lines that are drawn at most; see `boundary_scores`.

    Returns
    -------
    matplotlib Axes
    """
    axes = plt.gca() if ax is None else ax
    a, b, score = boundary_scores(attack, features, extent, most)
    for model in score:
        _draw_boundary(axes, a, b, model, "#777777", 0.6)
    which = "all" if attack.exact and len(score) == len(np.unique(attack.theta, axis=0)) else "some"
    axes.plot([], [], color="#777777", linewidth=0.6, label=f"boundaries, {which} admissible data")
    _frame(axes, extent)
    return axes


def plot_parameters(
    reach: Reach | Mapping[str, Reach],
    attack: Attack | None = None,
    ax: Axes | None = None,
    names: tuple[str, ...] | list[str] | None = None,
) -> Axes:
    """Interval of every parameter, with the attained parameters inside (Figure 6a of Sosnin et al.
    2025).

    Every parameter is scaled so that its attained interval (without an attack: its narrowest one)
    is [−1, 1]; beyond that the axis becomes logarithmic where an interval is much wider. Infinite
    ends run off the axes.

    Parameters
    ----------
    reach : Reach or mapping from str to Reach
        One result, or several by label; the widest lies behind.
    attack : Attack, optional
    ax : matplotlib Axes, optional
    names : sequence of str, length p, optional
        What to call the parameters; `Network.parameter_names` by default.

    Returns
    -------
    matplotlib Axes
    """
    data = parameter_intervals(
        {str(reach.method): reach} if isinstance(reach, Reach) else reach, attack
    )
    called = data.names if names is None else tuple(names)
    if len(called) != len(data.names):
        raise InvalidInputError(f"names: {len(called)} do not fit {len(data.names)} parameters")
    axes = plt.gca() if ax is None else ax
    ends = np.abs(np.concatenate([data.lower.ravel(), data.upper.ravel(), data.attained.ravel()]))
    largest = max(1.0, float(np.max(ends[np.isfinite(ends)], initial=0.0)))
    if largest > 4.0:
        axes.set_yscale("symlog", linthresh=1.0)
        axes.yaxis.set_major_formatter(FuncFormatter(plain))
    edge = largest * (1.6 if largest > 4.0 else 1.15)
    positions = np.arange(len(called))
    lower, upper = (
        np.clip(data.lower, -2 * edge, 2 * edge),
        np.clip(data.upper, -2 * edge, 2 * edge),
    )
    breadths = np.linspace(0.86, 0.5, len(data.labels)) if len(data.labels) > 1 else [0.6]
    for label, low, high, breadth, (colour, hatch) in zip(
        data.labels, lower, upper, breadths, cycle(BAR_STYLES), strict=False
    ):
        style: dict[str, Any] = {
            "color": colour,
            "hatch": hatch,
            "edgecolor": "#555555",
            "linewidth": 0.8,
        }
        axes.bar(positions, high - low, breadth, bottom=low, label=caption(label), **style)
    if len(data.attained):
        across = np.broadcast_to(positions, data.attained.shape)
        axes.plot(
            across.ravel(),
            data.attained.ravel(),
            "_",
            color="black",
            markersize=7,
            markeredgewidth=0.7,
            label="attained by training",
        )
    axes.set(xlim=(-0.6, len(called) - 0.4), ylim=(-edge, edge))
    measure = "attained" if attack is not None else "narrowest"
    axes.set(xlabel="parameter", ylabel=f"value, scaled: {measure} interval = [−1, 1]")
    if len(called) <= NAMED:
        long = max(map(len, called)) > 3
        axes.set_xticks(
            positions,
            list(map(caption, called)),
            rotation=45 if long else 0,
            ha="right" if long else "center",
            rotation_mode="anchor",
        )
    else:
        axes.set_xlabel("index of the parameter")
    legend_above(axes, 2)
    return axes


def plot_projection(
    reach: Reach | Mapping[str, Reach],
    i: int,
    j: int,
    attack: Attack | None = None,
    ax: Axes | None = None,
    directions: int = 64,
) -> Axes:
    """Domains of the final parameters in the plane of two of them, with the attained parameters
    inside.

    Parameters
    ----------
    reach : Reach or mapping from str to Reach
        One result, or several by label; the largest lies behind. Infinite ends run off the axes.
    i, j : int
        Positions of the parameters on the horizontal and the vertical axis.
    attack : Attack, optional
    ax : matplotlib Axes, optional
    directions : int
        Directions in which a polytope is bounded; see `figures.projection`.

    Returns
    -------
    matplotlib Axes
    """
    reaches = {str(reach.method): reach} if isinstance(reach, Reach) else reach
    names = common_names(reaches, attack)
    polygons = {
        label: projection(result.domain, i, j, directions) for label, result in reaches.items()
    }
    attained = np.empty((0, 2)) if attack is None else attack.theta[:, [i, j]]
    axes = plt.gca() if ax is None else ax
    lower, upper = _view(np.concatenate([attained, *polygons.values()]))
    beyond = upper - lower
    ordered = sorted(
        polygons.items(), key=lambda item: -_area(np.clip(item[1], lower - beyond, upper + beyond))
    )
    for (label, corners), (colour, hatch), line in zip(
        ordered, cycle(BAR_STYLES), cycle(EDGE_STYLES), strict=False
    ):
        shape = np.clip(corners, lower - beyond, upper + beyond)
        outline: dict[str, Any] = {"edgecolor": "black", "linestyle": line, "linewidth": 1.4}
        axes.fill(*shape.T, facecolor=colour, hatch=hatch, edgecolor="#777777", linewidth=0.0)
        # Outlines lie in front of all fillings: polygons may cross.
        axes.fill(*shape.T, fill=False, zorder=2, **outline)
        axes.fill_between(
            [], [], [], facecolor=colour, hatch=hatch, label=caption(label), **outline
        )
        if not np.ptp(shape, axis=0).any():
            axes.plot(*shape[:1].T, "x", color="black", markersize=9)
    if attack is not None:
        axes.plot(
            *attained.T, "o", color="black", markersize=2.5, zorder=3, label="attained by training"
        )
    axes.set(
        xlim=(lower[0], upper[0]),
        ylim=(lower[1], upper[1]),
        xlabel=caption(names[i]),
        ylabel=caption(names[j]),
    )
    legend_above(axes, 2)
    return axes


def plot_comparison(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Width against wall-clock time, one line per method over its windows (Figure 6c of Sosnin et
    al. 2025).

    Of several instances the width is drawn in ratio to IBP, and each has lines of its own, as has
    each solver of several. Cells without a width are left out.

    Parameters
    ----------
    table : pandas.DataFrame
        As `Comparison.table` gives it.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    axes = plt.gca() if ax is None else ax
    solved = table[table["width"].notna()]
    several = solved["instance"].nunique() > 1
    named = [
        name
        for name in ("instance", "solver")
        if solved.loc[solved["solver"] != "", name].nunique() > 1
    ]
    measure, windows = ("to_ibp" if several else "width"), solved["window"].nunique() > 1
    styles = zip(
        cycle(MARKERS), cycle(EDGE_STYLES), cycle(LINE_COLOURS), cycle(_CORNERS), strict=False
    )
    for (keys, rows), (marker, line, colour, corner) in zip(
        solved.groupby(["method", *named], sort=False), styles, strict=False
    ):
        style: dict[str, Any] = {
            "color": colour,
            "marker": marker,
            "markersize": 8,
            "markerfacecolor": "none",
        }
        label = ", ".join(str(key) for key in keys if key)
        axes.plot(
            rows["seconds"],
            rows[measure],
            linestyle=line if len(rows) > 1 else "none",
            label=caption(label),
            **style,
        )
        if windows and rows["solver"].any():
            for at in zip(rows["window"], rows["seconds"], rows[measure], strict=True):
                axes.annotate(
                    at[0],
                    at[1:],
                    textcoords="offset points",
                    fontsize="small",
                    color=colour,
                    **corner,
                )
    attained = (solved["width"] / solved["to_attained"]).dropna()
    if len(attained) and not several:
        axes.axhline(
            attained.iloc[0],
            color="black",
            linewidth=0.8,
            linestyle=(0, (1, 3)),
            label="attained by training",
        )
    axes.set(xscale="log", xlabel="wall-clock time (s)")
    axes.set_ylabel("total width, in ratio to IBP" if several else "total width Σ(upper − lower)")
    plain_log_axis(axes)
    axes.margins(0.15)
    legend_above(axes, 3, "numbers: steps per window" if windows else None)
    return axes


def _view(points: Array) -> tuple[Array, Array]:
    """Ends of both axes: what is finite, and room around it."""
    finite = [column[np.isfinite(column)] for column in points.T]
    lower, upper = (
        np.array([pick(column) if len(column) else 0.0 for column in finite])
        for pick in (np.min, np.max)
    )
    room = np.where(upper > lower, 0.05 * (upper - lower), 0.05 * np.maximum(1.0, np.abs(lower)))
    return lower - room, upper + room


def _area(corners: Array) -> float:
    x, y = corners.T
    return float(abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))) / 2


def _draw_boundary(axes: Axes, a: Array, b: Array, score: Array, color: str, width: float) -> None:
    if score.min() < 0 < score.max():
        # Thicker lines lie in front, whatever is drawn first.
        axes.contour(
            a,
            b,
            score,
            levels=[0.0],
            colors=color,
            linewidths=width,
            linestyles="solid",
            zorder=3 + width / 10,
        )


def _frame(axes: Axes, extent: Extent) -> None:
    axes.set(xlim=extent[:2], ylim=extent[2:], xlabel="input a", ylabel="input b")
    legend_above(axes, 2)
