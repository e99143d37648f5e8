"""Place labels next to points, so that they cover neither each other nor a point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from relativenas_optuna.visualization.drawing._layout import Box, Point
from relativenas_optuna.visualization.drawing._pen import TEXT_SIZE, text_width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEIGHT = 0.16
_GAP = 0.1


@dataclass(frozen=True)
class Label:
    """A text and the box that it fills, in inches."""

    text: str
    box: Box


def place_labels(
    points: Sequence[tuple[str, Point]], taken: Sequence[Box], within: Box
) -> list[Label]:
    """Place each label beside its point, or else above or below it, or further away.

    Args:
        points: Pairs of label and point, in inches; a label "" is not placed.
        taken: Boxes that no label may cover, those of points included.
        within: Box that labels stay inside if there is a free place.
    """
    placed: list[Label] = []
    for text, point in points:
        if text:
            covered = [*taken, *(label.box for label in placed)]
            boxes = _around(point, text_width(text, TEXT_SIZE))
            placed.append(Label(text, _first_free(list(boxes), covered, within)))
    return placed


def _first_free(boxes: Sequence[Box], taken: Sequence[Box], within: Box) -> Box:
    """Return the first box that is free; the first of all if none is."""
    free = (
        box
        for box in boxes
        if _contains(within, box) and not any(_overlap(box, other) for other in taken)
    )
    return next(free, boxes[0])


def _around(point: Point, width: float) -> Iterator[Box]:
    """Yield boxes for a label, the best first."""
    x, y = point
    aside = width / 2 + _GAP
    for away in range(8):
        shift = away * _HEIGHT / 2
        for side in (aside, -aside):
            for up in (shift, -shift):
                yield Box(x=x + side, y=y + up, width=width, height=_HEIGHT)
        for up in (_HEIGHT / 2 + _GAP + shift, -_HEIGHT / 2 - _GAP - shift):
            yield Box(x=x, y=y + up, width=width, height=_HEIGHT)


def _overlap(one: Box, other: Box) -> bool:
    return (
        abs(one.x - other.x) < (one.width + other.width) / 2
        and abs(one.y - other.y) < (one.height + other.height) / 2
    )


def _contains(outer: Box, inner: Box) -> bool:
    return (
        abs(outer.x - inner.x) <= (outer.width - inner.width) / 2
        and abs(outer.y - inner.y) <= (outer.height - inner.height) / 2
    )
