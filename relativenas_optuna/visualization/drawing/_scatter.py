"""Draw accuracies and their spread against the cost of architectures."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from relativenas_optuna.visualization.drawing._labels import place_labels
from relativenas_optuna.visualization.drawing._layout import Box
from relativenas_optuna.visualization.drawing._pen import INK, TEXT_SIZE

_WIDTH, _HEIGHT = 7.6, 4.6
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.7, 0.25, 0.62, 0.88
_ACROSS, _UPWARD = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _BOTTOM - _TOP
_ROOM = 0.12  # margin around the outermost points, as a share of their extent
_PALE, _GRID, _BAND = "#7a7a7a", "#e6e6e6", "#efefef"
_DECADES = 3  # of a logarithmic axis, above which only powers of ten have room
_FONT = "DejaVu Sans"  # Matplotlib ships it


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Marker of the points of one kind.

    Attributes:
        colour: One of the colours of Okabe and Ito, which people with colour blindness can tell
            apart.
        shape: Matplotlib marker, which differs between kinds too.
        size: Size in points.
    """

    colour: str
    shape: str
    size: float = 8.0


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A point with the mean of some values, and their spread.

    Attributes:
        label: Label beside the point; "" for none.
        x: Horizontal coordinate.
        values: Values on the vertical axis, at least one.
        mark: Marker of the point.
    """

    label: str
    x: float
    values: Sequence[float]
    mark: Mark

    @property
    def y(self) -> float:
        """The mean."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float:
        """The standard deviation; 0 if there is one value."""
        return statistics.stdev(self.values) if len(self.values) > 1 else 0.0


def draw_scatter(
    points: Sequence[Measured],
    *,
    title: str,
    note: str,
    across: str,
    upward: str,
    band: tuple[float, float] | None = None,
    band_label: str = "",
    log_across: bool = False,
) -> Figure:
    """Draw points with their values as ticks, and a line of one standard deviation to each side.

    The figure is made without pyplot and without a display.

    Args:
        points: Points to draw, at least one; later ones cover earlier ones.
        title: Line above the drawing.
        note: Paler line below the title.
        across: Title of the horizontal axis.
        upward: Title of the vertical axis.
        band: Mean and standard deviation of a group, drawn as a line and a band; None for no band.
        band_label: Explanation of the band, below the note.
        log_across: True for a logarithmic horizontal axis; all `x` are then above 0.
    """
    if log_across:
        points = [replace(point, x=math.log10(point.x)) for point in points]
    figure = Figure(figsize=(_WIDTH, _HEIGHT), facecolor="white")
    axes = figure.add_axes((_LEFT / _WIDTH, _BOTTOM / _HEIGHT, _ACROSS / _WIDTH, _UPWARD / _HEIGHT))
    ends = [y for p in points for y in (*p.values, p.y - p.spread, p.y + p.spread)]
    if band is not None:
        mean, deviation = band
        ends += [mean - deviation, mean + deviation]
        axes.axhspan(mean - deviation, mean + deviation, color=_BAND, linewidth=0, zorder=0)
        axes.axhline(mean, color=_PALE, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.set(xlim=_limits([p.x for p in points]), ylim=_limits(ends))
    if log_across:
        _show_powers(axes)
    axes.grid(color=_GRID, linewidth=0.7, zorder=0.5)
    axes.set_axisbelow(True)
    for name in ("top", "right"):
        axes.spines[name].set_visible(False)
    for name in ("left", "bottom"):
        axes.spines[name].set_color(_PALE)
    axes.tick_params(color=_PALE, labelcolor=INK, labelsize=TEXT_SIZE, labelfontfamily=_FONT)
    axes.set_xlabel(across, fontsize=TEXT_SIZE, color=INK, family=_FONT)
    axes.set_ylabel(upward, fontsize=TEXT_SIZE, color=INK, family=_FONT)
    headings: tuple[tuple[float, str, dict[str, Any]], ...] = (
        (0.24, title, {"fontsize": 11, "weight": "bold", "color": INK}),
        (0.47, note, {"fontsize": TEXT_SIZE, "color": _PALE}),
        (0.67, band_label if band else "", {"fontsize": TEXT_SIZE, "color": _PALE}),
    )
    for down, text, style in headings:
        common: dict[str, Any] = {"family": _FONT, "va": "center", "parse_math": False}
        figure.text(_LEFT / _WIDTH, 1 - down / _HEIGHT, text, **style, **common)
    for number, point in enumerate(points):
        _draw(axes, point, zorder=3 + number / len(points))
    _label(axes, points, band)
    return figure


def _draw(axes: Axes, point: Measured, *, zorder: float) -> None:
    mark = point.mark
    low, high = point.y - point.spread, point.y + point.spread
    axes.plot([point.x] * 2, [low, high], color=mark.colour, linewidth=1.6, alpha=0.6, zorder=2)
    axes.plot(
        [point.x] * len(point.values),
        point.values,
        color=mark.colour,
        marker="_",
        markersize=6,
        linestyle="",
        zorder=2.5,
    )
    axes.plot(
        point.x,
        point.y,
        marker=mark.shape,
        markersize=mark.size,
        markerfacecolor=mark.colour,
        markeredgecolor="white",
        markeredgewidth=0.8,
        linestyle="",
        zorder=zorder,
    )


def _label(axes: Axes, points: Sequence[Measured], band: tuple[float, float] | None) -> None:
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()

    def inches(x: float, y: float) -> tuple[float, float]:
        return (x - left) / (right - left) * _ACROSS, (y - bottom) / (top - bottom) * _UPWARD

    def write(box: Box, text: str, colour: str) -> None:
        axes.text(
            box.x / _ACROSS,
            box.y / _UPWARD,
            text,
            transform=axes.transAxes,
            ha="center",
            va="center_baseline",
            fontsize=TEXT_SIZE,
            color=colour,
            family=_FONT,
            parse_math=False,
            zorder=5,
        )

    taken = []
    for point in points:
        x, y = inches(point.x, point.y)
        side = point.mark.size / 72
        height = point.spread / (top - bottom) * _UPWARD * 2
        taken.append(Box(x=x, y=y, width=side, height=side))
        taken.append(Box(x=x, y=y, width=0.04, height=height))
    within = Box(x=_ACROSS / 2, y=_UPWARD / 2, width=_ACROSS, height=_UPWARD)
    if band is not None:
        y = inches(left, band[0])[1]
        taken.append(Box(x=_ACROSS / 2, y=y, width=_ACROSS, height=0.02))
    colours = {point.label: point.mark.colour for point in points}
    for label in place_labels(
        [(p.label, inches(p.x, p.y)) for p in reversed(points)], taken, within
    ):
        write(label.box, label.text, colours[label.text])


def _show_powers(axes: Axes) -> None:
    """Label a horizontal axis of decimal logarithms by the numbers, at 1, 2, 5, 10 and so on."""
    low, high = axes.get_xlim()
    digits = (1, 2, 5) if high - low < _DECADES else (1,)
    numbers = [
        digit * 10.0**power
        for power in range(math.floor(low), math.ceil(high))
        for digit in digits
        if low <= power + math.log10(digit) <= high
    ]
    axes.set_xticks([math.log10(number) for number in numbers], [f"{n:,g}" for n in numbers])


def _limits(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = _ROOM * (high - low) or 1.0
    return low - room, high + room
