"""Test the drawing of accuracies against cost."""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from relativenas_optuna.visualization.drawing import Mark, Measured, draw_scatter, save_figure
from relativenas_optuna.visualization.drawing._labels import Label, place_labels
from relativenas_optuna.visualization.drawing._layout import Box

MARK = Mark(colour="#0072b2", shape="o")
POINTS = [
    Measured(label="one", x=1.0, values=[50.0, 54.0, 55.0], mark=MARK),
    Measured(label="$two$", x=2.0, values=[60.0], mark=Mark(colour="#d55e00", shape="^")),
]


def drawn(points: list[Measured], band: tuple[float, float] | None = None) -> Figure:
    return draw_scatter(
        points, title="t", note="n", across="a", upward="u", band=band, band_label="a group"
    )


def test_points_are_at_their_means_with_a_line_of_one_deviation_and_each_value() -> None:
    (axes,) = drawn(POINTS).axes
    lines = [list(map(tuple, np.asarray(line.get_xydata()).tolist())) for line in axes.lines]
    for point in POINTS:
        mean = statistics.fmean(point.values)
        spread = statistics.stdev(point.values) if len(point.values) > 1 else 0.0
        assert [(point.x, mean)] in lines
        assert [(point.x, mean - spread), (point.x, mean + spread)] in lines
        assert [(point.x, value) for value in point.values] in lines
    low, high = axes.get_ylim()
    for y in (y for line in lines for _, y in line):
        assert low < y < high


@pytest.mark.parametrize(
    ("most", "labels"),
    [
        (100.0, ["1", "2", "5", "10", "20", "50", "100"]),
        (1e4, ["1", "10", "100", "1,000", "10,000"]),
    ],
)
def test_a_logarithmic_axis_is_labelled_with_numbers(most: float, labels: list[str]) -> None:
    points = [replace(POINTS[0], x=1.0), replace(POINTS[1], x=most)]
    figure = draw_scatter(points, title="t", note="n", across="a", upward="u", log_across=True)
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    assert low < 0 < math.log10(most) < high
    assert [tick.get_text() for tick in axes.get_xticklabels()][: len(labels)] == labels
    for tick, label in zip(axes.get_xticks(), labels, strict=False):
        assert 10**tick == pytest.approx(float(label.replace(",", "")))


def test_every_label_and_the_band_are_written_once_in_the_colour_of_the_point() -> None:
    figure = drawn(POINTS, band=(52.0, 1.0))
    (axes,) = figure.axes
    written = {text.get_text(): text.get_color() for text in axes.texts}
    assert written == {"one": "#0072b2", "$two$": "#d55e00"}
    assert len(axes.texts) == 2
    assert [text.get_text() for text in figure.texts] == ["t", "n", "a group"]
    assert "a group" not in [text.get_text() for text in drawn(POINTS).texts]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_points_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    files = [save_figure(lambda: drawn(POINTS), tmp_path / f"{i}{suffix}") for i in range(2)]
    assert files[0].read_bytes() == files[1].read_bytes()
    if suffix == ".png":
        with Image.open(files[0]) as drawing:
            assert drawing.width > 1200


positions = st.tuples(st.floats(0.5, 5.5), st.floats(0.5, 2.5))


@settings(max_examples=40)
@given(st.lists(positions, min_size=1, max_size=6))
def test_labels_cover_neither_each_other_nor_a_point_while_there_is_room(
    points: list[tuple[float, float]],
) -> None:
    taken = [Box(x=x, y=y, width=0.1, height=0.1) for x, y in points]
    within = Box(x=3.0, y=1.5, width=6.0, height=3.0)
    labels = place_labels([(f"label {i}", point) for i, point in enumerate(points)], taken, within)
    assert [label.text for label in labels] == [f"label {i}" for i in range(len(points))]
    crowded = [p for p, q in itertools.combinations(points, 2) if _distance(p, q) < 0.6]
    if not crowded:
        for one, other in itertools.combinations(labels, 2):
            assert not _overlap(one.box, other.box)
        for label, box in itertools.product(labels, taken):
            assert not _overlap(label.box, box)
        assert all(_inside(label, within) for label in labels)


def _distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1]))


def _overlap(one: Box, other: Box) -> bool:
    return (
        min(one.right, other.right) > max(one.left, other.left) + 1e-9
        and min(one.y + one.height / 2, other.y + other.height / 2)
        > max(one.y - one.height / 2, other.y - other.height / 2) + 1e-9
    )


def _inside(label: Label, within: Box) -> bool:
    return within.left - 1e-9 <= label.box.left and label.box.right <= within.right + 1e-9
