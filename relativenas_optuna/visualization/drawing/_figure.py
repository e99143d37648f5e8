"""Draw the two cells of an architecture, each from left to right."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from relativenas_optuna.spaces.genotype import Cell, Genotype
from relativenas_optuna.visualization.drawing._kinds import (
    KINDS,
    ORIGINS,
    Kind,
    Origin,
    kind_of,
    label_of,
)
from relativenas_optuna.visualization.drawing._layout import Layout, lay_out
from relativenas_optuna.visualization.drawing._legend import legend_of
from relativenas_optuna.visualization.drawing._pen import INK, TEXT_SIZE, Pen, text_width

_NAMES = ("Normal cell", "Reduction cell")
_NOTES = ("", "operations on its inputs have stride 2")
_NAME_SIZE, _TITLE_SIZE = 9.5, 11.0
_TITLE_HEIGHT = 0.34
_NAME_HEIGHT = 0.38
_MARGIN = 0.2
_BETWEEN = 0.4
_ABOVE_LEGEND = 0.24
# Width up to which two cells are side by side; a README shows about 9 inches.
_WIDEST = 10.5
_PALE = "#7a7a7a"


def draw_genotype(
    genotype: Genotype, *, title: str | None = None, origins: Sequence[Origin] | None = None
) -> Figure:
    """Draw the two cells of an architecture.

    The operations of a node are on its left, each with a wire from its input. The figure is made
    without pyplot and without a display.

    Args:
        genotype: The architecture.
        title: Line above the drawing.
        origins: Origin of each edge, in the order of `(*normal.edges, *reduce.edges)`, as
            `origins_of` returns them. The colours then show the origins; None lets them show the
            kinds of the operations.

    Raises:
        ValueError: The numbers of origins and edges differ.

    Example:
        >>> from relativenas_optuna import published
        >>> figure = draw_genotype(published("RelativeNAS"), title="RelativeNAS")
    """
    cells = (genotype.normal, genotype.reduce)
    edges = [edge for cell in cells for edge in cell.edges]
    known: tuple[Kind, ...] = KINDS
    if origins is None:
        kinds = [kind_of(edge.operation) for edge in edges]
    elif len(origins) == len(edges):
        kinds, known = [ORIGINS[origin] for origin in origins], tuple(ORIGINS.values())
    else:
        raise ValueError(f"origins must be {len(edges)}, one for each edge; got {len(origins)}")
    labels = {label_of(operation) for operation in genotype.operations}
    operation_width = max(text_width(label, TEXT_SIZE) for label in labels) + 0.12
    layouts = [lay_out(cell, operation_width) for cell in cells]
    widths = [
        max(layout.width, _heading_width(name, note))
        for layout, name, note in zip(layouts, _NAMES, _NOTES, strict=True)
    ]
    heights = [_NAME_HEIGHT + layout.height for layout in layouts]
    top = _MARGIN + (_TITLE_HEIGHT if title else 0.0)
    if sum(widths) + _BETWEEN <= _WIDEST:
        second = (_MARGIN + widths[0] + _BETWEEN, top)
        inner = max(sum(widths) + _BETWEEN, text_width(title or "", _TITLE_SIZE))
        legend_top = top + max(heights) + _ABOVE_LEGEND
    else:
        second = (_MARGIN, top + heights[0] + _BETWEEN)
        inner = max(*widths, text_width(title or "", _TITLE_SIZE))
        legend_top = top + sum(heights) + _BETWEEN + _ABOVE_LEGEND
    legend = legend_of([kind for kind in known if kind in kinds], inner)
    width, height = inner + 2 * _MARGIN, legend_top + legend.height + _MARGIN / 2

    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0.0, width), ylim=(height, 0.0))
    axes.set_axis_off()
    if title:
        at = (_MARGIN, _MARGIN + 0.08)
        Pen(axes).write(at, title, size=_TITLE_SIZE, align="left", weight="bold", parse_math=False)
    corners = ((_MARGIN, top), second)
    own = (kinds[: len(genotype.normal.edges)], kinds[len(genotype.normal.edges) :])
    for corner, cell, layout, colours, name, note in zip(
        corners, cells, layouts, own, _NAMES, _NOTES, strict=True
    ):
        pen = Pen(axes, corner)
        pen.write((0.0, 0.08), name, size=_NAME_SIZE, align="left", weight="bold")
        pen.write((_heading_width(name, ""), 0.08), note, align="left", color=_PALE)
        _draw_cell(Pen(axes, (corner[0], corner[1] + _NAME_HEIGHT)), cell, layout, colours)
    legend.draw(Pen(axes, (_MARGIN, legend_top)))
    return figure


def _heading_width(name: str, note: str) -> float:
    return text_width(name, _NAME_SIZE) + 0.15 + text_width(note, TEXT_SIZE)


def _draw_cell(pen: Pen, cell: Cell, layout: Layout, kinds: Sequence[Kind]) -> None:
    for wire in layout.wires:
        colour = INK if wire.place is None else kinds[wire.place].colour
        pen.line(wire.points, colour=colour, arrow=wire.arrow)
    read = {edge.input for edge in cell.edges}
    for number, box in enumerate(layout.inputs):
        # A cell has both inputs, even if no operation reads one of them.
        colour = INK if number in read else _PALE
        pen.box(box, fill="white", colour=colour)
        pen.write((box.x, box.y), f"$c_{{k-{2 - number}}}$", size=TEXT_SIZE + 1, color=colour)
    for (operation, box), place in zip(layout.operations, layout.places, strict=True):
        kind = kinds[place]
        pen.box(box, fill=kind.fill, colour=kind.colour)
        pen.write((box.x, box.y), label_of(operation))
    for number, box in enumerate(layout.nodes, start=2):
        pen.box(box, fill="white", colour=INK, radius=box.width / 2)
        pen.write((box.x, box.y), str(number), weight="bold")
    output = layout.output
    pen.box(output, fill="white", colour=INK)
    pen.write((output.x, output.y), "concatenation", rotation=90, rotation_mode="anchor")
    tip = (output.right + 0.2, output.y)
    pen.line(((output.right, output.y), tip), colour=INK, arrow=True)
    pen.write((tip[0] + 0.06, tip[1]), "$c_k$", size=TEXT_SIZE + 1, align="left")
