"""Test `relativenas compare --against`: equal time for all, continuation and mistakes."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import optuna
import pytest

from relativenas_optuna.evaluation.standalone import estimate
from relativenas_optuna.search.time_used import USED_ATTRIBUTE, seconds_used
from relativenas_optuna.storages.opening import storage_at
from tests.evaluation.comparison.conftest import Capture
from tests.helpers.command import Outcome, call, started, wait_for

SMALL = ("--set", "channels=2", "--set", "cells=3", "--set", "batch_size=8", "--seeds", "1")
OUT = "equal"
NETWORK = "mobilenet_v3_small"
WORDS = ("compare", "--study", "mine", *SMALL, "--against", NETWORK, "--out", OUT)
SEARCH, TIME = 0.4, 1.0  # seconds
pytestmark = pytest.mark.usefixtures("quick", "threads")


@pytest.fixture
def quick(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the search of study "mine" have taken `SEARCH` seconds, and measure few steps."""
    with storage_at("sqlite:///relativenas.db", heartbeat_interval=None) as storage:
        study = optuna.load_study(study_name="mine", storage=storage)
        assert (seconds_used(study) or 0) > 0  # the search has recorded its own
        study.set_user_attr(USED_ATTRIBUTE, SEARCH)
    monkeypatch.setattr(estimate, "_MEASURE", 0.0)


@pytest.fixture
def compared(capfd: Capture) -> Outcome:
    """Return the outcome of a comparison with both stems in folder `OUT`."""
    kept = Path("against.json")
    if not kept.exists():
        outcome = call(capfd, *WORDS, "--time", f"{TIME}s")
        assert (outcome.status, outcome.err) == (0, "")
        kept.write_text(json.dumps(outcome.out))
    return Outcome(0, json.loads(kept.read_text()), "")


def figures(folder: str = OUT) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((Path(folder) / "compare.json").read_text())
    return data


def refused(capfd: Capture, *words: str) -> str:
    return call(capfd, *WORDS, *words).line


@pytest.mark.slow
def test_all_have_the_same_time_and_the_search_counts(compared: Outcome) -> None:
    data = figures()
    names = ["found", "RelativeNAS", NETWORK, f"{NETWORK}, small stem"]
    assert [one["name"] for one in data["architectures"]] == names
    assert (data["time"], data["search_seconds"], data["baseline"]) == (TIME, SEARCH, None)
    for one in data["architectures"]:
        time = TIME - SEARCH if one["name"] == "found" else TIME
        assert 0.98 * time <= one["seconds"] < 5 * time  # other programs may run
        assert one["epochs"] >= 1
        assert 0 < one["latency"] < 1
        assert min(one["parameters"], one["multiply_adds"]) > 0
    usual, small = data["architectures"][2:]
    assert usual["parameters"] == small["parameters"]
    assert usual["multiply_adds"] < small["multiply_adds"]
    assert "Each network had about 1 second" in compared.out
    said = (f"better than {NETWORK}", f"difference from {NETWORK} (")
    assert any(words in compared.out for words in said)
    page = Path(OUT, "compare.md").read_text()
    assert "| ms per image | epochs | seconds |" in page
    assert Path(OUT, "compare.png").stat().st_size > 10_000


@pytest.mark.slow
def test_finished_rows_are_kept_and_another_network_is_added(
    compared: Outcome, capfd: Capture
) -> None:
    before = figures()["architectures"]
    words = ("--against", "shufflenet_v2_x0_5", "--stem", "torchvision", "--json")
    outcome = call(capfd, *WORDS, *words)
    assert outcome.status == 0
    after = json.loads(outcome.out)
    assert after == figures()
    assert [one["name"] for one in after["architectures"]][3:] == ["shufflenet_v2_x0_5"]
    for old, new in zip(before[:3], after["architectures"][:3], strict=True):
        assert old["trainings"] == new["trainings"]


@pytest.mark.slow
def test_a_killed_comparison_goes_on_with_the_time_that_is_left(
    folder: Path, capfd: Capture
) -> None:
    words = (*WORDS, "--out", "killed", "--time", "2s", "--stem", "torchvision")
    with started(*words, cwd=folder) as process:
        wait_for(process, "1 of 3: ")
        process.send_signal(signal.SIGKILL)
        process.wait()
    ended = {path: path.stat().st_mtime_ns for path in Path("killed").rglob("result.json")}
    outcome = call(capfd, *words)
    assert (outcome.status, len(ended)) == (0, 1)
    assert all(path.stat().st_mtime_ns == time for path, time in ended.items())
    assert [one["seconds"] >= 0.98 * 1.6 for one in figures("killed")["architectures"]] == [
        True
    ] * 3


@pytest.mark.slow
def test_without_test_images_a_part_is_held_out(capfd: Capture) -> None:
    shutil.copytree("images/train", "undivided_images", dirs_exist_ok=True)
    words = ("--data", "undivided_images", "--out", "held", "--time", "1s", "--random", "1")
    outcome = call(capfd, *WORDS, *words, "--stem", "torchvision")
    assert outcome.status == 0
    data = figures("held")
    assert data["held_out"] is True
    assert [one["kind"] for one in data["architectures"]][-1] == "random"
    assert "a fifth of the images was held out" in outcome.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--against", "resnet81"), "such as resnet18"),
        (("--against", "alexnet"), "alexnet does not take images of 8x8 pixels"),
        (("--time", "0.41s"), "time must be at least 1s, since the search took 1s and an epoch"),
        (("--time", "9h"), "take a GPU (--device cuda), less --time, or begin"),
        (("--time", "soon"), "time must be a duration"),
        (("--set", "learning_rates=1"), "a recipe's field must be one of"),
    ],
)
def test_a_mistake_is_reported_before_any_training(
    words: tuple[str, ...], said: str, capfd: Capture
) -> None:
    assert said in refused(capfd, *words, "--out", "mistaken")
    assert not Path("mistaken").exists()


@pytest.mark.slow
def test_another_time_in_the_same_folder_is_refused(compared: Outcome, capfd: Capture) -> None:
    assert "time must be 1s to continue the comparison" in refused(capfd, "--time", "9s")


@pytest.mark.parametrize("option", [("--time", "10m"), ("--stem", "small")])
def test_options_of_equal_time_need_a_network(option: tuple[str, str], capfd: Capture) -> None:
    assert f"{option[0]} needs --against NETWORK" in call(capfd, "compare", *option).line
