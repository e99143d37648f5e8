"""Test the table, the Markdown and the JSON of a comparison."""

from __future__ import annotations

import io
import json
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from relativenas_optuna.cli.output.comparison import FILES, show, write
from relativenas_optuna.evaluation.comparison.figures import (
    DRAWN,
    FOUND,
    PUBLISHED,
    RANDOM,
    TORCHVISION,
)
from relativenas_optuna.evaluation.comparison.report import COLUMNS, Comparison
from tests.evaluation.comparison.test_figures import compared

ACCURACIES = {
    "found": [0.81, 0.83],
    "random search": [0.80, 0.78],
    "P": [0.70, 0.72],
    "random 1": [0.60, 0.64],
    "random 2": [0.84, 0.86],
    "random 3": [0.55, 0.55],
}
KINDS = {"found": FOUND, "random search": DRAWN, "P": PUBLISHED}
COMPARISON = Comparison(
    study="$s$ [red]",
    data="digits",
    recipe={"epochs": 2, "flip": False},
    seeds=(0, 1),
    baseline="s-random",
    compared=tuple(
        compared(KINDS.get(name, RANDOM), accuracies, name)
        for name, accuracies in ACCURACIES.items()
    ),
)


def percent(values: list[float]) -> str:
    return f"{100 * np.mean(values):.2f} ± {100 * np.std(values, ddof=1):.2f}"


def test_rows_are_means_and_deviations() -> None:
    rows = COMPARISON.rows()
    assert all(len(row) == len(COLUMNS) for row in rows)
    by_name = {row[0]: row for row in rows}
    for name, accuracies in ACCURACIES.items():
        assert by_name[name][1:] == (percent(accuracies), "", "1,000", "2.50", "1")
    means = [statistics.fmean(ACCURACIES[f"random {i}"]) for i in (1, 2, 3)]
    assert by_name["all 3 random"][1] == percent(means)
    assert by_name["best random"][1] == "85.00"
    assert list(by_name)[-2:] == ["all 3 random", "best random"]


def test_sentences_report_wins_and_noise() -> None:
    first, *others = COMPARISON.sentences()
    assert first == "The found architecture beats 2 of 3 random ones."
    assert [other.split(":")[0] for other in others[:3]] == [
        "The difference from random search is within the noise",
        "The found architecture is better than P (published)",
        "The difference from 3 random architectures is within the noise",
    ]


def test_all_files_hold_the_same_figures(tmp_path: Path) -> None:
    write(COMPARISON, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    page = (tmp_path / "compare.md").read_text()
    for row in COMPARISON.rows():
        assert f"| {' | '.join(row)} |" in page.splitlines()
    for sentence in COMPARISON.sentences():
        assert f"- {sentence}" in page.splitlines()
    data = json.loads((tmp_path / "compare.json").read_text())
    assert data == json.loads(json.dumps(COMPARISON.to_data(), allow_nan=False))
    for one in data["architectures"]:
        assert one["accuracy"] == pytest.approx(np.mean(ACCURACIES[one["name"]]))
        assert one["deviation"] == pytest.approx(np.std(ACCURACIES[one["name"]], ddof=1))
    assert data["random"] == {
        "count": 3,
        "beaten": 2,
        "mean": pytest.approx(0.6733333),
        "deviation": pytest.approx(np.std([0.62, 0.85, 0.55], ddof=1)),
        "best": pytest.approx(0.85),
    }
    with Image.open(tmp_path / "compare.png") as image:
        assert image.width > 1200


@pytest.mark.parametrize("width", [80, 200])
def test_the_terminal_table_cuts_no_cell(width: int) -> None:
    console = Console(width=width, markup=False, record=True, file=io.StringIO())
    show(COMPARISON, console)
    text = console.export_text()
    for row in COMPARISON.rows():
        (line,) = [line for line in text.splitlines() if line.strip().startswith(row[0] + " ")][:1]
        assert all(cell in line for cell in row)


TIMED = replace(
    COMPARISON,
    compared=tuple(one for one in COMPARISON.compared if one.kind != RANDOM),
    baseline=None,
    seconds=600.0,
    search_seconds=240.0,
    held_out=True,
)


def test_rows_of_equal_time_show_search_latency_and_epochs() -> None:
    rows = {row[0]: dict(zip(TIMED.columns, row, strict=True)) for row in TIMED.rows()}
    assert set(rows) == {"found", "random search", "P"}
    assert [row["seconds"] for row in rows.values()] == ["240 + 1", "1", "1"]
    assert {row["ms per image"] for row in rows.values()} == {"2.00"}
    assert {(row["epochs"], row["params, M"]) for row in rows.values()} == {("3", "0.001")}


def test_the_table_of_equal_time_fits_a_terminal() -> None:
    name = "mobilenet_v3_small, small stem"
    console = Console(width=80, markup=False, record=True, file=io.StringIO())
    show(
        replace(TIMED, compared=(*TIMED.compared, compared(TORCHVISION, [0.5, 0.7], name))), console
    )
    text = console.export_text()
    assert "mobilenet_v3_small, " in text
    assert "\u2026" not in text


def test_equal_time_is_in_sentences_and_data(tmp_path: Path) -> None:
    first, second, *_ = TIMED.sentences()
    assert first == (
        "Each network had about 10 minutes; the search of the found one took 4 minutes of it."
    )
    assert "the search has seen them" in second
    write(TIMED, tmp_path)
    data = json.loads((tmp_path / "compare.json").read_text())
    assert (data["time"], data["search_seconds"], data["held_out"]) == (600, 240, True)
