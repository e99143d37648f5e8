"""Where everything in the drawing of a cell goes: plain geometry, in inches, `y` downwards.

Every input and every node has a row of its own, every depth of the graph a column. A wire leaves
its source along the source's row, which is empty to the right, turns in the gutter before its
target's column, and ends at its own operation: so no wire ever passes under a box.
"""

from __future__ import annotations

from dataclasses import dataclass

from relativenas_optuna.spaces.genotype import Cell
from relativenas_optuna.visualization.drawing._rows import (
    NODE_HEIGHT,
    OPERATION_HEIGHT,
    best_rows,
    crossings,
    improved,
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
    """A box by its centre and size."""

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
    """A line through points of an edge, which has a `place` among those of its cell.

    On the way from a node to the output `place` and `operation` are None.
    """

    place: int | None
    points: tuple[Point, ...]
    operation: str | None
    arrow: bool


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The parts of the drawing of a cell; its upper left corner is the origin.

    `places` says of which edges the operations are.
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
    """Place the parts of a cell.

    Args:
        cell: The cell.
        operation_width: Width of the box of an operation, in inches.
    """
    rows = best_rows(cell)
    # The edges that turn before each column, in the order of their vertical tracks from the left.
    gutters = {
        column: improved(rows.gutter(column), crossings)
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
    """The box of the output beside the nodes that it is made of, high enough for its label."""
    top, bottom = min(node.top for node in nodes), max(node.bottom for node in nodes)
    height = max(bottom - top, _OUTPUT_HEIGHT)
    y = min(max((top + bottom) / 2, height / 2), total - height / 2)
    return Box(x=left + _OUTPUT_WIDTH / 2, y=y, width=_OUTPUT_WIDTH, height=height)
