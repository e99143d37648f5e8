"""Which classes a network takes for which, in a picture."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from relativenas_optuna.drawing._pen import INK

_CELL = 0.42  # inches, where the number of pictures fits in
_SMALL_CELL = 0.09
_MOST_NUMBERED = 25
_MOST_NAMED = 120
_LONGEST_NAME = 24
_UPRIGHT = 3  # letters that fit below a cell
_LARGEST = 16.0  # inches
_DARK = 0.35  # share from which on a number is white


def draw_confusion(
    confusion: Sequence[Sequence[int]], classes: Sequence[str], *, title: str
) -> Figure:
    """Draw how many pictures of each class were taken for which.

    A row is a class, and its colours are shares of the pictures of that class.

    Args:
        confusion: Pictures of class i (rows) taken for class j (columns), `[classes, classes]`.
        classes: Names of the classes.
        title: A line above the picture.
    """
    count = len(classes)
    numbered = count <= _MOST_NUMBERED
    names = [_short(name) for name in classes] if count <= _MOST_NAMED else []
    shares = [[number / max(sum(row), 1) for number in row] for row in confusion]
    side = min(max(count * (_CELL if numbered else _SMALL_CELL), 2.0), _LARGEST)
    room = 0.08 * max(map(len, names), default=0)
    figure = Figure(figsize=(side + room + 1.6, side + room + 1.0), layout="constrained")
    axes = figure.add_subplot()
    # By the square root, so that a few of many show.
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1))
    axes.set_title(title, fontsize=10, color=INK, parse_math=False)
    axes.set_xlabel("taken for", color=INK)
    axes.set_ylabel("class", color=INK)
    size = 8 if numbered else 72 * side / count * 0.8
    if names:
        turned = 90 if max(map(len, names)) > _UPRIGHT else 0
        axes.set_xticks(
            range(count), names, rotation=turned, fontsize=min(size, 8), parse_math=False
        )
        axes.set_yticks(range(count), names, fontsize=min(size, 8), parse_math=False)
    axes.tick_params(length=0)
    if numbered:
        digits = max(len(str(number)) for row in confusion for number in row)
        for i, row in enumerate(confusion):
            for j, number in enumerate(row):
                if number:
                    axes.text(
                        j,
                        i,
                        str(number),
                        ha="center",
                        va="center",
                        fontsize=8 if digits < 5 else 6,
                        color="white" if shares[i][j] > _DARK else INK,
                    )
    bar = figure.colorbar(
        image, shrink=0.8, ticks=[0, 0.05, 0.2, 0.5, 1], format=PercentFormatter(1.0, decimals=0)
    )
    bar.set_label("share of the class", color=INK)
    bar.outline.set_visible(False)
    return figure


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."
