"""What the pictures share: styles that are told apart without colour, and small helpers."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogFormatter

# The colours differ in lightness too, and the hatches tell them apart without any colour.
CLASS_STYLES = (("#e8955a", "\\\\\\"), ("#bcd7ee", "///"))
BAR_STYLES = (
    ("#eeeeee", ""),
    ("#bcd7ee", "///"),
    ("#e8955a", "\\\\\\"),
    ("#b8e0c8", "..."),
    ("#e3c6dc", "xxx"),
)
EDGE_STYLES = ("-", "--", "-.", ":")
LINE_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "black")
MARKERS = "osD^vP*X"


def legend_above(axes: Axes, columns: int, title: str | None = None) -> None:
    """Put the legend over the axes: inside it would hide what is drawn."""
    place: dict[str, Any] = {
        "loc": "lower left",
        "bbox_to_anchor": (0.0, 1.0),
        "borderaxespad": 0.3,
    }
    axes.legend(
        **place,
        ncols=columns,
        title=title,
        fontsize="small",
        title_fontsize="small",
        alignment="left",
        frameon=False,
    )


def plain(value: float, _: object = None) -> str:
    """A number without needless zeros, with a true minus sign."""
    return f"{value:g}".replace("-", "−")


class _PlainMinor(LogFormatter):
    """Plain numbers at those minor ticks of a logarithmic axis that get a label."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return plain(x) if super().__call__(x, pos) else ""


def plain_log_axis(axes: Axes) -> None:
    """Make the vertical axis logarithmic, with plain numbers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(plain))
    axes.yaxis.set_minor_formatter(_PlainMinor())
