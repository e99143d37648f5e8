"""Test the study of searches and usual networks in the same time, on a tiny folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import t as student

from relativenas_optuna.cli.commands.compare import compare
from relativenas_optuna.cli.commands.search import search
from tests.helpers.command import ROOT, write_images

sys.path.insert(0, str(ROOT / "studies"))

import worth_time


def compared(accuracy: float, *, rival: bool = True) -> dict[str, Any]:
    names = {"found": "found", "resnet18": "torchvision"} if rival else {"found": "found"}
    return {
        "search_seconds": 300.0,
        "architectures": [
            {
                "name": name,
                "kind": kind,
                "accuracy": accuracy,
                "parameters": 1000,
                "multiply_adds": 2_500_000,
                "latency": 0.0015,
                "epochs": 40,
            }
            for name, kind in names.items()
        ],
    }


def test_the_table_has_means_and_the_interval_of_student() -> None:
    runs = [
        {"minutes": 10.0, "compared": compared(0.5)},
        {"minutes": 10.0, "compared": compared(0.6, rival=False)},
        {"minutes": 30.0, "compared": compared(0.7)},
    ]
    _, _, *rows = worth_time.table(runs).splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[:4] for row in cells] == [
        ["10 min", "found", "2", "55.00"],
        ["10 min", "resnet18", "1", "50.00"],
        ["30 min", "found", "1", "70.00"],
        ["30 min", "resnet18", "1", "70.00"],
    ]
    low, high = student.interval(0.95, 1, loc=55, scale=5)
    assert cells[0][4:] == [f"{low:.2f} to {high:.2f}", "1,000", "2.50", "1.50", "40", "300"]
    assert cells[1][4] == ""


def test_training_images_are_drawn_by_the_seed_alike_from_each_class(tmp_path: Path) -> None:
    for part in ("train", "test"):
        write_images(tmp_path / "all" / part, classes=3, each=10)
    drawn = {}
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        worth_time.draw_images(tmp_path / "all", tmp_path / name, 14, seed)
        files = [*(tmp_path / name / "train").rglob("*.png")]
        drawn[name] = {str(file.relative_to(tmp_path / name)) for file in files}
        assert len(drawn[name]) == 14
        assert len([*(tmp_path / name / "test").rglob("*.png")]) == 30
    assert drawn["one"] == drawn["same"] != drawn["other"]
    with pytest.raises(ValueError, match="has 10 images, but 11 are needed"):
        worth_time.draw_images(tmp_path / "all", tmp_path / "more", 33, 0)


def test_a_run_is_one_search_and_one_comparison_and_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands themselves, which take minutes, are only parsed."""
    for part in ("train", "test"):
        write_images(tmp_path / "all" / part, each=4)
    options: list[dict[str, Any]] = []

    def parsed(_folder: Path, name: str, *words: str) -> str:
        command = {"search": search, "compare": compare}[name]
        options.append(command.make_context(name, list(words)).params)
        return json.dumps(compared(0.5))

    monkeypatch.setattr(worth_time, "relativenas", parsed)
    monkeypatch.chdir(tmp_path)
    words = "--data all --results found.json --minutes 1 3 --seeds 2 --images 4 --size 8"
    monkeypatch.setattr(sys, "argv", ["worth_time.py", *words.split()])
    worth_time.main()
    assert [(one["time"], one["seed"]) for one in options] == [
        (time * share, seed) for time in (60, 180) for seed in (0, 1) for share in (0.5, 1)
    ]
    for searched, against in zip(options[::2], options[1::2], strict=True):
        assert searched["study"] == against["study"]
        assert (searched["size"], searched["threads"], against["threads"]) == (8, 1, 1)
        assert against["against"] == ("resnet18", "mobilenet_v3_small")
        assert against["seeds"] == 1
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(found["runs"]) == 4
    assert worth_time.table(found["runs"]) in capsys.readouterr().out
    worth_time.main()
    assert len(options) == 8
