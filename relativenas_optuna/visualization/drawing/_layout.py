"""Lay out the drawing of a cell, in inches with `y` downwards.

Every input and every node has a row of its own, and every depth of the graph has a column. A wire
leaves its source along the row of the source, which is empty to the right. It turns in the gutter
before the column of its target and ends at its own operation. So no wire passes under a box.
"""

from __future__ import annotations

from dataclasses import dataclass

from relativenas_optuna.spaces.genotype import Cell
from relativenas_optuna.visualization.drawing._rows import (
    NODE_HEIGHT,
    OPERATION_HEIGHT,
    best_rows,
    crossings,
    improve_order,
)

_INPUT_WIDTH = 0.5
_NODE_WIDTH = NODE_HEIGHT
_OUTPUT_WIDTH = 0.26
_TRACK = 0.09
_GUTTER_START, _GUTTER_END = 0.14, 0.24
_NODE_GAP = 0.18
_OUTPUT_GAP = 0.3
_LABEL_WIDTH = 0.42
_OUTPUT_HEIGHT = 1.02


Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box by its centre and size, in inches."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        """Left edge."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """Right edge."""
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        """Upper edge."""
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.y + self.height / 2


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A line of an edge through some points.

    Attributes:
        place: Index of the edge among those of the cell; None for a wire from a node to the output.
        points: Points of the line.
        operation: Operation of the edge; None for a wire to the output.
        arrow: True if the line ends with an arrow.
    """

    place: int | None
    points: tuple[Point, ...]
    operation: str | None
    arrow: bool


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The parts of the drawing of a cell, relative to its upper left corner.

    Attributes:
        width: Width of the drawing.
        height: Height of the drawing.
        inputs: Boxes of the two inputs.
        nodes: Boxes of the nodes.
        operations: Name and box of each operation.
        places: Index of the edge of each operation, among those of the cell.
        output: Box of the output.
        wires: Lines of all edges.
    """

    width: float
    height: float
    inputs: tuple[Box, ...]
    nodes: tuple[Box, ...]
    operations: tuple[tuple[str, Box], ...]
    places: tuple[int, ...]
    output: Box
    wires: tuple[Wire, ...]


def lay_out(cell: Cell, operation_width: float) -> Layout:
    """Lay out the parts of a cell.

    Args:
        cell: The cell.
        operation_width: Width of the box of an operation, in inches.
    """
    rows = best_rows(cell)
    # Edges that turn before each column, ordered by their vertical tracks from the left.
    gutters = {
        column: improve_order(rows.gutter(column), crossings)
        for column in range(1, max(rows.columns) + 1)
    }
    # Left edge of the operations of each column; column 0 holds the inputs.
    lefts, right = [0.0], _INPUT_WIDTH
    for tracks in gutters.values():
        lefts.append(right + _GUTTER_START + (len(tracks) - 1) * _TRACK + _GUTTER_END)
        right = lefts[-1] + operation_width + _NODE_GAP + _NODE_WIDTH

    vertices = []
    for column, y, height in zip(rows.columns, rows.centres, rows.sizes, strict=True):
        width = _NODE_WIDTH if column else _INPUT_WIDTH
        left = lefts[column] + (operation_width + _NODE_GAP if column else 0.0)
        vertices.append(Box(x=left + width / 2, y=y, width=width, height=height))

    operations, places, wires = [], [], []
    for column, tracks in gutters.items():
        left = lefts[column]
        for place, turn in enumerate(reversed(tracks)):
            source, target = vertices[turn.source], vertices[turn.target]
            track = left - _GUTTER_END - place * _TRACK
            start, end = (source.x, turn.start), (left, turn.end)
            way = (start, (track, turn.start), (track, turn.end), end)
            link = ((left + operation_width, turn.end), (target.x, target.y))
            for points, arrow in ((way, True), (link, False)):
                wires.append(
                    Wire(place=turn.place, points=points, operation=turn.operation, arrow=arrow)
                )
            middle = left + operation_width / 2
            box = Box(x=middle, y=turn.end, width=operation_width, height=OPERATION_HEIGHT)
            operations.append((turn.operation, box))
            places.append(turn.place)

    output = _output([vertices[node] for node in rows.exits], right + _OUTPUT_GAP, rows.total)
    for node, lane in rows.exits.items():
        points = ((vertices[node].x, lane), (output.left, lane))
        wires.append(Wire(place=None, points=points, operation=None, arrow=True))
    return Layout(
        width=output.right + _LABEL_WIDTH,
        height=rows.total,
        inputs=tuple(vertices[:2]),
        nodes=tuple(vertices[2:]),
        operations=tuple(operations),
        places=tuple(places),
        output=output,
        wires=tuple(wires),
    )


def _output(nodes: list[Box], left: float, total: float) -> Box:
    """Return the box of the output beside the nodes that it reads, high enough for its label."""
    top, bottom = min(node.top for node in nodes), max(node.bottom for node in nodes)
    height = max(bottom - top, _OUTPUT_HEIGHT)
    y = min(max((top + bottom) / 2, height / 2), total - height / 2)
    return Box(x=left + _OUTPUT_WIDTH / 2, y=y, width=_OUTPUT_WIDTH, height=height)
