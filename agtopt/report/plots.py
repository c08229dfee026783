"""Pictures; the data is computed apart from the drawing, and every function takes and returns the axes."""

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd


def plot_comparison(table: pd.DataFrame, ax: Any = None) -> Any:
    """Width against time, one marker per method (Figure 6c of Sosnin et al. 2025).

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
    for marker, (method, rows) in zip("osD^vP*X", table.groupby("method", sort=False), strict=False):
        axes.plot(rows["seconds"], rows["width"], marker, label=method, color="black", markerfacecolor="white")
    axes.set(xscale="log", yscale="log", xlabel="wall-clock time (s)", ylabel="total width Σ(upper − lower)")
    axes.legend()
    return axes
