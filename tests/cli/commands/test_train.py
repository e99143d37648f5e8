"""`relativenas train`: from an architecture to a trained network, and one line for each mistake."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from relativenas_optuna.cli.cpu_time import require_patience
from relativenas_optuna.evaluation.standalone.estimate import seconds_of_epoch
from relativenas_optuna.networks.io.network_file import load_network
from relativenas_optuna.networks.network import CellNetwork
from relativenas_optuna.spaces.published_cells import published
from tests.helpers.command import (
    ENVIRONMENT,
    call,
    write_images,
    write_study_file,
)
from tests.helpers.small_standalone import GENOTYPE, RECIPE
from tests.helpers.tiny_search import tiny_images

if TYPE_CHECKING:
    from pathlib import Path

Capture = pytest.CaptureFixture[str]
_RECIPE = """\
base = "digits"
channels = 2
cells = 3
epochs = 2
batch_size = 4
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Here: an architecture, a recipe, and images, of which some are test images."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text(GENOTYPE.to_text())
    (tmp_path / "tiny.toml").write_text(_RECIPE)
    for part in ("train", "test"):
        write_images(tmp_path / "images" / part)
    return tmp_path


TINY = ("train", "mine.txt", "--data", "images", "--recipe", "tiny.toml", "--device", "cpu")


def test_a_file_becomes_a_trained_network_and_the_same_command_says_it_again(
    folder: Path, capfd: Capture
) -> None:
    outcome = call(capfd, *TINY)
    assert (outcome.status, outcome.err) == (0, "")
    out = folder / "relativenas-out" / "mine-trained"
    network, description = load_network(out / "network.safetensors")
    assert network.genotype == description.genotype == GENOTYPE
    assert description.classes == ("class0", "class1")
    for line in (
        "mine: file mine.txt",
        r"data images, seed 0, device cpu; 2 epochs of batches of 4, 3 cells and 2 channels",
        "13 training images, 3 validation images, 16 test images, 2 classes",
        r"epoch 1: loss .*, accuracy .* %; validation loss .*, accuracy .* %",
        r"epoch [12] of 2 is kept: validation accuracy .* %, loss .*",
        r"test accuracy .* %, loss .*",
        r"written: +relativenas-out/mine-trained: network.safetensors, network.json, .*",
        r"evaluate it: .* evaluate relativenas-out/mine-trained/network.safetensors "
        "--data images",
    ):
        assert re.search(f"^{line}$", outcome.out, re.MULTILINE), (line, outcome.out)
    for name in re.findall(r"written: .*trained: (.*)", outcome.out)[0].split(", "):
        assert (out / name).exists()
    again = call(capfd, *TINY)
    assert again.status == 0
    without_epochs = [line for line in outcome.out.splitlines() if not line.startswith("epoch 1:")]
    assert [line for line in without_epochs if not line.startswith("epoch 2:")] == (
        again.out.splitlines()
    )


def test_json_is_one_line_of_what_came_of_it(folder: Path, capfd: Capture) -> None:
    outcome = call(capfd, *TINY, "--set", "epochs=1", "--set", "flip=true", "--seed", "3", "--json")
    assert (outcome.status, outcome.err, outcome.out.count("\n")) == (0, "", 1)
    found = json.loads(outcome.out)
    assert found["architecture"] == GENOTYPE.to_text()
    assert (found["recipe"]["epochs"], found["recipe"]["flip"]) == (1, True)
    assert (found["seed"], found["kept_epoch"], found["name"]) == (3, 0, "mine")
    assert found["parameters"] > 0
    assert 0 <= found["test_accuracy"] <= 1
    assert load_network(folder / found["network"])[1].notes["seed"] == 3


def test_the_best_of_a_study_is_trained_on_its_data(folder: Path, capfd: Capture) -> None:
    write_study_file(folder, "my", generations=1)
    text = (folder / "my.toml").read_text().replace("[search]", "[search]\nsize = 6")
    (folder / "my.toml").write_text(text)
    assert call(capfd, "run", "my.toml").status == 0
    outcome = call(capfd, "train", "--study", "my", "--recipe", "tiny.toml", "--set", "epochs=1")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("my: the best of study 'my', trial ")
    _, description = load_network("relativenas-out/my-trained/network.safetensors")
    assert description.size == (6, 6)
    best = (folder / "relativenas-out" / "my" / "best.txt").read_text()
    assert description.genotype.to_text() == best.strip()


@pytest.mark.slow
def test_a_folder_of_large_images_is_read_while_training(folder: Path, capfd: Capture) -> None:
    large = ("random_resized_crop=true", "padding=0", "color_jitter=0.2")
    changes = [word for one in large for word in ("--set", one)]
    outcome = call(capfd, *TINY, *changes, "--size", "12", "--readers", "0")
    assert (outcome.status, outcome.err) == (0, "")
    _, description = load_network("relativenas-out/mine-trained/network.safetensors")
    assert description.size == (12, 12)
    assert description.mean == (0.485, 0.456, 0.406)


def test_without_test_images_there_is_no_test(folder: Path, capfd: Capture) -> None:
    words = [word if word != "images" else "images/train" for word in TINY]
    outcome = call(capfd, *words, "--set", "validation_fraction=0")
    assert outcome.status == 0
    assert "there are no test images" in outcome.out
    assert "kept, the last one, because there are no validation images" in outcome.out
    assert re.search("evaluate it: .* --data images/train --part training$", outcome.out, re.M)


@pytest.mark.slow
def test_without_test_images_the_printed_command_measures_on_those_of_the_validation(
    folder: Path, capfd: Capture
) -> None:
    words = [word if word != "images" else "images/train" for word in TINY]
    outcome = call(capfd, *words, "--set", "epochs=1")
    (printed,) = re.findall("evaluate it: .* (evaluate .*)$", outcome.out, re.M)
    measured = call(capfd, *printed.split())
    assert measured.status == 0
    assert " validation images of images/train" in measured.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "epochs=x"), "epochs must be a whole number of at least 1; got 'x'"),
        (("--recipe", "long"), "recipe must be one of cifar, imagenet, short, digits, "),
        (("--recipe", "cifar"), "cutout must be at most 8 for images of 8x8, got 16"),
        (("--data", "missing"), "data must be one of digits, cifar10"),
        (("--recipe", "imagenet", "--data", "digits"), "random_resized_crop needs a folder"),
        (("--set", "batch_size=1"), "batch_size must be a whole number from 2 to 1000000; got 1"),
        (("--set", "learning_rate=1e30", "--set", "clip=0"), "diverged in epoch 1, its loss is"),
    ],
)
def test_a_mistake_is_one_line(
    words: tuple[str, ...], said: str, folder: Path, capfd: Capture
) -> None:
    assert said in call(capfd, *TINY, *words).line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("RelativNAS",), "architecture must be a file with a genotype, .*; got 'RelativNAS'"),
        (("--study", "none"), "study 'none' is not in the storage"),
        (("--study", "empty"), "study 'empty' has no scored architecture, it is empty"),
    ],
)
def test_an_unknown_architecture_is_refused(
    words: tuple[str, ...], said: str, folder: Path, capfd: Capture
) -> None:
    space = '{"x": {"name": "FloatDistribution", "attributes": {"low": 0.0, "high": 1.0}}}'
    call(capfd, "ask", "--study", "other", "--search-space", space, "--population", "2")
    import optuna

    optuna.create_study(study_name="empty", storage="sqlite:///relativenas.db")
    assert re.search(said, call(capfd, "train", *words).line)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_said_before_data_is_read(folder: Path, capfd: Capture) -> None:
    line = call(capfd, *TINY[:-1], "cuda", "--data", "missing").line
    assert "device must be one of cpu on this machine; got 'cuda'" in line


@pytest.mark.slow
def test_a_training_of_days_on_a_cpu_needs_yes(
    folder: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "relativenas_optuna.evaluation.standalone.estimate.seconds_of_epoch",
        lambda *_, **__: 45_000.0,
    )
    line = call(capfd, *TINY).line
    assert "2 epochs of 12 hours would take this CPU about 25 hours" in line
    assert "--device cuda" in line
    assert "--yes" in line
    assert not list((folder / "relativenas-out" / "mine-trained").iterdir())
    assert call(capfd, *TINY, "--set", "epochs=1").status == 0  # half of it is no day
    # Nor is what is left of one that was begun.
    outcome = call(capfd, *TINY, "--out", "other", "--yes")
    assert (outcome.status, outcome.err) == (0, "")


def test_the_estimate_is_known_before_the_training(folder: Path, capfd: Capture) -> None:
    line = call(capfd, *TINY, "--set", "epochs=10000000").line
    assert re.search(r"epochs of \d+ seconds? would take this CPU about \d+ days", line)


@pytest.mark.parametrize("of_image", [0.01, 1.0])
@pytest.mark.parametrize("images", [60, 600])
def test_the_estimate_is_of_real_steps(
    images: int, of_image: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that only a network moves, for each image that it sees."""
    now = 0.0

    def tick(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal now
        if isinstance(module, CellNetwork):
            now += of_image * len(inputs[0])

    clock = "relativenas_optuna.evaluation.standalone.estimate.perf_counter"
    monkeypatch.setattr(clock, lambda: now)
    recipe = replace(RECIPE, batch_size=16)
    hook = register_module_forward_pre_hook(tick)
    try:
        seconds = seconds_of_epoch(
            GENOTYPE, tiny_images(images), recipe=recipe, device=torch.device("cpu")
        )
    finally:
        hook.remove()
    assert seconds == pytest.approx(images * of_image)


def test_an_estimate_is_of_the_time_alone() -> None:
    """That a few images in one batch diverge says nothing of the training."""
    recipe = replace(RECIPE, learning_rate=1e30, clip=0.0)
    device = torch.device("cpu")
    assert seconds_of_epoch(GENOTYPE, tiny_images(60), recipe=recipe, device=device) > 0


@pytest.mark.slow
def test_the_papers_recipe_is_known_to_take_days_after_seconds(folder: Path) -> None:
    from relativenas_optuna.evaluation.standalone.named_recipes import RECIPES

    data = tiny_images(64)
    large = replace(data, images=torch.zeros(64, 1, 32, 32, dtype=torch.uint8))
    recipe = replace(RECIPES["cifar"], cells=4)
    seconds = seconds_of_epoch(
        published("RelativeNAS"), large, recipe=recipe, device=torch.device("cpu")
    )
    with pytest.raises(ValueError, match="would take this CPU about"):
        require_patience(seconds * 50_000 / 64, recipe.epochs)


def test_help_names_every_recipe_and_loads_no_torch() -> None:
    code = (
        "import sys\nfrom relativenas_optuna.cli.main import main\n"
        "try:\n    main(['train', '--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'matplotlib'} & set(sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert all(name in run.stdout for name in ("cifar", "imagenet", "short", "digits"))
