"""Test that `relativenas compare` reports mistakes in one line, before it trains."""

from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest

from relativenas_optuna.search.choice import RESULT_ATTRIBUTE
from relativenas_optuna.storages.opening import storage_at
from tests.evaluation.comparison.conftest import NAMES, WORDS, Capture
from tests.helpers.command import Outcome, call, write_images, write_study_file

DATABASE = "sqlite:///relativenas.db"
pytestmark = pytest.mark.usefixtures("folder")


def refused(capfd: Capture, *words: str) -> str:
    outcome = call(capfd, *WORDS, *words)
    assert outcome.out == "" or "going on" not in outcome.out
    return outcome.line


def test_another_recipe_in_the_same_folder_is_refused(undisturbed: Outcome, capfd: Capture) -> None:
    assert "epochs" in refused(capfd, "--set", "epochs=3")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--random", "0"), "0 is not in the range"),
        (("--seeds", "0"), "0 is not in the range"),
        (("--workers", "0"), "0 is not in the range"),
        (("--published", "RelativNAS"), "of RelativeNAS, DARTS_V1"),
        (("--recipe", "long"), "recipe must be one of cifar, imagenet, short, digits"),
        (("--set", "epoch=3"), "a recipe's field must be one of"),
        (("--set", "epochs=-3"), "epochs must be a whole number of at least 1"),
        (("--set", "padding=40"), "padding"),
        (("--data", "nowhere"), "nowhere"),
        (("--device", "tpu"), "tpu"),
    ],
)
def test_a_mistake_is_reported_in_one_line_before_any_training(
    words: tuple[str, ...], said: str, capfd: Capture
) -> None:
    assert said in refused(capfd, *words, "--out", "mistaken")
    assert not Path("mistaken").exists()


def test_a_diverged_training_is_named_with_advice(capfd: Capture) -> None:
    words = ("--no-baseline", "--set", "learning_rate=1e30", "--set", "clip=0")
    line = refused(capfd, *words, "--out", "diverged")
    assert "Error: found, seed 0: the training diverged in epoch 1, its loss is" in line
    assert line.endswith("use another --out with another recipe")


def test_images_that_are_too_few_or_have_no_test_part_are_refused(
    capfd: Capture, folder: Path
) -> None:
    if not (folder / "few").exists():
        write_images(folder / "few" / "train", each=1)
        write_images(folder / "few" / "test", each=1)
        write_images(folder / "undivided")
    assert "no test images" in refused(capfd, "--data", "undivided", "--out", "o")
    assert "images" in refused(capfd, "--data", "few", "--out", "o", "--no-baseline")


def test_studies_without_a_search_are_refused(capfd: Capture) -> None:
    with storage_at(DATABASE, heartbeat_interval=None) as storage:
        optuna.create_study(study_name="empty", storage=storage, load_if_exists=True)
        other = optuna.create_study(study_name="other", storage=storage, load_if_exists=True)
        other.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    for study in ("empty", "other"):
        line = refused(capfd, "--study", study)
        assert f"study '{study}' was not searched by `relativenas search`" in line
    assert "study 'nothing' is not in the storage" in refused(capfd, "--study", "nothing")
    assert "is a random search itself" in refused(capfd, "--study", "mine-random", "--out", "o")


@pytest.mark.slow
def test_an_unfinished_search_needs_no_baseline(capfd: Capture, folder: Path) -> None:
    assert call(capfd, "run", write_study_file(folder, "short", generations=1)).status == 0
    with storage_at(DATABASE, heartbeat_interval=None) as storage:
        study = optuna.load_study(study_name="short", storage=storage)
        study.set_user_attr(RESULT_ATTRIBUTE, None)
    words = ("--study", "short", "--seeds", "1")
    assert "is not finished" in refused(capfd, *words)
    outcome = call(capfd, *WORDS, *words, "--no-baseline")
    assert outcome.status == 0
    data = json.loads(Path("relativenas-out/short/compare/compare.json").read_text())
    assert data["baseline"] is None
    assert [one["name"] for one in data["architectures"]] == [n for n in NAMES if " s" not in n]
    assert "too few trainings for an interval" in outcome.out
