"""Test the drawing of confusion matrices."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from relativenas_optuna.visualization.drawing import draw_confusion, save_figure

NAMES = ["$cat$", "a name of more than twenty-four letters", "x"]
NUMBERS = [[17_992, 30, 0], [0, 5, 0], [0, 0, 0]]


def drawn(numbers: list[list[int]], names: list[str]) -> Figure:
    return draw_confusion(numbers, names, title="a title", note="a note " * 4)


def diagonal(count: int) -> list[list[int]]:
    return [[9 * (i == j) for j in range(count)] for i in range(count)]


def test_rows_are_true_and_columns_predicted_classes() -> None:
    axes, bar = drawn(NUMBERS, NAMES).axes
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {(0, 0): "17,992", (1, 0): "30", (1, 1): "5"}
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == [NAMES[0], "a name of more than t...", "x"]
    shares = axes.images[0].get_array()
    assert shares is not None
    assert shares.tolist() == [[17_992 / 18_022, 30 / 18_022, 0], [0, 1, 0], [0, 0, 0]]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true class", "predicted class")
    assert bar.get_ylabel() == "share of the class"


def test_many_classes_have_no_numbers_and_very_many_no_names() -> None:
    some, many = (drawn(diagonal(count), [f"n{i}" for i in range(count)]) for count in (26, 121))
    assert not some.axes[0].texts
    assert len(some.axes[0].get_xticklabels()) == 26
    assert "n0" not in [label.get_text() for label in many.axes[0].get_xticklabels()]


@pytest.mark.parametrize(
    ("numbers", "names"),
    [
        (NUMBERS, NAMES),
        (diagonal(2), ["a", "b"]),
        (diagonal(10), [str(i) for i in range(10)]),
        (diagonal(40), [f"class {i}" for i in range(40)]),
    ],
    ids=["long", "two", "digits", "forty"],
)
def test_no_word_is_cut_off_or_lies_on_another(numbers: list[list[int]], names: list[str]) -> None:
    figure = drawn(numbers, names)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    assert len(boxes) > 8
    for box in boxes:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
    for one, other in combinations(boxes, 2):
        common = Bbox.intersection(one, other)
        assert common is None or min(common.width, common.height) < 1.5  # pixels


def test_the_same_numbers_give_the_same_bytes(tmp_path: Path) -> None:
    files = [save_figure(lambda: drawn(NUMBERS, NAMES), tmp_path / f"{i}.png") for i in range(2)]
    assert files[0].read_bytes() == files[1].read_bytes()
