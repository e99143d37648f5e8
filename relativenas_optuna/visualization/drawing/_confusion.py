"""Draw the confusion matrix of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from relativenas_optuna.visualization.drawing._pen import INK, TEXT_SIZE, text_width

_PALE, _FRAME = "#7a7a7a", "#c4c4c4"
_FONT = "DejaVu Sans"  # Matplotlib ships it
_NUMBER_SIZE = 8.0
_TITLE_SIZE = 11.0
_MOST_NUMBERED = 25  # classes up to which cells have numbers
_MOST_NAMED = 120  # classes up to which rows and columns have names
_LONGEST_NAME = 24  # letters
_DARK = 0.35  # share above which a number is white
# In inches.
_LEAST, _LARGEST = 2.0, 9.0  # side of the matrix; the largest one holds without names only
_CELL, _SMALL_CELL = 0.42, 0.11  # side of a cell with a number, and without
_MARGIN, _GAP = 0.15, 0.08
_HEADING, _AXIS = 0.72, 0.28
_BAR_GAP, _BAR, _BAR_WORDS, _LONGEST_BAR = 0.3, 0.15, 0.75, 4.0


@dataclass(frozen=True)
class _Names:
    """Names of the classes along both axes.

    Attributes:
        texts: Shortened names; empty if there are too many classes.
        size: Font size in points.
        width: Width of the widest name in inches.
        turned: True if the names below the matrix are vertical.
    """

    texts: list[str]
    size: float
    width: float
    turned: bool

    @property
    def height(self) -> float:
        return self.width if self.turned else 1.2 * self.size / 72


def draw_confusion(
    confusion: Sequence[Sequence[int]], classes: Sequence[str], *, title: str, note: str
) -> Figure:
    """Draw a confusion matrix.

    The colour of a cell is its share of the images of the class in its row. The figure is made
    without pyplot and without a display.

    Args:
        confusion: Number of images of class i (rows) that were classified as class j (columns),
            `[classes, classes]`.
        classes: Names of the classes.
        title: Line above the matrix.
        note: Paler line below the title.
    """
    count = len(classes)
    numbers = [[f"{n:,}" if n else "" for n in row] for row in confusion]
    numbered = count <= _MOST_NUMBERED
    cell = _SMALL_CELL
    if numbered:
        widest = max(text_width(text, _NUMBER_SIZE) for row in numbers for text in row)
        cell = max(_CELL, widest + 0.1)
    side = max(count * cell, _LEAST)
    names = _names(classes, side / count)
    if not names.texts:
        side = min(side, _LARGEST)
    left = _MARGIN + _AXIS + names.width + _GAP
    bottom = _MARGIN + _AXIS + names.height + _GAP
    headings = max(text_width(title, _TITLE_SIZE), text_width(note, TEXT_SIZE))
    bar = _BAR_GAP + _BAR + _BAR_WORDS + _MARGIN
    width = max(left + side + bar, _MARGIN + headings + _MARGIN)
    height = bottom + side + _HEADING
    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
    shares = [[n / max(sum(row), 1) for n in row] for row in confusion]
    # A square-root scale, so that small shares are visible.
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1), aspect="auto")
    _write_axes(axes, names, count)
    if numbered:
        _write_numbers(axes, numbers, shares)
    long = min(side, _LONGEST_BAR)
    corner = (left + side + _BAR_GAP) / width, (bottom + side - long) / height
    beside = figure.add_axes((*corner, _BAR / width, long / height))
    ticks = [0, 0.05, 0.2, 0.5, 1]
    colours = figure.colorbar(image, cax=beside, ticks=ticks, format=PercentFormatter(1.0, 0))
    beside.tick_params(color=_FRAME, labelcolor=INK, labelsize=_NUMBER_SIZE, labelfontfamily=_FONT)
    colours.set_label("share of the class", color=INK, fontsize=TEXT_SIZE, family=_FONT)
    colours.outline.set_visible(False)
    common: dict[str, Any] = {"family": _FONT, "va": "center", "parse_math": False}
    at = min(left, width - headings - _MARGIN) / width
    figure.text(
        at, 1 - 0.24 / height, title, fontsize=_TITLE_SIZE, weight="bold", color=INK, **common
    )
    figure.text(at, 1 - 0.48 / height, note, fontsize=TEXT_SIZE, color=_PALE, **common)
    return figure


def _names(classes: Sequence[str], cell: float) -> _Names:
    if len(classes) > _MOST_NAMED:
        return _Names([], TEXT_SIZE, text_width(str(len(classes)), TEXT_SIZE), turned=False)
    texts = [_short(name) for name in classes]
    size = min(TEXT_SIZE, 72 * cell * 0.8)
    width = max(text_width(text, size) for text in texts)
    return _Names(texts, size, width, turned=width > 0.95 * cell)


def _write_axes(axes: Axes, names: _Names, count: int) -> None:
    axes.set_xlabel("predicted class", fontsize=TEXT_SIZE, color=INK, family=_FONT)
    axes.set_ylabel("true class", fontsize=TEXT_SIZE, color=INK, family=_FONT)
    style: dict[str, Any] = {"fontsize": names.size, "family": _FONT, "parse_math": False}
    if names.texts:
        axes.set_xticks(range(count), names.texts, rotation=90 if names.turned else 0, **style)
        axes.set_yticks(range(count), names.texts, **style)
    axes.tick_params(length=0, labelcolor=INK, labelsize=names.size, labelfontfamily=_FONT)
    for spine in axes.spines.values():
        spine.set_color(_FRAME)


def _write_numbers(
    axes: Axes, numbers: Sequence[Sequence[str]], shares: Sequence[Sequence[float]]
) -> None:
    for i, row in enumerate(numbers):
        for j, text in enumerate(row):
            if text:
                colour = "white" if shares[i][j] > _DARK else INK
                style: dict[str, Any] = {"fontsize": _NUMBER_SIZE, "family": _FONT}
                axes.text(j, i, text, ha="center", va="center", color=colour, **style)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."
