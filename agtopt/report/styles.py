"""What the pictures share: styles that are told apart without colour, and small helpers."""

from matplotlib.axes import Axes

# The colours differ in lightness too, and the hatches tell them apart without any colour.
CLASS_STYLES = (("#e8955a", "\\\\\\"), ("#bcd7ee", "///"))
BAR_STYLES = (("#eeeeee", ""), ("#bcd7ee", "///"), ("#e8955a", "\\\\\\"), ("#b8e0c8", "..."), ("#e3c6dc", "xxx"))
EDGE_STYLES = ("-", "--", "-.", ":")
LINE_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "black")
MARKERS = "osD^vP*X"


def legend_above(axes: Axes, columns: int) -> None:
    """Put the legend over the axes: inside it would hide what is drawn."""
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.3, ncols=columns, fontsize="small", frameon=False)


def plain(value: float, _: object = None) -> str:
    """A number without needless zeros, with a true minus sign."""
    return f"{value:g}".replace("-", "−")
