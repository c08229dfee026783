"""How the domain grows over the training: widths and intervals after every step."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from agtopt.attacks import Attack
from agtopt.drivers import Reach
from agtopt.errors import InvalidInputError
from agtopt.names import caption
from agtopt.report.bands import Band, draw_bands
from agtopt.report.figures import common_names
from agtopt.report.styles import EDGE_STYLES, LINE_COLOURS, MARKERS, legend_above, plain_log_axis
from agtopt.training.concrete import trajectory

Array = NDArray[np.float64]


def step_widths(found: Reach | Attack, names: Sequence[str] | None = None) -> Array:
    """Σ(upper − lower) over parameters after every step, of a domain or of what training attains.

    Parameters
    ----------
    found : Reach or Attack
    names : sequence of str, optional
        The parameters; all by default.

    Returns
    -------
    array, shape (T+1,)
        In the units of the parameters; infinite where a bound is.

    Raises
    ------
    InvalidInputError
        If a name is none of `Network.parameter_names`, or none is given.
    """
    lower, upper = _ends(found)
    entries = _entries(found, names)
    widths: Array = (upper[:, entries] - lower[:, entries]).sum(axis=1)
    return widths


def plot_widths(
    reach: Reach | Mapping[str, Reach],
    attack: Attack | None = None,
    ax: Axes | None = None,
    names: Sequence[str] | None = None,
) -> Axes:
    """Total width of the domain after every step of training, on a logarithmic axis, above what
    training attains.

    Steps at which the width is zero or infinite are left out.

    Parameters
    ----------
    reach : Reach or mapping from str to Reach
        One result, or several by label.
    attack : Attack, optional
    ax : matplotlib Axes, optional
    names : sequence of str, optional
        Parameters whose widths are added; all by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InvalidInputError
        As in `step_widths`, if there is no reach, or one is of another network or another number of
        steps.
    """
    reaches = _several(reach, attack)
    curves = {label: step_widths(found, names) for label, found in reaches.items()}
    axes = plt.gca() if ax is None else ax
    styles = zip(cycle(LINE_COLOURS), cycle(MARKERS), cycle(EDGE_STYLES), strict=False)
    for (label, widths), (colour, marker, line) in zip(curves.items(), styles, strict=False):
        steps = np.arange(len(widths))
        shown = np.where((widths > 0.0) & np.isfinite(widths), widths, np.nan)
        axes.plot(
            steps,
            shown,
            color=colour,
            marker=marker,
            markersize=6,
            markerfacecolor="white",
            linestyle=line,
            label=caption(label),
        )
    if attack is not None:
        widths = step_widths(attack, names)
        name = "all admissible runs" if attack.exact else "attained by training"
        axes.plot(
            np.arange(len(widths)),
            np.where(widths > 0.0, widths, np.nan),
            color="black",
            linewidth=2.2,
            label=name,
        )
    axes.set(xlabel="training step", ylabel="total width Σ(upper − lower)")
    plain_log_axis(axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_above(axes, 2)
    return axes


def plot_trajectory(
    reach: Reach | Mapping[str, Reach],
    parameter: str,
    attack: Attack | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Interval of one parameter after every step of training, with the range that training attains
    inside.

    Parameters
    ----------
    reach : Reach or mapping from str to Reach
        One result, or several by label; the widest lies behind. Infinite ends run off the axes.
    parameter : str
        Its name, one of `Network.parameter_names`.
    attack : Attack, optional
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InvalidInputError
        If there is no such parameter, there is no reach, or one is of another network or another
        number of steps.
    """
    reaches = _several(reach, attack)
    bands = []
    for label, found in reaches.items():
        lower, upper = _ends(found)
        (k,) = _entries(found, [parameter])
        at = np.arange(len(lower), dtype=np.float64)
        bands.append(
            Band(label, "step", at, lower[:, k], trajectory(found.problem)[:, k], upper[:, k], None)
        )
    axes = plt.gca() if ax is None else ax
    draw_bands(axes, bands)
    if attack is not None:
        lower, upper = _ends(attack)
        name = "all admissible runs" if attack.exact else "attained by training"
        axes.fill_between(
            np.arange(len(lower)),
            lower[:, k],
            upper[:, k],
            facecolor="#a0a0a0",
            edgecolor="black",
            linewidth=0.8,
            zorder=2.2,
            label=name,
        )
    axes.set(xlabel="training step", ylabel=caption(parameter))
    legend_above(axes, 2)
    return axes


def _several(reach: Reach | Mapping[str, Reach], attack: Attack | None) -> Mapping[str, Reach]:
    reaches = {str(reach.method): reach} if isinstance(reach, Reach) else reach
    common_names(reaches, attack)
    problems = [found.problem for found in reaches.values()] + (
        [] if attack is None else [attack.problem]
    )
    if len({problem.steps for problem in problems}) > 1:
        raise InvalidInputError(
            "plot: the results are of runs with different numbers of steps; compare runs of the "
            "same length"
        )
    return reaches


def _ends(found: Reach | Attack) -> tuple[Array, Array]:
    """Ends of all parameters after every step, each (T+1, p)."""
    if isinstance(found, Attack):
        return found.lower, found.upper
    return np.stack([box.lower for box in found.steps]), np.stack(
        [box.upper for box in found.steps]
    )


def _entries(found: Reach | Attack, names: Sequence[str] | None) -> list[int]:
    known = found.problem.network.parameter_names
    if names is None:
        return list(range(len(known)))
    if isinstance(names, str) or not names:
        raise InvalidInputError(
            f"names: {names!r} is not allowed; it must be a list of parameters, at least one"
        )
    for name in names:
        if name not in known:
            raise InvalidInputError(
                f"parameter: {name!r} is unknown; allowed are {known[0]} … {known[-1]}"
            )
    return [known.index(name) for name in names]
