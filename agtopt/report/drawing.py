"""A network drawn from its graph, as inline SVG."""

from html import escape

from agtopt.names import visible
from agtopt.problem import Network
from agtopt.problem.network import INPUT

LETTER, HEIGHT, GAP_X, GAP_Y = 7.6, 42, 24, 34
"""Pixels: of a bold letter of the font at most, of a box, and between boxes."""


def network_svg(network: Network, trained: set[str]) -> str:
    """Boxes from the input down, one per layer, with arrows along the data; layers whose parameters
    are all fixed are dashed.

    Parameters
    ----------
    network : Network
    trained : set of str
        The tensors that training moves.
    """
    level = {INPUT: 0}
    for node in network.nodes:
        level[node] = 1 + max(level[source] for source in network.inputs_of(node))
    edges = [(source, node) for node in network.nodes for source in network.inputs_of(node)]
    rows: dict[int, list[str]] = {}
    for node, depth in level.items():
        rows.setdefault(depth, []).append(node)
    labels = {node: _label(network, node, trained) for node in level}
    width = (
        LETTER * max(len(line) for title, below, _ in labels.values() for line in (title, below))
        + 16
    )
    wide, high = (
        max(map(len, rows.values())) * (width + GAP_X) + GAP_X,
        len(rows) * (HEIGHT + GAP_Y),
    )
    place: dict[str, tuple[float, float]] = {}
    for depth, nodes in rows.items():
        left = (wide - len(nodes) * (width + GAP_X) + GAP_X) / 2
        for k, node in enumerate(nodes):
            place[node] = left + k * (width + GAP_X), depth * (HEIGHT + GAP_Y) + 4.0
    parts = [_box(labels[node], corner, width) for node, corner in place.items()]
    parts += [
        _arrow(place[source], place[node], width, wide if level[node] - level[source] > 1 else None)
        for source, node in edges
    ]
    # An arrow past a level goes round its boxes on the right.
    total = wide + 40 * any(level[node] - level[source] > 1 for source, node in edges)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total:g}" height="{high}" viewBox="0 0 '
        f'{total:g} {high}" '
        f'role="img" style="display:block" font-family="sans-serif" font-size="12">'
        '<defs><marker id="agtopt-arrow" markerWidth="8" markerHeight="8" refX="7" refY="4" '
        'orient="auto">'
        f'<path d="M0,0 L8,4 L0,8 z" fill="currentColor"/></marker></defs>{"".join(parts)}</svg>'
    )


def _label(network: Network, node: str, trained: set[str]) -> tuple[str, str, bool]:
    """Two lines of text, and whether all parameters are fixed."""
    shape = " × ".join(map(str, network.shapes[node]))
    if node == INPUT:
        return "input", shape, False
    tensors = network.tensors_of(node) if network.layer(node).parameter_shapes() else ()
    count = sum(network.initial[tensor].size for tensor in tensors)
    fixed = bool(tensors) and not trained.intersection(tensors)
    below = shape + (f", {count} parameters" if count else "") + (", fixed" if fixed else "")
    return f"{visible(node)}: {type(network.layer(node)).__name__}", below, fixed


def _box(label: tuple[str, str, bool], corner: tuple[float, float], width: float) -> str:
    (title, below, fixed), (x, y) = label, corner
    dash, middle = ' stroke-dasharray="5 3"' if fixed else "", x + width / 2
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{HEIGHT}" rx="5" fill="none" '
        f'stroke="currentColor"{dash}/>'
        f'<text x="{middle:g}" y="{y + 17:g}" text-anchor="middle" fill="currentColor" '
        f'font-weight="bold">{escape(title)}</text>'
        f'<text x="{middle:g}" y="{y + 33:g}" text-anchor="middle" '
        f'fill="currentColor">{escape(below)}</text>'
    )


def _arrow(
    start: tuple[float, float], end: tuple[float, float], width: float, around: float | None
) -> str:
    """From the lower edge of a box to the upper edge of another, or round the right of everything,
    at `around`."""
    (x, y), (u, v) = start, end
    path = f"M{x + width / 2:g},{y + HEIGHT:g} L{u + width / 2:g},{v:g}"
    if around is not None:
        right, high, low = around + 20, y + HEIGHT / 2, v + HEIGHT / 2
        path = (
            f"M{x + width:g},{high:g} C{right:g},{high:g} {right:g},{low:g} {u + width:g},{low:g}"
        )
    return f'<path d="{path}" fill="none" stroke="currentColor" marker-end="url(#agtopt-arrow)"/>'
