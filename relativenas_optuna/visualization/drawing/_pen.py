"""Draw boxes, wires and texts on Matplotlib axes whose unit is the inch, with `y` downwards."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from relativenas_optuna.visualization.drawing._layout import Box, Point

INK = "#2b2b2b"
TEXT_SIZE = 8.5
# Matplotlib ships this font, so the drawing is the same on every machine.
_FONT = "DejaVu Sans"
_TURN_RADIUS = 0.06
_ARROW_LENGTH, _ARROW_WIDTH = 0.085, 0.075


@lru_cache(maxsize=1024)
def text_width(text: str, size: float) -> float:
    """Return the width in inches of a text without formulas, set in bold.

    Args:
        text: The text.
        size: Font size in points.
    """
    if not text.strip():
        return 0.0
    font = FontProperties(family=_FONT, weight="bold")
    path = TextPath((0.0, 0.0), text.replace("$", r"\$"), size=size, prop=font)
    return float(path.get_extents().width) / 72


@dataclass(frozen=True)
class Pen:
    """A pen that draws on axes, relative to an origin.

    Attributes:
        axes: Axes to draw on.
        corner: Origin of all coordinates, on the axes.
    """

    axes: Axes
    corner: Point = (0.0, 0.0)

    def write(
        self,
        at: Point,
        text: str,
        *,
        size: float = TEXT_SIZE,
        align: Literal["left", "center"] = "center",
        **style: Any,
    ) -> None:
        """Write a text that is centred vertically on the point `at`."""
        x, y = at[0] + self.corner[0], at[1] + self.corner[1]
        style = {"color": INK, "family": _FONT, "fontsize": size, **style}
        self.axes.text(x, y, text, ha=align, va="center_baseline", **style)

    def box(self, box: Box, *, fill: str, colour: str, radius: float = 0.05) -> None:
        """Draw a box with round corners."""
        left, top = box.left + self.corner[0], box.top + self.corner[1]
        style = f"round,pad=0,rounding_size={radius}"
        patch = FancyBboxPatch(
            (left, top),
            box.width,
            box.height,
            style,
            facecolor=fill,
            edgecolor=colour,
            linewidth=1,
            zorder=3,
        )
        self.axes.add_patch(patch)

    def line(self, points: tuple[Point, ...], *, colour: str, arrow: bool) -> None:
        """Draw a line with rounded turns; a white rim makes crossings clear."""
        moved = [(x + self.corner[0], y + self.corner[1]) for x, y in points]
        if arrow:
            (x, y), tip = moved[-1], moved[-1]
            moved[-1] = (x - 0.7 * _ARROW_LENGTH, y)
            back = x - _ARROW_LENGTH
            corners = [tip, (back, y - _ARROW_WIDTH / 2), (back, y + _ARROW_WIDTH / 2)]
            self.axes.add_patch(Polygon(corners, facecolor=colour, linewidth=0, zorder=2.5))
        path = _rounded(moved)
        for width, ink, zorder in ((3.2, "white", 1.0), (1.4, colour, 2.0)):
            patch = PathPatch(
                path, fill=False, edgecolor=ink, linewidth=width, capstyle="butt", zorder=zorder
            )
            self.axes.add_patch(patch)


def _rounded(points: list[Point]) -> Path:
    """Return a path through points with rounded turns."""
    vertices, codes = [points[0]], [Path.MOVETO]
    for before, turn, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(_TURN_RADIUS, math.dist(before, turn) / 2, math.dist(turn, after) / 2)
        vertices += [_towards(turn, before, radius), turn, _towards(turn, after, radius)]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path([*vertices, points[-1]], [*codes, Path.LINETO])


def _towards(start: Point, end: Point, distance: float) -> Point:
    share = distance / (math.dist(start, end) or 1.0)
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])
