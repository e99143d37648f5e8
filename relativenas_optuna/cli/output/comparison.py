"""Print a comparison, and write it to files as a table and as a chart."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from relativenas_optuna._utils.files import write_whole
from relativenas_optuna._utils.text import duration
from relativenas_optuna.cli.terminal import print_line
from relativenas_optuna.evaluation.comparison.figures import (
    DRAWN,
    FOUND,
    PUBLISHED,
    RANDOM,
    TORCHVISION,
    deviation,
)
from relativenas_optuna.visualization.drawing._save import save_figure
from relativenas_optuna.visualization.drawing._scatter import Mark, Measured, draw_scatter

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from relativenas_optuna.evaluation.comparison.report import Comparison

_MARKS = {
    RANDOM: Mark(colour="#6e6e6e", shape="o", size=7),
    PUBLISHED: Mark(colour="#009e73", shape="s"),
    TORCHVISION: Mark(colour="#cc79a7", shape="D"),
    DRAWN: Mark(colour="#d55e00", shape="^", size=9),
    FOUND: Mark(colour="#0072b2", shape="*", size=14),
}
"""Marks of the chart by kind of architecture; later ones are drawn on top."""


FILES = ("compare.md", "compare.json", "compare.png")
"""Names of the files that `write` writes."""


def show(comparison: Comparison, console: Console) -> None:
    """Print the table of a comparison, and its conclusions as sentences."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for number, column in enumerate(comparison.columns):
        # Figures are not wrapped; headings are, to leave room for the figures.
        table.add_column(
            column.replace(" ", "\n").replace("-", "-\n"),
            justify="right" if number else "left",
            no_wrap=number > 0 or comparison.seconds is None,
            overflow="ellipsis" if number else "fold",
        )
    for row in comparison.rows():
        table.add_row(*row)
    console.print(table)
    for sentence in comparison.sentences():
        print_line(console, sentence)


def write(comparison: Comparison, out: Path) -> None:
    """Write a comparison into a folder, each file whole or not at all.

    Raises:
        OSError: A file cannot be written.
    """
    page, data, chart = (out / name for name in FILES)
    write_whole(page, comparison.to_markdown().encode())
    figures = json.dumps(comparison.to_data(), allow_nan=False, indent=1)
    write_whole(data, f"{figures}\n".encode())
    save_chart(comparison, chart)


def save_chart(comparison: Comparison, path: Path) -> None:
    """Draw a comparison into a PNG or SVG file, whole or not at all.

    Raises:
        OSError: The file cannot be written.
    """
    points = [
        Measured(
            label=one.name,
            x=one.multiply_adds / 1e6,
            values=[100 * accuracy for accuracy in one.accuracies],
            mark=mark,
        )
        for kind, mark in _MARKS.items()
        for one in comparison.compared
        if one.kind == kind
    ]
    group = [100 * one.accuracy for one in comparison.compared if one.kind == RANDOM]
    spread = deviation(group)
    band = None if spread is None else (statistics.fmean(group), spread)
    seeds = len(comparison.seeds)
    note = (
        f"mean of {seeds} seeds, each as a dash, and one standard deviation to each side"
        if seeds > 1
        else "one training each"
    )
    if comparison.seconds is not None:
        note = f"{duration(comparison.seconds)} each, with the search; {note}"
    save_figure(
        lambda: draw_scatter(
            points,
            title=f"{comparison.study}: was the search worth it?",
            note=note,
            across="multiply-adds of one image, millions",
            log_across=comparison.seconds is not None,
            upward="test accuracy, %",
            band=band,
            band_label="dashed line and grey band: mean of the random ones and one deviation",
        ),
        path,
    )
