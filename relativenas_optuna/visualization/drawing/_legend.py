"""Draw the legend of the colours and circles of a drawing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from relativenas_optuna.visualization.drawing._kinds import Kind
from relativenas_optuna.visualization.drawing._layout import Box
from relativenas_optuna.visualization.drawing._pen import INK, TEXT_SIZE, Pen, text_width

_NODE = "node: sum of its operations"
_LINE_HEIGHT = 0.26
_SWATCH_WIDTH = 0.24
_TEXT_START = 0.32
_BETWEEN = 0.2


@dataclass(frozen=True)
class Legend:
    """A legend of one or more lines.

    Attributes:
        lines: Entries of each line; None stands for the circle of a node.
    """

    lines: tuple[tuple[Kind | None, ...], ...]

    @property
    def height(self) -> float:
        """Height of all lines."""
        return len(self.lines) * _LINE_HEIGHT

    def draw(self, pen: Pen) -> None:
        """Draw the legend with its upper left corner at the origin of the pen."""
        for row, line in enumerate(self.lines):
            x, y = 0.0, (row + 0.5) * _LINE_HEIGHT
            for kind in line:
                middle = x + _SWATCH_WIDTH / 2
                if kind is None:
                    circle = Box(x=middle, y=y, width=0.17, height=0.17)
                    pen.box(circle, fill="white", colour=INK, radius=circle.width / 2)
                else:
                    swatch = Box(x=middle, y=y, width=_SWATCH_WIDTH, height=0.15)
                    pen.box(swatch, fill=kind.fill, colour=kind.colour)
                pen.write((x + _TEXT_START, y), _label(kind), align="left")
                x += _width(kind)


def legend_of(kinds: Iterable[Kind], width: float) -> Legend:
    """Return the legend of some kinds, broken into lines of about `width` inches."""
    lines: list[list[Kind | None]] = [[]]
    for kind in (*kinds, None):
        if lines[-1] and sum(map(_width, lines[-1])) + _width(kind) - _BETWEEN > width:
            lines.append([])
        lines[-1].append(kind)
    return Legend(tuple(map(tuple, lines)))


def _label(kind: Kind | None) -> str:
    return kind.label if kind else _NODE


def _width(kind: Kind | None) -> float:
    return _TEXT_START + text_width(_label(kind), TEXT_SIZE) + _BETWEEN
