"""`relativenas search --max-parameters` and the other limits, from the command line."""

from __future__ import annotations

import re
from pathlib import Path

import optuna
import pytest

from relativenas_optuna.networks import costs_of
from relativenas_optuna.networks.latency import LatencyTable
from relativenas_optuna.spaces import NASBench201
from tests.helpers.command import call, write_images, write_study_file

Capture = pytest.CaptureFixture[str]
SMALL = ("--space", "nasbench201", "--channels", "2", "--cells", "5", "--size", "8")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def limited_file(here: Path, limits: str, space: str = "nasbench201") -> str:
    """Write a study file of a search within limits."""
    file = write_study_file(here, "mine", generations=1, more=f"[limits]\n{limits}")
    text = (here / file).read_text()
    (here / file).write_text(text.replace("[search]\n", f"[search]\nspace = '{space}'\n"))
    return file


def trials() -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="mine", storage="sqlite:///relativenas.db").get_trials()


@pytest.mark.slow
def test_a_study_file_limits_the_parameters_and_the_limit_is_kept(
    here: Path, capfd: Capture
) -> None:
    space = NASBench201()
    costs = costs_of("nasbench201", channels=4, cells=5, num_classes=2, input_size=(3, 8, 8))
    least, most = costs["parameters"].bounds
    limit = round(least + (most - least) / 10)
    file = limited_file(here, f"parameters = {limit}\nchannels = 4")
    outcome = call(capfd, "run", file)
    assert outcome.status == 0
    assert (
        f"limit {limit:,} parameters, in networks of 4 channels and 5 cells, which have "
        f"{least:,.0f} to {most:,.0f}\n" in outcome.out
    )
    assert all(costs["parameters"].of(trial.params) <= limit for trial in trials())
    assert len({space.genotype(trial.params) for trial in trials()}) == 2
    same = ("search", "--study", "mine", "--max-parameters", str(limit))
    assert call(capfd, *same).status == 0
    changed = call(capfd, "search", "--study", "mine", "--max-parameters", "1e6")
    assert changed.status == 1
    assert "limit parameters 1000000.0 does not fit study 'mine', which was sta" in changed.line


@pytest.mark.slow
def test_a_measured_table_limits_the_latency(here: Path, capfd: Capture) -> None:
    measured = call(capfd, "latency", *SMALL, "--seconds", "0.001", "--device", "cpu", "-q")
    assert measured.status == 0
    table = LatencyTable.read("latency.json")
    least, most = table.cost.bounds
    limit = least + (most - least) / 10
    file = limited_file(here, f"latency = {limit}\nlatency_table = 'latency.json'")
    outcome = call(capfd, "run", file)
    assert outcome.status == 0
    assert re.search(rf"limit \S+ ms on {re.escape(table.device)}, in networks of 2 ", outcome.out)
    assert all(table.cost.of(trial.params) <= limit for trial in trials())


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--max-parameters", "5"), r"limits\['parameters'\] must be at least [\d,]+, the least"),
        (("--max-parameters", "0"), "'--max-parameters': 0.* is not in the range"),
        (("--max-latency", "5"), "needs both --max-latency MS and --latency-table FILE"),
        (("--limit-cells", "20"), "cells of a limit needs a limit: give --max-parameters"),
        (
            ("--max-latency", "5", "--latency-table", "missing.json"),
            "'missing.json': No such file or directory",
        ),
        (
            ("--max-parameters", "1e6", "--sampler", "optuna.samplers:TPESampler"),
            "sampler 'optuna.samplers:TPESampler' cannot keep limits",
        ),
    ],
)
def test_a_mistake_is_refused_in_one_line_before_a_database_is_made(
    options: tuple[str, ...], line: str, here: Path, capfd: Capture
) -> None:
    write_images(here / "images")
    outcome = call(capfd, "search", "--data", "images", *options)
    assert outcome.status in (1, 2)
    assert re.search(line, outcome.err), outcome.err
    assert "Traceback" not in outcome.err
    assert not (here / "relativenas.db").exists()
    assert not (here / "relativenas-out").exists()
