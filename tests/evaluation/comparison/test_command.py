"""Test `relativenas compare`: its results, continuation and interruption."""

from __future__ import annotations

import json
import re
import signal
import statistics
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest

from relativenas_optuna.storages.opening import storage_at
from tests.evaluation.comparison.conftest import NAMES, WORDS, Capture
from tests.helpers.command import Outcome, call, end, started, wait_for


def figures(out: str) -> dict[str, Any]:
    """Return the data that a comparison wrote, without the measured times."""
    data: dict[str, Any] = json.loads((Path(out) / "compare.json").read_text())
    for one in data["architectures"]:
        del one["seconds"]
        for training in one["trainings"]:
            del training["seconds"]
    return data


def trials(study: str) -> list[optuna.trial.FrozenTrial]:
    with storage_at("sqlite:///relativenas.db") as storage:
        return optuna.load_study(study_name=study, storage=storage).trials


@pytest.mark.slow
def test_all_architectures_are_trained_and_listed_in_the_table(
    undisturbed: Outcome,
) -> None:
    lines = undisturbed.out.splitlines()
    done = [re.match(r"(\d+) of 10: (.*), seed (\d): test accuracy ", line) for line in lines]
    assert [(m[2], m[3]) for m in done if m] == [(n, s) for s in "01" for n in NAMES]
    (announced,) = [line for line in lines if line.startswith("up to 10 trainings of 2 epochs")]
    assert "; a random search as long as the search comes first" in announced
    out = Path("relativenas-out/mine/compare")
    data = json.loads((out / "compare.json").read_text())
    assert [one["name"] for one in data["architectures"]] == NAMES
    assert data["seeds"] == [0, 1]
    assert {k: data["recipe"][k] for k in ("epochs", "channels", "cells")} == {
        "epochs": 2,
        "channels": 2,
        "cells": 3,
    }
    # Of each training there is what `relativenas train` leaves.
    results = [json.loads(path.read_text()) for path in out.glob("trainings/*/result.json")]
    assert len(results) == 10
    for one in data["architectures"]:
        own = [r for r in results if r["name"] == one["name"]]
        assert sorted(r["seed"] for r in own) == [0, 1]
        accuracies = [r["test_accuracy"] for r in own]
        assert one["accuracy"] == pytest.approx(statistics.fmean(accuracies))
        assert one["deviation"] == pytest.approx(statistics.stdev(accuracies))
        assert {r["multiply_adds"] for r in own} == {one["multiply_adds"]}
        (row,) = [x.split() for x in lines if x.strip().startswith(f"{one['name']} ")]
        assert f"{100 * statistics.fmean(accuracies):.2f}" in row
    assert f"{one['parameters']:,}" in row
    assert re.search(r"The found architecture beats \d of 2 random ones\.", undisturbed.out)
    assert {path.name for path in out.iterdir()} == {
        "compare.json",
        "compare.md",
        "compare.png",
        "trainings",
    }


def test_the_random_search_is_an_ordinary_study(undisturbed: Outcome, capfd: Capture) -> None:
    ours, theirs = trials("mine"), trials("mine-random")
    assert len(theirs) == len(ours) == 4
    for name in ("generation", "seat", "weights_version"):
        assert [t.user_attrs[name] for t in theirs] == [t.user_attrs[name] for t in ours]
    shown = call(capfd, "show", "--study", "mine-random")
    assert (shown.status, shown.err) == (0, "")
    drawn = figures("undisturbed")["architectures"][1]
    assert "\n".join(re.findall(r"^(?:normal|reduce): .*", shown.out, re.M)) == drawn["genotype"]
    finished = call(capfd, "search", "--study", "mine-random")
    assert "study 'mine-random' is finished: 2 generations" in finished.out


def test_json_is_one_line_and_a_finished_comparison_trains_nothing(
    undisturbed: Outcome, capfd: Capture
) -> None:
    before = {p: p.stat().st_mtime_ns for p in Path("relativenas-out").rglob("result.json")}
    outcome = call(capfd, *WORDS, "--json")
    assert outcome.status == 0
    assert outcome.out.count("\n") == 1
    assert json.loads(outcome.out) == json.loads(
        Path("relativenas-out/mine/compare/compare.json").read_text()
    )
    after = {p: p.stat().st_mtime_ns for p in Path("relativenas-out").rglob("result.json")}
    assert after == before


def test_a_longer_comparison_continues_a_shorter_one(undisturbed: Outcome, capfd: Capture) -> None:
    before = {p: p.stat().st_mtime_ns for p in Path("relativenas-out").rglob("result.json")}
    words = [word if word != "2" else "3" for word in WORDS]
    outcome = call(capfd, *words)
    assert outcome.status == 0
    assert "12 of 12: random 3, seed 1" in outcome.out
    after = {p: p.stat().st_mtime_ns for p in Path("relativenas-out").rglob("result.json")}
    assert len(after) == 12
    assert before.items() <= after.items()


@pytest.mark.slow
def test_a_killed_comparison_ends_with_the_same_result(
    undisturbed: Outcome, folder: Path, capfd: Capture
) -> None:
    words = (*WORDS, "--out", "ended")
    with started(*words, cwd=folder) as process:
        wait_for(process, "4 of 10: ")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (folder / "ended" / "compare.json").exists()
    outcome = call(capfd, *words)
    assert outcome.status == 0
    assert figures("ended") == figures("undisturbed")


@pytest.mark.slow
def test_ctrl_c_reports_what_is_saved_and_how_to_continue(
    undisturbed: Outcome, folder: Path
) -> None:
    with started(*WORDS, "--out", "interrupted", cwd=folder) as process:
        wait_for(process, "1 of 10: ")
        process.send_signal(signal.SIGINT)
        outcome = end(process)
    assert outcome.status == 128 + signal.SIGINT
    assert re.search(r"interrupted: \d of 10 trainings are over", outcome.err)
    assert "compare --study mine" in outcome.err


@pytest.mark.slow
def test_parallel_trainings_give_the_same_and_end_with_the_command(
    undisturbed: Outcome, folder: Path
) -> None:
    words = (*WORDS, "--workers", "2", "--out", "beside")
    with started(*words, cwd=folder) as process:
        wait_for(process, "1 of 10: ")
        crew = psutil.Process(process.pid).children(recursive=True)
        assert len(crew) >= 2
        process.send_signal(signal.SIGKILL)
        process.wait()
    psutil.wait_procs(crew, timeout=60)
    assert not any(one.is_running() for one in crew)
    with started(*words, cwd=folder) as process:
        outcome = end(process)
    assert (outcome.status, outcome.err) == (0, "")
    assert figures("beside") == figures("undisturbed")
